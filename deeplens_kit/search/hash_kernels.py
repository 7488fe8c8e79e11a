"""The inner loop of the search by hash, compiled.

Takes hashes as columns of 64-bit words and one hash in several variants; gives a distance for every row. Must choose
none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled
from deeplens_kit.matching.neighbours.hamming_kernels import differing

__all__ = ["least_distances"]

# So many rows stay in the nearest cache while all variants pass over them.
_BLOCK = 2048


@compiled
def least_distances(columns: NDArray[np.uint64], variants: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Bits in which each row differs from the variant that is nearest to it.

    Words of one place lie side by side, so that eight are counted by one instruction where the processor has it: a
    million hashes of 256 bits in eight variants take 5 ms, row by row 14.

    Args:
        columns: uint64 (w, n), contiguous.
        variants: uint64 (v, w).

    Returns:
        int32 (n,).
    """
    width, count = columns.shape
    distances = np.empty(count, np.int32)
    total, least = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    for first in range(0, count, _BLOCK):
        size = min(_BLOCK, count - first)
        for variant in range(variants.shape[0]):
            for word in range(width):
                column, wanted = columns[word, first : first + size], variants[variant, word]
                if word == 0:
                    for row in range(size):
                        total[row] = differing(column[row], wanted)
                else:
                    for row in range(size):
                        total[row] += differing(column[row], wanted)
            if variant == 0:
                for row in range(size):
                    least[row] = total[row]
            else:
                for row in range(size):
                    least[row] = min(least[row], total[row])
        for row in range(size):
            distances[first + row] = np.int32(least[row])
    return distances
