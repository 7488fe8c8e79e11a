"""Whether the samples of its picture are all that a file shows, or whether it holds more beside them.

Takes the bytes of one file and its format; says whether every part of it is known and is either samples, colour or
plain metadata. Must not decode anything. What is not known counts as more: gain maps, depth, movies behind a still,
layers and thermal data all sit in places that a decoder of pictures passes over, and removing such a file for
another with equal samples would lose them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from deeplens_kit.decode.formats.boxes import ItemFacts, item_facts, top_boxes
from deeplens_kit.decode.formats.gif import GifReader
from deeplens_kit.decode.formats.pnm import PnmReader
from deeplens_kit.decode.ifd import Directory, TiffStructure

__all__ = ["TELLING_XMP", "bitmap_end", "is_covered"]

# Chunks of PNG that are samples, colour, hints or texts (ISO/IEC 15948, its extensions, C2PA, Apple's and
# ImageMagick's hints). Fireworks keeps its layers in others, phones will keep gain maps in others.
_PNG_CHUNKS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI sBIT bKGD hIST pHYs sPLT tEXt zTXt iTXt eXIf tIME "
    b"acTL fcTL fdAT iDOT caBX vpAg oFFs pCAL sCAL".split()
)
_WEBP_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "})
_ITEM_TYPES = frozenset({b"hvc1", b"av01", b"grid", b"iden", b"Exif", b"mime"})
_ITEM_REFERENCES = frozenset({b"cdsc", b"dimg", b"thmb", b"auxl", b"prem"})
_ALPHA_ITEMS = frozenset({b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"})
_TOP_BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip"})

# XMP of gain maps, depth, sound and motion photos says what lies elsewhere in the file.
TELLING_XMP = (
    b"hdrgm:",
    b"HDRGainMap",
    b"GDepth:",
    b"GImage:",
    b"GAudio:",
    b"Container:Directory",
    b"MotionPhoto",
    b"MicroVideo",
    b"AuxiliaryImageType",
    b"DepthMap",
)
_JPEG_SEGMENTS: Mapping[int, tuple[bytes, ...]] = {
    0xE0: (b"JFIF\x00", b"JFXX\x00"),
    0xE1: (b"Exif\x00", b"http://ns.adobe.com/xap/1.0/\x00", b"http://ns.adobe.com/xmp/extension/\x00"),
    0xE2: (b"ICC_PROFILE\x00",),
    0xEC: (b"Ducky", b"PictureInfo"),
    0xED: (b"Photoshop 3.0\x00", b"Adobe_CM"),
    0xEE: (b"Adobe",),
}
"""Application segments that hold metadata or colour alone; any other holds more (MPF, FLIR, FPXR, gain maps)."""

_METADATA_SEGMENT, _END_OF_PICTURE = 0xE1, 0xD9
_SUB_DIRECTORIES, _LAYERS = 330, 37724
_METADATA_DIRECTORIES = (0x8769, 0x8825, 0xA005)  # EXIF, position, interoperability
# Where samples lie and how long they are: strips, tiles, and the stream of an old JPEG in TIFF.
_SAMPLE_PLACES = ((273, 279), (324, 325), (513, 514))
_OS2_HEADER, _RUN_LENGTHS = 12, (1, 2)
_PROFILE_HEADER, _EMBEDDED_PROFILE = 124, b"DEBM"
_EMPTY = b"\x00\r\n \xff"


def is_covered(format_name: str, data: bytes) -> bool:
    """Whether decoding all frames and reading the colour profile gives all that the file shows.

    Args:
        format_name: As `signature.sniff` names it.
        data: The whole file, which a reader has accepted.
    """
    check = _CHECKS.get(format_name)
    return check is not None and check(data)


def _jpeg(data: bytes) -> bool:
    at = data.find(b"\xff", 2)
    while 0 <= at < len(data) - 1:
        marker = data[at + 1]
        if marker == _END_OF_PICTURE:
            return not data[at + 2 :].strip(_EMPTY)
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD7:
            # Coded data holds FF only before 00 and restarts; all else, also between scans, are segments.
            at += 1 if marker == 0xFF else 2
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            body = data[at + 4 : end]
            if 0xE0 <= marker <= 0xEF and not body.startswith(_JPEG_SEGMENTS.get(marker, ())):
                return False
            if marker == _METADATA_SEGMENT and _tells(body):
                return False
            at = end
        at = data.find(b"\xff", at)
    return False


def _png(data: bytes) -> bool:
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind not in _PNG_CHUNKS or (kind == b"iTXt" and _tells(data[at + 8 : at + 8 + length])):
            return False
        at += 12 + length
    return not data[at:].strip(_EMPTY)


def _webp(data: bytes) -> bool:
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        kind = data[at : at + 4]
        if kind not in _WEBP_CHUNKS or (kind == b"XMP " and _tells(data[at + 8 : at + 8 + size])):
            return False
        at += 8 + size + (size & 1)
    return not data[end:].strip(_EMPTY)


def _gif(data: bytes) -> bool:
    # A colour profile, and text that a decoder would have to draw: no reader at hand knows either.
    known = b"ICCRGBG1012" not in data and b"\x21\x01\x0c" not in data
    return known and not data[GifReader(data).end :].strip(_EMPTY)


def _bmp(data: bytes) -> bool:
    header = int.from_bytes(data[14:18], "little")
    # BITMAPV4HEADER and later name a colour space: sRGB or the system's are none of their own.
    known = header < 108 or data[70:74] in (b"BGRs", b" niW")
    end = bitmap_end(data)
    return known and end is not None and not data[end:].strip(_EMPTY)


def bitmap_end(data: bytes) -> int | None:
    """Where the rows of a bitmap, and the profile that it names behind them, end; None where it does not say."""
    header = int.from_bytes(data[14:18], "little")
    start: int = struct.unpack_from("<I", data, 10)[0]
    compression = size = 0
    if header == _OS2_HEADER:
        width, height, _, bits = struct.unpack_from("<4H", data, 18)
    else:
        width, height, _, bits, compression, size = struct.unpack_from("<iiHHII", data, 18)
    if compression not in _RUN_LENGTHS:
        size = (width * bits + 31) // 32 * 4 * abs(height)
    if not start or not size:
        return None
    place, length = struct.unpack_from("<II", data, 14 + 112) if header >= _PROFILE_HEADER else (0, 0)
    return max(start + size, 14 + place + length) if data[70:74] == _EMBEDDED_PROFILE else start + size


def _tiff(data: bytes) -> bool:
    structure = TiffStructure(data)
    pages = list(structure.chain(2))
    tags = pages[0].entries
    if len(pages) > 1 or _SUB_DIRECTORIES in tags or _LAYERS in tags:
        return False
    return not data[_furthest(structure, pages[0]) :].strip(_EMPTY)


def _furthest(structure: TiffStructure, page: Directory, depth: int = 2) -> int:
    """Where the last byte ends that a directory, a value, a strip or a tile of a page reaches."""
    # What lies between them is not looked at: programs that rewrite a directory leave the old one behind.
    ends = [page.end_offset, *(entry.offset + entry.size for entry in page.entries.values())]
    for offsets, lengths in _SAMPLE_PLACES:
        places = (structure.numbers(page.entries.get(tag)) for tag in (offsets, lengths))
        ends += [int(start + length) for start, length in zip(*places, strict=False)]
    for tag in _METADATA_DIRECTORIES if depth else ():
        inner = structure.numbers(page.entries.get(tag))[:1]
        found = structure.directory(int(inner[0])) if inner else None
        ends += [_furthest(structure, found, depth - 1)] if found else []
    return max(ends)


def _pnm(data: bytes) -> bool:
    # Several pictures may follow one another in one file, and comments are no metadata.
    reader = PnmReader(data)
    return reader.is_exact and reader.end is not None and not data[reader.end :].strip(_EMPTY)


def _heif(data: bytes) -> bool:
    return set(top_boxes(data)) <= _TOP_BOXES and _items(item_facts(data))


def _avif(data: bytes) -> bool:
    # Unlike HEIC, sequences are decoded frame by frame; eight bits are all that the decoder gives.
    facts = item_facts(data)
    known = set(top_boxes(data)) <= _TOP_BOXES | {b"moov"}
    return known and facts is not None and not facts.deep and _items(facts)


def _items(facts: ItemFacts | None) -> bool:
    return (
        facts is not None
        and facts.types <= _ITEM_TYPES
        and facts.references <= _ITEM_REFERENCES
        and facts.auxiliary <= _ALPHA_ITEMS
        and not any(map(_tells, facts.texts))
    )


def _tells(body: bytes) -> bool:
    return any(word in body for word in TELLING_XMP)


# What is not named here (JPEG XL, JPEG 2000, RAW, PSD, ICO, TGA) is never known to be nothing but its samples.
_CHECKS: Mapping[str, Callable[[bytes], bool]] = {
    "AVIF": _avif,
    "BMP": _bmp,
    "GIF": _gif,
    "HEIF": _heif,
    "JPEG": _jpeg,
    "PNG": _png,
    "PNM": _pnm,
    "TIFF": _tiff,
    "WEBP": _webp,
}
