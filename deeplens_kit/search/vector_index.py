"""One FAISS index over float16 vectors, and the same by numpy where FAISS is not installed.

Takes vectors in order, gives the rows most alike to a vector of length one, and the vectors back. Both kinds of index
keep the float16 values unchanged, so that nothing else has to be kept beside them. Must not know of pictures.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["VectorPart", "built_part", "part_of_bytes"]

_LISTS = 1024
# Of 1024 lists; a search for one picture can afford four times what matching probes for each of a million.
_PROBED_LISTS = 128
_TRAINING_VECTORS = 64 * _LISTS  # FAISS asks for 39 per list; more do not move the centroids
_SEED = 20_240
_BLOCK = 16_384
_FLAT, _INVERTED = "SQfp16", f"IVF{_LISTS},SQfp16"


class VectorPart(Protocol):
    """Vectors that can be searched."""

    def __len__(self) -> int:
        """How many there are."""

    def nearest(
        self, query: NDArray[np.float32], k: int, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the `k` highest cosines, falling, with these; `query` is (1, d) of length one."""

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Vectors of rows, (m, d)."""

    @property
    def layout(self) -> str:
        """Kind and version of the index."""

    def to_bytes(self) -> NDArray[np.uint8] | None:
        """The index for `part_of_bytes`; None where there is none beside the vectors."""


def built_part(vectors: NDArray[np.floating], *, flat: bool) -> VectorPart:
    """Make vectors searchable; `flat` compares all of them."""
    if importlib.util.find_spec("faiss") is None:
        return PlainPart(vectors.astype(np.float16))
    return FaissPart(_built(vectors, flat=flat))


@dataclass(frozen=True, slots=True, eq=False)
class FaissPart:
    """A FAISS index; `search` of one is safe from several threads."""

    index: Any

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def nearest(
        self, query: NDArray[np.float32], k: int, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `VectorPart.nearest`."""
        import faiss as typed

        # Its types know the bindings of C++, not what Python adds to them.
        faiss: Any = typed
        share = 1.0 if wanted is None else float(wanted.mean())
        if not k or not share:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        options: dict[str, Any] = {}
        if wanted is not None and share < 1.0:
            # The selector reads this array as long as it lives.
            bits = np.packbits(wanted, bitorder="little")
            options["sel"] = faiss.IDSelectorBitmap(bits)
        if hasattr(self.index, "nprobe"):
            # Few wanted rows are spread over all lists: what is compared stays as much.
            options["nprobe"] = min(self.index.nlist, int(_PROBED_LISTS / share))
            parameters = faiss.SearchParametersIVF(**options)
        else:
            parameters = faiss.SearchParameters(**options) if options else None
        with _one_thread(faiss):
            cosines, rows = self.index.search(query, k, params=parameters)
        found = rows[0] >= 0
        return rows[0][found], cosines[0][found]

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `VectorPart.rows`."""
        if not len(rows):
            return np.zeros((0, self.index.d), np.float32)
        return np.asarray(self.index.reconstruct_batch(rows), dtype=np.float32)

    @property
    def layout(self) -> str:
        """See `VectorPart.layout`."""
        import faiss

        return f"{_INVERTED if hasattr(self.index, 'nprobe') else _FLAT} of FAISS {faiss.__version__}"

    def to_bytes(self) -> NDArray[np.uint8]:
        """See `VectorPart.to_bytes`."""
        import faiss

        return np.asarray(faiss.serialize_index(self.index))


@dataclass(frozen=True, slots=True, eq=False)
class PlainPart:
    """Vectors, float16 (n, d), compared by numpy."""

    vectors: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.vectors)

    def nearest(
        self, query: NDArray[np.float32], k: int, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `VectorPart.nearest`."""
        rows = np.arange(len(self)) if wanted is None else np.flatnonzero(wanted)
        cosines = np.empty(len(rows), np.float32)
        for first in range(0, len(rows), _BLOCK):
            part = slice(first, first + _BLOCK)
            cosines[part] = np.nan_to_num(self.vectors[rows[part]].astype(np.float32)) @ query[0]
        order = np.argsort(-cosines, kind="stable")[:k]
        return rows[order], cosines[order]

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `VectorPart.rows`."""
        return self.vectors[rows].astype(np.float32)

    @property
    def layout(self) -> str:
        """See `VectorPart.layout`."""
        return "plain"

    def to_bytes(self) -> None:
        """See `VectorPart.to_bytes`."""
        return None


def part_of_bytes(content: NDArray[np.uint8]) -> VectorPart:
    """The index that `VectorPart.to_bytes` gave.

    Raises:
        RuntimeError: It cannot be read, or FAISS is not installed.
    """
    if importlib.util.find_spec("faiss") is None:
        raise RuntimeError("FAISS is not installed")
    import faiss

    return FaissPart(faiss.deserialize_index(content))


def _built(vectors: NDArray[np.floating], *, flat: bool) -> Any:
    import faiss

    index: Any = faiss.index_factory(vectors.shape[1], _FLAT if flat else _INVERTED, faiss.METRIC_INNER_PRODUCT)
    if not flat:
        # Not what is left after the centroid: only the values themselves are exact in 16 bits.
        index.by_residual = False
        index.cp.seed = _SEED
        sample = np.random.default_rng(_SEED).permutation(len(vectors))[:_TRAINING_VECTORS]
        index.train(_float32(vectors[np.sort(sample)]))
    for first in range(0, len(vectors), _BLOCK):
        index.add(_float32(vectors[first : first + _BLOCK]))
    if not flat:
        index.make_direct_map()
    return index


def _float32(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Values unchanged; a row with NaN or without bounds becomes zero, whose cosine with anything is 0."""
    rows = np.array(vectors, dtype=np.float32, order="C")
    rows[~np.isfinite(rows).all(axis=1)] = 0.0
    return rows


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    """One query is too small to share: waking OpenMP's threads takes longer, and many queries run side by side."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
