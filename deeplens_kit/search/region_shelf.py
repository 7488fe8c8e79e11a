"""The stored regions of all pictures, searched by one vector: which pictures hold a panel like this?

Takes regions with their pictures' positions, gives the regions most alike; every region is compared, exactly. A picture
in twelve has some: of a million pictures about 200,000, which is 200 MB and 10 ms for a vector. Without FAISS numpy
compares, slower. A shelf never changes, so that any number of threads may search it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.evidence import RegionColumn

__all__ = ["RegionShelf"]

_BLOCK = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class RegionShelf:
    """Regions by row.

    Attributes:
        positions: int64 (m,), the picture of each.
        boxes: float32 (m, 4): left, top, right, bottom, shares of the upright picture.
        index: A FAISS index over the vectors, or the vectors themselves, float16 (m, d).
    """

    positions: NDArray[np.int64]
    boxes: NDArray[np.float32]
    index: Any

    @classmethod
    def of(cls, regions: RegionColumn) -> RegionShelf:
        """Lay out regions for a search."""
        return cls(regions.positions, regions.boxes, _indexed(regions.vectors))

    def __len__(self) -> int:
        return len(self.positions)

    def nearest(
        self, query: NDArray[np.floating], k: int, wanted: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the `k` highest cosines, falling, with these.

        Args:
            query: (d,), of length one.
            k: Rows at most.
            wanted: bool by position of the picture; None for all.
        """
        asked = np.ascontiguousarray(query, np.float32)[None]
        mask = None if wanted is None else wanted[self.positions]
        if isinstance(self.index, np.ndarray):
            rows = np.arange(len(self)) if mask is None else np.flatnonzero(mask)
            cosines = np.empty(len(rows), np.float32)
            for first in range(0, len(rows), _BLOCK):
                part = slice(first, first + _BLOCK)
                cosines[part] = np.nan_to_num(self.index[rows[part]].astype(np.float32)) @ asked[0]
            order = np.argsort(-cosines, kind="stable")[:k]
            return rows[order], cosines[order]
        import faiss as typed

        # Its types know the bindings of C++, not what Python adds to them.
        faiss: Any = typed
        parameters = None
        if mask is not None:
            # The selector reads this array as long as it lives.
            bits = np.packbits(mask, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        found, near = self.index.search(asked, min(k, len(self)), params=parameters)
        some = near[0] >= 0
        return near[0][some], found[0][some]


def _indexed(vectors: NDArray[np.float16]) -> Any:
    if importlib.util.find_spec("faiss") is None:
        return vectors
    import faiss

    # The codes are the float16 values themselves.
    index: Any = faiss.index_factory(vectors.shape[1], "SQfp16", faiss.METRIC_INNER_PRODUCT)
    for first in range(0, len(vectors), _BLOCK):
        rows = vectors[first : first + _BLOCK].astype(np.float32)
        rows[~np.isfinite(rows).all(axis=1)] = 0.0
        index.add(rows)
    return index
