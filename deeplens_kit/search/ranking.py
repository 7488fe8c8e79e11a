"""From a picture to the pictures most like it, with the very scores that a stored pair would have.

Takes the features of one picture and a library, gives positions with evidence, tier and score, the best first. Each
signal fetches what it finds nearest; all of that is scored by all signals; and more is fetched as long as a picture
not fetched yet could belong among the results. Must not read or write anything, or judge by a measure of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching import Rule
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.judging import QueryPicture, best_unseen, judged
from deeplens_kit.search.library import Library
from deeplens_kit.settings import MatchSettings

__all__ = ["QueryPicture", "Ranking", "rank"]

_LEAST_FETCHED = 256
_FETCHED_PER_RESULT = 4
# So that a hundredfold of the results is fetched in three rounds.
_GROWTH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """What was found, the best first.

    Attributes:
        rows: Columns position, score, tier, the evidence columns of PAIRS, and those of `rules.with_context`.
        is_whole: Whether the rows are all there are; else the search ended when the best were certain.
        compared: Pictures that the filters let through.
    """

    rows: pl.DataFrame
    is_whole: bool
    compared: int


def rank(
    query: QueryPicture,
    library: Library,
    filters: SearchFilters,
    limit: int,
    *,
    rule: Rule,
    floors: MatchSettings,
    within: NDArray[np.bool_] | None = None,
    least_fetched: int = _LEAST_FETCHED,
) -> Ranking:
    """Find the pictures of a library that are most like a picture.

    Args:
        query: The picture.
        library: Where to search.
        filters: What is let through; applied before anything is cut off.
        limit: How many results have to be certain; more may be given.
        rule: Gives tiers and scores.
        floors: What is alike enough to be looked at, the bounds of stored pairs: as far as these, by any signal.
        within: bool (n,), pictures that may be found besides what the filters say; None for all.
        least_fetched: Pictures that each signal fetches at first.
    """
    # 1. What may be found at all.
    wanted = library.wanted(filters)
    if within is not None:
        wanted = within if wanted is None else wanted & within
    compared = len(library) if wanted is None else int(wanted.sum())
    least_score = float(np.float32(filters.min_score))
    # 2. The nearest by each signal, scored by all; again with more, until no other can be as good.
    fetched = max(least_fetched, _FETCHED_PER_RESULT * limit)
    while True:
        positions, beyond = _fetched(query, library, wanted, floors, fetched)
        rows = _chosen(judged(query, library, positions, rule, floors), filters)
        bound = _best_beyond(beyond, rule, floors)
        if bound is None or bound < least_score or (rows.height >= limit and rows["score"][limit - 1] > bound):
            return Ranking(rows, bound is None, compared)
        fetched *= _GROWTH


def _fetched(
    query: QueryPicture,
    library: Library,
    wanted: NDArray[np.bool_] | None,
    floors: MatchSettings,
    k: int,
) -> tuple[NDArray[np.int64], dict[str, float]]:
    """Positions that a signal finds, each once, rising; and by signal what those left out can have at best."""
    found, beyond = [np.zeros(0, np.int64)], {}
    for shelf in library.hashes:
        radius = floors.pdq_max_distance if shelf.name == "pdq" else floors.phash_max_distance
        near = shelf.nearest(query.facts.get(shelf.name), radius, k, wanted)
        found.append(near.positions)
        if near.beyond is not None:
            beyond[f"{shelf.name}_distance"] = near.beyond
    for vectors in library.vectors:
        if vectors.name in query.vectors:
            positions, cosine = vectors.nearest(query.vectors[vectors.name], k, floors.sscd_min_cosine - 1e-3, wanted)
            found.append(positions)
            if cosine is not None:
                beyond[vectors.name] = cosine
    # The very picture, also where it has no features at all.
    own = library.position(query.digest)
    if own is not None and (wanted is None or wanted[own]):
        found.append(np.array([own]))
    return np.unique(np.concatenate(found)), beyond


def _chosen(rows: pl.DataFrame, filters: SearchFilters) -> pl.DataFrame:
    if filters.min_score > 0.0:
        rows = rows.filter(pl.col("score") >= pl.lit(filters.min_score, pl.Float32))
    if filters.tiers:
        rows = rows.filter(pl.col("tier").is_in([str(tier) for tier in filters.tiers]))
    return rows


def _best_beyond(beyond: Mapping[str, float], rule: Rule, floors: MatchSettings) -> float | None:
    """The score that no picture left out can exceed, for better evidence never lowers a score; None: none is."""
    if not beyond:
        return None
    cosine = max((value for name, value in beyond.items() if not name.endswith("_distance")), default=None)
    return best_unseen(
        floors.sscd_min_cosine if cosine is None else cosine,
        beyond.get("pdq_distance", floors.pdq_max_distance + 1),
        beyond.get("phash_distance", floors.phash_max_distance + 1),
        rule,
    )
