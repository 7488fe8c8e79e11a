"""How the regions of a picture lie in one stored row: up to four boxes with a vector each, zeros where there are fewer.

Takes stored rows and gives the regions one by one; must not need a model, for whoever compares regions has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOX", "MOST_REGIONS", "ROW", "SLOT", "UnpackedRegions", "unpack_regions"]

BOX = 4
"""Numbers of a box: left, top, right, bottom, shares of the upright picture."""

MOST_REGIONS = 4
"""The cells of a 2 x 2 collage; six find no more parts in the development benchmark and cost a tenth more."""

SLOT = BOX + 512
"""Numbers of a region: its box, then its vector."""

ROW = MOST_REGIONS * SLOT
"""Numbers of a picture."""


@dataclass(frozen=True, slots=True)
class UnpackedRegions:
    """Regions one by one.

    Attributes:
        row: int64 (m,), the picture's row, rising.
        boxes: float32 (m, 4): left, top, right, bottom, shares 0..1 of the upright picture.
        vectors: float16 (m, 512).
    """

    row: NDArray[np.int64]
    boxes: NDArray[np.float32]
    vectors: NDArray[np.float16]


def unpack_regions(rows: NDArray[np.float16]) -> UnpackedRegions:
    """The regions in stored rows.

    Args:
        rows: (n, 4 * 516) float16, as the extractor gives them.
    """
    slots = rows.reshape(len(rows), MOST_REGIONS, SLOT)
    # A box has a right side beyond its left one: what has none is no region.
    row, slot = np.nonzero(slots[:, :, 2] > slots[:, :, 0])
    return UnpackedRegions(
        row.astype(np.int64), slots[row, slot, :BOX].astype(np.float32), np.ascontiguousarray(slots[row, slot, BOX:])
    )
