"""JPEG 2000 (ITU-T T.800): boxes and sizes read here, samples decoded by OpenJPEG through Pillow.

Takes the bytes of one JP2 or codestream, gives header and pixels; must not decode before `pixels` is called. Where less
than the full size suffices, lower resolutions of the codestream are decoded instead.
"""

from __future__ import annotations

import io
import struct

from PIL import Image, Jpeg2KImagePlugin

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.boxes import boxes_of
from deeplens_kit.decode.signature import unsupported

__all__ = ["Jpeg2000Reader"]

_CODESTREAM = b"\xff\x4f\xff\x51"
_SIZES = struct.Struct(">8I")
_CODING, _TILE_PART = b"\xff\x52", b"\xff\x90"
_REVERSIBLE = 1
_EXIF_UUID = b"JpgTiffExif->JP2"
_RESTRICTED_PROFILE = 2
_MAX_REDUCTIONS = 32  # of the standard, inclusive
_CHANNELS = frozenset({1, 2, 3, 4})


class Jpeg2000Reader:
    """Reads one JPEG 2000.

    Raises:
        ValueError: Its boxes or its codestream are broken.
        UnsupportedFormatError: It has more than four channels.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._exif: bytes | None = None
        self._icc: bytes | None = None
        self._defines_alpha = False
        start = 0 if data.startswith(_CODESTREAM) else self._read_boxes()
        if data[start : start + 4] != _CODESTREAM or start + 42 > len(data):
            raise ValueError("holds no codestream")
        right, down, left, top, tile_width, tile_height, _, _ = _SIZES.unpack_from(data, start + 8)
        self._size = right - left, down - top
        self._tile_px = min(tile_width, right) * min(tile_height, down)
        channels = int.from_bytes(data[start + 40 : start + 42], "big")
        depths = data[start + 42 : start + 42 + 3 * min(channels, 4) : 3]
        if channels not in _CHANNELS or len(depths) < channels:
            raise unsupported(f"JPEG 2000 of {channels} channels")
        self._channels, self._bits = channels, max((depth & 0x7F) + 1 for depth in depths)
        self._reductions, self._lossless = self._read_coding(start)

    @property
    def header(self) -> Header:
        """The header."""
        return Header(
            width_px=self._size[0],
            height_px=self._size[1],
            frames=1,
            has_alpha=self._channels in (2, 4) or self._defines_alpha,
            lossless=self._lossless,
            icc=self._icc,
            exif=parse_exif(self._exif),
            bits=self._bits,
            largest_buffer_px=self._tile_px,
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode at the lowest resolution whose sides are at least `least`."""
        image = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(self._data))
        if least:
            image.reduce = self._reduction(least)
        image.load()
        return image

    def _reduction(self, least: tuple[int, int]) -> int:
        steps = 0
        while steps < self._reductions and all(
            side >> (steps + 1) >= wanted for side, wanted in zip(self._size, least, strict=True)
        ):
            steps += 1
        return steps

    def _read_boxes(self) -> int:
        """Keep what the boxes say; where the codestream starts."""
        data, start = self._data, -1
        for kind, at, end in boxes_of(data):
            if kind == b"jp2h":
                self._read_header_box(at, end)
            elif kind == b"uuid" and data[at : at + 16] == _EXIF_UUID and self._exif is None:
                self._exif = data[at + 16 : end]
            elif kind == b"jp2c" and start < 0:
                start = at
        if start < 0:
            raise ValueError("holds no codestream")
        return start

    def _read_header_box(self, at: int, end: int) -> None:
        data = self._data
        for kind, first, last in boxes_of(data, at, end):
            if kind == b"colr" and data[first : first + 1] == bytes([_RESTRICTED_PROFILE]) and self._icc is None:
                self._icc = data[first + 3 : last]
            elif kind == b"cdef":
                # Six bytes a channel: number, type, what it belongs to; type 1 and 2 are transparency.
                types = data[first + 5 : last : 6]
                self._defines_alpha = any(found in (1, 2) for found in types)

    def _read_coding(self, start: int) -> tuple[int, bool]:
        """How often it can be halved, and whether its wavelet loses nothing."""
        at, data = start + 2, self._data
        while at + 4 <= len(data) and data[at : at + 2] != _TILE_PART:
            if data[at : at + 2] == _CODING and at + 14 <= len(data):
                return min(data[at + 9], _MAX_REDUCTIONS), data[at + 13] == _REVERSIBLE
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        raise ValueError("does not say how it is coded")
