"""Which module reads which format. Takes a format name, gives its reader; must not import a reader early.

The decoders behind the readers (libheif above all) are slow to import, so each is imported at first use.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from deeplens_kit.decode.formats.base import Reader

__all__ = ["reader_for"]

_READERS = {
    "AVIF": ("avif", "AvifReader"),
    "BMP": ("bmp", "BmpReader"),
    "GIF": ("gif", "GifReader"),
    "HEIF": ("heif", "HeifReader"),
    "ICO": ("ico", "IcoReader"),
    "JPEG": ("jpeg", "JpegReader"),
    "JPEG2000": ("jpeg2000", "Jpeg2000Reader"),
    "JXL": ("jpegxl", "JpegXlReader"),
    "PNG": ("png", "PngReader"),
    "PNM": ("pnm", "PnmReader"),
    "PSD": ("psd", "PsdReader"),
    "RAW": ("raw", "RawReader"),
    "TGA": ("tga", "TgaReader"),
    "TIFF": ("tiff", "TiffReader"),
    "WEBP": ("webp", "WebpReader"),
}


def reader_for(format_name: str, data: bytes) -> Reader:
    """Open `data` with the reader of a format that `signature.sniff` named.

    Raises:
        Exception: Whatever the reader meets in a broken header; `picture` translates.
    """
    module, name = _READERS[format_name]
    kind = getattr(import_module(f"deeplens_kit.decode.formats.{module}"), name)
    return cast("Callable[[bytes], Reader]", kind)(data)
