"""What a neighbour index takes and gives, whatever finds the neighbours.

Takes arrays of hashes or vectors whose positions are the items; gives positions with their distance or cosine,
in one canonical order, so that two indexes over the same items can be compared value by value. Must not know of
pictures, digests or rules. `brute_force` is the oracle of every other index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["HammingHits", "HammingSearch", "VectorHits", "VectorSearch", "hash_words"]

_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class HammingHits:
    """Pairs of positions within a Hamming radius, sorted by query, distance, item.

    Attributes:
        query: int64 (m,), position of the query; in `all_pairs` the greater of the two positions.
        item: int64 (m,), position of the indexed item; in `all_pairs` the smaller of the two.
        distance: int32 (m,), bits that differ, the least over the variants of the query.
    """

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    distance: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.query)


@dataclass(frozen=True, slots=True)
class VectorHits:
    """Pairs of positions with their cosine, sorted by query, falling cosine, item.

    Attributes:
        query: int64 (m,), position of the query.
        item: int64 (m,), position of the indexed item.
        cosine: float32 (m,), -1..1.
    """

    query: NDArray[np.int64]
    item: NDArray[np.int64]
    cosine: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.query)


class HammingSearch(Protocol):
    """An exact index of equally long bit strings."""

    def __len__(self) -> int:
        """How many items are indexed."""

    def query(
        self, hashes: NDArray[np.uint8] | NDArray[np.uint64], radius: int, *, limit: int | None = None
    ) -> HammingHits:
        """Items within `radius` bits (inclusive) of each query, at most the `limit` nearest of each."""

    def all_pairs(
        self,
        radius: int,
        *,
        variants: NDArray[np.uint8] | NDArray[np.uint64] | None = None,
        limit: int | None = None,
    ) -> HammingHits:
        """Pairs of items within `radius` bits (inclusive) under any variant of the later item."""


class VectorSearch(Protocol):
    """An index of vectors under the cosine."""

    def __len__(self) -> int:
        """How many items are indexed."""

    def nearest(self, queries: NDArray[np.floating], k: int, floor: float) -> VectorHits:
        """The `k` items of the highest cosine, at least `floor` (inclusive), for each query."""

    def nearest_of_all(self, k: int, floor: float) -> VectorHits:
        """The same for every item against all others, itself left out."""


def hash_words(hashes: NDArray[np.uint8] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes as rows of 64-bit words, the form in which they are compared.

    Args:
        hashes: uint64 (..., n) of 64-bit hashes, or uint8 (..., n, 8 * w) of longer ones.

    Returns:
        uint64 (..., n, w), contiguous. Which bit stands where is the machine's; distances are not affected.

    Raises:
        TypeError: Another type or a length that is no multiple of 8 bytes: a defect of the caller.
    """
    if hashes.dtype == np.uint64:
        return np.ascontiguousarray(hashes, dtype=np.uint64).reshape(*hashes.shape, 1)
    if hashes.dtype == np.uint8 and hashes.ndim >= 2 and hashes.shape[-1] % _WORD_BYTES == 0:
        return np.ascontiguousarray(hashes).view(np.uint64)
    raise TypeError(f"hashes are {hashes.dtype} {hashes.shape}; should be uint64 (n,) or uint8 (n, 8 * words)")
