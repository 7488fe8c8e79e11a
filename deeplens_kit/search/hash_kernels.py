"""The inner loops of the search by hash, compiled.

Takes hashes as columns of 64-bit words and one hash in several variants; gives a distance for every row, or the rows
that can be near at all. Must choose none of these.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled
from deeplens_kit.matching.neighbours.hamming_kernels import differing

__all__ = ["least_distances", "nearer_than"]

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
def _at_least(
    kept: np.uint64,
    one: np.uint64,
    other: np.uint64,
    kept_asked: np.uint64,
    one_asked: np.uint64,
    other_asked: np.uint64,
) -> np.int64:
    """Bits in which a hash differs at least, however it is mirrored: `kept` never is, the others are or are not."""
    first, second = differing(one, one_asked), differing(other, other_asked)
    return differing(kept, kept_asked) + min(first, 64 - first) + min(second, 64 - second)


@compiled
def nearer_than(sketches: NDArray[np.uint64], asked: NDArray[np.uint64], radius: int) -> NDArray[np.int64]:
    """Rows that may be within a radius of a hash in one of its eight orientations; all that are, and few others.

    Mirroring a picture turns over every bit of some quarters of its hash and none of the others. So what a quarter
    differs in is one number, or the rest of 64, and three of them bound four orientations at the price of one: of
    random hashes one in a million is within 64 bits of another by this bound. A million rows take 1 ms, where
    `least_distances`, which counts all of it, takes 5.

    Args:
        sketches: uint64 (3, n), contiguous: the quarters of each hash that `hash_sketches` gives.
        asked: uint64 (3, 2): the same of the hash upright, in the first column, and transposed.
        radius: Bits, inclusive.

    Returns:
        int64 (m,), rising.
    """
    count = sketches.shape[1]
    found, used = np.empty(_BLOCK, np.int64), 0
    least = np.empty(_BLOCK, np.int64)
    for first in range(0, count, _BLOCK):
        size, nearest = min(_BLOCK, count - first), np.int64(3 * 64)
        kept = sketches[0, first : first + size]
        one, other = sketches[1, first : first + size], sketches[2, first : first + size]
        for row in range(size):
            least[row] = min(
                _at_least(kept[row], one[row], other[row], asked[0, 0], asked[1, 0], asked[2, 0]),
                _at_least(kept[row], one[row], other[row], asked[0, 1], asked[1, 1], asked[2, 1]),
            )
        for row in range(size):
            nearest = min(nearest, least[row])
        if nearest > radius:
            continue
        if used + size > len(found):
            longer = np.empty(2 * (used + size), np.int64)
            longer[:used] = found[:used]
            found = longer
        for row in range(size):
            if least[row] <= radius:
                found[used] = first + row
                used += 1
    return found[:used].copy()
