"""Candidates: the pairs of pictures worth a closer look, with every score of each.

Takes features of pictures and gives the stored neighbour graph: pairs whose evidence meets the rule (`copy`) and,
down to the floors of the settings, those that do not (`scene`), so that later rules can judge them again. Must not
group, and opens no file. What comes out does not depend on the order of what goes in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.background import normalised_cosines
from deeplens_kit.matching.evidence import (
    REGIONS_OF,
    HashColumn,
    RegionColumn,
    VectorColumn,
    hash_columns,
    pair_evidence,
    region_column,
    region_cosines,
    vector_columns,
)
from deeplens_kit.matching.floors import GraphFloor, graph_floor
from deeplens_kit.matching.hubs import hub_pictures, worth_a_look
from deeplens_kit.matching.keep_order import keeper_order
from deeplens_kit.matching.keepers import keeper_candidates, keepers_to_try
from deeplens_kit.matching.neighbours import HammingIndex, VectorIndex
from deeplens_kit.matching.rules import CONTEXT_COLUMNS, Rule, tiers_and_scores, with_context
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.schemas import PAIRS, Relation, Tier
from deeplens_kit.settings import MatchSettings
from deeplens_kit.telemetry import get_logger

__all__ = ["find_pairs", "pairs_towards_keepers"]

SIGNALS = ("keeper", "pdq", "phash", "region", "sscd", "sscd_small")
"""What `found_by` may name, sorted."""

CERTAIN_PDQ = 40
"""Up to so many bits (inclusive) two pictures are taken for one where it is only asked what strangers are: on the
development benchmark 40 gives cosines against strangers a micro average precision of .907, 31 of .897, 64 of .83."""

_KEEPER_ROUNDS = 3
# PDQ has 256 bits; what makes a distance a strength comparable with a cosine.
_PDQ_HALF = 128

_log = get_logger(__name__)

_Positions = NDArray[np.int64]
_Vectors = Mapping[str, tuple[Sequence[str], NDArray[np.floating]]]


@dataclass(frozen=True, slots=True)
class _Known:
    """The pictures in the order of keepers, and their features in that order."""

    pictures: pl.DataFrame
    hashes: Sequence[HashColumn]
    vectors: Sequence[VectorColumn]
    regions: RegionColumn | None

    @property
    def count(self) -> int:
        return self.pictures.height


def find_pairs(
    pictures: pl.DataFrame,
    vectors: _Vectors,
    settings: MatchSettings,
    rule: Rule,
    run_id: str,
    order: pl.Series | None = None,
) -> pl.DataFrame:
    """Find candidate pairs by each signal and score them by all.

    Every picture keeps at most `settings.neighbours` links for each signal, the strongest; by a hash it keeps them
    to pictures that would rather stay than itself, so that the keeper of a large cluster is linked to all of it.

    Args:
        pictures: Columns digest, width_px, height_px and whatever there is of phash, pdq, the context that rules
            look at and the columns of the keeper policy.
        vectors: By feature ("sscd_small", "sscd", "sscd_torch", "sscd_small_regions"; others are left out): digests
            and float16 or float32 (n, d), any order.
        settings: Floors and k.
        rule: Decides the tiers.
        run_id: The run that writes the rows.
        order: Digests in the order of another keep policy, the better keeper first: copies are tried against its
            keepers too. None where the default policy is in use.

    Returns:
        PAIRS, sorted by digests; relation `unverified`.
    """
    # 1. Pictures in an order of their own: the better keeper first.
    known = _known(pictures, vectors)
    # 2. What each signal finds, with all scores of all of it.
    found = _found(_searched(known, settings), known.count)
    pairs = _judged(found, known, rule)
    # 3. Hubs keep their strongest; then each copy against the best keeper that its neighbours know.
    hubs = _hubs(pairs, known.count, settings)
    pairs = _without_crowds(pairs, hubs, settings)
    for ranks in _ranks(known, order):
        pairs = _towards_keepers(pairs, known, hubs, rule, ranks)
    _log.info("pairs found", pictures=known.count, pairs=pairs.height, hubs=int(pairs["hub"].sum()))
    return _as_pairs(pairs, settings, run_id)


def pairs_towards_keepers(
    pictures: pl.DataFrame,
    vectors: _Vectors,
    pairs: pl.DataFrame,
    copies: pl.DataFrame,
    rule: Rule,
    run_id: str,
    order: pl.Series | None = None,
) -> pl.DataFrame:
    """Pairs that stars still need once it is known which pairs are copies, with every score of each.

    Args:
        pictures: As for `find_pairs`.
        vectors: As for `find_pairs`.
        pairs: PAIRS that were found and tried so far.
        copies: Those of them that are copies.
        rule: Decides the tiers.
        run_id: The run that writes the rows.
        order: As for `find_pairs`.

    Returns:
        PAIRS, sorted by digests, none of `pairs`; `hub` where an end is a hub by its pairs so far, and sscd_normalised
        is null until all pairs are looked at together, see `normalised_cosines`.
    """
    known = _known(pictures, vectors)
    usual = known.pictures["digest"]
    place = pl.DataFrame({"digest": usual, "position": pl.int_range(len(usual), dtype=pl.Int64, eager=True)})
    orders = [usual] if order is None else [usual, order]
    wanted = pl.concat([keeper_candidates(copies, pairs, first) for first in orders]).unique().sort(pl.all())
    placed = (
        wanted.join(place, left_on=name, right_on="digest", how="left", maintain_order="left")
        for name in wanted.columns
    )
    ends = [frame["position"].to_numpy() for frame in placed]
    bits = np.full(len(ends[0]), 1 << SIGNALS.index("keeper"), np.int64)
    more = _judged(_Found(np.minimum(*ends), np.maximum(*ends), bits), known, rule)
    hubs = _hubs_by_pairs(pairs).implode()
    ready = more.with_columns(
        _signals(more["found"]),
        hub=pl.col("digest_a").is_in(hubs) | pl.col("digest_b").is_in(hubs),
        sscd_normalised=pl.lit(None, pl.Float32),
        relation=pl.lit(str(Relation.UNVERIFIED)),
        run_id=pl.lit(run_id, pl.String),
    )
    return PAIRS.check(PAIRS.filled(ready).select(PAIRS.names).sort("digest_a", "digest_b"))


def _known(pictures: pl.DataFrame, vectors: _Vectors) -> _Known:
    distinct = pictures.unique("digest", keep="any")
    order = keeper_order(picture_traits(distinct)).select("digest")
    known = order.join(distinct, on="digest", how="left", maintain_order="left")
    digests = known["digest"]
    return _Known(known, hash_columns(known), vector_columns(digests, vectors), region_column(digests, vectors))


def _searched(known: _Known, settings: MatchSettings) -> Iterator[tuple[str, _Positions, _Positions]]:
    """Signal and ends of what each search finds."""
    floor = graph_floor(settings, known.count)
    for column in known.hashes:
        yield (column.name, *_by_hash(column, floor))
    for vectors in known.vectors:
        index = VectorIndex(vectors.vectors)
        hits = index.nearest_of_all(floor.neighbours, floor.sscd_min_cosine)
        signal = "sscd_small" if vectors.name == "sscd_small" else "sscd"
        yield signal, vectors.positions[hits.query], vectors.positions[hits.item]
        if vectors.name == REGIONS_OF and known.regions is not None and settings.region_neighbours:
            yield ("region", *_by_region(known.regions, vectors, index, settings))


def _by_hash(column: HashColumn, floor: GraphFloor) -> tuple[_Positions, _Positions]:
    radius, variants = floor.phash_max_distance, column.variants
    if column.name == "pdq":
        # A negative has every bit of its picture turned, but for ties at the median: one more way to look.
        radius, variants = floor.pdq_max_distance, np.concatenate([variants, ~column.hashes[None]])
    hits = HammingIndex(column.hashes).all_pairs(radius, variants=variants, limit=floor.neighbours)
    return column.positions[hits.query], column.positions[hits.item]


def _by_region(
    regions: RegionColumn, whole: VectorColumn, index: VectorIndex, settings: MatchSettings
) -> tuple[_Positions, _Positions]:
    # One more than asked for: the picture that a region lies in may be among its nearest.
    hits = index.nearest(regions.vectors, settings.region_neighbours + 1, settings.region_min_cosine)
    owner, other = regions.positions[hits.query], whole.positions[hits.item]
    region, owner, other = (values[owner != other] for values in (hits.query, owner, other))
    near = np.arange(len(region)) - np.searchsorted(region, region) < settings.region_neighbours
    return owner[near], other[near]


@dataclass(frozen=True, slots=True)
class _Found:
    """Distinct pairs of positions, the smaller first, in order, and by which signals each was found, bit by bit."""

    low: _Positions
    high: _Positions
    signals: NDArray[np.int64]


def _found(searched: Iterator[tuple[str, _Positions, _Positions]], count: int) -> _Found:
    keys, bits = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for signal, a, b in searched:
        key = np.unique(np.minimum(a, b) * count + np.maximum(a, b))
        keys.append(key)
        bits.append(np.full(len(key), 1 << SIGNALS.index(signal), np.int64))
    every, place = np.unique(np.concatenate(keys), return_inverse=True)
    signals = np.zeros(len(every), np.int64)
    np.bitwise_or.at(signals, place, np.concatenate(bits))
    low, high = np.divmod(every, max(count, 1))
    return _Found(low, high, signals)


def _judged(found: _Found, known: _Known, rule: Rule) -> pl.DataFrame:
    """Pairs with digests, evidence, tier and score; `low` and `high` are positions, `found` the signals."""
    low, high = found.low, found.high
    digests = known.pictures["digest"]
    swap = (digests.gather(low) > digests.gather(high)).to_numpy()
    left, right = np.where(swap, high, low), np.where(swap, low, high)
    pairs = pair_evidence(left, right, known.count, known.hashes, known.vectors).with_columns(
        region_cosines(left, right, known.count, known.regions, known.vectors),
        digest_a=digests.gather(left),
        digest_b=digests.gather(right),
        low=pl.Series(low, dtype=pl.Int64),
        high=pl.Series(high, dtype=pl.Int64),
        found=pl.Series(found.signals, dtype=pl.Int64),
    )
    context = known.pictures.select("digest", *(name for name in CONTEXT_COLUMNS if name in known.pictures.columns))
    judged = with_context(pairs, context, rule)
    return pairs.with_columns(tiers_and_scores(judged, rule))


def _hubs(pairs: pl.DataFrame, count: int, settings: MatchSettings) -> NDArray[np.bool_]:
    """bool (count,), the pictures that are hubs, by position."""
    copies = (pairs["tier"] == Tier.COPY).to_numpy()
    return hub_pictures(pairs["low"].to_numpy(), pairs["high"].to_numpy(), copies, count, settings.hub_links)


def _hubs_by_pairs(pairs: pl.DataFrame) -> pl.Series:
    """Digests of the pictures all of whose pairs are marked `hub`.

    No hub is missed. A picture that only hubs are near to passes for one as well: the stricter terms are the safe side.
    """
    ends = pl.concat([pairs.select("hub", digest=name) for name in ("digest_a", "digest_b")])
    return ends.group_by("digest").agg(pl.col("hub").all()).filter("hub")["digest"]


def _without_crowds(pairs: pl.DataFrame, hubs: NDArray[np.bool_], settings: MatchSettings) -> pl.DataFrame:
    """Pairs with `hub`, less those of hubs that are neither end's strongest."""
    low, high = pairs["low"].to_numpy(), pairs["high"].to_numpy()
    copies = (pairs["tier"] == Tier.COPY).to_numpy()
    strength = pairs.select(
        pl.max_horizontal(1 - pl.col("pdq_distance") / _PDQ_HALF, "sscd_small", "sscd", "sscd_region").fill_null(-1.0)
    )
    stay = worth_a_look(low, high, strength.to_series().to_numpy(), hubs, settings.hub_neighbours)
    return pairs.with_columns(hub=pl.Series(hubs[low] | hubs[high], dtype=pl.Boolean)).filter(
        pl.Series(stay | copies, dtype=pl.Boolean)
    )


def _ranks(known: _Known, order: pl.Series | None) -> list[_Positions]:
    """The place of each position in each order of keepers; what an order does not list comes last in it."""
    usual = np.arange(known.count)
    if order is None:
        return [usual]
    digests = known.pictures["digest"]
    listed = pl.DataFrame({"digest": order}).unique(maintain_order=True).with_row_index("rank")
    rank = pl.DataFrame({"digest": digests}).join(listed, on="digest", how="left", maintain_order="left")["rank"]
    other = np.empty(known.count, np.int64)
    other[np.argsort(rank.fill_null(known.count).to_numpy(), kind="stable")] = usual
    return [usual, other]


def _towards_keepers(
    pairs: pl.DataFrame, known: _Known, hubs: NDArray[np.bool_], rule: Rule, ranks: _Positions
) -> pl.DataFrame:
    """Add copies that the k nearest missed; nothing is known of them but the evidence at hand."""
    at_rank = np.argsort(ranks)
    for _ in range(_KEEPER_ROUNDS):
        copies = pairs.filter(pl.col("tier") == Tier.COPY)
        ends, tried = ((ranks[frame["low"]], ranks[frame["high"]]) for frame in (copies, pairs))
        better, worse = keepers_to_try(ends, tried, known.count)
        if not len(better):
            return pairs
        one, other = at_rank[better], at_rank[worse]
        low, high = np.minimum(one, other), np.maximum(one, other)
        signal = np.full(len(low), 1 << SIGNALS.index("keeper"), np.int64)
        more = _judged(_Found(low, high, signal), known, rule).filter(pl.col("tier") == Tier.COPY)
        if not more.height:
            return pairs
        at_hub = hubs[more["low"].to_numpy()] | hubs[more["high"].to_numpy()]
        pairs = pl.concat([pairs, more.with_columns(hub=pl.Series(at_hub, dtype=pl.Boolean))], how="diagonal")
    return pairs


def _as_pairs(pairs: pl.DataFrame, settings: MatchSettings, run_id: str) -> pl.DataFrame:
    certain = ((pairs["tier"] == Tier.COPY) | (pairs["pdq_distance"] <= CERTAIN_PDQ).fill_null(False)).rename("certain")
    named = pairs.with_columns(
        _signals(pairs["found"]),
        normalised_cosines(pairs, certain, settings.sscd_min_cosine),
        relation=pl.lit(str(Relation.UNVERIFIED)),
        run_id=pl.lit(run_id, pl.String),
    )
    return PAIRS.check(PAIRS.filled(named).select(PAIRS.names).sort("digest_a", "digest_b"))


def _signals(found: pl.Series) -> pl.Series:
    """Names of the signals whose bits are set."""
    names = [",".join(name for at, name in enumerate(SIGNALS) if bits >> at & 1) for bits in range(1 << len(SIGNALS))]
    return pl.Series(names, dtype=pl.String).gather(found).alias("found_by")
