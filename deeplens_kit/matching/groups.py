"""Groups: stars of a keeper and the objects that are copies of that very keeper.

Takes objects, pictures and the stored pairs, and a rule; gives the groups, and apart from them what matches a keeper
but is not proposed because it may be worth more. Must not search for pairs or touch files. Nobody is in a group
because of a chain: every member's own evidence against its own keeper meets the rule. What belongs together (a
family) stays or goes together: a picture with companions is proposed only where all of them are there a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.approvals import approvals_of
from deeplens_kit.matching.decisions import Decisions, decided_codes
from deeplens_kit.matching.equal_samples import mark_sources
from deeplens_kit.matching.family_copies import FamilyStanding, family_standing, with_standing
from deeplens_kit.matching.hubs import CROWD_PICTURES, crowded_members
from deeplens_kit.matching.judged_copies import judged_copies
from deeplens_kit.matching.keep_order import KEEP_FACTS, is_protected, keeper_order
from deeplens_kit.matching.keep_policy import DEFAULT_POLICY, KeepPolicy
from deeplens_kit.matching.keeper_words import keeper_reasons, losses
from deeplens_kit.matching.policy import Withhold, withhold_codes
from deeplens_kit.matching.related import related_copies
from deeplens_kit.matching.relations import allowed_relations, mark_foreign, mark_tilted, relation_codes, same_view
from deeplens_kit.matching.rules import Rule
from deeplens_kit.matching.sentences import member_sentences
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.matching.upscales import mark_outdone, oriented, with_resolution
from deeplens_kit.matching.view_words import VIEW_COLUMNS, relation_towards
from deeplens_kit.matching.withheld import equal_files_stay, withheld_copies, withheld_equal
from deeplens_kit.schemas import GROUPS, WITHHELD, Relation, Tier

__all__ = ["OBJECT_COLUMNS", "Grouping", "freed_bytes", "group", "held_objects", "with_sizes"]

OBJECT_COLUMNS = (
    *("object_id", "location_id", "path", "digest", "size_bytes", "modified_at", "link_id", "link_count", "location"),
    *("kind", *KEEP_FACTS),
)
"""Columns of objects that are looked at once it is known which of them are families; `kind` for `KindSums` alone."""

_ENDS = ["digest_a", "digest_b"]
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
        approvals: APPROVALS: what became of each.
    """

    groups: pl.DataFrame
    withheld: pl.DataFrame
    related: pl.DataFrame
    approvals: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Stars:
    """Which picture stays for which, by number in keeper order.

    Attributes:
        keeper: int64 (n,), the keeper of each picture or -1.
        link: int64 (n,), row of `edges` by which it was taken or -1.
        aside: bool (n,), what was taken with a crowd, and is set aside for a person.
        edges: low, high (numbers), code (`Withhold`), approved (by a person, that `high` goes for `low`), decided_at,
            towards (the relation of `high` to `low`) and the evidence.
    """

    keeper: NDArray[np.int64]
    link: NDArray[np.int64]
    aside: NDArray[np.bool_]
    edges: pl.DataFrame

    @property
    def taken(self) -> NDArray[np.bool_]:
        """bool (n,), pictures that are proposed for another one."""
        return (self.keeper >= 0) & ~self.aside


def group(
    objects: pl.DataFrame,
    pictures: pl.DataFrame,
    pairs: pl.DataFrame | Callable[[], pl.DataFrame],
    rule: Rule,
    tiers: Collection[Tier | str] | None = None,
    *,
    include: Collection[Relation | str] = (),
    policy: KeepPolicy = DEFAULT_POLICY,
    decisions: pl.DataFrame | None = None,
    crowd_pictures: int = CROWD_PICTURES,
) -> Grouping:
    """Make stars around keepers.

    Args:
        objects: OBJECTS of any outcome: those without a picture may be companions of others. A further column
            `location` (the name) orders before the path; `place` is as for `find_families`, and those of `KEEP_FACTS`
            that there are are for the policy.
        pictures: `digest` and what there is of `policy.POLICY_COLUMNS` and `rules.CONTEXT_COLUMNS`.
        pairs: PAIRS, or what reads them: then they are given back once it is known which of them are copies. Judged
            by `rule`, not by the tier they were stored with, unless that is `pixels`: equal samples are proof, whatever
            the bounds.
        rule: The bounds.
        tiers: Tiers to propose from: `bytes`, `pixels` and `copy`; None for those of the rule. `scene` is never
            proposed.
        include: Relations of a member to its keeper that are proposed besides the default ones: of
            `relations.INCLUDABLE`.
        policy: Which of a picture's copies stays. Whichever it is, what may not go for that one is withheld.
        decisions: DECISIONS, which hold whatever the rule says; None for none.
        crowd_pictures: Pictures that a keeper may take by the rule; with more of them all but the approved ones are
            withheld. 0 for no bound.

    Raises:
        UnknownNameError: A relation that cannot be included.
    """
    allowed, decided = allowed_relations(include), Decisions.of(decisions)
    chosen = {Tier(tier) for tier in (rule.tiers if tiers is None else tiers)}
    # 1. The objects in keeper order; a picture is represented by its best object.
    known = pairs if isinstance(pairs, pl.DataFrame) else pairs()
    stored = known.select(_ENDS).join(decided.pairs, on=_ENDS, how="semi")
    known = decided.on_pairs(known)
    pictures = mark_foreign(with_resolution(with_sizes(pictures, objects), same_view(known)), known, allowed)
    pictures = mark_tilted(mark_sources(pictures, known), known)
    copies = judged_copies(objects, pictures, known, rule, chosen)
    del known, pairs
    families = family_standing(objects, pictures["digest"], decided.staying)
    held = keeper_order(held_objects(objects, mark_outdone(pictures, same_view(copies)), families), policy)
    held = decided.on_pictures(held)
    ranked = held.unique("digest", keep="first", maintain_order=True).with_row_index("number")
    held = held.with_row_index("rank").join(
        ranked.select("digest", pl.col("number").cast(pl.Int64)), on="digest", maintain_order="left"
    )
    # 2. Stars of pictures.
    found = _stars(ranked, copies, allowed, crowd_pictures)
    # 3. Objects to their groups: by their picture's star, else to the best object of their own picture.
    rows = _rows(held, found, chosen)
    groups = _described(rows, held, found.edges, policy)
    withheld = [withheld_copies(ranked, found.edges, found.keeper)]
    # 4. What is not told by pictures: files that go with their families, and equal files that do not.
    if Tier.BYTES in chosen:
        groups = pl.concat([groups, companion_groups(families)]).sort("group_id", maintain_order=True)
        withheld.append(withheld_equal(held))
    return Grouping(
        GROUPS.check(groups),
        WITHHELD.check(pl.concat(withheld).sort("keeper_digest", "digest", "object_id")),
        related_copies(ranked, found.edges, found.keeper),
        approvals_of(decisions, ranked, found.edges, (found.keeper, found.aside), stored, policy.name),
    )


def held_objects(objects: pl.DataFrame, pictures: pl.DataFrame, families: FamilyStanding) -> pl.DataFrame:
    """The objects that hold a picture, with its traits and where their families stand.

    Args:
        objects: As for `group`.
        pictures: As for `group`, with the column `outdone`.
        families: Of these objects.
    """
    held = objects.filter(pl.col("digest").is_not_null()).with_columns(protected=is_protected(objects.columns))
    pictures = with_sizes(pictures, objects)
    kept = [name for name in OBJECT_COLUMNS if name in held.columns]
    traits = picture_traits(pictures).drop("size_bytes")
    return with_standing(held.select(kept).join(traits, on="digest"), families)


def with_sizes(pictures: pl.DataFrame, objects: pl.DataFrame) -> pl.DataFrame:
    """The pictures with `size_bytes`, that of the objects that hold them where it was not there."""
    if "size_bytes" in pictures.columns:
        return pictures
    sizes = objects.filter(pl.col("digest").is_not_null()).select("digest", "size_bytes").unique("digest", keep="any")
    return pictures.join(sizes, on="digest", how="left", maintain_order="left")


def _stars(ranked: pl.DataFrame, copies: pl.DataFrame, allowed: frozenset[str], crowd_pictures: int) -> _Stars:
    from deeplens_kit.matching.star_kernels import stars

    edges = _edges(ranked, copies)
    low, high = edges["low"].to_numpy(), edges["high"].to_numpy()
    resolution = oriented(edges["ratio"].to_numpy(), edges["swapped"].to_numpy())
    same = (edges["tier"] == Tier.PIXELS).to_numpy()
    codes = withhold_codes(ranked, low, high, resolution, same)
    pinned = ranked["pinned"].to_numpy()[high]
    codes[pinned] = Withhold.FAMILY
    protected = ranked["protected"].to_numpy()[high]
    codes[protected] = Withhold.PROTECTED
    foreign = edges["foreign"].fill_null(0.0).to_numpy()
    codes = relation_codes(codes, ranked, low, high, resolution, edges["towards"], foreign, allowed)
    approved, alone = edges["approved"].to_numpy(), ranked["alone"].to_numpy()[high]
    codes = decided_codes(codes, pinned, approved & ~protected, edges["kept"].to_numpy(), alone)
    at = (
        pl.when(pl.col("code") == int(Withhold.NEVER_PROPOSE))
        .then(ranked["alone_at"].gather(high))
        .otherwise("decided_at")
    )
    starts = np.searchsorted(low, np.arange(ranked.height + 1))
    keeper, link = stars(starts, high, codes)
    aside = crowded_members(keeper, (keeper >= 0) & ~_by_link(same, link), _by_link(approved, link), crowd_pictures)
    codes[link[aside]] = Withhold.CROWD
    return _Stars(
        keeper, link, aside, edges.with_columns(code=pl.Series(codes, dtype=pl.Int8)).with_columns(decided_at=at)
    )


def _by_link(said: NDArray[np.bool_], link: NDArray[np.int64]) -> NDArray[np.bool_]:
    """What is said of the edge by which each picture was taken; False where none was."""
    return np.append(said, False)[link]


def _edges(ranked: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    """The copy pairs by number, the better picture as `low`; of what was only approved, what was approved so."""
    number = ranked.select("digest", pl.col("number").cast(pl.Int64))
    return (
        copies.join(number, left_on="digest_a", right_on="digest")
        .join(number, left_on="digest_b", right_on="digest", suffix="_b")
        .filter(pl.col("number") != pl.col("number_b"))
        .select(
            pl.min_horizontal("number", "number_b").alias("low"),
            pl.max_horizontal("number", "number_b").alias("high"),
            *_EDGE_COLUMNS,
            "kept",
            "decided_at",
            "ruled",
            approved=pl.when(pl.col("number") > pl.col("number_b")).then("approved_a").otherwise("approved_b"),
            ratio=pl.col("resolution").cast(pl.Float32).fill_null(float("nan")),
            # The better picture, which would be the keeper, is b.
            swapped=pl.col("number") > pl.col("number_b"),
            towards=relation_towards(pl.col("number") < pl.col("number_b")),
        )
        .filter(pl.col("ruled") | pl.col("approved"))
        .unique(["low", "high"], keep="any")
        .sort("low", "high")
    )


def _rows(held: pl.DataFrame, found: _Stars, tiers: set[Tier]) -> pl.DataFrame:
    """One row per object and group: rank, number, keeper_rank, keeper_digest, tier, link, is_keeper."""
    first = held.unique("number", keep="first", maintain_order=True).select("number", "rank", "digest")
    best, digest = first["rank"].to_numpy(), first["digest"]
    number, rank = held["number"].to_numpy(), held["rank"].to_numpy()
    taken = found.taken[number]
    may_go = ~equal_files_stay(held).to_numpy()
    again = ~taken & (rank != best[number]) & may_go & (Tier.BYTES in tiers)
    star = np.where(taken, found.keeper[number], number)
    same = taken & _by_link((found.edges["tier"] == Tier.PIXELS).to_numpy(), found.link)[number]
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


def _described(rows: pl.DataFrame, held: pl.DataFrame, edges: pl.DataFrame, policy: KeepPolicy) -> pl.DataFrame:
    """The rows of GROUPS: names, evidence, what removal frees, and the sentence."""
    freed = freed_bytes(held, rows.filter(~pl.col("is_keeper"))["rank"].to_numpy())
    links = rows["link"].filter(rows["link"] >= 0).unique().sort()
    taken = edges[links]
    evidence = taken.with_columns(sentence=member_sentences(taken), link=links.cast(pl.UInt32)).select(
        "score", "link", relation="towards", sentence=_with_approval(pl.col("sentence"))
    )
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
        .then(keeper_reasons(described, held, policy))
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
        loses=losses(described, held),
    ).select(GROUPS.names)


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
            loses=pl.lit(None, pl.String),
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


def _with_approval(sentence: pl.Expr) -> pl.Expr:
    """What is evidence for members, and before it who approved them."""
    approved = pl.format("a person approved it on {}", pl.col("decided_at").dt.strftime("%Y-%m-%d"))
    said = pl.concat_str(approved, pl.when(sentence != "").then(sentence), separator="; ", ignore_nulls=True)
    return pl.when("approved").then(said).otherwise(sentence)
