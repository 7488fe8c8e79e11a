"""Every comparison, nothing left out: the oracle of the fast indexes, and the vector search without FAISS.

Takes the arrays that the indexes take and gives the same hits in the same order, by plain numpy in blocks of
bounded size. Must stay simple enough to be believed; it shares no code with what it checks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.neighbours.base import HammingHits, VectorHits, hash_words

__all__ = ["BruteForceHamming", "BruteForceVectors", "unit_rows"]

# Queries compared at once; with 1 M items a block of cosines is 256 MB of float32.
_BLOCK = 64


class BruteForceHamming:
    """Exhaustive Hamming search.

    Args:
        hashes: uint64 (n,) or uint8 (n, 8 * words).
    """

    def __init__(self, hashes: NDArray[np.uint8] | NDArray[np.uint64]) -> None:
        self._words = hash_words(hashes)

    def __len__(self) -> int:
        return len(self._words)

    def query(
        self, hashes: NDArray[np.uint8] | NDArray[np.uint64], radius: int, *, limit: int | None = None
    ) -> HammingHits:
        """See `HammingSearch.query`."""
        words = hash_words(hashes)
        return _within(words[None], self._words, np.full(len(words), len(self._words)), radius, limit)

    def all_pairs(
        self,
        radius: int,
        *,
        variants: NDArray[np.uint8] | NDArray[np.uint64] | None = None,
        limit: int | None = None,
    ) -> HammingHits:
        """See `HammingSearch.all_pairs`; `limit` is the nearest earlier items of each later one."""
        queries = self._words[None] if variants is None else hash_words(variants)
        return _within(queries, self._words, np.arange(len(self._words)), radius, limit)


class BruteForceVectors:
    """Exhaustive cosine search.

    Args:
        vectors: float16 or float32 (n, d).
    """

    def __init__(self, vectors: NDArray[np.floating]) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(self, queries: NDArray[np.floating], k: int, floor: float) -> VectorHits:
        """See `VectorSearch.nearest`."""
        return self._nearest(queries, k, floor, leave_out_itself=False)

    def nearest_of_all(self, k: int, floor: float) -> VectorHits:
        """See `VectorSearch.nearest_of_all`."""
        return self._nearest(self._vectors, k, floor, leave_out_itself=True)

    def _nearest(self, queries: NDArray[np.floating], k: int, floor: float, *, leave_out_itself: bool) -> VectorHits:
        found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
        items = unit_rows(self._vectors)
        for first in range(0, len(queries), _BLOCK):
            cosines = np.clip(unit_rows(queries[first : first + _BLOCK]) @ items.T, -1.0, 1.0)
            rows = np.arange(len(cosines))
            if leave_out_itself:
                cosines[rows, first + rows] = -np.inf
            best = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
            values = np.take_along_axis(cosines, best, axis=1)
            row, column = np.nonzero(values >= np.float32(floor))
            found.append((row + first, best[row, column], values[row, column]))
        if not found:
            return VectorHits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        query, item, cosine = (np.concatenate(part) for part in zip(*found, strict=True))
        return VectorHits(query.astype(np.int64), item.astype(np.int64), cosine.astype(np.float32))


def unit_rows(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows scaled to length one in float32; a row without length, or with NaN, becomes NaN and matches nothing."""
    rows = vectors.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(rows / np.where(lengths > 0, lengths, np.nan), dtype=np.float32)


def _within(
    queries: NDArray[np.uint64],
    items: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    radius: int,
    limit: int | None,
) -> HammingHits:
    """Items before `bounds[q]` within `radius` of any of the variants `queries[:, q]`."""
    found: list[tuple[NDArray[np.int64], ...]] = []
    for q in range(queries.shape[1]):
        distances = np.bitwise_count(queries[:, q, None, :] ^ items[None, : bounds[q], :]).sum(axis=2, dtype=np.int64)
        nearest = distances.min(axis=0) if bounds[q] else np.zeros(0, np.int64)
        item = np.flatnonzero(nearest <= radius)
        item = item[np.argsort(nearest[item], kind="stable")][:limit]
        found.append((np.full(len(item), q, np.int64), item, nearest[item]))
    parts = [np.concatenate(part) for part in zip(*found, strict=True)] if found else [np.zeros(0, np.int64)] * 3
    return HammingHits(parts[0].astype(np.int64), parts[1].astype(np.int64), parts[2].astype(np.int32))
