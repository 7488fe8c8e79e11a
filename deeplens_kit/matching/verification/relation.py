"""Relation: whether two pictures show one view, one a part of the other, or one holds what is foreign to the other.

Takes two looks and their alignment, gives how much of each the other shows, where, and the relation; must not judge
whether they are copies at all. What is uncertain is `composite`, which nothing is removed for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.alignment import Alignment
from deeplens_kit.matching.verification.base import TURNED_DEGREES, Affine, Box, Look, off_quarter_turn
from deeplens_kit.matching.verification.seam import has_seam
from deeplens_kit.schemas import Relation

__all__ = ["View", "relate"]

FULLY_COVERED = 0.965
"""From this share of its area (inclusive) a picture is covered by another, if no side of it is left out."""

LEFT_OUT = 0.010
"""Up to this share of a picture (inclusive) may lie beyond the other's edge at one side: alignment errs by a pixel. A
caption bar, a thin frame and what a crop cut off are more."""

LEFT_OUT_PX = 1.5
"""... and up to so many pixels of the coarser picture, inclusive."""

FOREIGN_AREA = 0.012
"""From this share of the common view (inclusive) what one of the two shows in one place is foreign to the other."""

STICKING_OUT = 0.003
"""Up to this share of a side (inclusive) alignment may err: no copy of two benchmarks, 1,366 pairs of one view, lies so
far off, and 33 of 200 pairs of different pictures that look like one view do."""

STICKING_OUT_PX = 1.2
"""... and up to so many pixels of the smaller picture, inclusive."""

_RING = (0.88, 0.97)  # of the other picture, from its centre: just within its border
_GROUND_SHARE = 0.4  # of that ring, exclusive: where more is of the tone outside, that tone is the picture's ground
_ALL_INSIDE = 0.998  # from this share of its area, inclusive, a picture has no corners outside the other
_FRAME_MARGIN = 0.04  # of a side, inclusive: so near a turned picture comes to each side of its frame
_FLAT_SPREAD = 6.0  # grey levels, inclusive: half of the uncovered area keeps this near to one tone ...
_FLAT_SHARE = 0.85  # ... or so much of it (inclusive) ...
_FLAT_TONE = 8.0  # ... lies this near (inclusive) to its commonest tone


@dataclass(frozen=True, slots=True)
class View:
    """How the views of two pictures relate.

    Attributes:
        relation: Of a to b: `part` where a is a part of b, `contains` where b is a part of a.
        covered_a: Share of a's area that b shows, 0..1.
        covered_b: Share of b's area that a shows, 0..1.
        region_a: Where in a the common view lies.
        region_b: Where in b.
        turn_degrees: b against a, clockwise, -180..180.
        tilted: The one that was turned by hand, with empty corners, of two that show one view; None for neither.
    """

    relation: Relation
    covered_a: float
    covered_b: float
    region_a: Box
    region_b: Box
    turn_degrees: float
    tilted: Literal["a", "b"] | None = None


def relate(a: Look, b: Look, found: Alignment, *, mirrored: bool, foreign: float, altered: bool = False) -> View:
    """Say how two aligned pictures relate.

    Args:
        a: One picture.
        b: The other.
        found: How a lies on b.
        mirrored: Whether the alignment mirrors.
        foreign: Share of the common view that is unlike in patches of some size, 0..1.
        altered: Whether what is written on two pages differs somewhere.
    """
    back = np.asarray(cv2.invertAffineTransform(found.matrix), np.float64)
    inside_a, region_a = _overlap(a, b, back)
    inside_b, region_b = _overlap(b, a, found.matrix)
    turn = _turn(found.matrix, mirrored)
    tilted: Literal["a", "b"] | None = None
    if altered or foreign >= FOREIGN_AREA or _stick_out_both(a, b, found.matrix, turn):
        relation = Relation.COMPOSITE
    else:
        relation, tilted = _relation(a, b, found.matrix, back, inside_a, inside_b, turn)
    shown = 1.0 - foreign
    return View(relation, inside_a * shown, inside_b * shown, region_a, region_b, turn, tilted)


def _relation(
    a: Look,
    b: Look,
    matrix: Affine,
    back: Affine,
    inside_a: float,
    inside_b: float,
    turn: float,
) -> tuple[Relation, Literal["a", "b"] | None]:
    # Between quarter turns the corners are cut off or filled up, with nothing: they count as shown where they are flat.
    turned = off_quarter_turn(turn) > TURNED_DEGREES
    full_a, full_b = _covered(a, b, back, inside_a), _covered(b, a, matrix, inside_b)
    empty_a = turned and _only_corners_empty(a, b, back)
    empty_b = turned and _only_corners_empty(b, a, matrix)
    all_a, all_b = full_a or empty_a, full_b or empty_b
    # A plain ground is as flat as filled corners, but goes on across the other picture's border.
    tilted_a = empty_a and inside_a < _ALL_INSIDE and _filled_outside(a, b, back)
    tilted_b = empty_b and inside_b < _ALL_INSIDE and _filled_outside(b, a, matrix)
    if all_a and all_b and tilted_a == tilted_b:
        return Relation.WHOLE, None
    tilted: Literal["a", "b"] | None = None if tilted_a == tilted_b else "a" if tilted_a else "b"
    if all_a and all_b:
        # Both show the view; that with empty corners was made from the upright one, and never the other way round.
        return (Relation.PART if tilted_a else Relation.CONTAINS), tilted
    if all_a and not _pasted(b, a, matrix):
        return Relation.PART, tilted
    if all_b and not _pasted(a, b, back):
        return Relation.CONTAINS, tilted
    return Relation.COMPOSITE, None


def _covered(of: Look, other: Look, to_of: Affine, inside: float) -> bool:
    """Whether another picture shows all of a picture: nearly all of its area, and every side of it."""
    if inside < FULLY_COVERED:
        return False
    moved = (_corners(other) @ to_of[:, :2].T + to_of[:, 2] + 0.5) / [of.width, of.height]
    left_out = np.maximum(moved.min(axis=0), 1 - moved.max(axis=0))
    # A pixel of the coarser picture, along each side of this one.
    pixel = np.maximum(1.0, np.abs(to_of[:, :2]).sum(axis=1)) / [of.width, of.height]
    return bool((left_out <= np.maximum(LEFT_OUT, LEFT_OUT_PX * pixel)).all())


def _stick_out_both(a: Look, b: Look, matrix: Affine, turn: float) -> bool:
    """Whether each shows on one side what lies beyond the other's edge there: nobody gains that by copying.

    Two frames of a burst do, of a camera that moved a little. Turned pictures have their corners cut off and prove
    nothing.
    """
    if off_quarter_turn(turn) > TURNED_DEGREES:
        return False
    moved = _corners(a) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    size = np.array([b.width, b.height])
    before, beyond = moved.min(axis=0) / size, 1 - moved.max(axis=0) / size
    # b has more before the first edge and a beyond the last one, or the other way round.
    both = np.maximum(np.minimum(before, -beyond), np.minimum(-before, beyond)).max()
    return bool(both > max(STICKING_OUT, STICKING_OUT_PX / min(a.width, a.height, b.width, b.height)))


def _overlap(of: Look, other: Look, to_of: Affine) -> tuple[float, Box]:
    """The share of a picture that another covers, and the box around it."""
    own = _corners(of)
    moved = _corners(other) @ to_of[:, :2].T + to_of[:, 2]
    area, polygon = cv2.intersectConvexConvex(own.astype(np.float32), moved.astype(np.float32))
    if area <= 0:
        return 0.0, (0.0, 0.0, 0.0, 0.0)
    points = (np.asarray(polygon, np.float64).reshape(-1, 2) + 0.5) / [of.width, of.height]
    (left, top), (right, bottom) = points.min(axis=0).clip(0, 1), points.max(axis=0).clip(0, 1)
    return min(1.0, area / (of.width * of.height)), (float(left), float(top), float(right), float(bottom))


def _corners(look: Look) -> NDArray[np.float64]:
    right, bottom = look.width - 0.5, look.height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def _turn(matrix: Affine, mirrored: bool) -> float:
    turned = matrix[:, :2] @ np.diag([-1.0, 1.0]) if mirrored else matrix[:, :2]
    # The rotation nearest to the linear part: squeezing is no turning.
    left, _, right = np.linalg.svd(turned)
    nearest = left @ right
    return math.degrees(math.atan2(nearest[1, 0], nearest[0, 0]))


def _pasted(larger: Look, smaller: Look, matrix: Affine) -> bool:
    """Whether the smaller view was put into the larger: a seam along an edge of it, or nothing around it."""
    corners = _corners(smaller) @ matrix[:, :2].T + matrix[:, 2]
    return has_seam(larger.levels[0], corners) or _flat_outside(larger, smaller, matrix)


def _only_corners_empty(of: Look, other: Look, to_of: Affine) -> bool:
    """Whether a turned picture fills its frame but for empty corners; a tilted print with a rim does not."""
    moved = (_corners(other) @ to_of[:, :2].T + to_of[:, 2] + 0.5) / [of.width, of.height]
    reaches = moved.min(axis=0).max() <= _FRAME_MARGIN and moved.max(axis=0).min() >= 1 - _FRAME_MARGIN
    return bool(reaches) and _flat_outside(of, other, to_of)


def _filled_outside(of: Look, other: Look, to_of: Affine) -> bool:
    """Whether what a picture has beyond another's border is of a tone that is rare just within that border."""
    corners = _corners(other) @ to_of[:, :2].T + to_of[:, 2]
    centre = corners.mean(axis=0)
    picture = of.levels[0]
    rings = []
    for share in (1.01, _RING[1], _RING[0]):
        ring = np.zeros(picture.shape, np.uint8)
        cv2.fillConvexPoly(ring, np.round(centre + (corners - centre) * share).astype(np.int32), 255)
        rings.append(ring > 0)
    outside, within = picture[~rings[0]], picture[rings[1] & ~rings[2]]
    if not len(outside) or not len(within):
        return False
    tone = int(np.bincount(outside, minlength=256).argmax())
    return bool((np.abs(within.astype(np.int16) - tone) <= _FLAT_TONE).mean() < _GROUND_SHARE)


def _flat_outside(of: Look, other: Look, to_of: Affine) -> bool:
    """Whether the part of a picture that another does not show holds nothing."""
    picture = of.levels[min(1, len(of.levels) - 1)]
    scale = np.array([picture.shape[1] / of.width, picture.shape[0] / of.height])
    moved = (_corners(other) @ to_of[:, :2].T + to_of[:, 2] + 0.5) * scale
    # A little more than the other picture itself: its border is mixed with what it lies on.
    moved = moved.mean(axis=0) + (moved - moved.mean(axis=0)) * 1.02
    outside = np.ones(picture.shape, np.uint8)
    cv2.fillConvexPoly(outside, np.round(moved).astype(np.int32), 0)
    tones = picture[outside > 0]
    if not len(tones):
        return True
    counts = np.bincount(tones, minlength=256)
    commonest = int(np.convolve(counts, np.ones(5), "same").argmax())
    near = np.abs(tones.astype(np.int16) - commonest) <= _FLAT_TONE
    quarter, three = np.percentile(tones, [25, 75])
    return bool(near.mean() >= _FLAT_SHARE or (three - quarter <= _FLAT_SPREAD and near.mean() >= 0.7))
