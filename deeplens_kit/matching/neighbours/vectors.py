"""Nearest vectors under the cosine, by FAISS where it is installed.

Takes vectors of one feature (float16 or float32, any length; they are scaled to one) and gives the k most alike of
each above a floor. Up to `FLAT_ITEMS` vectors are searched exhaustively, more through an inverted file with 8-bit
residuals, which finds most of the neighbours (see `benchmarks.matching`), always the same ones. Without FAISS
every vector is compared in blocks, which the log says. Must not decide what a high cosine means.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.neighbours.base import VectorHits
from deeplens_kit.matching.neighbours.brute_force import BruteForceVectors, unit_rows
from deeplens_kit.telemetry import get_logger

__all__ = ["FLAT_ITEMS", "VectorIndex"]

FLAT_ITEMS = 50_000
"""Up to so many vectors (inclusive) the search is exhaustive: all against all take 43 CPU seconds at 50 k and would
take 170 at 100 k, where the inverted file takes 41."""

# limits.md's best trade at 1 M: 1024 lists, 8-bit scalars; 32 lists probed found .956 of the ten nearest.
_LISTS, _PROBED_LISTS = 1024, 32
# FAISS asks for 39 training vectors per list; more do not move the centroids.
_TRAINING_ITEMS = 64 * _LISTS
_SEED = 20_240
_BLOCK = 4096

_log = get_logger(__name__)


class VectorIndex:
    """Vectors to search, see `VectorSearch`.

    Args:
        vectors: float16 or float32 (n, d). Kept as given and converted block by block.
        flat_items: The most vectors that are searched exhaustively.
    """

    def __init__(self, vectors: NDArray[np.floating], *, flat_items: int = FLAT_ITEMS) -> None:
        self._vectors = vectors
        self._index: Any = None
        if not len(vectors):
            return
        if importlib.util.find_spec("faiss") is None:
            _log.warning("FAISS is not installed: all vectors are compared; `pip install deeplens-kit[cpu]` is faster")
            return
        self._index = _built(vectors, flat=len(vectors) <= flat_items)

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(self, queries: NDArray[np.floating], k: int, floor: float) -> VectorHits:
        """See `VectorSearch.nearest`."""
        return self._search(queries, k, floor, leave_out_itself=False)

    def nearest_of_all(self, k: int, floor: float) -> VectorHits:
        """See `VectorSearch.nearest_of_all`."""
        return self._search(self._vectors, k, floor, leave_out_itself=True)

    def _search(self, queries: NDArray[np.floating], k: int, floor: float, *, leave_out_itself: bool) -> VectorHits:
        if self._index is None:
            brute = BruteForceVectors(self._vectors)
            return brute.nearest_of_all(k, floor) if leave_out_itself else brute.nearest(queries, k, floor)
        # One more than asked for: an item is its own nearest, or one of several equal to it.
        wanted = min(k + leave_out_itself, len(self))
        parts = []
        for first in range(0, len(queries), _BLOCK):
            block = _finite(queries[first : first + _BLOCK])
            _, found = self._index.search(block, wanted)
            parts.append(self._scored(block, first, found, k, floor, leave_out_itself=leave_out_itself))
        if not parts:
            return VectorHits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        query, item, cosine = (np.concatenate(part) for part in zip(*parts, strict=True))
        return VectorHits(query, item, cosine)

    def _scored(
        self,
        block: NDArray[np.float32],
        first: int,
        found: NDArray[np.int64],
        k: int,
        floor: float,
        *,
        leave_out_itself: bool,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """True cosines of what the index found: an 8-bit index gives approximate ones, and so would the floor be."""
        row, column = np.nonzero(found >= 0)
        item = found[row, column]
        if leave_out_itself:
            other = item != row + first
            row, item = row[other], item[other]
        cosine = np.empty(len(row), np.float32)
        for at in range(0, len(row), _BLOCK):
            part = slice(at, at + _BLOCK)
            cosine[part] = np.einsum("ij,ij->i", block[row[part]], _finite(self._vectors[item[part]]))
        cosine = np.clip(cosine, -1.0, 1.0)
        order = np.lexsort((item, -cosine, row))
        row, item, cosine = row[order], item[order], cosine[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        kept = (place < k) & (cosine >= np.float32(floor)) & block[row].any(axis=1)
        return row[kept] + first, item[kept], cosine[kept]


def _built(vectors: NDArray[np.floating], *, flat: bool) -> Any:
    import faiss

    dimensions = vectors.shape[1]
    if flat:
        index: Any = faiss.IndexFlatIP(dimensions)
    else:
        index = faiss.index_factory(dimensions, f"IVF{_LISTS},SQ8", faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = _SEED
        index.nprobe = _PROBED_LISTS
        sample = np.random.default_rng(_SEED).permutation(len(vectors))[:_TRAINING_ITEMS]
        index.train(_finite(vectors[np.sort(sample)]))
    for first in range(0, len(vectors), _BLOCK):
        index.add(_finite(vectors[first : first + _BLOCK]))
    return index


def _finite(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of length one; a row that has none becomes zero, whose cosine with anything is 0."""
    rows = unit_rows(vectors)
    rows[~np.isfinite(rows).all(axis=1)] = 0.0
    return np.ascontiguousarray(rows)
