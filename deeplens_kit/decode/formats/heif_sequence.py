"""Picture sequences of HEIF (ISO/IEC 23008-12, 7): how many frames there are, and the first of them as a still.

Takes the bytes of a HEIF-family file, gives a count and a file with one picture in it; must not decode anything, and
must not raise: a sequence that cannot be followed has no frames.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from deeplens_kit.decode.formats.boxes import boxes_of

__all__ = ["Sequence", "read_sequence", "still_of"]

_PICTURES = b"pict"
_CODED = (b"hvc1", b"hev1")
_ENTRY_HEAD_BYTES = 78  # of a visual sample entry, before its boxes (ISO/IEC 14496-12, 12.1.3)
_SIZE_AT = 24
_KEPT = (b"hvcC", b"colr", b"pasp")
_MAX_FRAME_BYTES = 1 << 30  # own bound, inclusive


@dataclass(frozen=True, slots=True)
class Sequence:
    """The track of pictures of a sequence.

    Attributes:
        frames: Its pictures.
        width: Pixels.
        height: Pixels.
        properties: Boxes that say how it is coded, whole.
        start: Where the first picture lies.
        size: Its bytes.
    """

    frames: int
    width: int
    height: int
    properties: tuple[bytes, ...]
    start: int
    size: int


def read_sequence(data: bytes) -> Sequence | None:
    """The first track of HEVC pictures; None where there is none."""
    try:
        for kind, at, end in boxes_of(data):
            if kind == b"moov":
                tracks = (_track(data, *place) for name, *place in boxes_of(data, at, end) if name == b"trak")
                return next((track for track in tracks if track), None)
    except (struct.error, IndexError):
        return None
    return None


def still_of(data: bytes, sequence: Sequence) -> bytes:
    """A HEIC whose only picture is the first of the sequence."""
    coded = data[sequence.start : sequence.start + sequence.size]
    sizes = struct.pack(">II", sequence.width, sequence.height)
    properties = (*sequence.properties, _full(b"ispe", sizes))
    # 128: the decoder cannot do without it; that is how the picture is coded.
    links = b"".join(
        struct.pack(">B", (128 if body[4:8] == b"hvcC" else 0) | number) for number, body in enumerate(properties, 1)
    )
    association = _full(b"ipma", struct.pack(">IHB", 1, 1, len(properties)) + links)
    items = _full(b"iinf", struct.pack(">H", 1) + _full(b"infe", struct.pack(">HH4sB", 1, 0, b"hvc1", 0), version=2))
    handler = _full(b"hdlr", struct.pack(">I4s12xB", 0, _PICTURES, 0))
    brands = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")

    def meta(offset: int) -> bytes:
        place = struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, offset, len(coded))
        located = _full(b"iloc", place)
        described = _box(b"iprp", _box(b"ipco", b"".join(properties)) + association)
        return _full(b"meta", handler + _full(b"pitm", struct.pack(">H", 1)) + located + items + described)

    start = len(brands) + len(meta(0)) + 8
    return brands + meta(start) + _box(b"mdat", coded)


def _track(data: bytes, at: int, end: int) -> Sequence | None:
    media = _child(data, b"mdia", at, end)
    handler = _child(data, b"hdlr", *media) if media else None
    inner = _child(data, b"minf", *media) if media else None
    table = _child(data, b"stbl", *inner) if inner else None
    if not handler or not table or data[handler[0] + 8 : handler[0] + 12] != _PICTURES:
        return None
    described, sizes = _child(data, b"stsd", *table), _child(data, b"stsz", *table)
    chunks, wide = _child(data, b"stco", *table), _child(data, b"co64", *table)
    place = chunks or wide
    if not described or not sizes or not place:
        return None
    each, frames = struct.unpack_from(">II", data, sizes[0] + 4)
    size: int = each or struct.unpack_from(">I", data, sizes[0] + 12)[0]
    start: int = struct.unpack_from(">I" if chunks else ">Q", data, place[0] + 8)[0]
    entry = next(boxes_of(data, described[0] + 8, described[1]), None)
    if not frames or entry is None or entry[0] not in _CODED or size > _MAX_FRAME_BYTES or start + size > len(data):
        return None
    width, height = struct.unpack_from(">HH", data, entry[1] + _SIZE_AT)
    kept = [
        _box(kind, data[first:last])
        for kind, first, last in boxes_of(data, entry[1] + _ENTRY_HEAD_BYTES, entry[2])
        if kind in _KEPT
    ]
    if not any(body[4:8] == b"hvcC" for body in kept):
        return None
    return Sequence(frames, width, height, tuple(kept), start, size)


def _child(data: bytes, kind: bytes, at: int, end: int) -> tuple[int, int] | None:
    return next(((first, last) for name, first, last in boxes_of(data, at, end) if name == kind), None)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, body: bytes, version: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24) + body)
