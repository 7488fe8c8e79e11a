"""Which vectors can be compared at all.

Takes vectors of one feature, gives a mask; must not change or copy them as a whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["usable_rows"]

_BLOCK = 4096


def usable_rows(vectors: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which rows are finite and have a length, bool (n,)."""
    usable = np.empty(len(vectors), bool)
    for first in range(0, len(vectors), _BLOCK):
        block = vectors[first : first + _BLOCK]
        usable[first : first + _BLOCK] = np.isfinite(block).all(axis=1) & block.any(axis=1)
    return usable
