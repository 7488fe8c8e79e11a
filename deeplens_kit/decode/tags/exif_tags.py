"""The tags of an EXIF block or a TIFF file (Exif 3.0, CIPA DC-008; TIFF 6.0), named where a standard names them.

Takes a TIFF structure of untrusted bytes, adds its tags to a list; must not read a value beyond what is shown of it,
whatever its count says, and follows each directory once.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from PIL.ExifTags import GPSTAGS, TAGS

from deeplens_kit.decode.ifd import Entry, TiffStructure
from deeplens_kit.decode.tags.tag import MAX_VALUE_CHARACTERS, TagList

__all__ = ["IPTC_TAG", "PHOTOSHOP_TAG", "XMP_TAG", "add_exif"]

XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG = 700, 33723, 34377
_EXIF_DIRECTORY, _GPS_DIRECTORY, _INTEROPERABILITY_DIRECTORY = 0x8769, 0x8825, 0xA005
_MAKER_NOTE, _USER_COMMENT = 0x927C, 0x9286
_INTEROPERABILITY = {1: "InteroperabilityIndex", 2: "InteroperabilityVersion"}
# What Pillow does not name: Exif 3.0, GeoTIFF, and what Adobe's Camera Raw writes.
_NAMES = TAGS | {
    0x830E: "ModelPixelScale", 0x8482: "ModelTiepoint", 0x85D8: "ModelTransformation", 0x87AF: "GeoKeyDirectory",
    0x87B0: "GeoDoubleParams", 0x87B1: "GeoAsciiParams",
    0xA436: "ImageTitle", 0xA437: "Photographer", 0xA438: "ImageEditor", 0xA439: "CameraFirmware",
    0xA43A: "RAWDevelopingSoftware", 0xA43B: "ImageEditingSoftware", 0xA43C: "MetadataEditingSoftware",
    0xFDE8: "OwnerName", 0xFDE9: "SerialNumber", 0xFDEA: "Lens", 0xFE4C: "RawFile", 0xFE4D: "Converter",
    0xFE4E: "WhiteBalance", 0xFE51: "Exposure", 0xFE52: "Shadows", 0xFE53: "Brightness", 0xFE54: "Contrast",
    0xFE55: "Saturation", 0xFE56: "Sharpness", 0xFE57: "Smoothness", 0xFE58: "MoireFilter",
}  # fmt: skip
_POINTERS = frozenset({_EXIF_DIRECTORY, _GPS_DIRECTORY, _INTEROPERABILITY_DIRECTORY})
_BLOCKS = frozenset({XMP_TAG, IPTC_TAG, PHOTOSHOP_TAG})
# No tags for people: where samples lie, colour tables and profiles, layers, DNG's copies of the maker note and of the
# whole RAW file, and the like.
_SPECIAL = frozenset(
    _POINTERS
    | _BLOCKS
    | {_MAKER_NOTE, 34675}
    | {273, 279, 288, 289, 320, 324, 325, 330, 347, 513, 514, 519, 520, 521, 37724, 50740, 50828, 51008, 51009, 51022}
)
_XP_TAGS = frozenset(range(0x9C9B, 0x9CA0))  # Windows: UTF-16, little-endian whatever the block is
_ASCII, _RATIONALS = 2, {5: "I", 10: "i"}
_BYTES, _UNDEFINED, _UTF8 = 1, 7, 129
# One number, which most tags hold; ready, because building the format costs more than reading it.
_SINGLE = {
    (order, kind): struct.Struct(order + code)
    for order in "<>"
    for kind, code in ((3, "H"), (4, "I"), (5, "2I"), (9, "i"), (10, "2i"))
}
_CHARACTER_CODES = {b"ASCII\x00\x00\x00": "", b"UNICODE\x00": "utf-16", b"JIS\x00\x00\x00\x00\x00": "iso2022_jp"}
_MOST_NUMBERS = 16
_MOST_OPAQUE_BYTES = 32
_MOST_TEXT_BYTES = 4 * MAX_VALUE_CHARACTERS


def add_exif(structure: TiffStructure, tags: TagList) -> dict[int, bytes]:
    """Add the tags of the first directory and of those that it points to.

    Returns:
        Other blocks that the first directory holds, by tag: XMP, IPTC, Photoshop's resources.
    """
    pointers: dict[int, int] = {}
    blocks: dict[int, bytes] = {}
    if not _add(structure, structure.first_offset, "EXIF", _NAMES, tags, pointers, blocks):
        tags.note("EXIF is cut off")
        return blocks
    for pointer, group, names in (
        (_EXIF_DIRECTORY, "EXIF", _NAMES),
        (_GPS_DIRECTORY, "GPS", GPSTAGS),
        (_INTEROPERABILITY_DIRECTORY, "EXIF", _INTEROPERABILITY),  # the EXIF directory points to it
    ):
        place = pointers.pop(pointer, None)
        if place is not None and not _add(structure, place, group, names, tags, pointers, {}):
            tags.note("EXIF points to a directory that is not there")
    return blocks


def _add(
    structure: TiffStructure,
    place: int,
    group: str,
    names: dict[int, str],
    tags: TagList,
    pointers: dict[int, int],
    blocks: dict[int, bytes],
) -> bool:
    """Add the tags of a directory, and gather where it points to; False where none can lie there."""
    directory = structure.directory(place)
    if directory is None:
        return False
    if len(directory.entries) < directory.count:
        tags.note(f"{group} has tags that lie beyond its end")
    for tag, entry in directory.entries.items():
        if group == "EXIF" and tag in _SPECIAL:
            if tag == _MAKER_NOTE:
                tags.keep_maker_note(structure.raw(entry), entry.size)
            elif tag in _POINTERS:
                pointers.setdefault(tag, int(structure.numbers(entry)[0]) if entry.count == 1 else 0)
            elif tag in _BLOCKS:
                blocks[tag] = structure.raw(entry)
        else:
            tags.add(group, names.get(tag) or f"0x{tag:04X}", _text(structure, tag, entry))
    return True


def _text(structure: TiffStructure, tag: int, entry: Entry) -> str:
    """The value as people read it; of a long one its beginning, and how long it is."""
    kind = entry.type
    if kind == _ASCII:
        return _decoded(structure.data[entry.offset : entry.offset + min(entry.size, _MOST_TEXT_BYTES)])
    if kind in (_BYTES, _UNDEFINED):
        return _text_of_bytes(structure, tag, entry)
    if entry.count == 1 and (single := _SINGLE.get((structure.order, kind))):
        found = single.unpack_from(structure.data, entry.offset)
        return str(found[0]) if len(found) == 1 else _rational(*found)
    count = min(entry.count, _MOST_NUMBERS)
    if kind in _RATIONALS:
        parts = struct.unpack_from(f"{structure.order}{2 * count}{_RATIONALS[kind]}", structure.data, entry.offset)
        said = [_rational(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    else:
        numbers = structure.numbers(entry if entry.count == count else replace(entry, count=count))
        said = [str(number) if isinstance(number, int) else f"{number:.10g}" for number in numbers]
    return _listed(said, entry.count)


def _text_of_bytes(structure: TiffStructure, tag: int, entry: Entry) -> str:
    raw = structure.data[entry.offset : entry.offset + min(entry.size, _MOST_TEXT_BYTES)]
    if tag in _XP_TAGS:
        return raw[: len(raw) & ~1].decode("utf-16-le", "replace").split("\x00", 1)[0]
    if tag == _USER_COMMENT or raw[:8] in _CHARACTER_CODES:
        return _comment(raw, structure.order)
    text = raw.rstrip(b"\x00")
    if entry.type == _UNDEFINED and text and text.isascii() and text.decode("ascii").isprintable():
        return text.decode("ascii")
    if entry.type == _BYTES and entry.count <= _MOST_NUMBERS:
        return " ".join(map(str, raw))
    if entry.size == 1:
        return str(raw[0])
    shown = raw[:_MOST_OPAQUE_BYTES].hex(" ")
    return shown if entry.size <= _MOST_OPAQUE_BYTES else f"{shown} … ({entry.size} bytes)"


def _comment(raw: bytes, order: str) -> str:
    """A text that is led by eight letters that name its characters."""
    code = _CHARACTER_CODES.get(raw[:8], "")
    body = raw[8:] if raw[:8] in _CHARACTER_CODES or not raw[:8].strip(b"\x00") else raw
    if code == "utf-16" and body[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        # Writers disagree whether the block's order holds; in western letters the zero bytes tell.
        high, low = body[::2].count(0), body[1::2].count(0)
        little = low > high if low != high else order == "<"
        code = "utf-16-le" if little else "utf-16-be"
    if code:
        return body[: len(body) & ~1 if code.startswith("utf-16") else None].decode(code, "replace").split("\x00", 1)[0]
    return _decoded(body)


def _decoded(raw: bytes) -> str:
    # Exif asks for ASCII; what cameras and editors write is UTF-8 or Latin-1. A second text may follow a zero byte
    # (Copyright: photographer, then editor).
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.rstrip("\x00").replace("\x00", "; ") if "\x00" in text else text


def _rational(top: int, bottom: int) -> str:
    if not bottom:
        return "nan"
    if top % bottom == 0:
        return str(top // bottom)
    # Times of exposure are told as fractions, all else as decimals.
    return f"1/{bottom}" if top == 1 else f"{top / bottom:.10g}"


def _listed(said: list[str], count: int) -> str:
    joined = " ".join(said)
    return f"{joined} … ({count} values)" if count > len(said) else joined
