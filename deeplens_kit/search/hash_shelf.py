"""One kind of hash of all pictures, searched exactly in eight orientations.

Takes hashes by position and the hash of one picture; gives the nearest positions. Every hash is looked at: a hundred
thousand cost two milliseconds, less than a filter would cost an index. Must not judge a distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.features import dihedral_pdq, dihedral_phash
from deeplens_kit.matching.evidence import PDQ_BYTES
from deeplens_kit.matching.neighbours.base import hash_words

__all__ = ["HASHES", "HashName", "HashShelf", "Nearest"]

HashName: TypeAlias = Literal["pdq", "phash"]

HASHES: tuple[HashName, ...] = ("pdq", "phash")
"""The hashes that are searched, columns of `pictures`; the one that says more first."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """Positions of pictures, the nearest first, and what is known of those not among them.

    Attributes:
        positions: int64 (m,).
        beyond: The evidence that a picture left out can have at best: bits, or a cosine; None where every picture
            within the bounds of the search is among the positions.
    """

    positions: NDArray[np.int64]
    beyond: float | None


@dataclass(frozen=True, slots=True)
class HashShelf:
    """The hashes of the pictures that have one.

    Attributes:
        name: The column of `pictures`.
        words: uint64 (m, w).
        positions: int64 (m,), the picture of each row, rising.
        count: How many pictures there are.
    """

    name: HashName
    words: NDArray[np.uint64]
    positions: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, name: HashName, values: pl.Series) -> HashShelf:
        """The usable hashes of a column of `pictures`."""
        usable = (
            (values.bin.size() == PDQ_BYTES).fill_null(False) if name == "pdq" else values.is_not_null()
        ).to_numpy()
        return cls(name, _words(name, values.filter(pl.Series(usable))), np.flatnonzero(usable), len(values))

    @property
    def is_whole(self) -> bool:
        """Whether every picture has the hash."""
        return len(self.positions) == self.count

    def nearest(self, value: object, radius: int, k: int, wanted: NDArray[np.bool_] | None) -> Nearest:
        """The `k` nearest of the wanted pictures within `radius` bits (inclusive) in any of eight orientations.

        Args:
            value: As in the column of `pictures`; None or unusable finds nothing.
            radius: Bits.
            k: Positions at most.
            wanted: bool (count,); None for all.
        """
        from deeplens_kit.search.hash_kernels import least_distances

        variants = _variants(self.name, value)
        if variants is None or not len(self.positions):
            return Nearest(np.zeros(0, np.int64), None)
        distances = least_distances(self.words, variants)
        near = distances <= radius
        if wanted is not None:
            near &= wanted if self.is_whole else wanted[self.positions]
        rows = np.flatnonzero(near)
        beyond = None
        if len(rows) > k:
            order = np.argsort(distances[rows], kind="stable")
            beyond = float(distances[rows[order[k]]])
            rows = rows[order[:k]]
        return Nearest(self.positions[rows], beyond)


def _words(name: HashName, values: pl.Series) -> NDArray[np.uint64]:
    if name == "pdq":
        return hash_words(np.frombuffer(b"".join(values), np.uint8).reshape(-1, PDQ_BYTES))
    return hash_words(values.cast(pl.UInt64).to_numpy())


def _variants(name: HashName, value: object) -> NDArray[np.uint64] | None:
    """One hash in eight orientations, (8, w); None where it cannot be used."""
    if name == "pdq" and isinstance(value, bytes) and len(value) == PDQ_BYTES:
        return hash_words(dihedral_pdq(np.frombuffer(value, np.uint8)[None]))[:, 0]
    if name == "phash" and isinstance(value, int):
        return hash_words(dihedral_phash(np.array([value], np.uint64)))[:, 0]
    return None
