"""The EXIF facts of a camera's RAW file, whatever its container.

Takes the bytes of one RAW file, gives its facts; must not raise: what is not found is None.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from deeplens_kit.decode.exif import ExifFacts, parse_exif
from deeplens_kit.decode.ifd import TiffStructure

__all__ = ["raw_exif"]

# Olympus and Panasonic write another number where TIFF has 42, and keep its structure.
_OTHER_MAGICS = (b"IIRO", b"IIRS", b"MMOR", b"IIU\x00")
_PLAIN_MAGIC = {b"II": b"II*\x00", b"MM": b"MM\x00*"}
_MINOLTA, _MINOLTA_BLOCK = b"\x00MRM", b"\x00TTW"
# The boxes of a CR3 (ISO base media): the main directory, the EXIF directory as a main one, the position.
_CANON_BRAND, _CANON_MAIN, _CANON_EXIF = b"ftypcrx ", b"CMT1", b"CMT2"
_DATE = 0x9003
_HEAD_BYTES = 1 << 20  # own bound: where the boxes of a CR3 and the blocks of an MRW lie


def raw_exif(data: bytes, preview: ExifFacts | None) -> ExifFacts:
    """The facts of a RAW file; where its container has none, those of its JPEG preview."""
    found = _of_container(data)
    if found is None or found == ExifFacts(orientation=found.orientation):
        return preview or found or ExifFacts()
    return found


def _of_container(data: bytes) -> ExifFacts | None:
    if data[:4] in _OTHER_MAGICS:
        return parse_exif(_PLAIN_MAGIC[data[:2]] + data[4:])
    if data[:2] in _PLAIN_MAGIC:
        return parse_exif(data)
    if data.startswith(_MINOLTA):
        at = data.find(_MINOLTA_BLOCK, 0, _HEAD_BYTES)
        return parse_exif(data[at + 8 :]) if at >= 0 else None
    if data[4:12] == _CANON_BRAND:
        return _of_canon(data)
    return None


def _of_canon(data: bytes) -> ExifFacts | None:
    main = data.find(_CANON_MAIN, 0, _HEAD_BYTES)
    if main < 0:
        return None
    facts = parse_exif(data[main + 4 : main + 4 + _HEAD_BYTES])
    inner = data.find(_CANON_EXIF, main, _HEAD_BYTES)
    if inner < 0:
        return facts
    taken = _original_date(data[inner + 4 : inner + 4 + _HEAD_BYTES])
    return replace(facts, taken_at=taken or facts.taken_at)


def _original_date(block: bytes) -> datetime | None:
    try:
        structure = TiffStructure(block)
        main = structure.directory(structure.first_offset)
        return datetime.strptime(structure.text(main.entries.get(_DATE)), "%Y:%m:%d %H:%M:%S") if main else None
    except ValueError:
        return None
