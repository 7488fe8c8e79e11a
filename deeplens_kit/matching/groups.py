"""Groups: stars of a keeper and the objects that are copies of that very keeper.

Takes objects, pictures and the stored pairs, and a rule; gives the groups, and apart from them what matches a keeper
but is not proposed because it may be worth more. Must not search for pairs or touch files. Nobody is in a group
because of a chain: every member's own evidence against its own keeper meets the rule. What belongs together (a
family) stays or goes together: a picture with companions is proposed only where all of them are there a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.equal_samples import mark_sources
from deeplens_kit.matching.family_copies import FamilyStanding, family_standing, with_standing
from deeplens_kit.matching.policy import REASONS, Withhold, keeper_order, withhold_codes
from deeplens_kit.matching.related import related_copies
from deeplens_kit.matching.relations import allowed_relations, mark_foreign, mark_tilted, relation_codes, same_view
from deeplens_kit.matching.rules import CONTEXT_COLUMNS, Rule, tiers_of, with_context
from deeplens_kit.matching.sentences import keeper_sentence, member_sentences
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.matching.upscales import mark_outdone, oriented, with_resolution
from deeplens_kit.matching.view_words import VIEW_COLUMNS, relation_towards
from deeplens_kit.schemas import GROUPS, PAIRS, WITHHELD, Relation, Tier

__all__ = ["Grouping", "freed_bytes", "group", "held_objects", "with_sizes"]

_ID_BYTES = 8

_SAME = "byte for byte the same as the keeper"
_SAME_SAMPLES = "every sample is the same as the keeper's; the files differ in container or metadata"
_EDGE_COLUMNS = list(
    dict.fromkeys(["score", "tier", "pdq_distance", "phash_distance", "sscd_small", "sscd", *VIEW_COLUMNS])
)


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups and what was withheld from them.

    Attributes:
        groups: GROUPS, by group; the keeper first, then the members in keeper order.
        withheld: WITHHELD; a picture that another keeper took is not among them.
        related: RELATED: copies in part that are not proposed for their relation, of pictures that nobody took.
    """

    groups: pl.DataFrame
    withheld: pl.DataFrame
    related: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Stars:
    """Which picture stays for which, by number in keeper order.

    Attributes:
        keeper: int64 (n,), the keeper of each picture or -1.
        link: int64 (n,), row of `edges` by which it was taken or -1.
        edges: low, high (numbers), code (`Withhold`), towards (the relation of `high` to `low`) and the evidence.
    """

    keeper: NDArray[np.int64]
    link: NDArray[np.int64]
    edges: pl.DataFrame


def group(
    objects: pl.DataFrame,
    pictures: pl.DataFrame,
    pairs: pl.DataFrame,
    rule: Rule,
    tiers: Collection[Tier | str] | None = None,
    *,
    include: Collection[Relation | str] = (),
) -> Grouping:
    """Make stars around keepers.

    Args:
        objects: OBJECTS of any outcome: those without a picture may be companions of others. A further column
            `location` (the name) orders before the path; `place` is as for `find_families`.
        pictures: `digest` and what there is of `policy.POLICY_COLUMNS` and `rules.CONTEXT_COLUMNS`.
        pairs: PAIRS; judged by `rule`, not by the tier they were stored with, unless that is `pixels`: equal samples
            are proof, whatever the bounds.
        rule: The bounds.
        tiers: Tiers to propose from: `bytes`, `pixels` and `copy`; None for those of the rule. `scene` is never
            proposed.
        include: Relations of a member to its keeper that are proposed besides the default ones: of
            `relations.INCLUDABLE`.

    Raises:
        UnknownNameError: A relation that cannot be included.
    """
    allowed = allowed_relations(include)
    chosen = {Tier(tier) for tier in (rule.tiers if tiers is None else tiers)}
    # 1. The objects in keeper order; a picture is represented by its best object.
    pairs = PAIRS.filled(pairs)
    pictures = mark_foreign(with_resolution(with_sizes(pictures, objects), same_view(pairs)), pairs, allowed)
    pictures = mark_tilted(mark_sources(pictures, pairs), pairs)
    copies = _copies(objects, pictures, pairs, rule, chosen)
    families = family_standing(objects, pictures["digest"])
    held = keeper_order(held_objects(objects, mark_outdone(pictures, same_view(copies)), families))
    ranked = held.unique("digest", keep="first", maintain_order=True).with_row_index("number")
    held = held.with_row_index("rank").join(
        ranked.select("digest", pl.col("number").cast(pl.Int64)), on="digest", maintain_order="left"
    )
    # 2. Stars of pictures.
    found = _stars(ranked, copies, allowed)
    # 3. Objects to their groups: by their picture's star, else to the best object of their own picture.
    rows = _rows(held, found, chosen)
    groups = _described(rows, held, found.edges)
    withheld = [_withheld_copies(ranked, found)]
    # 4. What is not told by pictures: files that go with their families, and equal files that do not.
    if Tier.BYTES in chosen:
        groups = pl.concat([groups, companion_groups(families)]).sort("group_id", maintain_order=True)
        withheld.append(_withheld_families(held))
    return Grouping(
        GROUPS.check(groups),
        WITHHELD.check(pl.concat(withheld).sort("keeper_digest", "digest", "object_id")),
        related_copies(ranked, found.edges, found.keeper),
    )


def held_objects(objects: pl.DataFrame, pictures: pl.DataFrame, families: FamilyStanding) -> pl.DataFrame:
    """The objects that hold a picture, with its traits and where their families stand.

    Args:
        objects: As for `group`.
        pictures: As for `group`, with the column `outdone`.
        families: Of these objects.
    """
    held = objects.filter(pl.col("digest").is_not_null())
    pictures = with_sizes(pictures, objects)
    kept = ["object_id", "location_id", "path", "digest", "size_bytes", "modified_at", "link_id", "link_count"]
    if "location" in held.columns:
        kept.append("location")
    traits = picture_traits(pictures).drop("size_bytes")
    return with_standing(held.select(kept).join(traits, on="digest"), families)


def with_sizes(pictures: pl.DataFrame, objects: pl.DataFrame) -> pl.DataFrame:
    """The pictures with `size_bytes`, that of the objects that hold them where it was not there."""
    if "size_bytes" in pictures.columns:
        return pictures
    sizes = objects.filter(pl.col("digest").is_not_null()).select("digest", "size_bytes").unique("digest", keep="any")
    return pictures.join(sizes, on="digest", how="left", maintain_order="left")


def _stars(ranked: pl.DataFrame, copies: pl.DataFrame, allowed: frozenset[str]) -> _Stars:
    from deeplens_kit.matching.star_kernels import stars

    edges = _edges(ranked, copies)
    low, high = edges["low"].to_numpy(), edges["high"].to_numpy()
    resolution = oriented(edges["ratio"].to_numpy(), edges["swapped"].to_numpy())
    same = (edges["tier"] == Tier.PIXELS).to_numpy()
    codes = withhold_codes(ranked, low, high, resolution, same)
    codes[ranked["pinned"].to_numpy()[high]] = Withhold.FAMILY
    foreign = edges["foreign"].fill_null(0.0).to_numpy()
    codes = relation_codes(codes, ranked, low, high, resolution, edges["towards"], foreign, allowed)
    starts = np.searchsorted(low, np.arange(ranked.height + 1))
    keeper, link = stars(starts, high, codes)
    return _Stars(keeper, link, edges.with_columns(code=pl.Series(codes, dtype=pl.Int8)))


def _copies(
    objects: pl.DataFrame, pictures: pl.DataFrame, pairs: pl.DataFrame, rule: Rule, tiers: set[Tier]
) -> pl.DataFrame:
    """Pairs of pictures that objects hold, of the tiers wanted: `tier` is `pixels` as stored, `copy` by the rule."""
    wanted = [str(tier) for tier in (Tier.PIXELS, Tier.COPY) if tier in tiers]
    held = objects.select("digest")
    related = pairs if wanted else pairs.clear()
    for end in ("digest_a", "digest_b"):
        related = related.join(held, left_on=end, right_on="digest", how="semi")
    known = [name for name in CONTEXT_COLUMNS if name in pictures.columns]
    judged = with_context(related, pictures.select("digest", *known), rule)
    same = pl.col("tier") == Tier.PIXELS
    by_rule = tiers_of(judged, rule)
    judged = judged.with_columns(tier=pl.when(same).then(pl.lit(str(Tier.PIXELS))).otherwise(by_rule))
    return judged.filter(pl.col("tier").is_in(wanted))


def _edges(ranked: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """The copy pairs by number, the better picture as `low`."""
    number = ranked.select("digest", pl.col("number").cast(pl.Int64))
    return (
        copies.join(number, left_on="digest_a", right_on="digest")
        .join(number, left_on="digest_b", right_on="digest", suffix="_b")
        .filter(pl.col("number") != pl.col("number_b"))
        .select(
            pl.min_horizontal("number", "number_b").alias("low"),
            pl.max_horizontal("number", "number_b").alias("high"),
            *_EDGE_COLUMNS,
            ratio=pl.col("resolution").cast(pl.Float32).fill_null(float("nan")),
            # The better picture, which would be the keeper, is b.
            swapped=pl.col("number") > pl.col("number_b"),
            towards=relation_towards(pl.col("number") < pl.col("number_b")),
        )
        .unique(["low", "high"], keep="any")
        .sort("low", "high")
    )


def _rows(held: pl.DataFrame, found: _Stars, tiers: set[Tier]) -> pl.DataFrame:
    """One row per object and group: rank, number, keeper_rank, keeper_digest, tier, link, is_keeper."""
    first = held.unique("number", keep="first", maintain_order=True).select("number", "rank", "digest")
    best, digest = first["rank"].to_numpy(), first["digest"]
    number, rank = held["number"].to_numpy(), held["rank"].to_numpy()
    taken = found.keeper[number] >= 0
    may_go = ~(held["pinned"] & held["stays"]).to_numpy()
    again = ~taken & (rank != best[number]) & may_go & (Tier.BYTES in tiers)
    star = np.where(taken, found.keeper[number], number)
    by_link = np.append((found.edges["tier"] == Tier.PIXELS).to_numpy(), False)  # the last stands for no link
    same = taken & by_link[found.link[number]]
    parts = []
    for tier, members in ((Tier.PIXELS, same), (Tier.COPY, taken & ~same), (Tier.BYTES, again)):
        rows = np.flatnonzero(members)
        keepers = np.unique(star[rows])
        every = np.concatenate([rank[rows].astype(np.int64), best[keepers].astype(np.int64)])
        owner = np.concatenate([star[rows], keepers])
        link = np.where(tier == Tier.BYTES, -1, found.link[number[rows]])
        parts.append(
            pl.DataFrame(
                {"rank": every, "star": owner, "link": np.append(link, np.full(len(keepers), -1))}
            ).with_columns(
                pl.lit(str(tier)).alias("tier"),
                pl.Series("is_keeper", np.arange(len(every)) >= len(rows)),
                pl.Series("keeper_digest", digest.gather(owner), dtype=pl.String),
            )
        )
    return pl.concat(parts)


def _described(rows: pl.DataFrame, held: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """The rows of GROUPS: names, evidence, what removal frees, and the sentence."""
    freed = freed_bytes(held, rows.filter(~pl.col("is_keeper"))["rank"].to_numpy())
    links = rows["link"].filter(rows["link"] >= 0).unique().sort()
    taken = edges[links]
    evidence = taken.select("score", relation="towards", sentence=member_sentences(taken), link=links.cast(pl.UInt32))
    described = (
        rows.with_columns(pl.col("link").replace(-1, None).cast(pl.UInt32))
        .join(evidence, on="link", how="left")
        .with_columns(_group_ids(rows), frees_bytes=pl.Series(freed).gather(rows["rank"]))
        .sort("group_id", "is_keeper", "rank", descending=[False, True, False])
    )
    at = described["rank"]
    columns = ["object_id", "location_id", "path", "digest", "size_bytes", "in_family"]
    described = described.hstack([held[name].gather(at) for name in columns])
    reason = (
        pl.when("is_keeper")
        .then(_keeper_reasons(described, held))
        .when((pl.col("tier") == Tier.BYTES) & pl.col("in_family"))
        .then(pl.lit(f"{_SAME}, and so are the files that it belongs with"))
        .when(pl.col("tier") == Tier.BYTES)
        .then(pl.lit(_SAME))
        .when(pl.col("tier") == Tier.PIXELS)
        .then(pl.lit(_SAME_SAMPLES))
        .otherwise(pl.col("sentence"))
    )
    return described.with_columns(
        reason=reason,
        relation=pl.when(pl.col("is_keeper") | (pl.col("tier") == Tier.BYTES))
        .then(pl.lit(str(Relation.WHOLE)))
        .otherwise("relation"),
        score=pl.when(pl.col("is_keeper") | (pl.col("tier") == Tier.BYTES))
        .then(pl.lit(1.0, pl.Float32))
        .otherwise("score"),
        frees_bytes=pl.when("is_keeper").then(0).otherwise("frees_bytes").cast(pl.Int64),
    ).select(GROUPS.names)


def _keeper_reasons(described: pl.DataFrame, held: pl.DataFrame) -> pl.Series:
    """The keeper's sentence on the rows of keepers, against the best of its members; null elsewhere."""
    keepers = np.flatnonzero(described["is_keeper"].to_numpy())
    ranks = described["rank"].to_numpy()
    # Sorted as they are, the row after a keeper is its runner-up: no group is without members.
    both = held[ranks[keepers]].hstack(held[ranks[keepers + 1]].select(pl.all().name.suffix("_next")))
    said = both.select(keeper_sentence().alias("reason"))["reason"]
    at = np.zeros(described.height, np.int64)
    at[keepers] = np.arange(1, len(keepers) + 1)
    return pl.concat([pl.Series("reason", [None], dtype=pl.String), said]).gather(at)


def freed_bytes(held: pl.DataFrame, members: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes that removing the members frees, by rank; names of one file free its bytes once, with the last of them.

    A file with several names (equal `link_id`, equal bytes) keeps its bytes while any name is left: one that is no
    member, or one outside the catalog, which `link_count` tells.
    """
    chosen = np.zeros(held.height, dtype=bool)
    chosen[members] = True
    names = held.select("link_id", "digest", "link_count", "size_bytes").with_columns(
        member=pl.Series(chosen, dtype=pl.Boolean), rank=pl.int_range(pl.len())
    )
    alone = pl.col("link_id").is_null()
    file = ["link_id", "digest"]
    linked = names.filter(~alone & pl.col("link_id").is_in(names.filter("member")["link_id"].implode())).with_columns(
        whole=pl.col("member").all().over(file) & (pl.len().over(file) >= pl.col("link_count").max().over(file)),
        first=pl.col("rank").min().over(file) == pl.col("rank"),
    )
    frees = np.where(chosen & held["link_id"].is_null().to_numpy(), held["size_bytes"].to_numpy(), 0)
    last = linked.filter(pl.col("whole") & pl.col("first"))
    frees[last["rank"].to_numpy()] = last["size_bytes"].to_numpy()
    return frees.astype(np.int64)


def companion_groups(families: FamilyStanding) -> pl.DataFrame:
    """Groups of the files of other kinds that go with their families: GROUPS, by group."""
    files = families.companions.with_row_index("rank")
    going = files["part"] == "member"
    freed = freed_bytes(files, np.flatnonzero(going.to_numpy()))
    rows = files.with_columns(
        frees_bytes=pl.Series(freed),
        tier=pl.lit(str(Tier.BYTES)),
        keeper_digest="digest",
        is_keeper=pl.col("part") == "keeper",
    ).filter(pl.col("part") != "other")
    return (
        rows.with_columns(
            _group_ids(rows),
            relation=pl.lit(str(Relation.WHOLE)),
            score=pl.lit(1.0, pl.Float32),
            reason=pl.when("is_keeper")
            .then(pl.lit("it stays with the picture that it belongs with"))
            .otherwise(pl.lit(f"{_SAME}; it goes with the picture that it belongs with")),
        )
        .sort("group_id", "rank")
        .select(GROUPS.names)
    )


def _group_ids(rows: pl.DataFrame) -> pl.Series:
    """From the keeper's digest and the tier alone, so that the name stays when members come and go."""
    named = rows.select(name=pl.concat_str("tier", pl.lit(":"), "keeper_digest"))["name"]
    distinct = named.unique()
    ids = [hashlib.blake2b(name.encode(), digest_size=_ID_BYTES).hexdigest() for name in distinct]
    return named.replace_strict(distinct, ids, return_dtype=pl.String).alias("group_id")


def _withheld_copies(ranked: pl.DataFrame, found: _Stars) -> pl.DataFrame:
    """Copies that nobody took, each with the best object of its picture."""
    low, high = found.edges["low"].to_numpy(), found.edges["high"].to_numpy()
    codes = found.edges["code"].to_numpy()
    left_out = (codes > 0) & (codes != Withhold.RELATION) & (found.keeper[low] < 0) & (found.keeper[high] < 0)
    rows = found.edges.filter(pl.Series(left_out, dtype=pl.Boolean))
    reasons = {int(code): sentence for code, sentence in REASONS.items() if code is not Withhold.NO}
    keepers, members = ranked[rows["low"].to_numpy()], ranked[rows["high"].to_numpy()]
    by_family = rows["code"] == Withhold.FAMILY
    return rows.select(
        keeper_digest=keepers["digest"],
        digest=members["digest"],
        tier="tier",
        score="score",
        reason=pl.col("code").replace_strict(reasons, return_dtype=pl.String),
        companion=pl.when(by_family).then(members["companion"]),
        object_id=members["object_id"],
        keeper_object_id=keepers["object_id"],
    )


def _withheld_families(held: pl.DataFrame) -> pl.DataFrame:
    """Equal files that stay for what they belong with, beside the one that would be kept."""
    standing = held.filter(pl.col("pinned") & pl.col("stays"))
    keeper = pl.col("object_id").first().over("number")
    return (
        standing.with_columns(keeper_object_id=keeper)
        .filter(pl.col("object_id") != pl.col("keeper_object_id"))
        .select(
            "digest",
            "companion",
            "object_id",
            "keeper_object_id",
            keeper_digest="digest",
            tier=pl.lit(str(Tier.BYTES)),
            score=pl.lit(1.0, pl.Float32),
            reason=pl.lit(REASONS[Withhold.FAMILY]),
        )
        .select(WITHHELD.names)
    )
