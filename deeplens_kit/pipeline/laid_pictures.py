"""One picture laid on another: where they show the same, the one in the place of the other, and how they differ.

Takes samples and how one lies on the other in shares of their sides, gives samples and corners; must not open a file or
judge. Light is evened out before a difference is taken, as verification allows for it: brighter is no other picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["common_view", "difference_of", "laid_on", "looked_transform", "moved"]

_Corners: TypeAlias = tuple[tuple[float, float], ...]
_Rgb: TypeAlias = NDArray[np.uint8]

_UNIT = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
_LEAST_AREA = 1e-4  # of a picture: a common view that is smaller shows nothing
_REDUCED_FROM = 1.2  # a picture with more pixels to one of the other is made smaller before it is laid
_MOST_GAIN, _LEAST_SPREAD = 4.0, 1.0  # of light between copies; grey levels
_ROUNDS, _TRUSTED = 3, 2.0  # fits, each to what the one before erred no more than so many medians in
_SHOWN_TIMES = 4.0  # a difference of a quarter of the scale is shown as fully different
_DIMMED = 0.45
_UNLIKE_COLOUR = (255.0, 92.0, 32.0)


def moved(transform: Sequence[float], corners: Sequence[tuple[float, float]]) -> _Corners:
    """Points of one picture in the other, in shares of its sides.

    Args:
        transform: Six numbers, as in PAIRS.
        corners: Points in shares.
    """
    t = [float(value) for value in transform]
    return tuple((t[0] * x + t[1] * y + t[2], t[3] * x + t[4] * y + t[5]) for x, y in corners)


def common_view(transform: Sequence[float]) -> _Corners:
    """The corners of what two pictures both show, in shares of the first one; empty where that is next to nothing.

    Args:
        transform: Lays the first on the second: six numbers, as in PAIRS.
    """
    import cv2

    from deeplens_kit.matching.verification.shares import inverse_transform

    back = inverse_transform(transform)
    if back is None:
        return ()
    own, other = (np.array(points, np.float32) for points in (_UNIT, moved(back, _UNIT)))
    area, polygon = cv2.intersectConvexConvex(own, other)
    if area < _LEAST_AREA:
        return ()
    points = np.asarray(polygon, np.float64).reshape(-1, 2).clip(0.0, 1.0)
    # From the corner nearest to the top left on, so that the marked one is where one looks first.
    points = np.roll(points, -int(np.argmin(points.sum(axis=1))), axis=0)
    return tuple((float(x), float(y)) for x, y in points.round(5))


def laid_on(rgb: _Rgb, size: tuple[int, int], transform: Sequence[float]) -> tuple[_Rgb, NDArray[np.bool_]]:
    """A picture in the place of another one.

    Args:
        rgb: (height, width, 3) uint8.
        size: Width and height of the other one in pixels.
        transform: Lays the other one on this one: six numbers, as in PAIRS.

    Returns:
        uint8 of that size, and bool (height, width): where the picture shows anything.
    """
    import cv2

    from deeplens_kit.matching.verification.shares import pixel_matrix

    matrix = pixel_matrix(transform, size, (rgb.shape[1], rgb.shape[0]))
    more = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    if more > _REDUCED_FROM:
        smaller = (max(1, round(rgb.shape[1] / more)), max(1, round(rgb.shape[0] / more)))
        rgb = np.asarray(cv2.resize(rgb, smaller, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = pixel_matrix(transform, size, smaller)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(rgb, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    ones = np.full(rgb.shape[:2], 255, np.uint8)
    shows = cv2.warpAffine(ones, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return np.asarray(laid, np.uint8), np.asarray(shows > 0)


def difference_of(rgb: _Rgb, laid: _Rgb, shows: NDArray[np.bool_]) -> tuple[_Rgb, float]:
    """Where two pictures differ, light evened out.

    Args:
        rgb: (height, width, 3) uint8.
        laid: The other one laid on it, of the same size.
        shows: Where the other one shows anything.

    Returns:
        The first one dimmed, coloured where they differ: uint8; and the mean difference where both show something,
        0..1.
    """
    grey = rgb.astype(np.float32).mean(axis=2, keepdims=True) * _DIMMED
    apart = np.zeros((*rgb.shape[:2], 1), np.float32)
    if shows.any():
        one, other = rgb[shows].astype(np.float32), laid[shows].astype(np.float32)
        apart[shows] = np.abs(one - _evened(other, one)).mean(axis=1, keepdims=True) / 255
    unlike = float(apart[shows].mean()) if shows.any() else 0.0
    share = np.minimum(apart * _SHOWN_TIMES, 1.0)
    drawn = grey * (1 - share) + np.array(_UNLIKE_COLOUR, np.float32) * share
    # What only the first one shows stays out of the comparison: it is dimmed once more.
    drawn[~shows] *= _DIMMED
    return np.clip(drawn + 0.5, 0, 255).astype(np.uint8), unlike


def _evened(other: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples (n, 3) with the light of others: a gain and an offset a channel, by least squares; a negative turns."""
    chosen = np.ones(len(one), np.bool_)
    evened = other
    for _ in range(_ROUNDS):
        middle, wanted = other[chosen].mean(axis=0), one[chosen].mean(axis=0)
        away = other[chosen] - middle
        gain = (away * (one[chosen] - wanted)).mean(axis=0) / np.maximum(np.square(away).mean(axis=0), _LEAST_SPREAD)
        evened = (other - middle) * np.clip(gain, -_MOST_GAIN, _MOST_GAIN) + wanted
        # What was drawn over is no light: it must not darken the rest.
        error = np.abs(one - evened).mean(axis=1)
        chosen = error <= max(_TRUSTED * float(np.median(error)), 1.0)
    return evened


def looked_transform(a: _Rgb, b: _Rgb) -> tuple[float, ...] | None:
    """How a lies on b by a close look at both as they are shown; None where nothing of one is found in the other."""
    import cv2

    from deeplens_kit.matching.verification.comparison import compare_looks
    from deeplens_kit.matching.verification.local_features import look_at
    from deeplens_kit.matching.verification.shares import shares_of

    one, other = (look_at(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)) for rgb in (a, b))
    found = compare_looks(one, other)
    if found is None:
        return None
    return shares_of(found.matrix, (one.width, one.height), (other.width, other.height))
