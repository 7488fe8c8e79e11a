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
    # For each pixel how much of it the disc covers and, among equals, the last disc: both in one number.
    best = np.zeros(height_px * width_px, np.int64)
    rank = np.arange(1, len(places) + 1, dtype=np.int64)
    first = np.floor(places).astype(np.int64)
    reach = math.ceil(radius + 0.5)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            column, row = first.T + np.array([[right], [down]])
            gap = np.hypot(column + 0.5 - places[:, 0], row + 0.5 - places[:, 1])
            cover = (np.clip(radius + 0.5 - gap, 0.0, 1.0) * _OPAQUE).astype(np.int64)
            seen = (cover > 0) & (column >= 0) & (column < width_px) & (row >= 0) & (row < height_px)
            key = (cover[seen] << _RANK_BITS) | rank[seen]
            np.maximum.at(best, row[seen] * width_px + column[seen], key)
    image = np.zeros((height_px * width_px, 4), np.uint8)
    drawn = np.flatnonzero(best)
    image[drawn] = colours[(best[drawn] & ((1 << _RANK_BITS) - 1)) - 1]
    image[drawn, 3] = image[drawn, 3].astype(np.int64) * (best[drawn] >> _RANK_BITS) // _OPAQUE
    return image.reshape(height_px, width_px, 4)
