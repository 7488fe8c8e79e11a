"""What a file shows beside its picture, which no copy takes along, in words.

Takes the bytes of one file and its samples; must not decode, and must not hint at parts where every part is known.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from deeplens_kit.decode.converting.source import AllSamples
from deeplens_kit.decode.covered import is_covered
from deeplens_kit.decode.formats.boxes import item_facts, top_boxes
from deeplens_kit.decode.formats.jpegxl_header import read_header
from deeplens_kit.decode.formats.pnm import PnmReader
from deeplens_kit.decode.formats.psd import PsdReader
from deeplens_kit.decode.ifd import TiffStructure

__all__ = ["beside_words"]

_LAYERS = 37724
_UNKNOWN = "perhaps more than the picture: the file has parts that are not known"
_JPEG2000_BOXES = frozenset({b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"xml ", b"uuid", b"rreq", b"jp2i", b"uinf", b"free"})
_JXL_BOXES = frozenset({b"JXL ", b"ftyp", b"jxlc", b"jxlp", b"jxll", b"jxli", b"Exif", b"xml ", b"brob", b"jbrd"})
_GAIN_MAP = b"jhgm"
# What tells of a part beside the picture, anywhere in the file, and what the part is.
_TELLING: Mapping[bytes, str] = {
    b"hdrgm:": "the gain map (HDR)",
    b"HDRGainMap": "the gain map (HDR)",
    b"urn:com:apple:photo:2020:aux:hdrgainmap": "the gain map (HDR)",
    b"urn:mpeg:hevc:2015:auxid:2": "the depth map",
    b"effectsmatte": "the outline of persons",
    b"GDepth:": "the depth map",
    b"DepthMap": "the depth map",
    b"auxiliary:depth": "the depth map",
    b"GAudio:": "the sound",
    b"MotionPhoto": "the video of the motion photo",
    b"MicroVideo": "the video of the motion photo",
    b"MPF\x00": "further pictures in the file (MPF)",
}


def beside_words(data: bytes, source: AllSamples) -> tuple[str, ...]:
    """What a file shows beside its picture, which no copy takes along.

    Args:
        data: The file.
        source: Its samples.

    Raises:
        Exception: Whatever is met in a broken file; `picture.translating` translates.
    """
    # Pages and frames alone are told of already.
    if is_covered(source.format, data):
        return ()
    words = list(dict.fromkeys(word for mark, word in _TELLING.items() if mark in data))
    if source.format == "TIFF":
        main = TiffStructure(data).directory(TiffStructure(data).first_offset)
        words += ["layers"] if main and _LAYERS in main.entries else []
    if source.format in ("AVIF", "HEIF"):
        facts = item_facts(data)
        if facts is not None and facts.deep and not facts.auxiliary and not words and source.frames[0].itemsize > 1:
            return ()  # more than eight bits are what made it uncovered, and they were read
    look = _LOOKS.get(source.format)
    if look is not None:
        return (*words, *look(data))
    if words or source.stored_frames > 1:
        return tuple(words)
    return (_UNKNOWN,)


def _psd(data: bytes) -> list[str]:
    return ["layers"] if PsdReader(data).layers else []


def _ico(data: bytes) -> list[str]:
    count: int = struct.unpack_from("<H", data, 4)[0]
    return [f"sizes: only the largest of {count:,} is kept"] if count > 1 else []


def _jpeg2000(data: bytes) -> list[str]:
    if data.startswith(b"\xff"):
        return []  # a bare codestream
    kinds = top_boxes(data)
    return [_UNKNOWN] if not set(kinds) <= _JPEG2000_BOXES or kinds.count(b"jp2c") > 1 else []


def _jxl(data: bytes) -> list[str]:
    kinds = read_header(data).kinds
    gain_map = ["the gain map (HDR)"] if _GAIN_MAP in kinds else []
    return [*gain_map, *([] if kinds <= _JXL_BOXES | {_GAIN_MAP} else [_UNKNOWN])]


def _pnm(data: bytes) -> list[str]:
    # Of text Pillow reads the first picture; there is no telling where it ends.
    end = PnmReader(data).end
    return [] if end is None or not data[end:].strip() else [_UNKNOWN]


_LOOKS: Mapping[str, Callable[[bytes], list[str]]] = {
    "ICO": _ico,
    "JPEG2000": _jpeg2000,
    "JXL": _jxl,
    "PNM": _pnm,
    "PSD": _psd,
    "RAW": lambda _: ["what the sensor saw: the copy holds one development of it"],
    "TGA": lambda _: [],
}
"""Formats of which `covered` never says that samples are all, and what of them is known to be more."""
