"""What every format reader gives: a header, read without inflating a pixel, and then the pixels.

A reader takes the bytes of one file and must not apply orientation, colour profiles or limits: `picture` does
that once for all formats. It may raise anything; `picture` translates. Where a format keeps colour profile,
EXIF or text apart from the samples, a reader hands its decoder the samples alone, so that what is broken
beside them never costs the picture and no decoder parses more untrusted structure than it has to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from deeplens_kit.decode.exif import ExifFacts

__all__ = ["Header", "Reader"]


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself before a pixel is decoded.

    Attributes:
        width_px: Of the stored samples, before orientation.
        height_px: Of the stored samples, before orientation.
        frames: Pictures in the file, 1 for stills.
        has_alpha: Some sample may be transparent.
        lossless: The format keeps every sample.
        icc: The colour profile, or None.
        exif: Facts of the EXIF block; its orientation is the one to apply to the samples.
        jpeg_quality: 1..100, or None where the format has no such tables.
        bits: Of a stored sample, of the channel that has the most.
        floating: Samples are floating-point numbers.
        has_profile: It has a colour profile that only decoding brings out; `pixels` has applied it already.
        largest_buffer_px: Pixels of the largest buffer that decoding needs, where it is not the picture itself.
    """

    width_px: int
    height_px: int
    frames: int
    has_alpha: bool
    lossless: bool
    icc: bytes | None
    exif: ExifFacts
    jpeg_quality: int | None = None
    largest_buffer_px: int = 0
    bits: int = 8
    floating: bool = False
    has_profile: bool = False


class Reader(Protocol):
    """Reads one format. An instance belongs to one file."""

    @property
    def header(self) -> Header:
        """The header; cheap."""

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first frame.

        Args:
            least: Width and height in pixels that suffice; a reader that can decode smaller for less work may
                give any size from this up to the full one. None asks for the full size.

        Returns:
            The stored samples in any Pillow mode, not upright.
        """
