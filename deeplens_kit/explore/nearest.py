"""The nearest other vectors of each vector, as a table, found among numbers that were made few.

Takes unit vectors, gives positions and cosines; must not know what the vectors are of. Vectors of many numbers are
first laid along their principal axes: neighbours are found in a fraction of the time, and what is lost is mostly noise.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from deeplens_kit.matching.neighbours import VectorIndex
from deeplens_kit.matching.neighbours.brute_force import unit_rows

__all__ = ["MOST_NUMBERS", "along_axes", "nearest_others"]

MOST_NUMBERS = 128
"""Numbers of a vector that neighbours are found by. A million vectors of 512 numbers would take half an hour."""

_BLOCK = 4096


def along_axes(vectors: NDArray[np.floating], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some of the vectors, scaled to length one, by their coordinates along the axes that hold most of them.

    The axes go through the origin, so that the cosine of two vectors is kept as well as it can be.

    Args:
        vectors: (n, d) float16 or float32; the rows asked for have a length.
        rows: Which of them, in the order wanted.

    Returns:
        (m, at most `MOST_NUMBERS`) float32 of length one, or zero where nothing of a vector lies along the axes.
    """
    size = vectors.shape[1]
    if size <= MOST_NUMBERS:
        return np.asarray(unit_rows(vectors[rows]), np.float32)
    laid = np.empty((len(rows), MOST_NUMBERS), np.float32)
    # One thread: the same axes whatever the number of cores, and none that spins while others work.
    with threadpool_limits(1, user_api="blas"):
        products = np.zeros((size, size))
        for first in range(0, len(rows), _BLOCK):
            block = unit_rows(vectors[rows[first : first + _BLOCK]])
            products += block.T @ block
        axes = np.linalg.eigh(products)[1][:, : -MOST_NUMBERS - 1 : -1].astype(np.float32)
        for first in range(0, len(rows), _BLOCK):
            laid[first : first + _BLOCK] = unit_rows(unit_rows(vectors[rows[first : first + _BLOCK]]) @ axes)
    return np.nan_to_num(laid, copy=False, nan=0.0)


def nearest_others(
    vectors: NDArray[np.float32], count: int, progress: Callable[[int], None]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest others of each vector.

    Args:
        vectors: (n, d), of length one.
        count: How many of each, fewer than n.
        progress: Told how many vectors have theirs.

    Returns:
        Positions (n, count), the nearest first, -1 where fewer were found, and their cosines.
    """
    index = VectorIndex(vectors)
    near = np.full((len(vectors), count), -1, np.int64)
    cosine = np.full((len(vectors), count), -1.0, np.float32)
    for first in range(0, len(vectors), _BLOCK):
        hits = index.nearest(vectors[first : first + _BLOCK], count + 1, -1.0)
        query = hits.query + first
        other = np.flatnonzero(hits.item != query)
        query, item = query[other], hits.item[other]
        column = np.arange(len(query)) - np.searchsorted(query, query)
        kept = column < count
        near[query[kept], column[kept]] = item[kept]
        cosine[query[kept], column[kept]] = hits.cosine[other][kept]
        progress(min(first + _BLOCK, len(vectors)))
    return near, cosine
