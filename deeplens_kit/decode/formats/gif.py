"""GIF (89a): blocks walked and frames counted here, the first frame decoded by Pillow.

Takes the bytes of one GIF, gives header and first frame on its canvas; must not inflate a frame to count it.
"""

from __future__ import annotations

import io
import struct

from PIL import GifImagePlugin, Image

from deeplens_kit.decode.exif import ExifFacts
from deeplens_kit.decode.formats.base import Header

__all__ = ["GifReader"]

_EXTENSION, _IMAGE, _TRAILER, _GRAPHIC_CONTROL = 0x21, 0x2C, 0x3B, 0xF9
_BLOCKS = frozenset({_EXTENSION, _IMAGE, _TRAILER})


class GifReader:
    """Reads one GIF.

    Raises:
        ValueError: A block is cut off, or there is no frame.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) < 13:
            raise ValueError("ends in its header")
        self._data = data
        self._width, self._height, flags = struct.unpack_from("<HHB", data, 6)
        self._palette_end = 13 + _palette_bytes(flags)
        self._frames = 0
        self._control: tuple[int, int] | None = None
        self._first: tuple[int, int] = (0, 0)
        self._walk()
        if not self._frames:
            raise ValueError("holds no frame")

    def _walk(self) -> None:
        data, at = self._data, self._palette_end
        self._end = len(data)
        control: tuple[int, int] | None = None
        while at < len(data):  # many writers leave the trailer out
            start = at
            if self._frames and data[at] not in _BLOCKS:
                self._end = at
                break  # padding, or what some writers leave behind the last whole frame
            if data[at] == _TRAILER:
                self._end = at + 1
                break
            if data[at] == _EXTENSION:
                label = data[at + 1 : at + 2]
                at = _skip_blocks(data, at + 2)
                if label == bytes([_GRAPHIC_CONTROL]):
                    control = (start, at)
            elif data[at] == _IMAGE:
                if at + 10 > len(data):
                    raise ValueError("a frame is cut off")
                left, top, width, height, flags = struct.unpack_from("<4HB", data, at + 1)
                at = _skip_blocks(data, at + 10 + _palette_bytes(flags) + 1)
                if not self._frames:
                    self._control, self._first = control, (start, at)
                    # A frame may lie outside the canvas; viewers grow the canvas by the first one.
                    self._width, self._height = max(self._width, left + width), max(self._height, top + height)
                self._frames += 1
                control = None
            else:
                raise ValueError(f"block {data[at]:#04x} is unknown")

    @property
    def end(self) -> int:
        """Where the picture ends in the bytes: behind its trailer, or with the last block of a file without."""
        return self._end

    @property
    def header(self) -> Header:
        """The header."""
        transparent = False
        if self._control:
            transparent = bool(self._data[self._control[0] + 3] & 1)
        return Header(
            width_px=self._width,
            height_px=self._height,
            frames=self._frames,
            has_alpha=transparent,
            lossless=True,
            icc=None,
            exif=ExifFacts(),
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first frame on its canvas; always at full size."""
        data = self._data
        canvas = struct.pack("<HH", self._width, self._height)
        control = data[self._control[0] : self._control[1]] if self._control else b""
        lean = b"".join(
            [data[:6], canvas, data[10 : self._palette_end], control, data[self._first[0] : self._first[1]], b";"]
        )
        image = GifImagePlugin.GifImageFile(io.BytesIO(lean))
        image.load()
        return image


def _palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    """The offset after a chain of sub-blocks, each led by its length, ended by a zero length."""
    while at < len(data):
        if not data[at]:
            return at + 1
        at += 1 + data[at]
    raise ValueError("a block is cut off")
