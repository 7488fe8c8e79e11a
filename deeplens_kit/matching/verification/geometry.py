"""Geometry: which one movement takes most local features of a picture to those of another.

Takes two looks, gives an affine model with the matches that it explains; must not look at pixels. Every tentative
match proposes a similarity from its own size and direction, the others vote on it, and the best proposals are fitted
to their voters: nothing is drawn at random, so the same two pictures always give the same model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.base import Affine, Look
from deeplens_kit.matching.verification.local_features import flipped_descriptors, negative_descriptors

__all__ = ["Model", "dihedral_model", "fit_model"]

_RATIO = 0.85  # of the distances to the best and the second best feature, exclusive (Lowe 2004, section 7.1)
_LEAST_LIKENESS = 0.60  # cosine of two descriptors, exclusive
_MOST_MATCHES = 250  # tentative matches looked at, the most distinct ones
_COARSE_SHARE = 0.06  # of the diagonal: how far a match may lie from a proposal that it votes for
_FINE_SHARE = 0.006  # of the diagonal, and ...
_FINE_PX = 3.0  # ... at least so many pixels: how far an inlier may lie from the fitted model
_SIZE_AGREES = 0.6  # natural logarithm of the ratio of sizes
_TURN_AGREES = 0.5  # radians
_PROPOSALS = 10
_ROUNDS = 5
_SIMILARITY_BELOW = 6  # matches, exclusive: fewer do not carry an affine model
_LEAST_INLIERS = 3
_ON_A_LINE = 1e-9  # of the product of both spreads, inclusive: points that near to a line carry no affine model
_ROW = 1 << 32  # more than there are places along a side
_PLACE_SHARE = 0.012  # of the diagonal: matches closer together count once
_MOST_STRETCH = 2.5  # ratio of the two singular values, inclusive: pages squeezed into squares have 1.4

# Unit square to unit square, in the order of `features.orientations`: the turns clockwise, then the mirrored ones.
_UNIT_MAPS = np.array(
    [
        [[1, 0, 0], [0, 1, 0]],
        [[0, -1, 1], [1, 0, 0]],
        [[-1, 0, 1], [0, -1, 1]],
        [[0, 1, 0], [-1, 0, 1]],
        [[-1, 0, 1], [0, 1, 0]],
        [[1, 0, 0], [0, -1, 1]],
        [[0, 1, 0], [1, 0, 0]],
        [[0, -1, 1], [-1, 0, 1]],
    ],
    np.float64,
)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """How one picture lies on another.

    Attributes:
        matrix: (2, 3), from a to b.
        inliers: Matches that it explains, those at one place counted once.
        tentative: Matches that were looked at.
        mirrored: Whether it mirrors.
    """

    matrix: Affine
    inliers: int
    tentative: int
    mirrored: bool


def fit_model(a: Look, b: Look, *, mirrored: bool, negative: bool) -> Model | None:
    """The best model of two pictures; None where nothing fits.

    Args:
        a: One picture.
        b: The other.
        mirrored: Look for b as a mirror image of a.
        negative: Look for b as a negative of a.
    """
    left, right = _matches(a, b, mirrored, negative)
    if len(left) < _LEAST_INLIERS:
        return None
    start = a.points[left].astype(np.float64)
    angles = a.angles[left].astype(np.float64)
    if mirrored:
        start[:, 0] = a.width - 1 - start[:, 0]
        angles = np.pi - angles
    if negative:
        angles = angles + np.pi
    end = b.points[right].astype(np.float64)
    scales = b.sizes[right] / a.sizes[left]
    turns = b.angles[right] - angles
    found = _best_fit(start, end, scales.astype(np.float64), turns, math.hypot(a.width, a.height), _diagonal(b))
    if found is None:
        return None
    matrix, inliers = found
    if mirrored:
        matrix = matrix @ np.array([[-1.0, 0, a.width - 1], [0, 1, 0], [0, 0, 1]])
    return Model(matrix, inliers, len(left), mirrored)


def dihedral_model(a: Look, b: Look, orientation: int) -> Model:
    """The model of two pictures of one view, one turned by a multiple of 90 degrees, mirrored or squeezed.

    Args:
        a: One picture.
        b: The other.
        orientation: 0..7 as `features.orientations` counts: what is done to a to look like b.
    """
    to_unit = np.array([[1 / a.width, 0, 0.5 / a.width], [0, 1 / a.height, 0.5 / a.height], [0, 0, 1]])
    from_unit = np.array([[b.width, 0, -0.5], [0, b.height, -0.5]])
    turned = np.vstack([_UNIT_MAPS[orientation], [0, 0, 1]])
    return Model(from_unit @ turned @ to_unit, 0, 0, orientation >= len(_UNIT_MAPS) // 2)


def _matches(a: Look, b: Look, mirrored: bool, negative: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tentative matches, one to one, the most distinct first: rows of a and of b."""
    if min(len(a.points), len(b.points)) < _LEAST_INLIERS:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    described = flipped_descriptors(a.descriptors) if mirrored else a.descriptors
    described = negative_descriptors(described) if negative else described
    likeness = (described.astype(np.float32) / 255) @ (b.descriptors.astype(np.float32) / 255).T
    rows = np.arange(len(likeness))
    best = likeness.argmax(axis=1)
    first = likeness[rows, best]
    likeness[rows, best] = -1
    second = likeness.max(axis=1)
    ratio = np.sqrt(np.maximum(2 - 2 * first, 0) / np.maximum(2 - 2 * second, 1e-6))
    kept = np.flatnonzero((ratio < _RATIO) & (first > _LEAST_LIKENESS))
    kept = kept[np.argsort(ratio[kept], kind="stable")]
    _, once = np.unique(best[kept], return_index=True)
    kept = kept[np.sort(once)][:_MOST_MATCHES]
    return kept.astype(np.int64), best[kept].astype(np.int64)


def _best_fit(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    scales: NDArray[np.float64],
    turns: NDArray[np.float64],
    diagonal_a: float,
    diagonal_b: float,
) -> tuple[Affine, int] | None:
    votes = _votes(start, end, scales, turns, _COARSE_SHARE * diagonal_b)
    counts = votes.sum(axis=1)
    fine = max(_FINE_PX, _FINE_SHARE * diagonal_b)
    best: tuple[Affine, int] | None = None
    for proposal in np.argsort(-counts, kind="stable")[:_PROPOSALS]:
        if counts[proposal] < _LEAST_INLIERS or (best and counts[proposal] <= best[1]):
            break
        matrix = _fitted(start, end, votes[proposal], _COARSE_SHARE * diagonal_b, fine)
        if matrix is None:
            continue
        inlier = _errors(matrix, start, end) < fine
        places = min(_places(start[inlier], _PLACE_SHARE * diagonal_a), _places(end[inlier], _PLACE_SHARE * diagonal_b))
        if places >= _LEAST_INLIERS and (best is None or places > best[1]):
            best = matrix, places
    return best


def _votes(
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    scales: NDArray[np.float64],
    turns: NDArray[np.float64],
    tolerance: float,
) -> NDArray[np.bool_]:
    """(n, n): whether the similarity that match i proposes is what match j says too."""
    cosine, sine = scales * np.cos(turns), scales * np.sin(turns)
    x, y = start.T
    moved_x = cosine * x - sine * y
    moved_y = sine * x + cosine * y
    off_x = cosine[:, None] * x - sine[:, None] * y + (end[:, 0] - moved_x)[:, None] - end[:, 0]
    off_y = sine[:, None] * x + cosine[:, None] * y + (end[:, 1] - moved_y)[:, None] - end[:, 1]
    size = np.log(scales)
    turn = (turns[:, None] - turns + np.pi) % (2 * np.pi) - np.pi
    near = np.square(off_x) + np.square(off_y) < tolerance**2
    agreed: NDArray[np.bool_] = near & (np.abs(size[:, None] - size) < _SIZE_AGREES) & (np.abs(turn) < _TURN_AGREES)
    return agreed


def _fitted(
    start: NDArray[np.float64], end: NDArray[np.float64], chosen: NDArray[np.bool_], coarse: float, fine: float
) -> Affine | None:
    """Least squares on the voters, again on those near the result, nearer each time."""
    matrix: Affine | None = None
    tolerance = coarse
    for round_number in range(_ROUNDS):
        count = int(chosen.sum())
        if count < _LEAST_INLIERS:
            return None
        affine = count >= _SIMILARITY_BELOW and round_number > 0
        matrix = (_affine if affine else _similarity)(start[chosen], end[chosen])
        if matrix is None:
            return None
        tolerance = max(fine, tolerance / 2)
        chosen = _errors(matrix, start, end) < tolerance
    if matrix is None or not np.isfinite(matrix).all():
        return None
    stretch = np.linalg.svd(matrix[:, :2], compute_uv=False)
    upright = np.linalg.det(matrix[:, :2]) > 0
    return matrix if upright and stretch[1] > 0 and stretch[0] <= _MOST_STRETCH * stretch[1] else None


def _affine(start: NDArray[np.float64], end: NDArray[np.float64]) -> Affine | None:
    """Least squares, by the normal equations of centred points; None where these lie on one line."""
    from_centre, to_centre = start.mean(axis=0), end.mean(axis=0)
    left, right = start - from_centre, end - to_centre
    (xx, xy), (_, yy) = left.T @ left
    area = xx * yy - xy * xy
    if area <= _ON_A_LINE * xx * yy:
        return None
    linear = right.T @ left @ np.array([[yy, -xy], [-xy, xx]]) / area
    return np.column_stack([linear, to_centre - linear @ from_centre])


def _similarity(start: NDArray[np.float64], end: NDArray[np.float64]) -> Affine | None:
    """Least squares, as one complex factor; None where all points are one."""
    from_centre, to_centre = start.mean(axis=0), end.mean(axis=0)
    (x, y), (u, v) = (start - from_centre).T, (end - to_centre).T
    spread = float(x @ x + y @ y)
    if spread <= 0:
        return None
    c, s = float(x @ u + y @ v) / spread, float(x @ v - y @ u) / spread
    linear = np.array([[c, -s], [s, c]])
    return np.column_stack([linear, to_centre - linear @ from_centre])


def _errors(matrix: Affine, start: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.hypot(*(start @ matrix[:, :2].T + matrix[:, 2] - end).T))


def _places(points: NDArray[np.float64], spacing: float) -> int:
    x, y = np.round(points / max(spacing, 1e-6)).astype(np.int64).T
    return len(set((x * _ROW + y).tolist()))


def _diagonal(look: Look) -> float:
    return math.hypot(look.width, look.height)
