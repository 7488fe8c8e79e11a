"""Few points of a map as discs with smooth edges.

Takes places in pixels, colours and a radius, gives RGBA samples; must not choose either. Where discs overlap the later
one lies on top.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_discs"]

_OPAQUE = 255
_RANK_BITS = 32


def draw_discs(
    places: NDArray[np.float64], colours: NDArray[np.uint8], radius: float, width_px: int, height_px: int
) -> NDArray[np.uint8]:
    """Draw discs on a transparent ground.

    Args:
        places: (n, 2) column and row of the middle of each disc, in pixels from the top left corner; may lie outside.
        colours: (n, 4) uint8 RGBA.
        radius: In pixels, greater than 0.
        width_px: Of the image.
        height_px: Of the image.

    Returns:
        (height, width, 4) uint8, alpha not multiplied in.
    """
    from deeplens_kit.views.map_kernels import fill_discs

    best = np.zeros((height_px, width_px), np.int64)
    fill_discs(np.ascontiguousarray(places, np.float64), float(radius), math.ceil(radius + 0.5), best)
    image = np.zeros((height_px * width_px, 4), np.uint8)
    drawn = np.flatnonzero(best)
    found = best.ravel()[drawn]
    image[drawn] = colours[(found & ((1 << _RANK_BITS) - 1)) - 1]
    image[drawn, 3] = image[drawn, 3].astype(np.int64) * (found >> _RANK_BITS) // _OPAQUE
    return image.reshape(height_px, width_px, 4)
