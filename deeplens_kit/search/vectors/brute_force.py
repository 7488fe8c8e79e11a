"""Everything compared with everything by numpy: what every other index is held against.

Takes and gives what `VectorIndex` says. Slow, and so plain that it can be seen to be right; needs no other library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.vectors.base import Effort, Metric, Neighbours, asked_vectors, best, storable

__all__ = ["BruteForceIndex"]


@dataclass(frozen=True, eq=False)
class BruteForceIndex:
    """A `VectorIndex` without an index.

    Attributes:
        key: See `VectorIndex`.
        digests: See `VectorIndex`.
        vectors: float16 (n, d).
        metric: See `VectorIndex`.
        alive: See `VectorIndex`.
    """

    key: str
    digests: pl.Series
    vectors: NDArray[np.float16]
    metric: Metric = Metric.COSINE
    alive: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls, key: str, digests: Sequence[str], vectors: NDArray[np.floating], metric: Metric = Metric.COSINE
    ) -> BruteForceIndex:
        """Of vectors (n, d)."""
        return cls(key, pl.Series("digest", list(digests), pl.String), storable(vectors), metric)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def layout(self) -> str:
        """See `VectorIndex.layout`."""
        return "brute force"

    def nearest(
        self, query: NDArray[np.floating], k: int, floor: float, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], float | None]:
        """See `VectorIndex.nearest`."""
        rows, scores = self.nearest_many(query[None], len(self), wanted=wanted).of(0)
        above = rows[scores >= floor]
        return above[:k], float(scores[k - 1]) if 0 < k < len(above) else None

    def nearest_many(
        self,
        queries: NDArray[np.floating],
        k: int,
        *,
        wanted: NDArray[np.bool_] | None = None,
        effort: Effort = Effort.BEST,
    ) -> Neighbours:
        """See `VectorIndex.nearest_many`."""
        asked, usable = asked_vectors(queries, self.metric)
        kept = np.ones(len(self), bool)
        for mask in (self.alive, wanted):
            kept &= True if mask is None else mask
        candidates, known = np.flatnonzero(kept), self.vectors.astype(np.float32)[kept]
        rows, scores = np.full((len(asked), k), -1, np.int64), np.full((len(asked), k), -np.inf, np.float32)
        for number in np.flatnonzero(usable):
            if self.metric is Metric.COSINE:
                values = known @ asked[number]
            else:
                values = -np.linalg.norm(known - asked[number], axis=1)
            order = best(values, k)
            rows[number, : len(order)] = candidates[order]
            scores[number, : len(order)] = values[order]
        return Neighbours(rows, scores)

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `VectorIndex.rows`."""
        return self.vectors[rows].astype(np.float32)

    def add(self, digests: Sequence[str], vectors: NDArray[np.floating]) -> BruteForceIndex:
        """See `VectorIndex.add`."""
        rows, alive, row_of = storable(vectors), self._alive(), self._row_of()
        for digest in digests:
            if digest in row_of:
                alive[row_of[digest]] = True
        new = [number for number, digest in enumerate(digests) if digest not in row_of]
        names = pl.Series("digest", [digests[number] for number in new], pl.String)
        return replace(
            self,
            digests=pl.concat([self.digests, names]),
            vectors=np.concatenate([self.vectors, rows[new]]),
            alive=np.concatenate([alive, np.ones(len(new), bool)]),
        )

    def remove(self, digests: Sequence[str]) -> BruteForceIndex:
        """See `VectorIndex.remove`."""
        alive, row_of = self._alive(), self._row_of()
        alive[[row_of[digest] for digest in digests if digest in row_of]] = False
        return replace(self, alive=alive)

    def _alive(self) -> NDArray[np.bool_]:
        return np.ones(len(self), bool) if self.alive is None else self.alive.copy()

    def _row_of(self) -> dict[str, int]:
        return {digest: row for row, digest in enumerate(self.digests)}
