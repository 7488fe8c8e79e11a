"""Comparison: two pictures held against each other by everything but the signals that found them.

Takes two looks and what the hashes hint at, gives findings; must not judge whether they are copies. Ways in which one
may lie on the other are proposed by local features and by the whole view in eight orientations; the proposal whose
squares agree best on a coarse grid is looked at closely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.agreement import Agreement, agreement_of
from deeplens_kit.matching.verification.alignment import FINE_LEVELS, PAGE_LEVELS, Alignment, align
from deeplens_kit.matching.verification.base import TURNED_DEGREES, Affine, Box, Grey, Look, off_quarter_turn
from deeplens_kit.matching.verification.geometry import Model, dihedral_model, fit_model
from deeplens_kit.matching.verification.relation import View, relate
from deeplens_kit.schemas import Relation

__all__ = ["Findings", "compare_looks"]

_TINY_PX = 64
_HIGH_PASS_PX = 8.0
_TINY_POWER = 64.0  # added to the power of a tiny picture: what is nearly blank correlates with nothing
_ORIENTATIONS = 8

_HINTS = 0.40  # correlation of the tiny pictures, exclusive, from which their orientation is believed
_NEGATIVE = -0.50  # exclusive
_SURE_INLIERS = 10  # inclusive: with so many the mirror image is not tried as well
_PAGE_SHARE = 0.50  # of one tone, inclusive: as rules call a picture page-like
_PAGE_TONES = 24  # grey levels that count as one tone
_COARSE = 2  # levels of the grids
_HOPELESS = 0.12  # exclusive: a proposal explaining less on the coarse grid is not looked at closely
_RIVALS = 0.75  # inclusive: a proposal explaining so much of what the best one does may win on a fine grid
_SAME_MOVEMENT = 0.01  # of the diagonal, inclusive: refining brings proposals nearer than this together
_SEVERAL = 40.0  # squares: so many that agree carry a proposal fully

_LEAST_OVERLAP = 0.2
_NEARLY_ALL = 0.9  # of either picture, inclusive: below, hashes of whole views have nothing to compare
_ALL_BUT_CORNERS = 0.75  # of the upright one of two, inclusive: tilted by 10 degrees it loses a fifth
_PDQ_SIDE_PX, _PDQ_LEAST_PX, _PDQ_BYTES = 384, 5, 32  # as the feature `pdq` hashes thumbnails


@dataclass(frozen=True, slots=True)
class Findings:
    """What a close look at two pictures found; the numbers are described in `schemas.PAIRS`."""

    relation: Relation
    inliers: int
    inlier_share: float
    agreement: Agreement
    correlation: float
    covered_a: float
    covered_b: float
    mirrored: bool
    turn_degrees: float
    region_a: Box
    region_b: Box
    matrix: NDArray[np.float64]
    view_pdq: int | None


def compare_looks(a: Look, b: Look) -> Findings | None:
    """Hold two pictures against each other.

    Args:
        a: One picture.
        b: The other.

    Returns:
        What was found, None where nothing of one can be laid on the other.
    """
    # 1. What the whole views hint at.
    likeness, orientation = _whole_views(a, b)
    hinted = abs(likeness) > _HINTS
    # 2. Proposals, each tried on a coarse grid.
    pages = _is_page(a) and _is_page(b)
    levels = PAGE_LEVELS if pages else FINE_LEVELS
    featured = _by_features(a, b, mirrored=hinted and orientation >= _ORIENTATIONS // 2, negative=likeness < _NEGATIVE)
    proposals = [dihedral_model(a, b, orientation)] if featured is None else [featured]
    if featured is not None and hinted:
        proposals.append(dihedral_model(a, b, orientation))
    tried = [(model, found) for model in proposals if (found := _coarse(a, b, model, levels))]
    hopeful = [(worth, model, found) for model, found in tried if (worth := _worth(found)) >= _HOPELESS]
    if not hopeful:
        return None
    # 3. The best of them looked at closely, and the other where it is nearly as good and another movement.
    best = max(hopeful, key=lambda item: item[0])
    rivals = [other for other in hopeful if other[0] >= _RIVALS * best[0] and _apart(a, b, best[2], other[2])]
    closely = [(model, align(a, b, coarse.matrix, levels[_COARSE:]) or coarse) for _, model, coarse in (best, *rivals)]
    model, found = max(closely, key=lambda item: _worth(item[1])) if rivals else closely[0]
    agreement = agreement_of(found)
    altered = pages and agreement.altered
    view = relate(a, b, found, mirrored=model.mirrored, foreign=agreement.foreign, altered=altered)
    points = featured if featured is not None and featured.mirrored == model.mirrored else None
    return Findings(
        relation=view.relation,
        inliers=points.inliers if points else 0,
        inlier_share=points.inliers / max(points.tentative, 8) if points else 0.0,
        agreement=agreement,
        correlation=found.correlation,
        covered_a=view.covered_a,
        covered_b=view.covered_b,
        mirrored=model.mirrored,
        turn_degrees=view.turn_degrees,
        region_a=view.region_a,
        region_b=view.region_b,
        matrix=found.matrix,
        view_pdq=_view_pdq(a, b, view, found.matrix, model.mirrored),
    )


def _by_features(a: Look, b: Look, *, mirrored: bool, negative: bool) -> Model | None:
    first = fit_model(a, b, mirrored=mirrored, negative=negative)
    if first is not None and first.inliers >= _SURE_INLIERS:
        return first
    second = fit_model(a, b, mirrored=not mirrored, negative=negative)
    if first is None or (second is not None and second.inliers > first.inliers):
        return second
    return first


def _coarse(a: Look, b: Look, model: Model, levels: tuple[int, ...]) -> Alignment | None:
    return align(a, b, model.matrix, levels[:_COARSE])


def _apart(a: Look, b: Look, one: Alignment, other: Alignment) -> bool:
    """Whether two movements put a corner of a picture in clearly different places."""
    right, bottom = a.width - 1.0, a.height - 1.0
    corners = np.array([[0, 0, 1], [right, 0, 1], [right, bottom, 1], [0, bottom, 1]])
    moved = corners @ (one.matrix - other.matrix).T
    return bool(np.hypot(*moved.T).max() > _SAME_MOVEMENT * np.hypot(b.width, b.height))


def _worth(found: Alignment) -> float:
    """What a proposal explains, 0..1: little weight where few squares carry it."""
    agreement = agreement_of(found)
    return (1 - agreement.difference) * min(1.0, _LEAST_OVERLAP + agreement.cells / _SEVERAL)


def _whole_views(a: Look, b: Look) -> tuple[float, int]:
    """The correlation of the tiny pictures, the strongest of eight orientations, and which it is."""
    one, other = _tiny(a), _tiny(b)
    found = [float(np.vdot(np.ascontiguousarray(variant), other)) for variant in _orientations(one)]
    orientation = int(np.argmax(np.abs(found)))
    return found[orientation], orientation


def _orientations(picture: NDArray[Any]) -> list[NDArray[Any]]:
    """A picture turned clockwise by quarters, then mirrored, turned over, transposed both ways: as `dihedral_model`."""
    turned = [picture, np.rot90(picture, -1), np.rot90(picture, 2), np.rot90(picture, 1)]
    return [*turned, picture[:, ::-1], picture[::-1], picture.T, np.rot90(picture, 2).T]


def _view_pdq(a: Look, b: Look, view: View, matrix: Affine, mirrored: bool) -> int | None:
    """Bits of PDQ that differ once one picture is turned as the other is; None where neither is turned.

    The hashes alone tell of pictures turned by quarters with 14 wrong bits, and of tilted ones nothing.
    """
    if view.tilted is not None:
        upright, tilted = (b, a) if view.tilted == "a" else (a, b)
        if (view.covered_b if view.tilted == "a" else view.covered_a) < _ALL_BUT_CORNERS:
            return None
        to_upright = matrix if view.tilted == "a" else np.asarray(cv2.invertAffineTransform(matrix), np.float64)
        return _bits_apart(*_straightened(tilted, upright, to_upright))
    quarters = round(view.turn_degrees / 90) % 4
    slanted = off_quarter_turn(view.turn_degrees) > TURNED_DEGREES
    if slanted or not (quarters or mirrored) or min(view.covered_a, view.covered_b) < _NEARLY_ALL:
        return None
    small = _thumbnail(a.levels[0])
    return _bits_apart(np.rot90(small[:, ::-1] if mirrored else small, -quarters), b.levels[0])


def _straightened(tilted: Look, upright: Look, matrix: Affine) -> tuple[Grey, Grey]:
    """The tilted picture laid on the upright one, and that; what the one does not show is as blank in the other."""
    size = (upright.width, upright.height)
    straight = cv2.warpAffine(tilted.levels[0], matrix, size, flags=cv2.INTER_LINEAR)
    shown = cv2.warpAffine(np.full_like(tilted.levels[0], 255), matrix, size, flags=cv2.INTER_NEAREST) > 0
    tone = np.uint8(upright.levels[0].mean())
    return np.where(shown, straight, tone).astype(np.uint8), np.where(shown, upright.levels[0], tone)


def _bits_apart(one: Grey, other: Grey) -> int:
    from deeplens_kit.features.kernels import pdq_hash

    hashes = np.zeros((2, _PDQ_BYTES), np.uint8)
    for grey, out in zip((one, other), hashes, strict=True):
        pdq_hash(np.ascontiguousarray(np.repeat(_thumbnail(grey)[..., None], 3, axis=2)), out)
    return int(np.unpackbits(hashes[0] ^ hashes[1]).sum())


def _thumbnail(grey: Grey) -> Grey:
    scale = min(1.0, _PDQ_SIDE_PX / max(grey.shape))
    height, width = (max(_PDQ_LEAST_PX, round(side * scale)) for side in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _tiny(look: Look) -> NDArray[np.float32]:
    small = next((level for level in reversed(look.levels) if min(level.shape) >= _TINY_PX), look.levels[0])
    tiny = np.asarray(cv2.resize(small, (_TINY_PX, _TINY_PX), interpolation=cv2.INTER_AREA), np.float32)
    tiny -= cv2.GaussianBlur(tiny, (0, 0), _HIGH_PASS_PX)
    return tiny / np.float32(np.sqrt(float(np.vdot(tiny, tiny)) + _TINY_POWER))


def _is_page(look: Look) -> bool:
    counts = np.bincount(look.levels[-1].ravel(), minlength=256)
    share = np.convolve(counts, np.ones(_PAGE_TONES), "valid").max() / look.levels[-1].size
    return bool(share >= _PAGE_SHARE)
