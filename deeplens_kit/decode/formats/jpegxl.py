"""JPEG XL (ISO/IEC 18181): header read here, the first frame decoded by libjxl through imagecodecs.

Takes the bytes of one JPEG XL, gives header and pixels; must not turn them: libjxl has made them upright, so that the
orientation is reported as 1. Samples of more than eight bits, and other curves than that of sRGB, become eight bits
with that curve. Colours that only an embedded ICC profile explains are shown as if they were sRGB.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.jpegxl_colour import primaries_profile, srgb_table
from deeplens_kit.decode.formats.jpegxl_header import SRGB, read_header
from deeplens_kit.decode.metadata import upright_size

__all__ = ["JpegXlReader"]

_UNCOUNTED = 2  # frames of an animation without an index: more than one
_UINT16_MAX = 65535
_ALPHA_CHANNELS = frozenset({2, 4})


class JpegXlReader:
    """Reads one JPEG XL.

    Raises:
        ValueError: The header is broken.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.found = read_header(data)

    @property
    def header(self) -> Header:
        """The header."""
        found = self.found
        width, height = upright_size((found.width_px, found.height_px), found.orientation)
        return Header(
            width_px=width,
            height_px=height,
            frames=max(found.frames, _UNCOUNTED) if found.animated else 1,
            has_alpha=found.has_alpha,
            lossless=not found.xyb and not found.jpeg,
            icc=primaries_profile(found.primaries) if found.primaries else None,
            exif=replace(parse_exif(found.exif), orientation=1),
            bits=found.bits,
            floating=found.floating,
            has_profile=found.has_profile,
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first frame; always at full size."""
        import imagecodecs

        samples: NDArray[Any] = imagecodecs.jpegxl_decode(self._data, 0, numthreads=1)
        if samples.ndim == 3 and samples.shape[2] == 1:
            samples = samples[:, :, 0]
        return Image.fromarray(np.ascontiguousarray(self._eight_bits(samples)))

    def _eight_bits(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        curve = self.found.curve
        if samples.dtype == np.uint8 and curve == SRGB:
            return samples
        deep = _sixteen_bits(samples, self.found.bits)
        shown = srgb_table(curve)[deep]
        if samples.ndim == 3 and samples.shape[2] in _ALPHA_CHANNELS:
            shown[:, :, -1] = deep[:, :, -1] >> 8  # transparency has no curve
        return shown


def _sixteen_bits(samples: NDArray[Any], bits: int) -> NDArray[np.uint16]:
    if samples.dtype.kind == "f":
        bounded = np.clip(np.nan_to_num(samples.astype(np.float32)), 0.0, 1.0)
        return (bounded * _UINT16_MAX + 0.5).astype(np.uint16)
    if samples.dtype == np.uint8:
        return samples.astype(np.uint16) * 257
    return samples.astype(np.uint16)
