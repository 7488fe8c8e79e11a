"""Where the formats keep blocks of metadata: segments, chunks, boxes, resources and directories.

Takes the bytes of one file, tells its format by its first bytes, and gives its blocks as they are stored; must not
interpret them, nor inflate one beyond its bound. What cannot be followed ends the search, and what was found stays.
"""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from deeplens_kit.decode.formats.boxes import boxes_of, find_exif_item, item_facts
from deeplens_kit.decode.tags.iptc import (
    EXIF_RESOURCE,
    ICC_RESOURCE,
    IPTC_RESOURCE,
    XMP_RESOURCE,
    photoshop_resources,
)
from deeplens_kit.decode.tags.xmp import MAX_XMP_BYTES

__all__ = ["Blocks", "find_blocks", "take_resources"]

_MAX_CHUNKS = 200_000  # own bound, inclusive: chunks or segments of a file that are looked at
_MAX_INFLATED_BYTES = 4 * 2**20  # of all texts of a PNG together
_XMP, _EXTENDED = b"http://ns.adobe.com/xap/1.0/\x00", b"http://ns.adobe.com/xmp/extension/\x00"
_EXTENSION_NAME = re.compile(rb"HasExtendedXMP[^0-9A-Fa-f]{1,4}([0-9A-Fa-f]{32})")
_GIF_XMP, _GIF_TRAILER = b"\x21\xff\x0bXMP DataXMP", b"\x01\xff\xfe\xfd"
_JP2_UUIDS = {
    bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC"): "xmp",
    bytes.fromhex("33C7A4D2B81D4723A0BAF1A3E097AD38"): "iptc",
    b"JpgTiffExif->JP2": "exif",
}
_FUJI_PREVIEW = 84  # where a RAF says offset and length of the JPEG that it holds


@dataclass(slots=True)
class Blocks:
    """The blocks of a file, each as it is stored.

    Attributes:
        exif: From the byte-order mark on, or with a leading "Exif"; for TIFF the file itself.
        xmp: Packets.
        iptc: Blocks of data sets.
        icc: The colour profile, where it lies in plain sight.
        texts: Texts beside the samples: group, name, value.
        problems: What could not be followed.
    """

    exif: list[bytes] = field(default_factory=list)
    xmp: list[bytes] = field(default_factory=list)
    iptc: list[bytes] = field(default_factory=list)
    icc: bytes | None = None
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def find_blocks(data: bytes, blocks: Blocks) -> None:
    """Find the blocks of a file; none where its format keeps none, or none that is known here.

    Args:
        data: The whole file.
        blocks: Filled as they are found, so that those before a fault stay.
    """
    for signature, offset, look in _SIGNATURES:
        if data.startswith(signature, offset):
            look(data, blocks)
            return


def take_resources(block: bytes, blocks: Blocks) -> None:
    """Take the blocks out of Photoshop's resources."""
    for number, body in photoshop_resources(block):
        if number == IPTC_RESOURCE:
            blocks.iptc.append(body)
        elif number == XMP_RESOURCE:
            blocks.xmp.append(body)
        elif number == EXIF_RESOURCE:
            blocks.exif.append(body)
        elif number == ICC_RESOURCE:
            blocks.icc = body


def _jpeg(data: bytes, blocks: Blocks) -> None:
    extended: dict[bytes, list[bytes]] = {}
    resources: list[bytes] = []
    at = 2
    for _ in range(_MAX_CHUNKS):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            break
        marker = data[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD7:
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (0xD9, 0xDA) or end < at + 4:
            break
        if marker in (0xE1, 0xED, 0xFE):
            body = data[at + 4 : end]
            if body.startswith(b"Exif\x00"):
                blocks.exif.append(body)
            elif body.startswith(_XMP):
                blocks.xmp.append(body[len(_XMP) :])
            elif body.startswith(_EXTENDED):
                extended.setdefault(body[len(_EXTENDED) : len(_EXTENDED) + 32], []).append(body[len(_EXTENDED) + 32 :])
            elif body.startswith(b"Photoshop 3.0\x00"):
                resources.append(body[14:])
            elif marker == 0xFE:
                blocks.texts.append(("JPEG", "Comment", body[:4096].decode("utf-8", "replace")))
        at = end
    if resources:
        take_resources(b"".join(resources), blocks)
    if extended:
        _extend(blocks, extended)


def _extend(blocks: Blocks, parts: dict[bytes, list[bytes]]) -> None:
    """Put the parts of the packet together that the first one names (XMP part 3, 1.1.3.1)."""
    named = _EXTENSION_NAME.search(blocks.xmp[0][:65536]) if blocks.xmp else None
    wanted = parts.get(named[1].upper(), parts.get(named[1])) if named else None
    if not wanted:
        blocks.problems.append("extended XMP that nothing names")
        return
    size = int.from_bytes(wanted[0][:4], "big")
    if size > MAX_XMP_BYTES:
        blocks.problems.append("extended XMP is too long to be read")
        return
    pieces = {int.from_bytes(part[4:8], "big"): part[8:] for part in wanted}
    whole = b"".join(pieces[offset] for offset in sorted(pieces))
    if len(whole) != size:
        blocks.problems.append("extended XMP is cut off")
        return
    blocks.xmp.append(whole)


def _png(data: bytes, blocks: Blocks) -> None:
    left = [_MAX_INFLATED_BYTES]
    at = 8
    for _ in range(_MAX_CHUNKS):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IEND" or len(kind) < 4 or at + 12 + length > len(data):
            return
        if kind == b"eXIf":
            blocks.exif.append(data[at + 8 : at + 8 + length])
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            _png_text(kind, data[at + 8 : at + 8 + length], blocks, left)
        at += 12 + length


def _png_text(kind: bytes, body: bytes, blocks: Blocks, left: list[int]) -> None:
    raw_name, _, rest = body.partition(b"\x00")
    packed, code = kind == b"zTXt", "latin-1"
    if kind == b"iTXt":
        packed, code = rest[:1] == b"\x01", "utf-8"
        rest = rest[2:].partition(b"\x00")[2].partition(b"\x00")[2]
    elif packed:
        rest = rest[1:]
    if packed:
        rest = _inflated(rest, blocks, left)
    name = raw_name[:80].decode("latin-1")
    if name == "XML:com.adobe.xmp":
        blocks.xmp.append(rest)
    elif name.startswith("Raw profile type "):
        _raw_profile(name.removeprefix("Raw profile type ").strip(), rest, blocks)
    else:
        blocks.texts.append(("PNG", name, rest[:16_384].decode(code, "replace")))


def _inflated(packed: bytes, blocks: Blocks, left: list[int]) -> bytes:
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(packed, max(left[0], 1))
    except zlib.error:
        blocks.problems.append("a text of the PNG is broken")
        return b""
    left[0] -= len(text)
    if inflater.unconsumed_tail:
        blocks.problems.append("a text of the PNG is too long to be read")
        return b""
    return text


def _raw_profile(name: str, text: bytes, blocks: Blocks) -> None:
    """ImageMagick's way to keep a block in a text: its name, its length, and hexadecimal digits."""
    parts = text.split(None, 2)
    try:
        block = binascii.unhexlify(b"".join(parts[2].split())) if len(parts) == 3 else b""
    except binascii.Error:
        blocks.problems.append("a raw profile of the PNG is broken")
        return
    if name == "xmp":
        blocks.xmp.append(block)
    elif name in ("exif", "APP1"):
        (blocks.xmp if block.startswith(_XMP) else blocks.exif).append(block.removeprefix(_XMP))
    elif name in ("iptc", "8bim"):
        take_resources(block, blocks) if block.startswith(b"8BIM") else blocks.iptc.append(block)


def _webp(data: bytes, blocks: Blocks) -> None:
    at = 12
    for _ in range(_MAX_CHUNKS):
        size, kind = int.from_bytes(data[at + 4 : at + 8], "little"), data[at : at + 4]
        if len(kind) < 4 or at + 8 + size > len(data):
            return
        if kind == b"EXIF":
            blocks.exif.append(data[at + 8 : at + 8 + size])
        elif kind == b"XMP ":
            blocks.xmp.append(data[at + 8 : at + 8 + size])
        at += 8 + size + (size & 1)


def _gif(data: bytes, blocks: Blocks) -> None:
    start = data.find(_GIF_XMP)
    if start >= 0:
        start += len(_GIF_XMP)
        end = data.find(_GIF_TRAILER, start, start + MAX_XMP_BYTES)
        if end < 0:
            blocks.problems.append("XMP is cut off")
        else:
            blocks.xmp.append(data[start:end])


def _tiff(data: bytes, blocks: Blocks) -> None:
    blocks.exif.append(data)


def _photoshop(data: bytes, blocks: Blocks) -> None:
    at = 26 + 4 + int.from_bytes(data[26:30], "big")  # header, colour mode data
    take_resources(data[at + 4 : at + 4 + int.from_bytes(data[at : at + 4], "big")], blocks)


def _items(data: bytes, blocks: Blocks) -> None:
    exif = find_exif_item(data)
    if exif:
        blocks.exif.append(exif)
    facts = item_facts(data)
    blocks.xmp.extend(text for text in (facts.texts if facts else ()) if b"rdf:RDF" in text[:65536])


def _boxes(data: bytes, blocks: Blocks) -> None:
    """Boxes of JPEG XL (ISO/IEC 18181-2) and JPEG 2000 (ISO/IEC 15444-1), both at the top level."""
    for kind, start, end in islice(boxes_of(data), _MAX_CHUNKS):
        if kind == b"Exif":
            blocks.exif.append(data[start + 4 + int.from_bytes(data[start : start + 4], "big") : end])
        elif kind == b"xml ":
            packet = data[start:end]
            if b"rdf:RDF" in packet[:65536]:
                blocks.xmp.append(packet)
        elif kind == b"brob":
            blocks.problems.append("metadata is packed with Brotli")
        elif kind == b"uuid":
            known = _JP2_UUIDS.get(data[start : start + 16])
            if known:
                getattr(blocks, known).append(data[start + 16 : end])


def _fuji(data: bytes, blocks: Blocks) -> None:
    start, size = (int.from_bytes(data[at : at + 4], "big") for at in (_FUJI_PREVIEW, _FUJI_PREVIEW + 4))
    if data.startswith(b"\xff\xd8\xff", start):
        _jpeg(data[start : start + size], blocks)


_SIGNATURES: tuple[tuple[bytes, int, Callable[[bytes, Blocks], None]], ...] = (
    (b"\xff\xd8\xff", 0, _jpeg),
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"WEBP", 8, _webp),
    (b"GIF8", 0, _gif),
    (b"II*\x00", 0, _tiff),
    (b"MM\x00*", 0, _tiff),
    (b"II+\x00", 0, _tiff),
    (b"MM\x00+", 0, _tiff),
    (b"8BPS", 0, _photoshop),
    (b"\x00\x00\x00\x0cJXL ", 0, _boxes),
    (b"\x00\x00\x00\x0cjP  ", 0, _boxes),
    (b"ftyp", 4, _items),
    (b"FUJIFILMCCD-RAW", 0, _fuji),
)
