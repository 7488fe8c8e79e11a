"""Windows icon: the largest of its pictures, of equal ones that with the most bits.

Takes the bytes of one ICO, gives header and pixels of one picture; must not trust the directory: the picture itself
says how large it is. The other sizes are counted and not looked at.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace

from PIL import IcoImagePlugin, Image

from deeplens_kit.decode.exif import ExifFacts
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.png import PngReader

__all__ = ["IcoReader"]

_ENTRY = struct.Struct("<BBBBHHII")
_PNG = b"\x89PNG"
_DIB_HEADER_BYTES = 40
_MAX_SIDE_PX = 1024  # own bound, inclusive, of bitmaps in icons; Windows draws up to 256 and keeps larger ones as PNG


@dataclass(frozen=True, slots=True)
class _Picture:
    width: int
    height: int
    bits: int
    start: int
    end: int


class IcoReader:
    """Reads one ICO.

    Raises:
        ValueError: It holds no whole picture.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        count = int.from_bytes(data[4:6], "little")
        found = [_picture(data, 6 + number * _ENTRY.size) for number in range(count)]
        pictures = [picture for picture in found if picture]
        if not pictures or len(pictures) < count:
            raise ValueError("a picture of it is cut off")
        self._count = count
        self._best = max(pictures, key=lambda picture: (picture.width * picture.height, picture.bits, -picture.start))
        content = data[self._best.start : self._best.end]
        self._png = PngReader(content) if content.startswith(_PNG) else None

    @property
    def pictures(self) -> int:
        """How many pictures it holds."""
        return self._count

    @property
    def header(self) -> Header:
        """The header."""
        if self._png:
            return replace(self._png.header, frames=1)
        best = self._best
        return Header(
            width_px=best.width,
            height_px=best.height,
            frames=1,
            has_alpha=True,
            lossless=True,
            icc=None,
            exif=ExifFacts(),
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the largest picture; always at full size."""
        if self._png:
            return self._png.pixels(least)
        best = self._best
        # The picture alone, in a directory of its own, so that Pillow has none to choose from.
        entry = _ENTRY.pack(best.width % 256, best.height % 256, 0, 0, 1, best.bits, best.end - best.start, 22)
        alone = b"\x00\x00\x01\x00\x01\x00" + entry + self._data[best.start : best.end]
        image = IcoImagePlugin.IcoFile(io.BytesIO(alone)).frame(0)
        image.load()
        return image


def _picture(data: bytes, at: int) -> _Picture | None:
    if at + _ENTRY.size > len(data):
        return None
    _, _, _, _, _, bits, size, start = _ENTRY.unpack_from(data, at)
    end = start + size
    if end > len(data) or size < _DIB_HEADER_BYTES:
        return None
    if data.startswith(_PNG, start):
        width, height = struct.unpack_from(">II", data, start + 16)
        return _Picture(width, height, max(bits, 32), start, end)
    header, width, double_height, _, bits = struct.unpack_from("<IiiHH", data, start)
    height = abs(double_height) // 2  # the mask stands behind the picture
    if header < _DIB_HEADER_BYTES or not 1 <= width <= _MAX_SIDE_PX or not 1 <= height <= _MAX_SIDE_PX:
        return None
    return _Picture(width, height, bits, start, end)
