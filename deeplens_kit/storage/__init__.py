"""Where files are: locations that are listed, asked for the state of an object, and read.

Takes URLs and options and gives listings, states and bytes; must not decode anything. It writes new files into a folder
that a user names (`new_files`), and at a location only what that is opened for (option `permissions`).
"""

from deeplens_kit.storage.base import (
    QUARANTINE_FOLDER,
    UNSETTLED,
    KeptAfter,
    LinkForm,
    Listing,
    ListingProblem,
    LocationCheck,
    LocationKind,
    ObjectFacts,
    ObjectStat,
    SkippedFolder,
    SkipReason,
)
from deeplens_kit.storage.checksums import ContentDigests, digest_content
from deeplens_kit.storage.options import OptionDescription, Permission
from deeplens_kit.storage.paths import decode_path, display_path, encode_path
from deeplens_kit.storage.registry import (
    KindDescription,
    describe_kinds,
    given_options,
    kind_of_url,
    kinds,
    normalise_url,
    open_location,
    option_names,
)

__all__ = [
    "QUARANTINE_FOLDER",
    "UNSETTLED",
    "ContentDigests",
    "KeptAfter",
    "KindDescription",
    "LinkForm",
    "Listing",
    "ListingProblem",
    "LocationCheck",
    "LocationKind",
    "ObjectFacts",
    "ObjectStat",
    "OptionDescription",
    "Permission",
    "SkipReason",
    "SkippedFolder",
    "decode_path",
    "describe_kinds",
    "digest_content",
    "display_path",
    "encode_path",
    "given_options",
    "kind_of_url",
    "kinds",
    "normalise_url",
    "open_location",
    "option_names",
]
