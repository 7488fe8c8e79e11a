"""The inner loop of the search by hash, compiled.

Takes hashes as columns of 64-bit words and one hash in several variants; gives a distance for every row. Must choose
none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled
from deeplens_kit.matching.neighbours.hamming_kernels import differing

__all__ = ["distances_within", "least_distances"]

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


@compiled
def _telling_words(width: int, radius: int) -> int:
    """So many words of a random hash differ from another in more bits than `radius`, but for one in thirty thousand."""
    for words in range(1, width):
        # Half of the bits differ; their number spreads by half the root of the bits: four such are left.
        if 32 * words - 4 * 4 * words**0.5 >= radius:
            return words
    return width


@compiled
def distances_within(columns: NDArray[np.uint64], variants: NDArray[np.uint64], radius: int) -> NDArray[np.int32]:
    """As `least_distances` where that is at most `radius`, else a number above it.

    The first words already tell of nearly all rows that they are further away; of the others the rest is looked at.

    Args:
        columns: uint64 (w, n), contiguous.
        variants: uint64 (v, w).
        radius: Bits, inclusive.

    Returns:
        int32 (n,).
    """
    width, count = columns.shape
    told = _telling_words(width, radius)
    distances = np.empty(count, np.int32)
    total, least = np.empty(_BLOCK, np.int64), np.empty(_BLOCK, np.int64)
    for first in range(0, count, _BLOCK):
        size = min(_BLOCK, count - first)
        for variant in range(variants.shape[0]):
            for word in range(told):
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
            distances[first + row] = np.int32(radius + 1)
            if least[row] <= radius:
                best = np.int64(64 * width)
                for variant in range(variants.shape[0]):
                    whole = np.int64(0)
                    for word in range(width):
                        whole += differing(columns[word, first + row], variants[variant, word])
                    best = min(best, whole)
                distances[first + row] = np.int32(best)
    return distances
