"""Bytes of one file to upright grey samples, for whatever looks at structure and not at colour.

Takes untrusted bytes and limits, gives grey; must not read a file, and lets out no error but an `ObjectError`. A JPEG
gives its luma without its colours being decoded, which halves the time; a colour profile is left out there, because
it moves tones and no edges. Every other format goes through sRGB on white, as for features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode.colour import plain_mode, to_srgb
from deeplens_kit.decode.formats.jpeg import JpegReader
from deeplens_kit.decode.picture import DECODE_SPEC, fitted, open_picture, reduced, translating, upright
from deeplens_kit.settings import DecodeSettings

__all__ = ["GREY_SPEC", "decode_grey"]

GREY_SPEC = f"grey1-{DECODE_SPEC}"
"""Names the path to grey in cache keys and verdicts; raised when the same bytes would give other grey samples. The
readers and the reduction are those of `DECODE_SPEC`."""


def decode_grey(data: bytes, settings: DecodeSettings, side_px: int | None = None) -> NDArray[np.uint8]:
    """Decode a file to grey.

    Args:
        data: The whole file.
        settings: Limits, each inclusive.
        side_px: The long side at most; None for the full size. Nothing is enlarged.

    Returns:
        (height, width) uint8, upright, C-contiguous and writable.

    Raises:
        ObjectError: As `picture.decode_picture`.
    """
    format_name, reader, header = open_picture(data, settings)
    stored = header.width_px, header.height_px
    target = stored if side_px is None else fitted(stored, side_px)
    least = None if side_px is None else target
    with translating(format_name):
        samples = reader.luma(least) if isinstance(reader, JpegReader) else reader.pixels(least)
        image = reduced(plain_mode(samples), target)
        if image.mode != "L":
            image = to_srgb(image, header.icc).convert("L")
        return np.array(upright(image, header.exif.orientation), dtype=np.uint8)
