"""How one picture lies on the other, at whatever size either is: in shares of their upright sides.

Takes affine maps between pixels of two pictures and gives them in shares, as `transform` of PAIRS has them, and back
for any size; must not know what they are for. In pixels whole numbers are centres; in shares 0 and 1 are the edges of
the picture, so that the centre of the first of n pixels is at 0.5 / n, and a picture that was resized as a whole has
the very same shares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deeplens_kit.matching.verification.base import Affine

__all__ = ["inverse_transform", "pixel_matrix", "shares_of"]


def shares_of(matrix: Affine, size_a: tuple[int, int], size_b: tuple[int, int]) -> tuple[float, ...]:
    """A map between pixels as one between shares.

    Args:
        matrix: float64 (2, 3), pixel coordinates of a to those of b.
        size_a: Width and height of a in pixels, to which the matrix refers.
        size_b: Of b.

    Returns:
        Six numbers, the rows of a (2, 3) matrix: shares of a to shares of b.
    """
    of_a, of_b = np.array(size_a, np.float64), np.array(size_b, np.float64)
    linear = matrix[:, :2] * of_a / of_b[:, None]
    moved = (matrix[:, 2] + 0.5 - matrix[:, :2].sum(axis=1) / 2) / of_b
    return tuple(np.column_stack([linear, moved]).ravel().tolist())


def pixel_matrix(transform: Sequence[float], size_a: tuple[int, int], size_b: tuple[int, int]) -> Affine:
    """The reverse of `shares_of`, for pictures of any size.

    Args:
        transform: Six numbers, as in PAIRS.
        size_a: Width and height of a in pixels.
        size_b: Of b.
    """
    of_a, of_b = np.array(size_a, np.float64), np.array(size_b, np.float64)
    given = np.array(transform, np.float64).reshape(2, 3)
    linear = given[:, :2] * of_b[:, None] / of_a
    moved = given[:, 2] * of_b - 0.5 + linear.sum(axis=1) / 2
    return np.column_stack([linear, moved])


def inverse_transform(transform: Sequence[float]) -> tuple[float, ...] | None:
    """The map from b to a; None where there is none, because all of a would lie on one line."""
    (a, b, c), (d, e, f) = np.array(transform, np.float64).reshape(2, 3).tolist()
    area = a * e - b * d
    if not area:
        return None
    return (e / area, -b / area, (b * f - c * e) / area, -d / area, a / area, (c * d - a * f) / area)
