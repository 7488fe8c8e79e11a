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

__all__ = ["LEADING_DIGITS", "Ordered", "leading", "ordered"]

LEADING_DIGITS = 16
"""Of a digest, those that make a number of 64 bits."""


class Ordered(NamedTuple):
    """Pictures that have a place, and places of a picture.

    Attributes:
        pictures: Sorted by digest.
        places: Sorted by digest, location and path.
        keys: uint64 (n,), the leading digits of each picture's digest, see `leading`; rising.
        starts: int64 (n + 1,): where the places of each picture begin, and after the last where they end.
    """

    pictures: pl.DataFrame
    places: pl.DataFrame
    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]


def ordered(pictures: pl.DataFrame, places: pl.DataFrame, columns: Sequence[str]) -> Ordered:
    """Put frames in order; pictures without a place, and places without a picture, are left out.

    Args:
        pictures: With the column digest, each once.
        places: With the columns digest, location and path; others are kept.
        columns: Of the places, in the order wanted.
    """
    # 1. Pictures by digest.
    keys = leading(pictures["digest"])
    order = np.argsort(keys, kind="stable")
    if len(keys) > 1 and bool((keys[order[1:]] == keys[order[:-1]]).any()):
        # Digests that begin alike are somebody's work; then all letters count.
        order = pictures["digest"].arg_sort().to_numpy()
    keys, pictures = keys[order], pictures[order]
    # 2. The picture of each place.
    place_keys = leading(places["digest"])
    position = np.minimum(np.searchsorted(keys, place_keys), max(len(keys) - 1, 0))
    if not len(keys):
        known = np.zeros(places.height, bool)
    else:
        known = (pictures["digest"].gather(position) == places["digest"]).fill_null(False).to_numpy()
        missed = np.flatnonzero(~known & (keys[position] == place_keys))
        if len(missed):
            row_of = {digest: row for row, digest in enumerate(pictures["digest"])}
            found = [row_of.get(digest, -1) for digest in places["digest"].gather(missed)]
            position[missed], known[missed] = np.maximum(found, 0), np.array(found) >= 0
    # 3. Places by picture, location and path; and only what belongs together.
    at = pl.Series("position", position, pl.Int32)
    if not known.all():
        kept = np.flatnonzero(known)
        places, at = places[kept], at.gather(kept)
    codes = places["location"].rank("dense") if places.height else pl.Series([], dtype=pl.UInt32)
    by = places.select(at, code=codes, path="path").select(pl.arg_sort_by("position", "code", "path")).to_series()
    places = places.select(columns)[by]
    counts = np.bincount(at.to_numpy(), minlength=pictures.height) if places.height else np.zeros(pictures.height, int)
    if not counts.all():
        held = np.flatnonzero(counts)
        pictures, keys, counts = pictures[held], keys[held], counts[held]
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Ordered(pictures, places, keys, starts)


def leading(digests: pl.Series) -> NDArray[np.uint64]:
    """The first 64 bits of digests as numbers, which are in their order; 0 for what is no digest."""
    whole = digests.str.head(LEADING_DIGITS).str.decode("hex", strict=False)
    whole = whole.set(whole.bin.size() != LEADING_DIGITS // 2, None)
    return whole.bin.reinterpret(dtype=pl.UInt64, endianness="big").fill_null(0).to_numpy()
