"""One feature of all pictures, compared with one value of it: what is nearest, and how near given pictures are.

Takes what a library holds of a feature, gives positions and values that are greater for what is more alike; must not
judge a value. Vectors are compared by cosine or by distance, hashes by the share of equal bits, in eight orientations
where they can be turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.hash_shelf import HashShelf, Nearest
from deeplens_kit.search.library import LibraryVectors

__all__ = ["AskedValue", "Comparer", "HashComparer", "VectorComparer", "combined", "unit"]

AskedValue: TypeAlias = NDArray[np.floating] | bytes | int
"""A vector (d,), or a hash as in its column of `pictures`."""

_BLOCK = 4096
_BELOW_ANY = -2.0
# An index multiplies; the vectors that it holds, of 16 bits a number, are not quite of length one.
_SLACK = 1e-3


class Comparer(Protocol):
    """How pictures are held against one value of a feature; values are greater for what is more alike."""

    @property
    def feature(self) -> str:
        """Its name."""
        ...

    @property
    def same(self) -> float:
        """The value of what is the same."""
        ...

    def held(self, position: int) -> AskedValue | None:
        """What a picture of the library has; None where it has nothing."""
        ...

    def known(self) -> NDArray[np.int64]:
        """Positions of the pictures that have the feature, rising."""
        ...

    def values(self, asked: AskedValue, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of pictures, NaN where they lack the feature; of each the same whatever is asked for beside it."""
        ...

    def nearest(self, asked: AskedValue, k: int, wanted: NDArray[np.bool_] | None) -> Nearest:
        """The `k` greatest values among the wanted, and in `beyond` the greatest that one left out can have."""
        ...


@dataclass(frozen=True, eq=False)
class VectorComparer:
    """Vectors of pictures, by cosine, or by distance where `euclidean`; negative, so that nearer is greater.

    Attributes:
        vectors: Of the library. Of length one, so that the greatest cosine is the least distance.
        euclidean: Whether distances are compared.
    """

    vectors: LibraryVectors
    euclidean: bool = False

    @property
    def feature(self) -> str:
        """See `Comparer.feature`."""
        return self.vectors.name

    @property
    def same(self) -> float:
        """See `Comparer.same`."""
        return 0.0 if self.euclidean else 1.0

    def held(self, position: int) -> NDArray[np.float32] | None:
        """See `Comparer.held`."""
        return self.vectors.of(position)

    def known(self) -> NDArray[np.int64]:
        """See `Comparer.known`."""
        return self.vectors.known

    def values(self, asked: AskedValue, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `Comparer.values`."""
        found = np.full(len(positions), np.nan)
        wanted = unit(np.asarray(asked, np.float64))
        rows = self.vectors.row_of_position[positions]
        has = np.flatnonzero(rows >= 0)
        for first in range(0, len(has), _BLOCK):
            block = has[first : first + _BLOCK]
            stored = self.vectors.shelf.rows(rows[block]).astype(np.float64)
            # Not by BLAS, whose sums depend on how many rows there are.
            with np.errstate(invalid="ignore", divide="ignore"):
                lengths = np.sqrt(np.einsum("ij,ij->i", stored, stored))
                cosines = np.clip(np.einsum("ij,j->i", stored, wanted) / lengths, -1.0, 1.0)
            found[block] = self._value(np.where(np.isfinite(cosines), cosines, np.nan))
        return found

    def nearest(self, asked: AskedValue, k: int, wanted: NDArray[np.bool_] | None) -> Nearest:
        """See `Comparer.nearest`."""
        query = np.asarray(asked, np.float32)
        positions, beyond = self.vectors.nearest(query, k, _BELOW_ANY, wanted)
        if beyond is None and len(positions) < self._having(wanted) and len(positions):
            # Not every list of an inverted file was looked into.
            beyond = float(np.nanmin(self._cosines(asked, positions[-1:])))
        return Nearest(positions, None if beyond is None else float(self._value(np.array(min(beyond + _SLACK, 1.0)))))

    def table(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Values of pictures with each other, (n, n); NaN where one of two lacks the feature. For samples."""
        rows = self.vectors.row_of_position[positions]
        stored = np.full((len(positions), max(self._size, 1)), np.nan)
        stored[rows >= 0] = self.vectors.shelf.rows(rows[rows >= 0])
        with np.errstate(invalid="ignore", divide="ignore"):
            stored /= np.linalg.norm(stored, axis=1, keepdims=True)
            return self._value(np.clip(stored @ stored.T, -1.0, 1.0))

    @property
    def _size(self) -> int:
        return int(self.vectors.shelf.rows(np.zeros(min(1, len(self.vectors.shelf)), np.int64)).shape[1])

    def _having(self, wanted: NDArray[np.bool_] | None) -> int:
        known = self.vectors.known
        return len(known) if wanted is None else int(wanted[known].sum())

    def _cosines(self, asked: AskedValue, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        return VectorComparer(self.vectors).values(asked, positions)

    def _value(self, cosines: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self.euclidean:
            return cosines
        return -np.sqrt(np.maximum(2.0 - 2.0 * cosines, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class HashComparer:
    """Hashes of pictures, by the share of bits that are equal.

    Attributes:
        shelf: Of the library.
    """

    shelf: HashShelf

    @property
    def feature(self) -> str:
        """See `Comparer.feature`."""
        return self.shelf.name

    @property
    def same(self) -> float:
        """See `Comparer.same`."""
        return 1.0

    def held(self, position: int) -> AskedValue | None:
        """See `Comparer.held`."""
        row = int(np.searchsorted(self.shelf.positions, position))
        if row == len(self.shelf.positions) or self.shelf.positions[row] != position:
            return None
        return self.shelf.value(row)

    def known(self) -> NDArray[np.int64]:
        """See `Comparer.known`."""
        return self.shelf.positions

    def values(self, asked: AskedValue, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """See `Comparer.values`."""
        return 1.0 - self.shelf.distances(asked, positions) / self.shelf.bits

    def nearest(self, asked: AskedValue, k: int, wanted: NDArray[np.bool_] | None) -> Nearest:
        """See `Comparer.nearest`."""
        near = self.shelf.nearest(asked, self.shelf.bits, k, wanted)
        return Nearest(near.positions, None if near.beyond is None else 1.0 - near.beyond / self.shelf.bits)


def unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vector at length one; one without length or with what is no number stays as it is."""
    length = float(np.linalg.norm(vector))
    return vector / length if np.isfinite(length) and length > 0 else vector


def combined(vectors: Sequence[NDArray[np.floating]], weights: Sequence[float]) -> NDArray[np.float64] | None:
    """The sum of unit vectors by weight, None where they cancel out: what all of them together are nearest to."""
    total = np.zeros(len(vectors[0]))
    for vector, weight in zip(vectors, weights, strict=True):
        total += weight * unit(np.asarray(vector, np.float64))
    return total if float(np.linalg.norm(total)) > 0 else None
