"""HEIC (ISO/IEC 23008-12 with HEVC) through libheif.

Takes the bytes of one file, gives header and pixels of its primary picture; must not turn it: libheif applies the
container's own rotation, beside which the EXIF orientation is only a remark, so it is reported as 1.
"""

from __future__ import annotations

from dataclasses import replace

import pillow_heif
from PIL import Image

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header

__all__ = ["HeifReader"]


class HeifReader:
    """Reads one HEIC.

    Raises:
        Exception: Whatever libheif says of a broken container.
    """

    def __init__(self, data: bytes) -> None:
        self._file = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
        if not len(self._file):
            raise ValueError("holds no picture")

    @property
    def header(self) -> Header:
        """The header."""
        width, height = self._file.size
        info = self._file.info
        return Header(
            width_px=width,
            height_px=height,
            frames=len(self._file),
            has_alpha=bool(self._file.has_alpha),
            lossless=False,
            icc=info.get("icc_profile") or None,
            exif=replace(parse_exif(info.get("exif")), orientation=1),
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the primary picture; always at full size."""
        primary = self._file[self._file.primary_index]
        samples = primary.data  # decodes; the size may be corrected by it
        return Image.frombytes(primary.mode, primary.size, bytes(samples), "raw", primary.mode, primary.stride)
