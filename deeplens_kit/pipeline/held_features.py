"""The features of a library's pictures that only some searches look at, each read when the first needs it.

Takes a library and what reads a feature, gives comparers of it; must not read one that nobody asks for. It grows and
never changes: what was given once stays, so that searches under way agree with those that come later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.schemas import FeatureSpec
from deeplens_kit.search import Library, VectorShelf
from deeplens_kit.search.comparers import Comparer, HashComparer, VectorComparer
from deeplens_kit.search.hash_shelf import HASH_BITS, HashName, HashShelf
from deeplens_kit.search.library import laid_against

__all__ = ["HeldFeatures"]


class HeldFeatures:
    """Comparers by feature; safe to share between threads.

    Args:
        library: The pictures.
        specs: The vectors that there are, by feature.
        read_vectors: Gives the vectors of a feature.
        read_hashes: Gives a hash of the pictures.
    """

    def __init__(
        self,
        library: Library,
        specs: Mapping[str, FeatureSpec],
        read_vectors: Callable[[FeatureSpec], VectorShelf],
        read_hashes: Callable[[HashName], HashShelf],
    ) -> None:
        self.specs = dict(specs)
        self._library, self._read_vectors, self._read_hashes = library, read_vectors, read_hashes
        self._lock = threading.Lock()
        self._comparers: dict[str, Comparer] = {
            item.name: VectorComparer(item, _is_euclidean(self.specs[item.name])) for item in library.vectors
        }

    def comparer(self, feature: str) -> Comparer | None:
        """How pictures are compared by a feature; None where none of them has it."""
        # One lock for all: two that are read at once take as long as one after the other, and more memory.
        with self._lock:
            if feature not in self._comparers:
                made = self._made(feature)
                if made is None:
                    return None
                self._comparers[feature] = made
            return self._comparers[feature]

    def names(self) -> tuple[str, ...]:
        """Features by which pictures can be compared, sorted."""
        hashes = [name for name in HASH_BITS if self.comparer(name) is not None]
        return tuple(sorted({*self.specs, *hashes}))

    def shelves(self) -> dict[str, VectorShelf]:
        """The vectors that have been read, by `FeatureSpec.key`."""
        with self._lock:
            read = [item.vectors.shelf for item in self._comparers.values() if isinstance(item, VectorComparer)]
        return {shelf.key: shelf for shelf in read}

    def pairs_within(self, pairs: pl.DataFrame, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pairs of digests as numbers among `positions`, (m, 2); those with an end elsewhere are left out."""
        digests = self._library.pictures["digest"].gather(positions)
        numbers = pl.DataFrame({"digest": digests, "number": pl.int_range(len(digests), eager=True)})
        joined = pairs.join(numbers, left_on="digest_a", right_on="digest").join(
            numbers, left_on="digest_b", right_on="digest", suffix="_b"
        )
        return joined.select("number", "number_b").to_numpy()

    def _made(self, feature: str) -> Comparer | None:
        if feature in self.specs:
            spec = self.specs[feature]
            vectors = laid_against(feature, self._read_vectors(spec), self._library.packed)
            return VectorComparer(vectors, _is_euclidean(spec)) if (vectors.row_of_position >= 0).any() else None
        for name in HASH_BITS:
            if name == feature:
                shelf = self._read_hashes(name)
                return HashComparer(shelf) if len(shelf.positions) else None
        return None


def _is_euclidean(spec: FeatureSpec) -> bool:
    return spec.metric == "euclidean"
