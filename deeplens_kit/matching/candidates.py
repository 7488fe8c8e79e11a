"""Candidates: the pairs of pictures worth a closer look, with every score of each.

Takes features of pictures and gives the stored neighbour graph: pairs whose evidence meets the rule (`copy`) and,
down to the floors of the settings, those that do not (`scene`), so that later rules can judge them again. Must not
group, and opens no file. What comes out does not depend on the order of what goes in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.evidence import (
    HashColumn,
    VectorColumn,
    hash_columns,
    pair_evidence,
    vector_columns,
)
from deeplens_kit.matching.floors import GraphFloor, graph_floor
from deeplens_kit.matching.neighbours import HammingIndex, VectorIndex
from deeplens_kit.matching.policy import keeper_order, picture_traits
from deeplens_kit.matching.rules import CONTEXT_COLUMNS, Rule, scores_of, tiers_of, with_context
from deeplens_kit.schemas import PAIRS, Relation, Tier
from deeplens_kit.settings import MatchSettings
from deeplens_kit.telemetry import get_logger

__all__ = ["find_pairs"]

_KEEPER_ROUNDS = 3

_log = get_logger(__name__)

_Positions = NDArray[np.int64]


def find_pairs(
    pictures: pl.DataFrame,
    vectors: Mapping[str, tuple[Sequence[str], NDArray[np.floating]]],
    settings: MatchSettings,
    rule: Rule,
    run_id: str,
) -> pl.DataFrame:
    """Find candidate pairs by each signal and score them by all.

    Every picture keeps at most `settings.neighbours` links for each signal, the strongest; by a hash it keeps them
    to pictures that would rather stay than itself, so that the keeper of a large cluster is linked to all of it.

    Args:
        pictures: Columns digest, width_px, height_px and whatever there is of phash, pdq, the context that rules
            look at and the columns of the keeper policy.
        vectors: By feature ("sscd_small", "sscd", "sscd_torch"; others are left out): digests and float16 or
            float32 (n, d), any order.
        settings: Floors and k.
        rule: Decides the tiers.
        run_id: The run that writes the rows.

    Returns:
        PAIRS, sorted by digests; relation `unverified`.
    """
    # 1. Pictures in an order of their own: the better keeper first.
    known = _in_order(pictures)
    hashes, embedded = hash_columns(known), vector_columns(known["digest"], vectors)
    # 2. What each signal finds.
    floor = graph_floor(settings, known.height)
    found = [_by_hash(column, floor) for column in hashes]
    found += [_by_vector(column, floor) for column in embedded]
    # 3. All scores of all of it; then each copy against the best keeper that its neighbours know.
    pairs = _judged(_distinct(found, known.height), known, hashes, embedded, rule)
    pairs = _towards_keepers(pairs, known, hashes, embedded, rule)
    _log.info("pairs found", pictures=known.height, pairs=pairs.height)
    named = pairs.with_columns(
        pl.lit(str(Relation.UNVERIFIED)).alias("relation"),
        pl.lit(run_id, pl.String).alias("run_id"),
        pl.lit("").alias("found_by"),
        pl.lit(False).alias("hub"),
    )
    return PAIRS.check(PAIRS.filled(named).select(PAIRS.names).sort("digest_a", "digest_b"))


def _in_order(pictures: pl.DataFrame) -> pl.DataFrame:
    distinct = pictures.unique("digest", keep="any")
    order = keeper_order(picture_traits(distinct)).select("digest")
    return order.join(distinct, on="digest", how="left", maintain_order="left")


def _by_hash(column: HashColumn, floor: GraphFloor) -> tuple[_Positions, _Positions]:
    radius = floor.pdq_max_distance if column.name == "pdq" else floor.phash_max_distance
    hits = HammingIndex(column.hashes).all_pairs(radius, variants=column.variants, limit=floor.neighbours)
    return column.positions[hits.query], column.positions[hits.item]


def _by_vector(column: VectorColumn, floor: GraphFloor) -> tuple[_Positions, _Positions]:
    hits = VectorIndex(column.vectors).nearest_of_all(floor.neighbours, floor.sscd_min_cosine)
    return column.positions[hits.query], column.positions[hits.item]


def _distinct(found: Sequence[tuple[_Positions, _Positions]], count: int) -> tuple[_Positions, _Positions]:
    """Each pair once, the smaller position first, in order."""
    keys = [np.zeros(0, np.int64), *(np.minimum(a, b) * count + np.maximum(a, b) for a, b in found)]
    low, high = np.divmod(np.unique(np.concatenate(keys)), max(count, 1))
    return low, high


def _judged(
    positions: tuple[_Positions, _Positions],
    known: pl.DataFrame,
    hashes: Sequence[HashColumn],
    vectors: Sequence[VectorColumn],
    rule: Rule,
) -> pl.DataFrame:
    """Pairs of positions with digests, evidence, tier and score; `low` and `high` are the positions."""
    low, high = positions
    digests = known["digest"]
    swap = (digests.gather(low) > digests.gather(high)).to_numpy()
    left, right = np.where(swap, high, low), np.where(swap, low, high)
    pairs = pair_evidence(left, right, known.height, hashes, vectors).with_columns(
        digest_a=digests.gather(left), digest_b=digests.gather(right), low=pl.Series(low), high=pl.Series(high)
    )
    context = known.select("digest", *(name for name in CONTEXT_COLUMNS if name in known.columns))
    judged = with_context(pairs, context, rule)
    return pairs.with_columns(tiers_of(judged, rule), scores_of(judged, rule))


def _towards_keepers(
    pairs: pl.DataFrame,
    known: pl.DataFrame,
    hashes: Sequence[HashColumn],
    vectors: Sequence[VectorColumn],
    rule: Rule,
) -> pl.DataFrame:
    """Add copies that the k nearest missed: each picture against the best keeper among its neighbours' neighbours.

    In a cluster of more than k copies the original need not be among the nearest of each copy, but it is near one
    of those. The pair counts only by its own evidence, as every pair does.
    """
    for _ in range(_KEEPER_ROUNDS):
        copies = pairs.filter(pl.col("tier") == Tier.COPY)
        low, high = copies["low"].to_numpy(), copies["high"].to_numpy()
        best = np.arange(known.height)
        np.minimum.at(best, high, low)
        further = best.copy()
        np.minimum.at(further, high, best[low])
        np.minimum.at(further, low, best[high])
        picture = np.flatnonzero(further < best)
        added = _distinct([(further[picture], picture)], known.height)
        missing = pl.DataFrame({"low": added[0], "high": added[1]}).join(pairs, on=["low", "high"], how="anti")
        if not missing.height:
            return pairs
        ends = missing.sort("low", "high")
        more = _judged((ends["low"].to_numpy(), ends["high"].to_numpy()), known, hashes, vectors, rule)
        more = more.filter(pl.col("tier") == Tier.COPY)
        if not more.height:
            return pairs
        pairs = pl.concat([pairs, more])
    return pairs
