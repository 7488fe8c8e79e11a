"""What a file holds beside its picture, in words: what a person would lose with it.

Takes the bytes of one file, its format, its reader and its header; gives words. Must not decode anything, and must not
raise for what it cannot follow. Unlike `covered`, which asks whether everything is known, this names what is: a file
may hold more than is named here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import cast

from deeplens_kit.decode.behind import FILLING, has_unknown_box, holds_notes_alone, is_filling, pictures_behind
from deeplens_kit.decode.formats import Header, Reader
from deeplens_kit.decode.ifd import Directory, TiffStructure

__all__ = ["KINDS", "auxiliary_parts"]

KINDS = (
    *("channels", "depth", "gain map", "layers", "mattes", "pages", "pictures", "sensor data", "sizes", "sound"),
    *("thermal", "unknown data", "video"),
)
"""The words, sorted: channels that no colour uses (saved selections), distance from the camera, brightness for bright
screens, layers of an editor, cut-outs of what is shown, pages of a document, further pictures of which the first is
shown, what a camera's sensor saw, an icon in several sizes, sound, measured temperatures, something behind the picture
that nobody here knows, a video around the moment of the picture."""

_GAIN_MAP_WORDS = (b"hdrgm:Version", b"HDRGainMapVersion", b'Semantic="GainMap"', b"urn:iso:std:iso:ts:21496:-1")
_DEPTH_WORDS = (b"GDepth:", b'Semantic="Depth"', b"urn:com:apple:photo:2018:aux:depth", b"DepthMap")
_SOUND_WORDS = (b"GAudio:",)
_MATTE_WORDS = (b"aux:portraiteffectsmatte", b"aux:semantic")
_VIDEO_WORDS = (b"MotionPhoto=", b"MicroVideo=", b"MotionPhoto>1", b"MicroVideo>1", b'Semantic="MotionPhoto"')
_SWITCHED_OFF = (b'MotionPhoto="0"', b'MicroVideo="0"', b"MotionPhoto>0", b"MicroVideo>0")
_TEXTS: Mapping[str, tuple[bytes, ...]] = {
    "gain map": _GAIN_MAP_WORDS,
    "depth": _DEPTH_WORDS,
    "mattes": _MATTE_WORDS,
    "sound": _SOUND_WORDS,
    "video": _VIDEO_WORDS,
}
_THERMAL_SEGMENT = b"FLIR\x00"
_END_OF_PICTURE = b"\xff\xd9"
_TAIL_BYTES = 64
_SEVERAL = b"MPF\x00"
_ENTRIES_TAG, _ENTRY_BYTES = 0xB002, 16
# CIPA DC-007: kinds of further pictures that show the first one again, smaller.
_PREVIEW_KINDS = frozenset({0x010001, 0x010002})
_HEIF_VIDEO_BOX = b"mpvd"
_UNKNOWN = "unknown data"
_MAPS = frozenset({"gain map", "depth", "mattes"})  # what a further picture may be, each one of its own
_LAYER_TAG, _SUB_DIRECTORIES, _SUBFILE_TYPE = 37724, 330, 254
_REDUCED = 1
_CHANNELS, _PHOTOMETRIC, _INKS, _EXTRA_SAMPLES, _SEPARATED = 277, 262, 334, 338, 5
_TRANSPARENCY = frozenset({1, 2})
# TIFF 6.0: grey twice, RGB, palette, mask, YCbCr and three kinds of Lab, by the number of their channels.
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 6: 3, 8: 3, 9: 3, 10: 3}
_FIREWORKS = frozenset({b"mkBF", b"mkBS", b"mkBT", b"mkTS", b"prVW"})


def auxiliary_parts(format_name: str, data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    """Words of `KINDS` for what the file holds beside its picture; empty where nothing is known.

    Args:
        format_name: As `signature.require_format` names it.
        data: The whole file.
        reader: Of this file.
        header: From that reader.
    """
    look = _LOOKS.get(format_name)
    return look(data, reader, header) if look else frozenset()


def _told(text: bytes) -> set[str]:
    found = {word for word, signs in _TEXTS.items() if any(sign in text for sign in signs)}
    if any(off in text for off in _SWITCHED_OFF):
        found.discard("video")
    return found


def _jpeg(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.jpeg import JpegReader

    found, indexed = set[str](), dict[int, int]()
    jpeg = cast(JpegReader, reader)
    for body in jpeg.telling:
        if body.startswith(_SEVERAL):
            indexed = _indexed_pictures(body[len(_SEVERAL) :], data.find(body) + len(_SEVERAL))
        elif body.startswith(_THERMAL_SEGMENT):
            found.add("thermal")
        else:
            found |= _told(body)
    *pictures, rest = pictures_behind(data, jpeg.end)
    # What the further pictures are, they say themselves, as Apple's do.
    told = [_told(data[start:end]) for start, end in pictures]
    found.update(*told)
    further = sum(kind not in _PREVIEW_KINDS for kind in indexed.values())
    if further > max(sum(map(bool, told)), len(found & _MAPS)):
        found.add("pictures")
    if "video" not in found and _has_video_behind(data):
        found.add("video")
    stray = any(not words and start not in indexed for words, (start, _) in zip(told, pictures, strict=True))
    known = "video" in found or is_filling(data, *rest) or holds_notes_alone(data, rest[0])
    if stray or not known:
        found.add(_UNKNOWN)
    return frozenset(found)


def _indexed_pictures(block: bytes, origin: int) -> dict[int, int]:
    """Of the pictures that a file of several names beside its first: kind by place in the file.

    Args:
        block: The index, from its byte-order mark on.
        origin: Where that mark stands in the file; places are counted from it.
    """
    try:
        structure = TiffStructure(block)
    except ValueError:
        return {}
    index = structure.directory(structure.first_offset)
    entry = index.entries.get(_ENTRIES_TAG) if index else None
    raw = structure.raw(entry) if entry else b""
    code = structure.order + "I4xI"
    starts = range(_ENTRY_BYTES, len(raw) - _ENTRY_BYTES + 1, _ENTRY_BYTES)
    entries = (struct.unpack_from(code, raw, at) for at in starts)
    return {origin + offset: kind & 0xFFFFFF for kind, offset in entries}


def _has_video_behind(data: bytes) -> bool:
    """Whether an MP4 or QuickTime video stands behind the end of the picture, as phones append it."""
    if data[-_TAIL_BYTES:].rstrip(FILLING).endswith(_END_OF_PICTURE):
        return False  # nothing stands behind it, as with nearly all files; no video ends like a picture
    at = data.rfind(b"ftyp")
    while at >= 4:
        # A box of a plausible length that stands behind an end of a picture.
        if 8 <= int.from_bytes(data[at - 4 : at], "big") <= 256 and data.rfind(_END_OF_PICTURE, 0, at) >= 0:
            return True
        at = data.rfind(b"ftyp", 0, at)
    return False


def _heif(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.boxes import item_facts, top_boxes

    found = set[str]()
    if _HEIF_VIDEO_BOX in top_boxes(data):
        found.add("video")
    if has_unknown_box(data):
        found.add(_UNKNOWN)
    facts = item_facts(data)
    if facts is None:
        return frozenset(found)
    for name in facts.auxiliary:
        word = name.lower()
        if b"gainmap" in word:
            found.add("gain map")
        elif b"depth" in word or word.endswith((b"auxid:2", b"disparity")):
            found.add("depth")
        elif b"matte" in word:
            found.add("mattes")
    if b"tmap" in facts.types:
        found.add("gain map")
    for text in facts.texts:
        found |= _told(text)
    return frozenset(found)


def _png(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.png import PngReader

    png = cast(PngReader, reader)
    found = {"layers"} if any(png.chunk(kind) is not None for kind in _FIREWORKS) else set()
    return frozenset(found | _rest(data, png.end))


def _rest(data: bytes, end: int | None) -> set[str]:
    """The word for what stands behind the end of a picture, where that is known and not filling."""
    return set() if end is None or is_filling(data, end) else {_UNKNOWN}


def _webp(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    return frozenset(_rest(data, 8 + int.from_bytes(data[4:8], "little")))


def _gif(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.gif import GifReader

    return frozenset(_rest(data, cast(GifReader, reader).end))


def _bmp(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.covered import bitmap_end

    return frozenset(_rest(data, bitmap_end(data)))


def _pnm(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.pnm import PnmReader

    pnm = cast(PnmReader, reader)
    return frozenset({"pictures"} if pnm.has_more else _rest(data, pnm.end))


def _ico(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.ico import IcoReader

    return frozenset({"sizes"} if cast(IcoReader, reader).pictures > 1 else ())


def _tiff(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    structure = TiffStructure(data)
    pages = list(structure.chain(header.frames))
    found = set[str]()
    # A smaller version of the first page is no page; whether it really is one, nobody looks.
    others = [page for page in pages[1:] if structure.numbers(page.entries.get(_SUBFILE_TYPE))[:1] != (_REDUCED,)]
    if others:
        found.add("pages")
    if any(_LAYER_TAG in page.entries for page in pages):
        found.add("layers")
    places = structure.numbers(pages[0].entries.get(_SUB_DIRECTORIES)) if pages else ()
    beside = [structure.directory(int(at)) for at in places[:64]]
    if any(one and structure.numbers(one.entries.get(_SUBFILE_TYPE))[:1] != (_REDUCED,) for one in beside):
        found.add("pictures")
    if pages and _unused_channels(structure, pages[0]):
        found.add("channels")
    return frozenset(found)


def _unused_channels(structure: TiffStructure, page: Directory) -> bool:
    """Whether a page has more channels than its colours and one of transparency."""
    found = (structure.numbers(page.entries.get(tag)) for tag in (_CHANNELS, _PHOTOMETRIC, _INKS))
    channels, photometric, inks = (int(numbers[0]) if numbers else None for numbers in found)
    colours = (inks or 4) if photometric == _SEPARATED else _COLOURS.get(photometric or 0)
    transparent = bool(_TRANSPARENCY & set(structure.numbers(page.entries.get(_EXTRA_SAMPLES))))
    return colours is not None and (channels or 1) > colours + transparent


def _psd(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.psd import PsdReader

    psd = cast(PsdReader, reader)
    found = {"layers"} if psd.layers else set()
    return frozenset(found | ({"channels"} if psd.unused_channels else set()))


def _jxl(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    from deeplens_kit.decode.formats.jpegxl import JpegXlReader

    found = cast(JpegXlReader, reader).found
    return frozenset(_told(found.xmp or b"") | ({"gain map"} if b"jhgm" in found.kinds else set()))


def _raw(data: bytes, reader: Reader, header: Header) -> frozenset[str]:
    return frozenset({"sensor data"})


_LOOKS: Mapping[str, Callable[[bytes, Reader, Header], frozenset[str]]] = {
    "AVIF": _heif,
    "BMP": _bmp,
    "GIF": _gif,
    "HEIF": _heif,
    "ICO": _ico,
    "JPEG": _jpeg,
    "JXL": _jxl,
    "PNG": _png,
    "PNM": _pnm,
    "PSD": _psd,
    "RAW": _raw,
    "TIFF": _tiff,
    "WEBP": _webp,
}
