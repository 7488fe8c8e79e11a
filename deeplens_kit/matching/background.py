"""Cosines against a background: how much more alike two pictures are than either is to strangers.

Takes pairs with their cosines and which of them are copies for certain; gives each pair's cosine less the level that
its two ends reach with others anyway. Two receipts of one shop are alike, and each is as alike to a dozen more; a copy
of a photograph is alike to its original alone. Pizzi et al. (CVPR 2022, section 5.3) take the background from pictures
known to be strangers; a library holds many copies of one picture, so that here copies count as one, and the two ends'
own copies not at all. Must not search: a stored pair is a neighbour, what is not stored was below the floor.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["normalised_cosines"]

STRANGERS = 5
"""Groups of copies that make the level of a picture: micro average precision .907 of small SSCD on the development
benchmark where it is .794 alone, .88 with three, .81 with one (copies taken for strangers cost most there)."""


def normalised_cosines(pairs: pl.DataFrame, copies: pl.Series, floor: float) -> pl.Series:
    """The better model's cosine of each pair less the mean level of its ends.

    Args:
        pairs: Columns digest_a, digest_b, sscd, sscd_small; the more of the neighbours of a picture, the better.
        copies: Boolean, as long: pairs that are copies for certain. They join pictures to groups.
        floor: The cosine from which on pairs are stored, for pictures with few neighbours.

    Returns:
        Float32 named sscd_normalised, null where a pair has no cosine.
    """
    cosines = pairs.select(pl.coalesce("sscd", "sscd_small")).to_series()
    if not pairs.height:
        return cosines.alias("sscd_normalised")
    ends = pl.concat([pairs["digest_a"], pairs["digest_b"]]).to_physical()
    places = ends.rank("dense").cast(pl.Int64).to_numpy() - 1
    left, right = places[: pairs.height], places[pairs.height :]
    group = _groups(left, right, copies.fill_null(False).to_numpy(), int(places.max()) + 1)
    known = cosines.is_not_null().to_numpy()
    values = cosines.fill_null(0.0).to_numpy().astype(np.float32)
    groups, levels = _strangers(left[known], right[known], values[known], group, floor)
    level = (_level(left, group[right], groups, levels) + _level(right, group[left], groups, levels)) / 2
    normalised = pl.Series("sscd_normalised", values - level, pl.Float32)
    return normalised.set(cosines.is_null(), None)


def _groups(
    left: NDArray[np.int64], right: NDArray[np.int64], copies: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """The connected component of each picture under the copies."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(int(copies.sum()), np.int8), (left[copies], right[copies])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _strangers(
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    cosines: NDArray[np.float32],
    group: NDArray[np.int64],
    floor: float,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest other groups of each picture, one more than needed: int64 and float32 (n, STRANGERS + 1).

    The group is -1 and the cosine `floor` where there are fewer.
    """
    near = pl.DataFrame(
        {
            "picture": np.concatenate([left, right]),
            "group": np.concatenate([group[right], group[left]]),
            "cosine": np.concatenate([cosines, cosines]),
        }
    )
    best = (
        near.filter(pl.col("group") != pl.Series(group).gather(near["picture"]))
        .group_by("picture", "group")
        .agg(pl.col("cosine").max())
        .sort("picture", "cosine", "group", descending=[False, True, False])
        .with_columns(place=pl.int_range(pl.len()).over("picture"))
        .filter(pl.col("place") <= STRANGERS)
    )
    groups = np.full((len(group), STRANGERS + 1), -1, np.int64)
    levels = np.full((len(group), STRANGERS + 1), floor, np.float32)
    at = best["picture"].to_numpy(), best["place"].to_numpy()
    groups[at], levels[at] = best["group"].to_numpy(), np.maximum(best["cosine"].to_numpy(), np.float32(floor))
    return groups, levels


def _level(
    picture: NDArray[np.int64], other: NDArray[np.int64], groups: NDArray[np.int64], levels: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean cosine of each picture with its nearest groups, the `other` left out."""
    own = groups[picture] == other[:, None]
    # The last of the six stands in for the one that is left out.
    own[~own.any(axis=1), -1] = True
    counted = np.where(own, np.float32(0), levels[picture])
    return np.asarray(counted.sum(axis=1, dtype=np.float32) / np.float32(STRANGERS))
