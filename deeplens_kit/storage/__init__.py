"""Where files are: locations that are listed, asked for the state of an object, and read.

Takes URLs and options and gives listings, states and bytes; must not decode anything, and writes nothing but new
files in a folder that a user names (`new_files`).
"""

from deeplens_kit.storage.base import (
    Listing,
    ListingProblem,
    LocationKind,
    ObjectStat,
    SkippedFolder,
    SkipReason,
)
from deeplens_kit.storage.checksums import ContentDigests, digest_content
from deeplens_kit.storage.paths import decode_path, display_path, encode_path
from deeplens_kit.storage.registry import kinds, normalise_url, open_location

__all__ = [
    "ContentDigests",
    "Listing",
    "ListingProblem",
    "LocationKind",
    "ObjectStat",
    "SkipReason",
    "SkippedFolder",
    "decode_path",
    "digest_content",
    "display_path",
    "encode_path",
    "kinds",
    "normalise_url",
    "open_location",
]
