"""Agreement: what the small squares of two aligned pictures say together.

Takes an alignment, gives a few numbers; must not judge. A square speaks only where there is something to see in it.
Local features find a printed form in every sheet of it; the ink between its lines is seen here.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.alignment import Alignment

__all__ = ["Agreement", "agreement_of"]

INSIDE = 0.74
"""Share of a square that both pictures cover, exclusive."""

_WHOLLY_INSIDE = 0.97  # exclusive
_SLANTED = 0.012  # sine of 0.7 degrees, exclusive
_CONTRAST = 5.0  # grey levels, exclusive: less is paper grain and noise
_MOST_CONTRAST = 30.0  # a square weighs by its contrast, up to this: ink counts more than shade, black no more than ink
_LEAST_CELLS = 4  # inclusive, with something to see: fewer say nothing
_UNLIKE, _LIKE = 0.50, 0.85  # correlation at which a square counts as not at all and as wholly explained
_AGREES = 0.75  # correlation, exclusive
_WOBBLE_CELLS = 6  # inclusive
_MUCH = 8.0  # grey levels, exclusive
_MUCH_CELLS = 6  # inclusive
_LOW = 0.05  # percentile
_FOREIGN_LIKENESS = 0.40  # correlation, exclusive
_FOREIGN_CONTRAST = 14.0  # grey levels, exclusive: noise and strong compression stay below
_FOREIGN_CELLS = 5  # inclusive, that touch

# A page says another thing where a name or a number is another: on the development benchmark this marks 28 of 46 pairs
# of forms that all else takes for copies, and 3 of 120 copies of pages; 54 of 78 on filled forms and letters.
_SHARP = 0.85  # median correlation, inclusive: below, compression and blur make squares unlike
_ALTERED_LIKENESS = 0.60  # correlation, exclusive
_ALTERED_CONTRAST = 20.0  # grey levels, exclusive: ink
_ALTERED_CELLS = 2  # inclusive, that touch


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two aligned pictures agree.

    Attributes:
        difference: Share of what is to be seen that the other does not explain, 0..1.
        agreement: Median correlation of squares in which both show something, -1..1.
        agreement_low: The 5th percentile of those in which either shows much: how well the worst of them agree.
        cells: Squares that agree.
        wobble_px: Mean distance of these from where the model puts them; 1 where there are too few.
        foreign: Share of the common view that is unlike in patches of some size, 0..1.
        altered: Whether ink differs somewhere in two pictures that are sharp and alike elsewhere.
    """

    difference: float
    agreement: float
    agreement_low: float
    cells: int
    wobble_px: float
    foreign: float
    altered: bool


def agreement_of(found: Alignment) -> Agreement:
    """Add up the squares of an alignment."""
    linear = found.matrix[:, :2]
    # Off the axes by more than a hundredth, edges cross squares; else a row of squares may hang out by a pixel.
    slanted = bool(np.minimum(np.abs(linear[0]), np.abs(linear[1])).max() > _SLANTED * np.abs(linear).max())
    likeness, contrast_a, contrast_b, shift_x, shift_y, inside = np.moveaxis(found.cells, 2, 0)
    within = inside > INSIDE
    contrast = np.maximum(contrast_a, contrast_b)
    shown = within & (contrast > _CONTRAST)
    if int(shown.sum()) < _LEAST_CELLS:
        return Agreement(1.0, 0.0, 0.0, 0, 1.0, 0.0, False)
    values = np.clip(likeness[shown], -1, 1)
    weights = np.minimum(contrast[shown], _MOST_CONTRAST)
    explained = np.clip((values - _UNLIKE) / (_LIKE - _UNLIKE), 0, 1)
    both = likeness[shown & (np.minimum(contrast_a, contrast_b) > _CONTRAST)]
    much = np.clip(likeness[within & (contrast > _MUCH)], -1, 1)
    good = shown & (likeness > _AGREES)
    agreement = float(np.median(both)) if len(both) else 0.0
    # A square that hangs over the edge of a tilted picture sees the edge, and nothing foreign.
    wholly = inside > _WHOLLY_INSIDE if slanted else within
    foreign = wholly & (likeness < _FOREIGN_LIKENESS) & (contrast > _FOREIGN_CONTRAST)
    altered = wholly & (likeness < _ALTERED_LIKENESS) & (contrast > _ALTERED_CONTRAST)
    return Agreement(
        difference=float(1 - (weights * explained).sum() / weights.sum()),
        agreement=agreement,
        agreement_low=float(np.quantile(much, _LOW)) if len(much) >= _MUCH_CELLS else 0.0,
        cells=int(good.sum()),
        wobble_px=_wobble(shift_x[good], shift_y[good]),
        foreign=_in_patches(foreign, _FOREIGN_CELLS) / max(int(within.sum()), 1),
        altered=agreement >= _SHARP and _in_patches(altered, _ALTERED_CELLS) > 0,
    )


def _wobble(shift_x: NDArray[np.float32], shift_y: NDArray[np.float32]) -> float:
    if len(shift_x) < _WOBBLE_CELLS:
        return 1.0
    return float(np.hypot(shift_x - np.median(shift_x), shift_y - np.median(shift_y)).mean())


def _in_patches(unlike: NDArray[np.bool_], least: int) -> int:
    """How many squares lie in patches of at least so many that touch: letters, stickers, another picture."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(unlike.astype(np.uint8), connectivity=8)
    sizes = stats[1:count, cv2.CC_STAT_AREA]
    return int(sizes[sizes >= least].sum())
