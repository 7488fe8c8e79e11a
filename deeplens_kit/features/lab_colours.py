"""The colours of a thumbnail as a person tells them apart: CIE L*a*b* of a small copy of the picture.

Takes thumbnails, gives L*a*b* of at most 64 x 64 pixels; must not name or count colours. L* is 0..100, a* and b* are
about -90..100 for sRGB; equal distances look about equally different (CIE 1976, D65).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.features.base import Thumbnail

__all__ = ["SIDE_PX", "lab", "lab_of_rgb"]

SIDE_PX = 64
"""Side of the square that a picture is averaged to: shares of colours need no more, and noise is gone."""

_LEVELS = np.float32(255.0)


def lab(pixels: Thumbnail) -> NDArray[np.float32]:
    """L*a*b* of a thumbnail squeezed to at most 64 x 64, (n, 3) float32; a side below 64 px stays as it is."""
    import cv2

    height, width = pixels.shape[:2]
    size = (min(width, SIDE_PX), min(height, SIDE_PX))
    # Means of areas, so that a thin line of another colour counts by its area, whatever the size of the picture.
    small = pixels if size == (width, height) else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return lab_of_rgb(np.asarray(small, dtype=np.uint8).reshape(-1, 3))


def lab_of_rgb(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """L*a*b* of sRGB colours, (n, 3) uint8 to (n, 3) float32."""
    import cv2

    scaled = np.ascontiguousarray(colours, dtype=np.float32)[None] / _LEVELS
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2Lab)[0], dtype=np.float32)
