"""Which files a hold covers.

Takes objects and holds, gives a yes or no for each; must not ask what is done with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from deeplens_kit.ledger.act_values import Hold
from deeplens_kit.search.path_globs import matches_of

__all__ = ["covered_by_holds"]


def covered_by_holds(
    objects: pl.DataFrame, holds: Sequence[Hold], collections: Mapping[str, Collection[str]]
) -> pl.Series:
    """Whether any hold covers each file, Boolean.

    A hold covers what all of its parts name: a location, a glob, a picture, a collection. One that was released covers
    nothing.

    Args:
        objects: Columns location_id, path and digest.
        holds: The holds.
        collections: Digests of each collection by name.
    """
    covered = pl.Series("held", [False]).new_from_index(0, objects.height)
    for hold in holds:
        if hold.released_at is None:
            covered |= _covered(objects, hold, collections)
    return covered.alias("held")


def _covered(objects: pl.DataFrame, hold: Hold, collections: Mapping[str, Collection[str]]) -> pl.Series:
    parts = [pl.lit(True)]
    if hold.location_id is not None:
        parts.append(pl.col("location_id") == hold.location_id)
    if hold.digest:
        parts.append((pl.col("digest") == hold.digest).fill_null(False))
    if hold.collection:
        parts.append(pl.col("digest").is_in(list(collections.get(hold.collection, ()))).fill_null(False))
    chosen = objects.select(pl.all_horizontal(parts).alias("held")).to_series()
    if len(chosen) != objects.height:
        chosen = chosen.new_from_index(0, objects.height)
    return chosen & pl.Series(matches_of(objects["path"], [hold.glob])) if hold.glob else chosen
