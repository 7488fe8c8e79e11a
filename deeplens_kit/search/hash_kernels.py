"""The inner loop of the search by hash, compiled.

Takes rows of 64-bit words and one hash in several variants; gives a distance for every row. Must not choose any.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled
from deeplens_kit.matching.neighbours.hamming_kernels import row_distance

__all__ = ["least_distances"]


@compiled
def least_distances(words: NDArray[np.uint64], variants: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Bits in which each row differs from the variant that is nearest to it.

    Args:
        words: uint64 (n, w).
        variants: uint64 (v, w).

    Returns:
        int32 (n,).
    """
    distances = np.empty(words.shape[0], np.int32)
    for row in range(words.shape[0]):
        best = row_distance(words, row, variants, 0)
        for variant in range(1, variants.shape[0]):
            best = min(best, row_distance(words, row, variants, variant))
        distances[row] = best
    return distances
