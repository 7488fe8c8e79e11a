"""Whether bytes are a Truevision TGA, which has no signature at its start.

Takes a whole file, gives its header or None; must not take text or other data for a picture. Every field of the header
must make sense, and either the footer of version 2 stands at the end, or the samples end where the file does.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["TgaHeader", "tga_header"]

FOOTER = b"TRUEVISION-XFILE.\x00"
_HEADER = struct.Struct("<BBBHHBHHHHBB")
_FOOTER_BYTES = 26
_PALETTE, _COLOUR, _GREY, _RUN_LENGTHS = 1, 2, 3, 8
# Kind of picture -> bits a pixel that exist; bits of alpha that go with them.
_DEPTHS: Mapping[int, Mapping[int, tuple[int, ...]]] = {
    _PALETTE: {8: (0,)},
    _COLOUR: {15: (0,), 16: (0, 1, 8), 24: (0,), 32: (0, 8)},
    _GREY: {8: (0,), 16: (0, 8)},
}
_PALETTE_BITS = frozenset({15, 16, 24, 32})
_TOP_DOWN, _RIGHT_TO_LEFT = 0x20, 0x10
_PADDING = 4  # bytes that may follow the samples without a footer, inclusive


@dataclass(frozen=True, slots=True)
class TgaHeader:
    """The header of a TGA.

    Attributes:
        kind: 1 palette, 2 colour, 3 grey.
        compressed: In runs.
        width: Pixels.
        height: Pixels.
        bits: Of a pixel.
        alpha_bits: Of these.
        palette_first: Index of the first colour that is given.
        palette_count: Colours given.
        palette_bits: Of a colour.
        palette_at: Where they start.
        samples_at: Where the samples start.
        top_down: The first row is the upper one.
        mirrored: The first pixel of a row is the right one.
    """

    kind: int
    compressed: bool
    width: int
    height: int
    bits: int
    alpha_bits: int
    palette_first: int
    palette_count: int
    palette_bits: int
    palette_at: int
    samples_at: int
    top_down: bool
    mirrored: bool


def tga_header(data: bytes) -> TgaHeader | None:
    """The header where a whole file is a TGA, else None."""
    found = _plausible(data)
    if found is None:
        return None
    if data.endswith(FOOTER):
        return found
    end = _samples_end(data, found)
    return found if end is not None and 0 <= len(data) - end <= _PADDING else None


def _plausible(data: bytes) -> TgaHeader | None:
    if len(data) < _HEADER.size + 1:
        return None
    name, mapped, code, first, count, entry_bits, left, top, width, height, bits, flags = _HEADER.unpack_from(data)
    kind, compressed = code & ~_RUN_LENGTHS, bool(code & _RUN_LENGTHS)
    alpha_bits = flags & 15
    if kind not in _DEPTHS or code > 11 or alpha_bits not in _DEPTHS[kind].get(bits, ()) or flags & 0xC0:
        return None
    if not width or not height or left > width or top > height:
        return None
    if mapped not in (0, 1) or (kind == _PALETTE and not mapped):
        return None
    if mapped and (entry_bits not in _PALETTE_BITS or not count >= 1 or first + count > 256):
        return None
    if not mapped and (first or count):
        return None
    palette_at = _HEADER.size + name
    samples_at = palette_at + (count * ((entry_bits + 7) // 8) if mapped else 0)
    return TgaHeader(
        kind=kind,
        compressed=compressed,
        width=width,
        height=height,
        bits=bits,
        alpha_bits=alpha_bits,
        palette_first=first,
        palette_count=count,
        palette_bits=entry_bits,
        palette_at=palette_at,
        samples_at=samples_at,
        top_down=bool(flags & _TOP_DOWN),
        mirrored=bool(flags & _RIGHT_TO_LEFT),
    )


def _samples_end(data: bytes, header: TgaHeader) -> int | None:
    """Where the samples end; None where they do not fill the picture exactly."""
    size, left = (header.bits + 7) // 8, header.width * header.height
    if not header.compressed:
        return header.samples_at + size * left
    if left > 128 * len(data):
        return None  # no run is that long
    at = header.samples_at
    while left > 0:
        if at >= len(data):
            return None
        run = (data[at] & 0x7F) + 1
        at += 1 + (size if data[at] & 0x80 else size * run)
        left -= run
    return at if left == 0 and at <= len(data) else None
