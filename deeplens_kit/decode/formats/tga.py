"""Truevision TGA: header checked here, samples decoded by Pillow.

Takes the bytes of one TGA, gives header and pixels; must not decode before `pixels` is called.
"""

from __future__ import annotations

import io

from PIL import Image, TgaImagePlugin

from deeplens_kit.decode.exif import ExifFacts
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.tga import tga_header

__all__ = ["TgaReader"]

_ALPHA_DEPTHS = frozenset({16, 32})


class TgaReader:
    """Reads one TGA.

    Raises:
        ValueError: Its header is none.
    """

    def __init__(self, data: bytes) -> None:
        found = tga_header(data)
        if found is None:
            raise ValueError("its header or the length of its samples is wrong")
        self._data, self._header = data, found

    @property
    def header(self) -> Header:
        """The header."""
        found = self._header
        return Header(
            width_px=found.width,
            height_px=found.height,
            frames=1,
            has_alpha=found.bits in _ALPHA_DEPTHS and found.alpha_bits > 0,
            lossless=True,
            icc=None,
            exif=ExifFacts(),
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode; always at full size."""
        image = TgaImagePlugin.TgaImageFile(io.BytesIO(self._data))
        image.load()
        if image.mode in ("RGBA", "LA") and not self._header.alpha_bits:
            return image.convert(image.mode[:-1])  # what is not declared as transparency is none
        return image
