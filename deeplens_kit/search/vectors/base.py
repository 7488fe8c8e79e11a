"""What every index of vectors does, and the values that it takes and gives.

Must not import a library that is slow to load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Protocol, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = [
    "NO_FLOOR",
    "Effort",
    "Metric",
    "Neighbours",
    "Selection",
    "VectorIndex",
    "asked_vectors",
    "best",
    "storable",
]

NO_FLOOR = float("-inf")


class Metric(StrEnum):
    """How alike two vectors are; of both, more is more alike.

    COSINE: their product; stored vectors have the length one, those asked with are brought to it.
    EUCLIDEAN: their distance below zero.
    """

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"


class Effort(StrEnum):
    """How much an index that does not compare everything looks at: BEST for one query, FAST for thousands."""

    BEST = "best"
    FAST = "fast"


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The rows most alike to each query, the most alike first; where there are fewer than asked for, -1 at the end.

    Attributes:
        rows: int64 (m, k).
        scores: float32 (m, k), minus infinity at the end.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    def of(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows and scores of one query, without what is only filling."""
        found = self.rows[query] >= 0
        return self.rows[query][found], self.scores[query][found]


@dataclass(frozen=True, eq=False)
class Selection:
    """Which rows may be found.

    Attributes:
        mask: bool (n,).
    """

    mask: NDArray[np.bool_]

    @cached_property
    def count(self) -> int:
        """How many."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Which, rising."""
        return np.flatnonzero(self.mask)

    @cached_property
    def bits(self) -> NDArray[np.uint8]:
        """The mask in bits, the lowest first."""
        return np.packbits(self.mask, bitorder="little")


class VectorIndex(Protocol):
    """Vectors of pictures by row; it never changes, so any number of threads may search it.

    Attributes:
        key: `FeatureSpec.key` of the feature.
        metric: How vectors are compared.
    """

    @property
    def key(self) -> str:
        """See the attributes."""

    @property
    def metric(self) -> Metric:
        """See the attributes."""

    def __len__(self) -> int:
        """How many rows there are, those that were removed among them."""

    @property
    def digests(self) -> pl.Series:
        """Of the pictures, by row, each once."""

    @property
    def alive(self) -> NDArray[np.bool_] | None:
        """Which rows were not removed, bool (n,); None for all of them."""

    @property
    def layout(self) -> str:
        """How the vectors are held, with the version of what holds them."""

    def nearest(
        self, query: NDArray[np.floating], k: int, floor: float, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], float | None]:
        """Rows of the `k` highest scores among those wanted, about `floor` and more, with what lies beyond.

        Args:
            query: (d,); without a direction, or with numbers that are none, it finds nothing.
            k: Rows at most.
            floor: Score.
            wanted: bool (n,) by row; None for all.

        Returns:
            int64 rows, the most alike first, and the highest score that a row left out can have: None where all above
            the floor are in.
        """

    def nearest_many(
        self, queries: NDArray[np.floating], k: int, *, wanted: NDArray[np.bool_] | None = None, effort: Effort
    ) -> Neighbours:
        """The rows of the `k` highest scores of each of (m, d) queries."""

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of rows as they were laid in: float32 (m, d) of float16 values."""

    def add(self, digests: Sequence[str], vectors: NDArray[np.floating]) -> Self:
        """The same with further rows at the end; a digest that was removed comes back to its row."""

    def remove(self, digests: Sequence[str]) -> Self:
        """The same where these are never found; rows keep their numbers. Unknown ones are passed over."""


def storable(vectors: NDArray[np.floating]) -> NDArray[np.float16]:
    """Vectors as they are kept, float16 (n, d): a row with a number that is none becomes zero."""
    with np.errstate(over="ignore"):
        rows = np.array(vectors, dtype=np.float16, order="C")
    rows[~np.isfinite(rows).all(axis=1)] = 0.0
    return rows


def asked_vectors(queries: NDArray[np.floating], metric: Metric) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Queries (m, d) as they are compared, and which of them can be: bool (m,); the others are zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        asked = np.array(queries, dtype=np.float32, order="C")
        lengths = np.linalg.norm(asked, axis=1)
    usable = np.isfinite(lengths)
    if metric is Metric.COSINE:
        usable &= lengths > 0
        asked[usable] /= lengths[usable, None]
    asked[~usable] = 0.0
    return asked, usable


def best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Where the `k` highest of (n,) scores are, the highest first, of equal ones the first."""
    if k <= 0:
        return np.zeros(0, np.int64)
    if len(scores) <= k:
        return np.argsort(-scores, kind="stable")
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > least)
    chosen = np.concatenate([above, np.flatnonzero(scores == least)[: k - len(above)]])
    chosen.sort()
    return chosen[np.argsort(-scores[chosen], kind="stable")]
