"""From a picture to the pictures most like it, with the very scores that a stored pair would have.

Takes the features of one picture and a library, gives positions with evidence, tier and score, the best first. Each
signal fetches what it finds nearest; all of that is scored by all signals; and more is fetched as long as a picture
not fetched yet could belong among the results. Must not read or write anything, or judge by a measure of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching import CONTEXT_COLUMNS, Rule, with_context
from deeplens_kit.matching.evidence import VectorColumn, hash_columns, pair_evidence
from deeplens_kit.matching.rules import scores_of, tiers_and_scores
from deeplens_kit.schemas import Tier
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.library import Library
from deeplens_kit.settings import MatchSettings

__all__ = ["QueryPicture", "Ranking", "rank"]

_LEAST_FETCHED = 256
_FETCHED_PER_RESULT = 4
# So that a hundredfold of the results is fetched in three rounds.
_GROWTH = 8
_EVIDENCE = ("phash_distance", "pdq_distance", "orientation", "sscd_small", "sscd")
# Nothing looks closely at what a search finds, so that there are no odds to work out.
_UNSEEN = (pl.lit(None, pl.Float64).alias("likelihood"), pl.lit(value=False).alias("hub"))


@dataclass(frozen=True, slots=True, eq=False)
class QueryPicture:
    """The picture that is searched for.

    Attributes:
        digest: SHA-256 of its bytes.
        facts: Its row of `pictures`; PICTURE_COLUMNS that are missing count as never computed.
        vectors: By feature, (d,).
    """

    digest: str
    facts: Mapping[str, object]
    vectors: Mapping[str, NDArray[np.floating]]


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
        rows = _chosen(_judged(query, library, positions, rule, floors), filters)
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


def _judged(
    query: QueryPicture, library: Library, positions: NDArray[np.int64], rule: Rule, floors: MatchSettings
) -> pl.DataFrame:
    """Rows of `Ranking` for those of `positions` that are alike enough, the best first."""
    own = library.position(query.digest)
    others = positions[positions != own] if own is not None else positions
    # Row 0 is the query; which side it takes is told by the digests, as in the stored pairs.
    columns = ["digest", "pdq", "phash", *CONTEXT_COLUMNS]
    found = library.pictures[others].select(name for name in columns if name in library.pictures.columns)
    asked = {name: query.facts.get(name) for name in found.columns} | {"digest": query.digest}
    known = pl.concat([pl.DataFrame([asked], schema=found.schema), found])
    itself, other = np.zeros(len(others), np.int64), np.arange(1, len(others) + 1)
    swap = (found["digest"] < query.digest).to_numpy()
    left, right = np.where(swap, other, itself), np.where(swap, itself, other)
    digests = known["digest"]
    pairs = pair_evidence(left, right, known.height, hash_columns(known), _vector_columns(query, library, others))
    pairs = pairs.with_columns(
        digest_a=digests.gather(left), digest_b=digests.gather(right), position=pl.Series(others, dtype=pl.Int64)
    )
    pairs = with_context(pairs, known, rule).filter(_alike(floors)).with_columns(_UNSEEN)
    judged = pairs.with_columns(tiers_and_scores(pairs, rule))
    rows = judged.select("position", "score", "tier", *_EVIDENCE, "page_like", "low_information", "other_shots")
    ordered = rows.sort("score", "pdq_distance", "position", descending=[True, False, False], nulls_last=True)
    return ordered if own is None or own not in positions else pl.concat([_itself(own, ordered.schema), ordered])


def _vector_columns(query: QueryPicture, library: Library, others: NDArray[np.int64]) -> Sequence[VectorColumn]:
    """The vectors of the query, row 0, and of pictures, rows 1.., each feature where the query has it."""
    columns = []
    for vectors in library.vectors:
        if vectors.name not in query.vectors:
            continue
        rows = vectors.row_of_position[others]
        has = np.flatnonzero(rows >= 0)
        together = np.concatenate([query.vectors[vectors.name].astype(np.float32)[None], vectors.shelf.rows(rows[has])])
        columns.append(VectorColumn(vectors.name, np.concatenate([[0], has + 1]), together))
    return columns


def _alike(floors: MatchSettings) -> pl.Expr:
    cosine = pl.max_horizontal("sscd_small", "sscd") >= pl.lit(floors.sscd_min_cosine, pl.Float32)
    bits = (
        pl.when(pl.col("pdq_distance").is_not_null())
        .then(pl.col("pdq_distance") <= floors.pdq_max_distance)
        .otherwise(pl.col("phash_distance") <= floors.phash_max_distance)
    )
    return cosine.fill_null(False) | bits.fill_null(False)


def _itself(position: int, schema: pl.Schema) -> pl.DataFrame:
    """The row of equal bytes, as in a list of pairs."""
    values: dict[str, object] = dict.fromkeys(schema)
    values |= {"position": position, "score": 1.0, "tier": str(Tier.BYTES)}
    values |= {"phash_distance": 0, "pdq_distance": 0, "orientation": 0, "low_information": False, "other_shots": False}
    return pl.DataFrame([values], schema=schema)


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
    bits = {
        "pdq_distance": beyond.get("pdq_distance", floors.pdq_max_distance + 1),
        "phash_distance": beyond.get("phash_distance", floors.phash_max_distance + 1),
    }
    at_best = floors.sscd_min_cosine if cosine is None else cosine
    # One row where PDQ speaks and one where only pHash does.
    rows = [{**bits, "sscd_small": at_best}, {**bits, "pdq_distance": None, "sscd_small": at_best}]
    schema = {"pdq_distance": pl.Int32, "phash_distance": pl.Int32, "sscd_small": pl.Float32, "sscd": pl.Float32}
    unseen = pl.DataFrame(rows, schema=schema).with_columns(_UNSEEN, page_like=pl.lit(False))
    return float(scores_of(unseen, rule).cast(pl.Float64).max() or 0.0)  # type: ignore[arg-type]
