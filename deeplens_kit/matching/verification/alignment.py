"""Alignment: two pictures on one grid, refined until small squares of one lie on those of the other.

Takes two looks and a model, gives the refined model and how well each square of the common grid agrees; must not
judge. It goes from coarse to fine, never finer than the coarser of the two pictures, and allows for what copying does
to light (each square by itself, a negative as a whole) and to sharpness (the sharper picture is blurred to the other).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.base import Affine, Look

__all__ = ["FINE_LEVELS", "PAGE_LEVELS", "Alignment", "align"]

FINE_LEVELS = (56, 112, 224, 448)
"""Long sides of the grids, in pixels, from coarse to fine."""

PAGE_LEVELS = (56, 112, 224, 448, 896)
"""The same for pages: at 448 px a square holds a word, at 896 px a letter or two."""

_LEAST_GRID_PX = 12
_LEAST_COVERED_PX = 100
_NOISE_VARIANCE = 4.0  # two grey levels: what JPEG leaves on a flat square
_BLURS = ((0, 0.0), (0, 0.8), (1, 0.8), (0, 1.6), (1, 1.6), (0, 3.2), (1, 3.2))  # which picture, sigma in pixels
_BLUR_GAIN = 0.005  # a blur must raise the correlation by more than this (exclusive)
_HIGH_PASS_PX = 6.0
_TRUSTED = 0.5  # correlation of a square whose shift counts, exclusive
_CONTRAST = 5.0  # grey levels, exclusive: squares with less say nothing of shifts
_INSIDE = 0.9  # share of a square that the first picture covers, exclusive
_FEW_CELLS, _MANY_CELLS = 6, 12  # from the first, inclusive, a common shift is fitted; from the second an affine one
_FARTHER_COSTS = 0.015  # while a model is refined: ruled forms, whose lines fit at many shifts, drifted by pixels
_STILL = 0.12  # mean shift in pixels below which nothing is fitted
_MOST_CHANGE = 0.3  # of the area, by one refinement
_PYRAMID_FROM = 1.2  # a level is taken while it is not coarser than the grid by more than this


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Two pictures laid on one another.

    Attributes:
        matrix: From a to b, refined.
        grid_a: (2, 3), from a to the grid.
        grid_b: (2, 3), from b to the grid; it only scales and moves.
        cells: float32 (rows, columns, len(CELL_FIELDS)), see `alignment_kernels`.
        side: Of a square, in pixels of the grid.
        step: From one square to the next.
        correlation: Of the high-passed pictures as wholes, -1..1; negative for a negative.
        width: Of the grid, pixels.
        height: Of the grid, pixels.
    """

    matrix: Affine
    grid_a: Affine
    grid_b: Affine
    cells: NDArray[np.float32]
    side: int
    step: int
    correlation: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Blur:
    of_b: bool
    sigma: float
    correlation: float


def align(a: Look, b: Look, matrix: Affine, levels: tuple[int, ...] = FINE_LEVELS) -> Alignment | None:
    """Lay a on b.

    Args:
        a: One picture.
        b: The other.
        matrix: From a to b, right to a few per cent.
        levels: Long sides of the grids.

    Returns:
        The finest alignment; None where they do not overlap by as much as can be compared.
    """
    blur = _Blur(False, 0.0, 1.0)
    measured_at = 0
    found: Alignment | None = None
    for number, long_side in enumerate(levels):
        grid = _grid(a, b, matrix, long_side)
        if grid is None:
            return None
        grid_a, grid_b, width, height = grid
        last = number == len(levels) - 1
        if found is not None and not last and (width, height) == (found.width, found.height):
            continue
        on_a, on_b = _warped(a, grid_a, width, height), _warped(b, grid_b, width, height)
        inside = _inside(grid_a, a, width, height)
        if inside.sum() < _LEAST_COVERED_PX:
            return None
        if number >= len(levels) - 2 and not measured_at:
            blur, measured_at = _blur_between(on_a, on_b, inside), width
        if blur.correlation < 0:
            on_a = 255 - on_a
        if blur.sigma:
            sigma = blur.sigma * width / measured_at
            on_a, on_b = (on_a, _blurred(on_b, sigma)) if blur.of_b else (_blurred(on_a, sigma), on_b)
        side = 16 if min(width, height) >= 96 else 12 if min(width, height) >= 40 else 8
        step = side * 3 // 4 if last else side
        cells = _cells(on_a, on_b, inside, side, step, *((1, 0.0) if last else (2, _FARTHER_COSTS)))
        found = Alignment(matrix, grid_a, grid_b, cells, side, step, blur.correlation, width, height)
        if not last:
            matrix = _refined(found)
    return found


def _grid(a: Look, b: Look, matrix: Affine, long_side: int) -> tuple[Affine, Affine, int, int] | None:
    """Where the pictures overlap in b: the maps of both to a grid over it, and its size."""
    corners = np.array([[-0.5, -0.5], [a.width - 0.5, -0.5], [a.width - 0.5, a.height - 0.5], [-0.5, a.height - 0.5]])
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    left, top = np.maximum(moved.min(axis=0), -0.5)
    right, bottom = np.minimum(moved.max(axis=0), [b.width - 0.5, b.height - 0.5])
    if not (right - left > 1 and bottom - top > 1):
        return None
    enlarges = math.sqrt(max(abs(np.linalg.det(matrix[:, :2])), 1e-12))
    scale = min(1.0, 1.0 / enlarges, long_side / max(right - left, bottom - top))
    width, height = round((right - left) * scale), round((bottom - top) * scale)
    if min(width, height) < _LEAST_GRID_PX:
        return None
    across, down = width / (right - left), height / (bottom - top)
    grid_b = np.array([[across, 0, -left * across - 0.5], [0, down, -top * down - 0.5]])
    return _joined(grid_b, matrix), grid_b, width, height


def _warped(look: Look, matrix: Affine, width: int, height: int) -> NDArray[np.float32]:
    scale = math.sqrt(max(abs(np.linalg.det(matrix[:, :2])), 1e-12))
    level = 0
    while scale * 2 ** (level + 1) <= _PYRAMID_FROM and level + 1 < len(look.levels):
        level += 1
    source = look.levels[level]
    across, down = look.width / source.shape[1], look.height / source.shape[0]
    from_level = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2]])
    moved = _joined(matrix, from_level).astype(np.float32)
    warped = cv2.warpAffine(source, moved, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def _inside(grid_a: Affine, a: Look, width: int, height: int) -> NDArray[np.uint8]:
    back = cv2.invertAffineTransform(grid_a).astype(np.float32)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    at_x, at_y = (row[0] * x + row[1] * y + row[2] for row in back)
    within = (at_x > -0.5) & (at_x < a.width - 0.5) & (at_y > -0.5) & (at_y < a.height - 0.5)
    return np.asarray(within, np.uint8)


def _blur_between(on_a: NDArray[np.float32], on_b: NDArray[np.float32], inside: NDArray[np.uint8]) -> _Blur:
    """Which of the two is to be blurred by how much to look most like the other."""
    # Both filters are linear: the high pass once, the blurs on what it leaves.
    sharp_a, sharp_b = _high_pass(on_a), _high_pass(on_b)
    best = _Blur(False, 0.0, 0.0)
    for of_b, sigma in _BLURS:
        left = (sharp_a if of_b or not sigma else _blurred(sharp_a, sigma)) * inside
        right = (sharp_b if not of_b or not sigma else _blurred(sharp_b, sigma)) * inside
        power = float(np.vdot(left, left)) * float(np.vdot(right, right))
        correlation = float(np.vdot(left, right)) / math.sqrt(power + 1e-6)
        if abs(correlation) > abs(best.correlation) + _BLUR_GAIN:
            best = _Blur(bool(of_b), sigma, correlation)
    return best


def _cells(
    on_a: NDArray[np.float32],
    on_b: NDArray[np.float32],
    inside: NDArray[np.uint8],
    side: int,
    step: int,
    reach: int,
    farther_costs: float,
) -> NDArray[np.float32]:
    from deeplens_kit.matching.verification.alignment_kernels import CELL_FIELDS, compare_cells

    height, width = on_a.shape
    out = np.zeros(((height - side) // step + 1, (width - side) // step + 1, len(CELL_FIELDS)), np.float32)
    compare_cells(
        np.ascontiguousarray(on_a),
        np.ascontiguousarray(on_b),
        inside,
        side,
        step,
        reach,
        _NOISE_VARIANCE,
        farther_costs,
        out,
    )
    return out


def _refined(found: Alignment) -> Affine:
    """The model moved by what the squares' shifts have in common."""
    rows, columns = found.cells.shape[:2]
    y, x = np.mgrid[0:rows, 0:columns] * found.step + found.side / 2 - 0.5
    likeness, contrast_a, contrast_b, shift_x, shift_y, inside = np.moveaxis(found.cells, 2, 0)
    # What hangs over the edge of a tilted picture is drawn to that edge.
    trusted = (likeness > _TRUSTED) & (np.minimum(contrast_a, contrast_b) > _CONTRAST) & (inside > _INSIDE)
    count = int(trusted.sum())
    shifts = np.column_stack([shift_x[trusted], shift_y[trusted]]).astype(np.float64)
    if count < _FEW_CELLS or np.abs(shifts).mean() < _STILL:
        return found.matrix
    places = np.column_stack([x[trusted], y[trusted], np.ones(count)])
    given = np.sqrt(likeness[trusted].astype(np.float64))[:, None]
    weights = given
    fitted = np.zeros((3, 2))
    for _ in range(3):
        if count >= _MANY_CELLS:
            fitted = np.linalg.lstsq(places * weights, shifts * weights, rcond=None)[0]
        else:
            fitted[2] = (shifts * weights**2).sum(axis=0) / (weights**2).sum()
        error = np.hypot(*(places @ fitted - shifts).T)
        weights = given * np.exp(-np.square(error) / 2)[:, None] + 1e-9
    # What is found in a at x + shift belongs at x.
    change = np.eye(3)
    change[:2] -= fitted.T
    if abs(np.linalg.det(change) - 1) > _MOST_CHANGE:
        return found.matrix
    back = cv2.invertAffineTransform(found.grid_b)
    return _joined(_joined(np.asarray(back, np.float64), change[:2]), found.grid_a)


def _joined(after: Affine, before: Affine) -> Affine:
    """One affine map after another."""
    joined: Affine = after @ np.vstack([before, [0, 0, 1]])
    return joined


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _high_pass(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture - _blurred(picture, _HIGH_PASS_PX)
