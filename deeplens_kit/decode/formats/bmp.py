"""Windows bitmap: header and pixels through Pillow.

Takes the bytes of one BMP, gives header and pixels; must not decode before `pixels` is called.
"""

from __future__ import annotations

import io

from PIL import BmpImagePlugin, Image

from deeplens_kit.decode.exif import ExifFacts
from deeplens_kit.decode.formats.base import Header

__all__ = ["BmpReader"]


class BmpReader:
    """Reads one BMP.

    Raises:
        OSError: The header names a layout that does not exist.
    """

    def __init__(self, data: bytes) -> None:
        self._image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))

    @property
    def header(self) -> Header:
        """The header."""
        width, height = self._image.size
        return Header(
            width_px=width,
            height_px=height,
            frames=1,
            has_alpha=self._image.mode == "RGBA",
            lossless=True,
            icc=None,
            exif=ExifFacts(),
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode; always at full size."""
        self._image.load()
        return self._image
