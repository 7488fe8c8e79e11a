"""Kernel of alignment: how well small squares of one picture are found again in another, a few pixels around.

Takes two pictures on one grid, gives numbers for each square; must not know of models or meaning.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["CELL_FIELDS", "compare_cells"]

CELL_FIELDS = ("likeness", "contrast_a", "contrast_b", "shift_x", "shift_y", "inside")
"""What `compare_cells` writes for each square: the best correlation -1..1, standard deviations of both in grey levels,
where the best is found in a relative to b in pixels (to a part of one), and the share of the square that a covers."""

_LEAST_INSIDE = 0.75


@njit(cache=True, nogil=True, fastmath=True)
def compare_cells(
    a: NDArray[np.float32],
    b: NDArray[np.float32],
    inside: NDArray[np.uint8],
    side: int,
    step: int,
    reach: int,
    noise: float,
    farther_costs: float,
    out: NDArray[np.float32],
) -> None:
    """Correlate squares of b with those of a at all shifts up to `reach`.

    Args:
        a: float32 (height, width).
        b: The same shape.
        inside: uint8, 1 where a has pixels.
        side: Of a square, pixels.
        step: From one square to the next.
        reach: The farthest shift, pixels.
        noise: Variance that counts as no contrast; keeps the correlation of flat squares near 0.
        farther_costs: Correlation that a shift must gain over a nearer one, per square of its pixels: along a ruled
            line all shifts are alike, and the nearest is meant.
        out: float32 (rows, columns, len(CELL_FIELDS)), written; zeros where a covers too little of the square.
    """
    height, width = a.shape
    n = side * side
    scores = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            top = i * step
            left = j * step
            covered = 0
            total_b = np.float32(0)
            square_b = np.float32(0)
            for y in range(top, top + side):
                for x in range(left, left + side):
                    covered += inside[y, x]
                    value = b[y, x]
                    total_b += value
                    square_b += value * value
            out[i, j, :] = 0
            out[i, j, 5] = covered / n
            if covered < _LEAST_INSIDE * n:
                continue
            variance_b = _variance(float(square_b), float(total_b), n)
            best = -2.0
            preferred = -math.inf
            best_x = 0
            best_y = 0
            scores[:, :] = -2
            for dy in range(-reach, reach + 1):
                if top + dy < 0 or top + dy + side > height:
                    continue
                for dx in range(-reach, reach + 1):
                    if left + dx < 0 or left + dx + side > width:
                        continue
                    total_a = np.float32(0)
                    square_a = np.float32(0)
                    product = np.float32(0)
                    for y in range(side):
                        for x in range(side):
                            value_a = a[top + dy + y, left + dx + x]
                            total_a += value_a
                            square_a += value_a * value_a
                            product += value_a * b[top + y, left + x]
                    variance_a = _variance(float(square_a), float(total_a), n)
                    found = (product / n - total_a * total_b / (n * n)) / math.sqrt(
                        (variance_a + noise) * (variance_b + noise)
                    )
                    scores[dy + reach, dx + reach] = found
                    if dx == 0 and dy == 0:
                        out[i, j, 1] = math.sqrt(variance_a)
                    worth = float(found) - farther_costs * (dx * dx + dy * dy)
                    if worth > preferred:
                        preferred = worth
                        best = float(found)
                        best_x = dx
                        best_y = dy
            out[i, j, 0] = best
            out[i, j, 2] = math.sqrt(variance_b)
            out[i, j, 3] = best_x + _peak(scores[best_y + reach], best_x, reach, farther_costs)
            out[i, j, 4] = best_y + _peak(scores[:, best_x + reach], best_y, reach, farther_costs)


@njit(cache=True, nogil=True)
def _variance(square: float, total: float, n: int) -> float:
    found = square / n - (total / n) ** 2
    return found if found > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _peak(line: NDArray[np.float32], at: int, reach: int, flat: float) -> float:
    """Where between its neighbours the peak lies: the vertex of the parabola through three values."""
    if at <= -reach or at >= reach:
        return 0.0
    before, here, after = line[at + reach - 1], line[at + reach], line[at + reach + 1]
    if before < -1.5 or after < -1.5:
        return 0.0
    bend = before - 2 * here + after
    if bend > -max(1e-6, 2 * flat):
        return 0.0
    return float(0.5 * (before - after) / bend)
