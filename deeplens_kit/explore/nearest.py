"""The nearest other vectors of each vector, as a table, found among numbers that were made few.

Takes vectors, gives positions and cosines; must not know what the vectors are of. Vectors of many numbers are first
laid along their principal axes: neighbours are found in a fraction of the time, and what is lost is mostly noise. Where
the order of the nearest matters more are found than asked for, and their true cosines decide.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from deeplens_kit.matching.neighbours import VectorIndex
from deeplens_kit.matching.neighbours.brute_force import unit_rows

__all__ = ["MOST_NUMBERS", "LikeAmong", "along_axes", "nearest_others"]

MOST_NUMBERS = 128
"""Numbers of a vector that neighbours are found by. A million vectors of 512 numbers would take half an hour."""

_BLOCK = 4096
# What is gathered for them stays within a processor's cache.
_ROWS_AT_ONCE = 64

# So many times more are found by few numbers than are asked for: of them the true nearest are taken.
_SPARE = 1


class _Axes:
    """The axes that hold most of some vectors, through the origin, so that cosines are kept as well as they can be."""

    def __init__(self, vectors: NDArray[np.floating], rows: NDArray[np.int64]) -> None:
        self._axes: NDArray[np.float32] | None = None
        size = vectors.shape[1]
        if size <= MOST_NUMBERS:
            return
        # One thread: the same axes whatever the number of cores, and none that spins while others work.
        with threadpool_limits(1, user_api="blas"):
            products = np.zeros((size, size))
            for first in range(0, len(rows), _BLOCK):
                block = unit_rows(vectors[rows[first : first + _BLOCK]])
                products += block.T @ block
            self._axes = np.linalg.eigh(products)[1][:, : -MOST_NUMBERS - 1 : -1].astype(np.float32)

    def laid(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Vectors of length one along the axes; zero where nothing of a vector lies along them."""
        rows = unit_rows(vectors)
        if self._axes is not None:
            with threadpool_limits(1, user_api="blas"):
                rows = unit_rows(rows @ self._axes)
            np.nan_to_num(rows, copy=False, nan=0.0)
        return rows


def along_axes(vectors: NDArray[np.floating], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some of the vectors, scaled to length one, by their coordinates along the axes that hold most of them.

    Args:
        vectors: (n, d) float16 or float32; the rows asked for have a length.
        rows: Which of them, in the order wanted.

    Returns:
        (m, at most `MOST_NUMBERS`) float32 of length one, or zero where nothing of a vector lies along the axes.
    """
    axes = _Axes(vectors, rows)
    laid = np.empty((len(rows), min(vectors.shape[1], MOST_NUMBERS)), np.float32)
    for first in range(0, len(rows), _BLOCK):
        laid[first : first + _BLOCK] = axes.laid(vectors[rows[first : first + _BLOCK]])
    return laid


class LikeAmong:
    """Vectors among which the most alike are found, by their true cosine.

    Args:
        vectors: (n, d) float16 or float32, each with a length, at least one.
    """

    def __init__(self, vectors: NDArray[np.floating]) -> None:
        self._unit = unit_rows(vectors)
        self._axes = _Axes(self._unit, np.arange(len(vectors)))
        laid = np.concatenate([self._axes.laid(self._unit[at : at + _BLOCK]) for at in range(0, len(vectors), _BLOCK)])
        self._candidates = _Candidates(laid)

    def nearest(self, queries: NDArray[np.floating], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The most alike of each query, which has a length.

        Args:
            queries: (m, d).
            count: How many of each, 1..n.

        Returns:
            Positions (m, count) and their cosines, -1..1, the most alike first, of equals the first.
        """
        parts = [self._block(queries[at : at + _BLOCK], None, count) for at in range(0, len(queries), _BLOCK)]
        return _stacked(parts, count)

    def nearest_others(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The same for each of the vectors themselves, itself left out; `count` is 1..n - 1."""
        rows = np.arange(len(self._unit))
        # Threads that wait for each other take twice the processor time of one for the few vectors that this is for.
        with threadpool_limits(1):
            parts = [
                self._block(self._unit[at : at + _BLOCK], rows[at : at + _BLOCK], count)
                for at in range(0, len(rows), _BLOCK)
            ]
        return _stacked(parts, count)

    def _block(
        self, queries: NDArray[np.floating], itself: NDArray[np.int64] | None, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        asked = count + (itself is not None) + (_SPARE * count if self._unit.shape[1] > MOST_NUMBERS else 0)
        items = self._candidates.of(self._axes.laid(queries), min(asked, len(self._unit)))
        unit = unit_rows(queries)
        cosine = np.empty(items.shape, np.float32)
        for at in range(0, len(items), _ROWS_AT_ONCE):
            part = slice(at, at + _ROWS_AT_ONCE)
            cosine[part] = np.einsum("ijk,ik->ij", self._unit[items[part]], unit[part])
        np.clip(cosine, -1.0, 1.0, out=cosine)
        if itself is not None:
            cosine[items == itself[:, None]] = -np.inf
        order = np.lexsort((items, -cosine), axis=1)[:, :count]
        return np.take_along_axis(items, order, axis=1), np.take_along_axis(cosine, order, axis=1)


class _Candidates:
    """Unit vectors of few numbers, compared with all by FAISS, or by numpy where that is not installed."""

    def __init__(self, laid: NDArray[np.float32]) -> None:
        self._laid = laid
        self._index = None
        if importlib.util.find_spec("faiss") is not None:
            import faiss

            self._index = faiss.IndexFlatIP(laid.shape[1])
            self._index.add(laid)

    def of(self, queries: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """The most alike of each query: positions (m, count)."""
        if self._index is not None:
            return np.asarray(self._index.search(queries, count)[1], np.int64)
        found = np.empty((len(queries), count), np.int64)
        for at in range(0, len(queries), _ROWS_AT_ONCE):
            cosines = queries[at : at + _ROWS_AT_ONCE] @ self._laid.T
            found[at : at + _ROWS_AT_ONCE] = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        return found


def _stacked(
    parts: list[tuple[NDArray[np.int64], NDArray[np.float32]]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    if not parts:
        return np.zeros((0, count), np.int64), np.zeros((0, count), np.float32)
    near, cosine = zip(*parts, strict=True)
    return np.concatenate(near), np.concatenate(cosine)


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
