"""The blocks of metadata that a file holds beside its samples, and which of them a copy can take along.

Takes the bytes of one file, gives its EXIF and XMP and the names of what else is there; must not decode samples and
must not fail on what is broken: that is named as lost. EXIF goes along byte for byte, maker notes and all, but for
what would be untrue of the copy: the orientation, because its samples are upright, the size, and the small preview
where the picture was turned or reduced.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from deeplens_kit.decode.converting.other_blocks import found_blocks, jxl_boxes, plain_tiff
from deeplens_kit.decode.covered import TELLING_XMP
from deeplens_kit.decode.formats.boxes import boxes_of, find_exif_item, item_facts
from deeplens_kit.decode.ifd import Directory, Entry, TiffStructure
from deeplens_kit.decode.tags.tag import PictureTags, TagList
from deeplens_kit.decode.tags.xmp import add_xmp

__all__ = [
    "DESCRIPTIVE_TAGS",
    "XMP_NAME",
    "Blocks",
    "position_among",
    "stored_blocks",
    "tells_position",
    "true_exif",
    "true_xmp",
]

XMP_NAME = b"http://ns.adobe.com/xap/1.0/\x00"
"""What a segment of JPEG with XMP begins with."""

_EXIF, _GPS, _INTEROPERABILITY = 0x8769, 0x8825, 0xA005
DESCRIPTIVE_TAGS = frozenset(
    {270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 18246, 18249, 33432, 36867, 40091, 40092, 40093, 40094, 40095}
    | {_EXIF, _GPS}
)
"""Tags of a main directory that speak of the picture and not of how its samples are laid out."""

_ORIENTATION, _NEXT_WIDTH = 274, 4
_MAKER_NOTE = 0x927C
_PIXEL_SIDES = (0xA002, 0xA003)
_SHORT, _LONG = 3, 4
_XMP_TAG, _IPTC_TAG, _PHOTOSHOP_TAG = 700, 33723, 34377
_ORIENTATION_IN_XMP = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>\s*))[2-8]")
_POSITION_NAME = re.compile(r"gps_?(?:latitude|longitude)(?!ref)", re.IGNORECASE)
_XMP_IN_PNG = b"XML:com.adobe.xmp"


@dataclass(frozen=True, slots=True)
class Blocks:
    """Metadata of a file.

    Attributes:
        exif: From its byte-order mark on, or None.
        xmp: As text in XML, or None.
        others: What else is there, in words.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    others: tuple[str, ...] = ()


def stored_blocks(format_name: str, data: bytes) -> Blocks:
    """The metadata of a file that a reader has accepted."""
    found = _BLOCKS.get(format_name)
    if found is None:
        found = _of_raw if format_name == "RAW" else _of_others
    return found(data)


def true_exif(block: bytes, size: tuple[int, int], *, redrawn: bool) -> bytes | None:
    """An EXIF block that is true of a copy.

    Args:
        block: From its byte-order mark on.
        size: Width and height of the copy in pixels.
        redrawn: The copy is turned or reduced, so that a preview inside would show something else.

    Returns:
        A block of the same length, every offset as it was; None where it is broken.
    """
    try:
        structure = TiffStructure(block)
    except ValueError:
        return None
    main = structure.directory(structure.first_offset)
    if main is None or structure.big:
        return None
    patched = bytearray(block)
    _set(patched, structure, main.entries.get(_ORIENTATION), 1)
    pointer = structure.numbers(main.entries.get(_EXIF))[:1]
    exif = structure.directory(int(pointer[0])) if pointer else None
    for tag, side in zip(_PIXEL_SIDES, size, strict=True):
        _set(patched, structure, exif.entries.get(tag) if exif else None, side)
    if redrawn and main.next_offset:
        _forget_preview(patched, structure, main)
    return bytes(patched)


def true_xmp(text: bytes) -> bytes | None:
    """XMP that is true of a copy, upright; None where it speaks of parts of the file that are not carried."""
    if any(word in text for word in TELLING_XMP):
        return None
    return _ORIENTATION_IN_XMP.sub(rb"\g<1>1", text)


def tells_position(xmp: bytes | None) -> bool:
    """Whether XMP tells where the picture was made; of a packet that cannot be read in full, whether it may."""
    if xmp is None:
        return False
    tags = TagList()
    add_xmp(xmp, tags)
    return position_among(tags.found(), xmp)


def position_among(tags: PictureTags, raw: bytes) -> bool:
    """Whether tags tell where the picture was made; where some could not be read, whether the bytes may."""
    if any(_POSITION_NAME.search(name) for _, name, _, _ in tags.rows):
        return True
    # UTF-16 has a zero byte beside every letter.
    return bool(tags.problems and _POSITION_NAME.search(raw.replace(b"\x00", b"").decode("latin-1")))


def _set(patched: bytearray, structure: TiffStructure, entry: Entry | None, value: int) -> None:
    """Write a number over the one that an entry holds, where it is one of a type that takes it."""
    if entry is None or entry.count != 1 or entry.type not in (_SHORT, _LONG):
        return
    code = structure.order + ("H" if entry.type == _SHORT else "I")
    if value < 2 ** (8 * struct.calcsize(code)):
        struct.pack_into(code, patched, entry.offset, value)


def _forget_preview(patched: bytearray, structure: TiffStructure, main: Directory) -> None:
    """Cut the directory of the preview off, and blank the preview itself."""
    preview = structure.directory(main.next_offset)
    struct.pack_into(structure.order + "I", patched, main.end_offset - _NEXT_WIDTH, 0)
    if preview is None:
        return
    places = (structure.numbers(preview.entries.get(tag))[:1] for tag in (513, 514))
    start, length = (int(place[0]) if place else 0 for place in places)
    if 0 < start <= start + length <= len(patched):
        patched[start : start + length] = bytes(length)


def _of_jpeg(data: bytes) -> Blocks:
    exif = xmp = None
    others: list[str] = []
    for marker, body in _segments(data):
        if marker == 0xE1 and body.startswith(b"Exif\x00") and exif is None:
            exif = body[6:]
        elif marker == 0xE1 and body.startswith(XMP_NAME) and xmp is None:
            xmp = body[len(XMP_NAME) :]
        elif marker == 0xE1 and body.startswith(b"http://ns.adobe.com/xmp/extension/\x00"):
            others.append("the second part of a long XMP")
        elif marker == 0xED and body.startswith(b"Photoshop 3.0\x00"):
            others.append("IPTC and Photoshop's settings")
        elif marker == 0xFE and body.strip(b"\x00 "):
            others.append("the comment in the file")
    return Blocks(exif or None, xmp or None, tuple(dict.fromkeys(others)))


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers and bodies up to the first scan."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in (0xD9, 0xDA):
            return
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : end]
        at = end


def _of_png(data: bytes) -> Blocks:
    exif = xmp = None
    others: list[str] = []
    at, kind = 8, b""
    while kind != b"IEND" and at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        if kind == b"eXIf":
            exif = body.removeprefix(b"Exif\x00\x00")
        elif kind == b"iTXt" and body.startswith(_XMP_IN_PNG) and body[len(_XMP_IN_PNG) + 1 :][:1] == b"\x00":
            # Keyword, whether it is compressed, how, language, translated keyword, text.
            xmp = body[len(_XMP_IN_PNG) + 3 :].split(b"\x00", 2)[-1]
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            others.append("texts of PNG")
        elif kind in (b"gAMA", b"cHRM", b"cICP", b"mDCV"):
            others.append(f"what PNG says of its colours by {kind.decode()}")
        at += 12 + length
    return Blocks(exif or None, xmp or None, tuple(dict.fromkeys(others)))


def _of_webp(data: bytes) -> Blocks:
    found: dict[bytes, bytes] = {}
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        found.setdefault(data[at : at + 4], data[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)
    exif = found.get(b"EXIF", b"").removeprefix(b"Exif\x00\x00")
    return Blocks(exif or None, found.get(b"XMP ") or None)


def _of_items(data: bytes) -> Blocks:
    facts = item_facts(data)
    texts = [text for text in (facts.texts if facts else ()) if b"<x:xmpmeta" in text or b"<rdf:RDF" in text]
    return Blocks(find_exif_item(data), texts[0] if texts else None)


def _of_jxl(data: bytes) -> Blocks:
    boxes = (
        {kind: data[at:end] for kind, at, end in boxes_of(data, 0, len(data))} if data[:4] == bytes(3) + b"\x0c" else {}
    )
    exif, xmp = jxl_boxes(data)
    packed = ("metadata that is compressed",) if b"brob" in boxes and not (exif or xmp) else ()
    return Blocks(exif, xmp, packed)


def _of_gif(data: bytes) -> Blocks:
    return Blocks(others=("XMP",) if b"XMP DataXMP" in data else ())


def _of_others(data: bytes) -> Blocks:
    return Blocks(*found_blocks(data))


def _of_raw(data: bytes) -> Blocks:
    # Most camera RAW is built like TIFF.
    plain = plain_tiff(data)
    return _of_others(data) if plain is None else _of_tiff(plain)


def _of_tiff(data: bytes) -> Blocks:
    structure = TiffStructure(data)
    main = structure.directory(structure.first_offset)
    if main is None:
        return Blocks()
    xmp = main.entries.get(_XMP_TAG)
    others = [
        words
        for tag, words in ((_IPTC_TAG, "IPTC"), (_PHOTOSHOP_TAG, "Photoshop's settings"))
        if tag in main.entries
    ]  # fmt: skip
    exif = main.entries.get(_EXIF)
    if exif and _MAKER_NOTE in _inner(structure, exif):
        others.append("places within the maker notes, which were moved and may no longer be readable")
    return Blocks(_gathered(structure, main), structure.raw(xmp) if xmp else None, tuple(others))


def _gathered(structure: TiffStructure, main: Directory) -> bytes | None:
    """What a TIFF file says of its picture, as an EXIF block of its own."""
    kept = {tag: entry for tag, entry in main.entries.items() if tag in DESCRIPTIVE_TAGS}
    inner = {tag: _inner(structure, kept.pop(tag)) for tag in (_EXIF, _GPS) if tag in kept}
    if not kept and not any(inner.values()):
        return None
    block = bytearray((b"II*\x00" if structure.order == "<" else b"MM\x00*") + bytes(4))
    pointers = {}
    for tag, entries in inner.items():
        if entries:
            pointers[tag] = _append_directory(block, structure, entries, {})
    first = _append_directory(block, structure, kept, pointers)
    struct.pack_into(structure.order + "I", block, 4, first)
    return bytes(block)


def _inner(structure: TiffStructure, entry: Entry) -> dict[int, Entry]:
    pointer = structure.numbers(entry)[:1]
    found = structure.directory(int(pointer[0])) if pointer else None
    return {tag: item for tag, item in found.entries.items() if tag != _INTEROPERABILITY} if found else {}


def _append_directory(
    block: bytearray, structure: TiffStructure, entries: Mapping[int, Entry], pointers: Mapping[int, int]
) -> int:
    """Write a directory and its values at the end of a block; gives where it begins."""
    order, rows = structure.order, []
    for tag in sorted({*entries, *pointers}):
        if tag in pointers:
            rows.append(struct.pack(order + "HHII", tag, _LONG, 1, pointers[tag]))
            continue
        entry = entries[tag]
        if entry.type > 12 or entry.count >= 2**32:
            continue  # types of BigTIFF, which EXIF does not know
        head, value = struct.pack(order + "HHI", tag, entry.type, entry.count), structure.raw(entry)
        if entry.size <= 4:
            rows.append(head + value.ljust(4, b"\x00"))
        else:
            block += bytes(len(block) & 1)
            rows.append(head + struct.pack(order + "I", len(block)))
            block += value
    block += bytes(len(block) & 1)
    start = len(block)
    block += struct.pack(order + "H", len(rows)) + b"".join(rows) + bytes(4)
    return start


_BLOCKS: Mapping[str, Callable[[bytes], Blocks]] = {
    "AVIF": _of_items,
    "BMP": lambda _: Blocks(),
    "GIF": _of_gif,
    "HEIF": _of_items,
    "JPEG": _of_jpeg,
    "JXL": _of_jxl,
    "PNG": _of_png,
    "TIFF": _of_tiff,
    "WEBP": _of_webp,
}
