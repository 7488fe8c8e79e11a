"""Towards keepers: pairs that the nearest neighbours miss and a star needs.

Takes the pairs that are copies, those that were tried, and pictures in the order of the keeper policy; gives the pairs
to try next. In a cluster of more than k copies the original need not be among the nearest of each copy, but it is near
one of those. A pair that comes out counts only by its own evidence, as every pair does. Called again after each round
of evidence, until nothing comes out.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["keeper_candidates", "keepers_to_try"]

KEEPERS = 2
"""Better keepers that a picture is tried against in one round."""


def keeper_candidates(
    copies: pl.DataFrame, tried: pl.DataFrame, order: pl.Series, *, keepers: int = KEEPERS
) -> pl.DataFrame:
    """Pairs of a picture and a better keeper that one of its copies knows.

    Args:
        copies: Columns digest_a, digest_b: pairs known to be copies.
        tried: The same of all pairs that were looked at, these among them.
        order: Digests, the better keeper first; a picture that is not listed is left out.
        keepers: Pairs for each picture at most, the best keepers first.

    Returns:
        Columns digest_a, digest_b, the smaller digest first, sorted; no pair of `tried`.
    """
    place = pl.DataFrame({"digest": order, "position": pl.int_range(len(order), dtype=pl.Int64, eager=True)})
    known = _positions(copies, place), _positions(tried, place)
    low, high = keepers_to_try(*known, len(order), keepers)
    ends = pl.DataFrame({"left": order.gather(low), "right": order.gather(high)})
    return ends.select(digest_a=pl.min_horizontal("left", "right"), digest_b=pl.max_horizontal("left", "right")).sort(
        "digest_a", "digest_b"
    )


def keepers_to_try(
    copies: tuple[NDArray[np.int64], NDArray[np.int64]],
    tried: tuple[NDArray[np.int64], NDArray[np.int64]],
    count: int,
    keepers: int = KEEPERS,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The same over positions in the order of keepers: the better end first, sorted, each pair once."""
    picture, copy = np.concatenate([*copies]), np.concatenate([*copies[::-1]])
    best = np.arange(count)
    np.minimum.at(best, picture, copy)
    keeper = best[copy]
    better = keeper < picture
    wanted = np.unique(picture[better] * count + keeper[better])
    known = np.minimum(*tried) + np.maximum(*tried) * count
    missing = wanted[~np.isin(wanted, known)]
    high, low = np.divmod(missing, max(count, 1))
    chosen = np.arange(len(high)) - np.searchsorted(high, high) < keepers
    low, high = low[chosen], high[chosen]
    rising = np.lexsort((high, low))
    return low[rising], high[rising]


def _positions(pairs: pl.DataFrame, place: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ends = (
        pairs.select("digest_a", "digest_b")
        .join(place, left_on="digest_a", right_on="digest")
        .join(place, left_on="digest_b", right_on="digest", suffix="_b")
    )
    return ends["position"].to_numpy(), ends["position_b"].to_numpy()
