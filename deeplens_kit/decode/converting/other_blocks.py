"""Metadata of the formats that no copy is written in: Photoshop, JPEG 2000, compressed boxes of JPEG XL, camera RAW.

Takes the bytes of one file, gives its EXIF and XMP as `deeplens metadata` finds them; must not fail on what is broken,
nor say of a file that it holds what it does not.
"""

from __future__ import annotations

from deeplens_kit.decode.formats.jpegxl_header import read_header
from deeplens_kit.decode.tags.containers import Blocks as Found
from deeplens_kit.decode.tags.containers import find_blocks

__all__ = ["found_blocks", "jxl_boxes", "plain_tiff"]

# Olympus and Panasonic write another number where TIFF has 42, and keep its structure.
_OTHER_MAGICS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\x00")
_PLAIN_MAGICS = {b"II": b"II*\x00", b"MM": b"MM\x00*"}


def found_blocks(data: bytes) -> tuple[bytes | None, bytes | None, tuple[str, ...]]:
    """EXIF from its byte-order mark on, XMP, and the names of what else there is; None where there is none."""
    found = Found()
    find_blocks(data, found)
    exif = found.exif[0].removeprefix(b"Exif\x00\x00") if found.exif else None
    others = ("IPTC",) if found.iptc else ()
    return exif or None, found.xmp[0] if found.xmp else None, others


def jxl_boxes(data: bytes) -> tuple[bytes | None, bytes | None]:
    """EXIF and XMP of a JPEG XL, inflated where they were compressed."""
    header = read_header(data)
    return header.exif or None, header.xmp or None


def plain_tiff(data: bytes) -> bytes | None:
    """Camera RAW that is built like TIFF, with the signature of TIFF; None of others."""
    if data[:4] in _OTHER_MAGICS:
        return _PLAIN_MAGICS[data[:2]] + data[4:]
    return data if data[:4] in _PLAIN_MAGICS.values() else None
