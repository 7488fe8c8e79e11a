"""The vectors of one feature, kept so that one query finds its nearest in milliseconds.

Takes digests with float16 vectors, gives the rows most alike to a vector and the vectors of any rows. A shelf is a
base, which may be mapped from files, with those vectors beside it that came since, all compared, and a mask of those
that are gone. It never changes, so that any number of threads may search it. Up to `FLAT_VECTORS`, and without FAISS,
everything is compared, exactly.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.vectors.base import NO_FLOOR, Effort, Metric, Neighbours, Selection, asked_vectors, storable
from deeplens_kit.search.vectors.digests import DIGEST_BYTES, digest_bytes, digest_texts, rows_of
from deeplens_kit.search.vectors.exact_part import ExactPart
from deeplens_kit.search.vectors.policy import FLAT_VECTORS

__all__ = ["Stored", "VectorShelf"]


class _Part(Protocol):
    """Rows that are searched together."""

    def __len__(self) -> int: ...

    @property
    def layout(self) -> str: ...

    @property
    def vectors(self) -> NDArray[np.float16]: ...

    def nearest(
        self, asked: NDArray[np.float32], k: int, selection: Selection | None, effort: Effort = Effort.BEST
    ) -> Neighbours: ...

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]: ...


_Digests: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stored:
    """What of a shelf lies in files.

    Attributes:
        base: The name of its base.
        deltas: Names of what came since, in order.
        delta_rows: How many rows these are.
        gone: The name of what is gone; None for nothing.
    """

    base: str
    deltas: tuple[str, ...] = ()
    delta_rows: int = 0
    gone: str | None = None


@dataclass(frozen=True, eq=False)
class VectorShelf:
    """A `VectorIndex` of a base and what came since.

    Attributes:
        key: See `VectorIndex`.
        metric: See `VectorIndex`.
        parts: The base, and where something came since, that.
        packed: The digests of each part, uint8 (n, 32); of a base from files in rising order.
        alive: See `VectorIndex`.
        stored: What of it lies in files; None for nothing.
    """

    key: str
    metric: Metric
    parts: tuple[_Part, ...]
    packed: tuple[_Digests, ...]
    alive: NDArray[np.bool_] | None = None
    stored: Stored | None = None

    @classmethod
    def of(
        cls,
        key: str,
        digests: Sequence[str] | pl.Series,
        vectors: NDArray[np.floating],
        *,
        metric: Metric = Metric.COSINE,
        flat_vectors: int = FLAT_VECTORS,
    ) -> VectorShelf:
        """Lay out vectors (n, d) in memory; an inverted file of a million takes half a minute of one core."""
        if not len(vectors):
            return cls(key, metric, (), ())
        return cls(key, metric, (_part(storable(vectors), metric, flat_vectors),), (digest_bytes(digests),))

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def living(self) -> int:
        """Rows that were not removed."""
        return len(self) if self.alive is None else int(np.count_nonzero(self.alive))

    @property
    def base_rows(self) -> int:
        """Rows of the base."""
        return len(self.parts[0]) if self.parts else 0

    @cached_property
    def digests(self) -> pl.Series:
        """See `VectorIndex.digests`."""
        return digest_texts(self.packed_digests)

    @property
    def packed_digests(self) -> _Digests:
        """The same as bytes, uint8 (n, 32); of a shelf in one part they are not copied."""
        if len(self.packed) == 1:
            return self.packed[0]
        return np.concatenate([np.zeros((0, DIGEST_BYTES), np.uint8), *self.packed])

    @property
    def layout(self) -> str:
        """See `VectorIndex.layout`."""
        return "+".join(part.layout for part in self.parts)

    def rows_of(self, digests: _Digests) -> NDArray[np.int64]:
        """The rows of digests, uint8 (m, 32), those removed too: int64 (m,), -1 where there is none."""
        found, first = np.full(len(digests), -1, np.int64), 0
        for packed in self.packed:
            lacking = np.flatnonzero(found < 0)
            if len(lacking) == len(digests):
                rows = rows_of(packed, digests)
            else:
                rows = rows_of(packed, digests[lacking]) if len(lacking) else np.zeros(0, np.int64)
            found[lacking] = np.where(rows >= 0, rows + first, -1)
            first += len(packed)
        return found

    def nearest(
        self, query: NDArray[np.floating], k: int, floor: float = NO_FLOOR, wanted: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], float | None]:
        """See `VectorIndex.nearest`."""
        asked, usable = asked_vectors(query[None], self.metric)
        rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        scores: list[NDArray[np.float32]] = [np.zeros(0, np.float32)]
        cut = False
        for first, part, selection in self._searched(wanted) if usable[0] else ():
            found, score = part.nearest(asked, min(k, len(part)), selection).of(0)
            above = score >= floor
            # As many as were asked for, and all of them alike: there may be more.
            cut |= len(found) >= k and bool(above.all()) and len(part) > k
            rows.append(found[above] + first)
            scores.append(score[above])
        row, value = np.concatenate(rows), np.concatenate(scores)
        order = np.argsort(-value, kind="stable")
        cut |= len(order) > k
        kept = order[:k]
        return row[kept], float(value[kept[-1]]) if cut and len(kept) else None

    def nearest_many(
        self,
        queries: NDArray[np.floating],
        k: int,
        *,
        wanted: NDArray[np.bool_] | None = None,
        effort: Effort = Effort.FAST,
    ) -> Neighbours:
        """See `VectorIndex.nearest_many`."""
        asked, usable = asked_vectors(queries, self.metric)
        rows = [np.full((len(asked), k), -1, np.int64)]
        scores = [np.full((len(asked), k), -np.inf, np.float32)]
        for first, part, selection in self._searched(wanted):
            found = part.nearest(asked, k, selection, effort)
            rows.append(np.where(found.rows >= 0, found.rows + first, -1))
            scores.append(found.scores)
        value = np.concatenate(scores, axis=1)
        value[~usable] = -np.inf
        order = np.argsort(-value, axis=1, kind="stable")[:, :k]
        kept = np.take_along_axis(value, order, axis=1)
        row = np.take_along_axis(np.concatenate(rows, axis=1), order, axis=1)
        return Neighbours(np.where(np.isneginf(kept), -1, row), kept)

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `VectorIndex.rows`."""
        if not self.parts or not len(rows):
            return np.zeros((0, self.parts[0].vectors.shape[1] if self.parts else 0), np.float32)
        vectors = np.empty((len(rows), self.parts[0].vectors.shape[1]), np.float32)
        first = 0
        for part in self.parts:
            mine = np.flatnonzero((rows >= first) & (rows < first + len(part)))
            if len(mine):
                vectors[mine] = part.rows(rows[mine] - first)
            first += len(part)
        return vectors

    def add(self, digests: Sequence[str] | pl.Series, vectors: NDArray[np.floating]) -> VectorShelf:
        """See `VectorIndex.add`; what is new is compared one by one."""
        if not len(digests):
            return self
        packed = digest_bytes(digests)
        rows = self.rows_of(packed)
        alive = self.alive
        if alive is not None and (rows >= 0).any():
            alive = alive.copy()
            alive[rows[rows >= 0]] = True
        new = np.flatnonzero(rows < 0)
        if not len(new):
            return replace(self, alive=_unless_all(alive))
        late = storable(vectors[new])
        if not self.parts:
            return replace(self, parts=(ExactPart(late, self.metric),), packed=(packed[new],), alive=None)
        if len(self.parts) > 1:
            late = np.concatenate([self.parts[1].vectors, late])
        known = np.concatenate([*self.packed[1:], packed[new]])
        if alive is not None:
            alive = np.concatenate([alive, np.ones(len(new), bool)])
        parts = (self.parts[0], ExactPart(late, self.metric))
        return replace(self, parts=parts, packed=(self.packed[0], known), alive=_unless_all(alive))

    def remove(self, digests: Sequence[str] | pl.Series) -> VectorShelf:
        """See `VectorIndex.remove`."""
        rows = self.rows_of(digest_bytes(digests))
        alive = np.ones(len(self), bool) if self.alive is None else self.alive.copy()
        alive[rows[rows >= 0]] = False
        return replace(self, alive=_unless_all(alive))

    def only(self, alive: NDArray[np.bool_]) -> VectorShelf:
        """The same where just these rows, bool (n,), are found."""
        return replace(self, alive=_unless_all(alive))

    @cached_property
    def _kept(self) -> tuple[Selection | None, ...]:
        """What of each part was not removed; None for all."""
        return self._selected(self.alive)

    def _searched(self, wanted: NDArray[np.bool_] | None) -> list[tuple[int, _Part, Selection | None]]:
        """The first row of each part that has rows wanted, the part, and which of it."""
        if wanted is None:
            selections = self._kept
        else:
            selections = self._selected(wanted if self.alive is None else wanted & self.alive)
        first, searched = 0, []
        for part, selection in zip(self.parts, selections, strict=True):
            if selection is None or selection.count:
                searched.append((first, part, selection))
            first += len(part)
        return searched

    def _selected(self, mask: NDArray[np.bool_] | None) -> tuple[Selection | None, ...]:
        selections: list[Selection | None] = []
        first = 0
        for part in self.parts:
            selection = None if mask is None else Selection(mask[first : first + len(part)])
            selections.append(None if selection is None or selection.count == len(part) else selection)
            first += len(part)
        return tuple(selections)


def _part(vectors: NDArray[np.float16], metric: Metric, flat_vectors: int) -> _Part:
    exact = ExactPart(vectors, metric)
    if len(vectors) <= flat_vectors or importlib.util.find_spec("faiss") is None:
        return exact
    from deeplens_kit.search.vectors.inverted_part import InvertedPart, built_index

    return InvertedPart(exact, built_index(exact))


def _unless_all(alive: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    return None if alive is None or alive.all() else alive
