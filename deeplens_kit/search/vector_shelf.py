"""The vectors of one feature, kept so that one query finds its nearest in milliseconds.

Takes digests with float16 vectors, gives the rows most alike to a vector and the vectors of any rows. Up to
`FLAT_VECTORS` all of them are compared (exactly: the codes are the float16 values themselves), more through an
inverted file over the same codes. New vectors are laid beside the others, nothing is trained again for them. A shelf
never changes, so that any number of threads may search it. Without FAISS everything is compared by numpy, slower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.vector_index import VectorPart, built_part, part_of_bytes

__all__ = ["FLAT_VECTORS", "VectorShelf"]

FLAT_VECTORS = 250_000
"""Up to so many vectors (inclusive) all are compared: one core does 100,000 of 512 numbers in 4 ms."""

_DIGEST_DIGITS = 64


@dataclass(frozen=True, slots=True, eq=False)
class VectorShelf:
    """Vectors in one or two parts: the great one, and those that came after it was made.

    Attributes:
        key: The feature's `FeatureSpec.key`.
        digests: Of the pictures, by row, each once.
        parts: Indices over the rows, in order.
    """

    key: str
    digests: pl.Series
    parts: tuple[VectorPart, ...]

    @classmethod
    def of(
        cls, key: str, digests: Sequence[str], vectors: NDArray[np.floating], *, flat_vectors: int = FLAT_VECTORS
    ) -> VectorShelf:
        """Lay out vectors, float16 (n, d), for a search; training an inverted file of a million takes a minute."""
        names = pl.Series("digest", list(digests), pl.String)
        return cls(key, names, (built_part(vectors, flat=len(vectors) <= flat_vectors),) if len(vectors) else ())

    def __len__(self) -> int:
        return len(self.digests)

    def extended(self, digests: Sequence[str], vectors: NDArray[np.floating]) -> VectorShelf:
        """The same with further vectors, which are compared one by one."""
        if not len(digests):
            return self
        names = pl.concat([self.digests, pl.Series("digest", list(digests), pl.String)])
        if not self.parts:
            return VectorShelf(self.key, names, (built_part(vectors, flat=True),))
        great, *later = self.parts
        tail = [part.rows(np.arange(len(part))) for part in later]
        return VectorShelf(self.key, names, (great, built_part(np.concatenate([*tail, vectors]), flat=True)))

    def nearest(
        self, query: NDArray[np.floating], k: int, floor: float, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], float | None]:
        """Rows of the `k` highest cosines among those wanted, about `floor` and more, with what lies beyond.

        Args:
            query: (d,), of any length but 0.
            k: Rows at most.
            floor: Cosine.
            wanted: bool (n,) by row; None for all.

        Returns:
            int64 rows, and the highest cosine that a row left out can have: None where all above the floor are in.
        """
        length = float(np.linalg.norm(query.astype(np.float32)))
        if not np.isfinite(length) or length <= 0:
            return np.zeros(0, np.int64), None
        unit = (query.astype(np.float32) / length)[None]
        rows: list[NDArray[np.int64]] = []
        cosines: list[NDArray[np.float32]] = []
        cut, first = False, 0
        for part in self.parts:
            mask = None if wanted is None else wanted[first : first + len(part)]
            found, cosine = part.nearest(unit, min(k, len(part)), mask)
            above = cosine >= floor
            # As many as were asked for, and all of them alike: there may be more.
            cut |= len(found) >= k and bool(above.all()) and len(part) > k
            rows.append(found[above] + first)
            cosines.append(cosine[above])
            first += len(part)
        if not rows:
            return np.zeros(0, np.int64), None
        row, value = np.concatenate(rows), np.concatenate(cosines)
        order = np.argsort(-value, kind="stable")
        cut |= len(order) > k
        kept = order[:k]
        return row[kept], float(value[kept[-1]]) if cut else None

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of rows as they were laid in: float32 (m, d) of float16 values."""
        pieces: list[NDArray[np.float32]] = []
        places: list[NDArray[np.int64]] = []
        first = 0
        for part in self.parts:
            here = np.flatnonzero((rows >= first) & (rows < first + len(part)))
            places.append(here)
            pieces.append(part.rows(rows[here] - first))
            first += len(part)
        if not pieces:
            return np.zeros((0, 0), np.float32)
        together = np.empty((len(rows), pieces[0].shape[1]), np.float32)
        for here, piece in zip(places, pieces, strict=True):
            together[here] = piece
        return together

    @property
    def layout(self) -> str:
        """How the vectors are held, with the version of what holds them; part of a cache's fingerprint."""
        return "+".join(part.layout for part in self.parts)

    def to_arrays(self) -> dict[str, NDArray[np.uint8]] | None:
        """Plain arrays of the great part that `from_arrays` makes a shelf of again; None where there is no index."""
        index = self.parts[0].to_bytes() if self.parts else None
        if index is None:
            return None
        names = "".join(self.digests.head(len(self.parts[0])))
        return {"digests": np.frombuffer(bytes.fromhex(names), np.uint8), "index": index}

    @classmethod
    def from_arrays(cls, key: str, arrays: Mapping[str, NDArray[np.uint8]]) -> VectorShelf:
        """The shelf that `to_arrays` took apart.

        Raises:
            ValueError: The arrays do not belong together.
            RuntimeError: FAISS cannot read the index, or is not installed.
        """
        text = arrays["digests"].tobytes().hex()
        digests = [text[at : at + _DIGEST_DIGITS] for at in range(0, len(text), _DIGEST_DIGITS)]
        part = part_of_bytes(arrays["index"])
        if len(part) != len(digests):
            raise ValueError(f"{len(digests)} digests for {len(part)} vectors")
        return cls(key, pl.Series("digest", digests, pl.String), (part,))
