"""One kind of hash of all pictures, searched exactly in eight orientations.

Takes hashes by position and the hash of one picture; gives the nearest positions. Every hash is looked at, by a part of
it that tells nearly all of them away: a million cost less than a millisecond. Must not judge a distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.features import ORIENTATIONS, dihedral_pdq, dihedral_phash
from deeplens_kit.matching.evidence import PDQ_BYTES
from deeplens_kit.matching.neighbours.base import hash_words

__all__ = ["HASHES", "HASH_BITS", "HashName", "HashShelf", "Nearest", "hash_sketches", "variants_of"]

HashName: TypeAlias = Literal["pdq", "phash", "dhash", "ahash", "whash"]

HASHES: tuple[HashName, ...] = ("pdq", "phash")
"""The hashes by which copies are searched, columns of `pictures`; the one that says more first."""

HASH_BITS: dict[HashName, int] = {"pdq": 8 * PDQ_BYTES, "phash": 64, "dhash": 64, "ahash": 64, "whash": 64}
"""All hashes that pictures can be compared by, with their bits. PDQ and pHash are compared in eight orientations, the
others as they stand."""


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


_UPRIGHT, _TRANSPOSED = ORIENTATIONS.index("identity"), ORIENTATIONS.index("transpose")

_SIDE = 16
"""Rows and columns of a PDQ hash's bits."""


@dataclass(frozen=True, eq=False)
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

    @property
    def bits(self) -> int:
        """Of one hash."""
        return HASH_BITS[self.name]

    def value(self, row: int) -> bytes | int:
        """The hash of a row as in the column of `pictures`."""
        if self.name == "pdq":
            return bytes(self.words[row].tobytes())
        return int(self.words[row, 0])

    def distances(self, value: object, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Bits in which pictures differ from a hash, in the orientation where they are fewest; NaN without a hash.

        Args:
            value: As for `nearest`.
            positions: int64 (m,).
        """
        from deeplens_kit.search.hash_kernels import least_distances

        found = np.full(len(positions), np.nan)
        variants = variants_of(self.name, value)
        if variants is None or not len(self.positions):
            return found
        rows = np.minimum(np.searchsorted(self.positions, positions), len(self.positions) - 1)
        has = self.positions[rows] == positions
        found[has] = least_distances(np.ascontiguousarray(self.words[rows[has]].T), variants)
        return found

    def nearest(self, value: object, radius: int, k: int, wanted: NDArray[np.bool_] | None) -> Nearest:
        """The `k` nearest of the wanted pictures within `radius` bits (inclusive) in any of eight orientations.

        Args:
            value: As in the column of `pictures`; None or unusable finds nothing.
            radius: Bits.
            k: Positions at most.
            wanted: bool (count,); None for all.
        """
        variants = variants_of(self.name, value)
        if variants is None or not len(self.positions):
            return Nearest(np.zeros(0, np.int64), None)
        rows, distances = self._within(variants, radius)
        if wanted is not None:
            chosen = wanted[rows if self.is_whole else self.positions[rows]]
            rows, distances = rows[chosen], distances[chosen]
        beyond = None
        if len(rows) > k:
            order = np.argsort(distances, kind="stable")
            beyond = float(distances[order[k]])
            rows = rows[order[:k]]
        return Nearest(self.positions[rows], beyond)

    @cached_property
    def _sketches(self) -> NDArray[np.uint64]:
        """See `hash_sketches`: what all of the hashes are looked at by."""
        return hash_sketches(self.words)

    def _within(self, variants: NDArray[np.uint64], radius: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Rows within a radius of a hash, rising, and their distances."""
        from deeplens_kit.search.hash_kernels import least_distances, nearer_than

        columns = np.ascontiguousarray(self.words.T)
        if self.name == "pdq":
            asked = hash_sketches(variants[[_UPRIGHT, _TRANSPOSED]])
            rows = nearer_than(self._sketches, asked, radius)
            distances = least_distances(np.ascontiguousarray(columns[:, rows]), variants)
        else:
            distances = least_distances(columns, variants)
            rows = np.arange(len(distances))
        near = np.flatnonzero(distances <= radius)
        return rows[near], distances[near]


def hash_sketches(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Three quarters of PDQ hashes, 64 bits each: what no mirroring changes, and what mirroring turns over or leaves.

    A bit stands for a frequency across and one down. Where a picture is mirrored left to right, the bits of odd
    frequencies across are turned over, top to bottom those of odd frequencies down: so the bits of one parity across
    and one down are all turned over or none. In which order they lie within a quarter is all one.

    Args:
        words: uint64 (n, 4) of `hash_words`.

    Returns:
        uint64 (3, n), contiguous: of frequencies even down and across, odd both, even down and odd across.
    """
    return np.stack([_quarter(words, 0, 0), _quarter(words, 1, 1), _quarter(words, 0, 1)])


def _quarter(words: NDArray[np.uint64], down: int, across: int) -> NDArray[np.uint64]:
    """The bits of one parity down and one across: uint64 (n,)."""
    # PDQ's frequencies are 16 less their places, so that the parity of both is the same.
    places = np.arange(_SIDE) % 2
    whole = np.packbits((places[:, None] == down) & (places[None, :] == across))
    here = words & hash_words(whole[None])[0, 0]
    # Each word has sixteen bits of them in the same places: those of three are moved to where the first has none, one
    # bit within a byte, one row of sixteen bits, or both.
    beside = here >> np.uint64(1) if across == 0 else here << np.uint64(1)
    row = np.uint64(_SIDE)
    below = [bits << row if down == 0 else bits >> row for bits in (here[:, 2], beside[:, 3])]
    return np.asarray(here[:, 0] | beside[:, 1] | below[0] | below[1])


def _words(name: HashName, values: pl.Series) -> NDArray[np.uint64]:
    if name == "pdq":
        rows = hash_words(np.frombuffer(b"".join(values), np.uint8).reshape(-1, PDQ_BYTES))
    else:
        rows = hash_words(values.cast(pl.UInt64).to_numpy())
    # (n, w) to look at, with the words of one place side by side, as they are compared.
    return np.asfortranarray(rows)


@lru_cache(maxsize=64, typed=True)
def variants_of(name: HashName, value: object) -> NDArray[np.uint64] | None:
    """One hash in eight orientations, (8, w), not to be changed; None where it cannot be used."""
    if name == "pdq" and isinstance(value, bytes) and len(value) == PDQ_BYTES:
        return hash_words(dihedral_pdq(np.frombuffer(value, np.uint8)[None]))[:, 0]
    if name == "phash" and isinstance(value, int):
        return hash_words(dihedral_phash(np.array([value], np.uint64)))[:, 0]
    if name != "pdq" and isinstance(value, int):
        return hash_words(np.array([value], np.uint64))
    return None
