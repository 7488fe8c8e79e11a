"""All tags of a file, and the date that they agree on.

Takes the bytes of one file and its colour profile, gives tags and dates; must not raise, whatever the bytes are: a
block that cannot be read is noted, and the others stay.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

from deeplens_kit.decode.ifd import TiffStructure
from deeplens_kit.decode.tags.containers import Blocks, find_blocks, take_resources
from deeplens_kit.decode.tags.dates import PictureDates, picture_dates
from deeplens_kit.decode.tags.exif_tags import IPTC_TAG, PHOTOSHOP_TAG, XMP_TAG, add_exif
from deeplens_kit.decode.tags.icc import profile_name
from deeplens_kit.decode.tags.iptc import add_iptc
from deeplens_kit.decode.tags.tag import PictureTags, TagList
from deeplens_kit.decode.tags.xmp import add_xmp

__all__ = ["PROFILE_GROUP", "PROFILE_NAME", "read_tags"]

PROFILE_GROUP, PROFILE_NAME = "ICC", "ProfileDescription"
_MOST_BLOCKS = 4  # of each kind: MPO and broken writers repeat them, nobody needs more

# Every length and offset is checked where it is used; these are what is left where one is not.
_FAULTS = (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError, struct.error, zlib.error)


def read_tags(data: bytes, icc: bytes | None = None) -> tuple[PictureTags, PictureDates]:
    """Read everything that a file says about itself.

    Args:
        data: The whole file, of any format or none.
        icc: Its colour profile, where a reader of the format has it.
    """
    tags, blocks = TagList(), Blocks()
    _guarded(tags, "the file", find_blocks, data, blocks)
    for block in blocks.exif[:1]:
        _guarded(tags, "EXIF", _exif, block, blocks, tags)
    for packet in blocks.xmp[:_MOST_BLOCKS]:
        _guarded(tags, "XMP", add_xmp, packet, tags)
    for block in blocks.iptc[:_MOST_BLOCKS]:
        _guarded(tags, "IPTC", add_iptc, block, tags)
    _guarded(tags, "ICC", _profile, icc or blocks.icc, tags)
    for group, name, value in blocks.texts:
        tags.add_named(group, name, value)
    for problem in blocks.problems:
        tags.note(problem)
    found = tags.found()
    dates = picture_dates(found)
    return replace(found, problems=(*found.problems, *dates.problems)), dates


def _guarded(tags: TagList, name: str, step: Callable[..., None], *arguments: object) -> None:
    try:
        step(*arguments)
    except _FAULTS:
        tags.note(f"{name} is broken")


def _profile(profile: bytes | None, tags: TagList) -> None:
    name = profile_name(profile)
    if name:
        tags.add(PROFILE_GROUP, PROFILE_NAME, name)


def _exif(block: bytes, blocks: Blocks, tags: TagList) -> None:
    try:
        structure = TiffStructure(block.removeprefix(b"Exif\x00\x00"))
    except ValueError:
        tags.note("EXIF has no header")
        return
    others = add_exif(structure, tags)
    for tag, found in ((XMP_TAG, blocks.xmp), (IPTC_TAG, blocks.iptc)):
        if tag in others:
            found.append(others[tag])
    if PHOTOSHOP_TAG in others:
        take_resources(others[PHOTOSHOP_TAG], blocks)
