"""Distances of given pairs over all orientations, compiled.

Takes hashes, their variants and pairs of positions; gives the least distance of each pair and the orientation that
reaches it. Must not search.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled
from deeplens_kit.matching.neighbours.hamming_kernels import row_distance

__all__ = ["best_variants"]


@compiled
def best_variants(
    words: NDArray[np.uint64], variants: NDArray[np.uint64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """For each pair the least distance of the left hash to a variant of the right one.

    Args:
        words: uint64 (n, w).
        variants: uint64 (v, n, w), the first being `words`.
        left: int64 (m,), rows.
        right: int64 (m,), rows.

    Returns:
        int32 (m,) bits and int32 (m,) the first variant that reaches them.
    """
    distances, orientations = np.empty(len(left), np.int32), np.zeros(len(left), np.int32)
    for pair in range(len(left)):
        best = row_distance(words, left[pair], variants[0], right[pair])
        for variant in range(1, variants.shape[0]):
            distance = row_distance(words, left[pair], variants[variant], right[pair])
            if distance < best:
                best = distance
                orientations[pair] = variant
        distances[pair] = best
    return distances, orientations
