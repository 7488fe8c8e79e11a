"""Pictures in the order of their digests, and their places beside them, in a few seconds for a million.

Takes frames in any order and gives them ordered, with the row at which the places of each picture begin. Digests are
held against each other as numbers: sorting and joining their 64 letters takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.search.vectors.digests import digest_bytes, rows_of, sorting_order

__all__ = ["Ordered", "ordered"]


class Ordered(NamedTuple):
    """Pictures that have a place, and places of a picture.

    Attributes:
        pictures: Sorted by digest.
        places: Sorted by digest, location and path.
        packed: uint8 (n, 32), the digests of the pictures.
        starts: int64 (n + 1,): where the places of each picture begin, and after the last where they end.
    """

    pictures: pl.DataFrame
    places: pl.DataFrame
    packed: NDArray[np.uint8]
    starts: NDArray[np.int64]


def ordered(pictures: pl.DataFrame, places: pl.DataFrame, columns: Sequence[str]) -> Ordered:
    """Put frames in order; pictures without a place, and places without a picture, are left out.

    Args:
        pictures: With the column digest, each once.
        places: With the columns digest, location and path; others are kept.
        columns: Of the places, in the order wanted.
    """
    # 1. Pictures by digest.
    packed = digest_bytes(pictures["digest"])
    order = sorting_order(packed)
    packed, pictures = packed[order], pictures[order]
    # 2. The picture of each place.
    position = rows_of(packed, digest_bytes(places["digest"]))
    if (position < 0).any():
        kept = np.flatnonzero(position >= 0)
        places, position = places[kept], position[kept]
    # 3. Places by picture, location and path; and only pictures that have one.
    at = pl.Series("position", position, pl.Int32)
    codes = places["location"].rank("dense") if places.height else pl.Series([], dtype=pl.UInt32)
    by = places.select(at, code=codes, path="path").select(pl.arg_sort_by("position", "code", "path")).to_series()
    places = places.select(columns)[by]
    counts = np.bincount(position, minlength=pictures.height)
    if not counts.all():
        held = np.flatnonzero(counts)
        pictures, packed, counts = pictures[held], packed[held], counts[held]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Ordered(pictures, places, packed, starts)
