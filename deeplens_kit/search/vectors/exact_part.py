"""Vectors that are all compared, where they lie: in a mapped file or in memory.

Takes float16 vectors, gives the rows with the highest scores, exactly. Needs no FAISS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.vectors.base import Effort, Metric, Neighbours, Selection, best

__all__ = ["EXACT", "ExactPart"]

EXACT = "exact"
"""The layout of vectors that are all compared."""

_BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class ExactPart:
    """Rows of vectors.

    Attributes:
        vectors: float16 (n, d), all finite.
        metric: How they are compared.
    """

    vectors: NDArray[np.float16]
    metric: Metric

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def layout(self) -> str:
        """See `VectorIndex.layout`."""
        return EXACT

    def nearest(
        self, asked: NDArray[np.float32], k: int, selection: Selection | None, effort: Effort = Effort.BEST
    ) -> Neighbours:
        """The `k` highest scores of queries (m, d), prepared by `asked_vectors`, among the rows selected.

        The effort changes nothing: everything is compared.
        """
        rows = np.arange(len(self), dtype=np.int64) if selection is None else selection.rows
        if len(asked) > 1 and self.metric is Metric.COSINE:
            return self._in_blocks(asked, k, rows)
        found = _empty(len(asked), k)
        for number, query in enumerate(asked):
            scores = self.scores(rows, query)
            order = best(scores, k)
            found.rows[number, : len(order)] = rows[order]
            found.scores[number, : len(order)] = scores[order]
        return found

    def best_of(self, asked: NDArray[np.float32], candidates: NDArray[np.int64], k: int) -> Neighbours:
        """The `k` highest scores of queries among candidates of each, (m, c), -1 for none."""
        found = _empty(len(asked), k)
        for number, query in enumerate(asked):
            rows = candidates[number][candidates[number] >= 0]
            rows.sort()
            scores = self.scores(rows, query)
            order = best(scores, k)
            found.rows[number, : len(order)] = rows[order]
            found.scores[number, : len(order)] = scores[order]
        return found

    def scores(self, rows: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of rows with one query (d,): float32 (m,)."""
        from deeplens_kit.search.vectors.scan_kernels import products, squared_distances

        if self.metric is Metric.COSINE:
            return products(self._bits, rows, query)
        return np.asarray(-np.sqrt(squared_distances(self._bits, rows, query)))

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of rows, float32 (m, d)."""
        from deeplens_kit.search.vectors.scan_kernels import widened

        return widened(self._bits, np.ascontiguousarray(rows, dtype=np.int64))

    @cached_property
    def _bits(self) -> NDArray[np.uint16]:
        bits = self.vectors.view(np.uint16)
        # Mapped files are: so the kernels are compiled for one kind of array.
        bits.flags.writeable = False
        return bits

    def _in_blocks(self, asked: NDArray[np.float32], k: int, rows: NDArray[np.int64]) -> Neighbours:
        """As `nearest`: for many queries a product of matrices is faster than one query after another."""
        found = _empty(len(asked), 0)
        for first in range(0, len(rows), _BLOCK):
            part = rows[first : first + _BLOCK]
            scores = asked @ self.rows(part).T
            kept = min(k, len(part))
            at = np.argpartition(-scores, kept - 1, axis=1)[:, :kept] if kept else np.zeros((len(asked), 0), np.int64)
            together = np.concatenate([found.scores, np.take_along_axis(scores, at, axis=1)], axis=1)
            known = np.concatenate([found.rows, part[at]], axis=1)
            order = np.argsort(-together, axis=1, kind="stable")[:, :k]
            found = Neighbours(np.take_along_axis(known, order, axis=1), np.take_along_axis(together, order, axis=1))
        whole, count = _empty(len(asked), k), found.rows.shape[1]
        whole.rows[:, :count], whole.scores[:, :count] = found.rows, found.scores
        return whole


def _empty(queries: int, k: int) -> Neighbours:
    return Neighbours(np.full((queries, k), -1, np.int64), np.full((queries, k), -np.inf, np.float32))
