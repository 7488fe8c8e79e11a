"""Why a group is one, and what stands between a file and the others: every match with its evidence, term by term.

Takes an open workspace and the name of a group or file, gives frames; reads the stores only, no file, and decides
nothing: groups are those of `list_groups`, weights those of the likelihood, bounds those of the rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeplens_kit.matching import KeepPolicy, Rule, with_context
from deeplens_kit.matching.score_terms import rulings, score_terms
from deeplens_kit.matching.view_words import relation_towards, seen_from_keeper, view_sentences
from deeplens_kit.pipeline.approvals import approvals_on
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.findings import GROUP_PICTURE_COLUMNS, GroupsView, list_groups
from deeplens_kit.pipeline.lost_tags import with_lost_tags
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.subjects import Subject, named
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import EXPLAINED, PAIRS, SCORE_TERMS, Relation, Tier

__all__ = ["Explanation", "explain"]

_ALIKE_SHOWN = 3
_EQUAL = "Equal bytes are proof: no bound is asked."
_RELATED = "it holds more than the two have in common"
_NEARBY = {
    str(Tier.SCENE): "it is alike, by the rule no copy",
    "": "it matches too, but one of the two goes for another keeper or is left out",
}
_STAND = ["standing", "object_id", "other_object_id"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why files are proposed, withheld, related or merely alike.

    Attributes:
        group_id: The group that was asked about; None for a file.
        file: The file that was asked about: location, path, object_id, digest, outcome, size_bytes, of its picture
            format, width_px, height_px and jpeg_quality, and of a failure code and message; None for a group.
        matches: EXPLAINED: by group with the keeper first, then what is withheld, related and alike, the strongest
            first.
        evidence: SCORE_TERMS of the matches that were looked at closely, the weightiest first.
        waiting: Approvals on its pictures that have no effect now, as `approvals_on` gives them.
        pictures: Pictures that are compared with each other in this workspace.
        rule: By which it was judged.
        current: False when pictures were indexed after the last matching: index again.
    """

    group_id: str | None
    file: Mapping[str, object] | None
    matches: pl.DataFrame
    evidence: pl.DataFrame
    waiting: pl.DataFrame
    pictures: int
    rule: Rule
    current: bool


def explain(
    workspace: Workspace,
    what: str,
    *,
    tiers: Iterable[Tier | str] | None = None,
    rule: Rule | None = None,
    include: Collection[Relation | str] = (),
    policy: KeepPolicy | str | Path | None = None,
) -> Explanation:
    """Explain a group or a file.

    Args:
        workspace: An open workspace.
        what: The id of a group, or as much of it as no other id begins with; "location:path" of an indexed file, or
            its path on this machine.
        tiers: As for `list_groups`.
        rule: As for `list_groups`.
        include: As for `list_groups`.
        policy: As for `list_groups`.

    Raises:
        UnknownNameError: There is no such group or file.
        SettingsError: It names several groups, or a file that no location lists.
    """
    # 1. The groups there are, and which of them or which file is meant.
    chosen, rule = None if tiers is None else list(tiers), chosen_rule(workspace, rule)
    view = list_groups(workspace, chosen, rule=rule, include=include, policy=policy)
    files = active_files(workspace)
    subject = named(what, view.groups["group_id"], files, workspace)
    # 2. The matches it has, as the commands list them.
    pictures = workspace.catalog.pictures(columns=GROUP_PICTURE_COLUMNS)
    pairs = PAIRS.filled(workspace.catalog.pairs())
    if subject.group_id is not None:
        listed = _of_groups(view.groups.filter(group_id=subject.group_id))
    else:
        listed = _of_file(subject, view, files, pairs)
    # 3. What the pair of each says, and its score term by term.
    found, evidence = _with_evidence(listed, pairs, pictures, rule)
    matches = with_lost_tags(workspace, _with_places(found, files))
    # 4. What people approved of it without effect.
    its = matches["digest"] if subject.object_id is None else files.filter(object_id=subject.object_id)["digest"]
    waiting = approvals_on(workspace.ledger.decisions(), view.approvals, files, its)
    return Explanation(
        subject.group_id,
        None if subject.object_id is None else _facts(workspace, files, subject.object_id),
        EXPLAINED.check(matches),
        SCORE_TERMS.check(evidence),
        waiting,
        pictures.height,
        rule,
        view.current,
    )


def _of_groups(groups: pl.DataFrame) -> pl.DataFrame:
    """Groups as matches of the members with their keepers."""
    keeper = [pl.col(name).filter("is_keeper").first().over("group_id") for name in ("object_id", "digest")]
    return groups.select(
        pl.when("is_keeper").then(pl.lit("keeper")).otherwise(pl.lit("member")).alias("standing"),
        "group_id",
        "object_id",
        pl.when(~pl.col("is_keeper")).then(keeper[0]).alias("other_object_id"),
        "digest",
        pl.when(~pl.col("is_keeper")).then(keeper[1]).alias("other_digest"),
        "tier",
        pl.col("relation").cast(pl.String),
        "score",
        "reason",
        "frees_bytes",
        companion=pl.lit(None, pl.String),
        loses="loses",
    )


def _of_file(subject: Subject, view: GroupsView, files: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Every standing of a file: in groups, in matches that are withheld or related, and what else is nearest to it."""
    object_id = str(subject.object_id)
    # What could not be read has no digest, and so no pair; it may be in a group with what it belongs with.
    digest = files.filter(object_id=object_id)["digest"][0] or ""
    # 1. Its groups: all of those that it is the keeper of, of others the keeper and itself.
    own = view.groups.filter(object_id=object_id)
    kept = own.filter("is_keeper")["group_id"]
    mine = view.groups.filter(
        pl.col("group_id").is_in(own["group_id"].implode())
        & (pl.col("is_keeper") | (pl.col("object_id") == object_id) | pl.col("group_id").is_in(kept.implode()))
    )
    # 2. A picture is told of by its best file: by pictures, but for equal files, which are told apart by name.
    withheld = view.withheld.filter(
        pl.when(pl.col("digest") == pl.col("keeper_digest"))
        .then((pl.col("object_id") == object_id) | (pl.col("keeper_object_id") == object_id))
        .otherwise((pl.col("digest") == digest) | (pl.col("keeper_digest") == digest))
    )
    related = view.related.filter((pl.col("digest") == digest) | (pl.col("other_digest") == digest))
    listed = pl.concat(
        [
            _of_groups(mine),
            withheld.sort("score", descending=True).select(
                pl.lit("withheld").alias("standing"),
                pl.lit(None, pl.String).alias("group_id"),
                "object_id",
                pl.col("keeper_object_id").alias("other_object_id"),
                "digest",
                pl.col("keeper_digest").alias("other_digest"),
                "tier",
                pl.lit(None, pl.String).alias("relation"),
                "score",
                "reason",
                pl.lit(0, pl.Int64).alias("frees_bytes"),
                "companion",
                pl.lit(None, pl.String).alias("loses"),
            ),
            related.select(
                pl.lit("related").alias("standing"),
                pl.lit(None, pl.String).alias("group_id"),
                "object_id",
                "other_object_id",
                "digest",
                "other_digest",
                "tier",
                "relation",
                "score",
                pl.lit(_RELATED).alias("reason"),
                pl.lit(0, pl.Int64).alias("frees_bytes"),
                pl.lit(None, pl.String).alias("companion"),
                pl.lit(None, pl.String).alias("loses"),
            ),
        ]
    )
    # 3. What is nearest to it of all that is neither told of nor a copy of the same keeper.
    keepers = view.groups.filter("is_keeper")
    its = keepers.filter(pl.col("group_id").is_in(own["group_id"].implode()))["digest"]
    stars = keepers.filter(pl.col("digest").is_in(its.implode()))["group_id"]
    beside = view.groups.filter(pl.col("group_id").is_in(stars.implode()))["digest"]
    told = pl.concat([listed["digest"], listed["other_digest"].drop_nulls(), beside])
    return pl.concat([listed, _nearest(object_id, digest, pairs, told, files)])


def _nearest(object_id: str, digest: str, pairs: pl.DataFrame, told: pl.Series, files: pl.DataFrame) -> pl.DataFrame:
    """The strongest pairs of a picture with others that were not told of yet, each with its first file by name."""
    is_a = pl.col("digest_a") == digest
    others = files.filter(pl.col("digest").is_not_null()).sort("location", "path").unique("digest", keep="first")
    near = (
        pairs.filter(is_a | (pl.col("digest_b") == digest))
        .with_columns(other_digest=pl.when(is_a).then("digest_b").otherwise("digest_a"))
        .filter(~pl.col("other_digest").is_in(told.implode()))
        .join(others.select(other_digest="digest", other_object_id="object_id"), on="other_digest")
        .sort("score", "other_digest", descending=[True, False])
        .head(_ALIKE_SHOWN)
    )
    return near.select(
        pl.lit("alike").alias("standing"),
        pl.lit(None, pl.String).alias("group_id"),
        pl.lit(object_id).alias("object_id"),
        "other_object_id",
        pl.lit(digest).alias("digest"),
        "other_digest",
        "tier",
        pl.lit(None, pl.String).alias("relation"),
        "score",
        pl.lit("").alias("reason"),
        pl.lit(0, pl.Int64).alias("frees_bytes"),
        pl.lit(None, pl.String).alias("companion"),
        pl.lit(None, pl.String).alias("loses"),
    )


def _with_evidence(
    listed: pl.DataFrame, pairs: pl.DataFrame, pictures: pl.DataFrame, rule: Rule
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The matches with what their pairs say, and SCORE_TERMS."""
    keyed = listed.with_row_index("at").with_columns(
        digest_a=pl.min_horizontal("digest", "other_digest"), digest_b=pl.max_horizontal("digest", "other_digest")
    )
    ends = keyed.filter(pl.col("digest") != pl.col("other_digest")).select(
        "at", "digest_a", "digest_b", standing="standing", other_is_b=pl.col("other_digest") == pl.col("digest_b")
    )
    told = with_context(pairs.join(ends, on=["digest_a", "digest_b"]), pictures, rule)
    told = told.hstack(rulings(told, rule).select(pl.all().name.prefix("now_")))
    views = told.select(*seen_from_keeper(pl.col("other_is_b")), "tier")
    told = told.with_columns(
        relation_towards(~pl.col("other_is_b")).alias("towards"),
        seen=view_sentences(views, "the other"),
    )
    known = keyed.join(
        told.select("at", "seen", "towards", pl.col("^now_.*$")), on="at", how="left", maintain_order="left"
    )
    alike = pl.col("standing") == "alike"
    proven = pl.col("tier") == Tier.BYTES
    matches = known.with_columns(
        tier=pl.when(alike).then("now_tier").otherwise("tier"),
        score=pl.when(alike).then("now_score").otherwise("score"),
        relation=pl.coalesce("relation", "towards", pl.when(proven).then(pl.lit(str(Relation.WHOLE)))),
    ).with_columns(
        reason=pl.when(alike)
        .then(pl.col("tier").replace_strict(_NEARBY, default=_NEARBY[""], return_dtype=pl.String))
        .otherwise("reason"),
        ruled=pl.when(pl.col("standing") == "keeper")
        .then(pl.lit(""))
        .otherwise(pl.coalesce("now_ruled", pl.when(proven).then(pl.lit(_EQUAL)), pl.lit(""))),
        likelihood="now_likelihood",
        bound="now_bound",
    )
    weighed = told.filter(pl.col("now_tier") != Tier.PIXELS)
    named_by = weighed.select("at").with_row_index("row").join(keyed.select("at", *_STAND[1:]), on="at")
    terms = score_terms(weighed).join(named_by, on="row", maintain_order="left")
    evidence = terms.sort("at", maintain_order=True).select(SCORE_TERMS.names)
    return matches, evidence


def _with_places(matches: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    places = files.select("object_id", "location", "path", "size_bytes")
    others = places.select(other_object_id="object_id", other_location="location", other_path="path")
    return (
        matches.join(places, on="object_id", how="left", maintain_order="left")
        .join(others, on="other_object_id", how="left", maintain_order="left")
        .select(EXPLAINED.names)
    )


def _facts(workspace: Workspace, files: pl.DataFrame, object_id: str) -> dict[str, object]:
    """What is known of a file: of its picture too, and why it was not analysed."""
    row = files.filter(object_id=object_id).row(0, named=True)
    facts = {name: row[name] for name in ("location", "path", "object_id", "digest", "outcome", "size_bytes")}
    columns = ["format", "width_px", "height_px", "jpeg_quality"]
    known = [] if row["digest"] is None else workspace.catalog.pictures([row["digest"]], columns).rows(named=True)
    failures = workspace.catalog.failures(row["location_id"]).filter(object_id=object_id).select("code", "message")
    facts |= known[0] if known else dict.fromkeys(columns)
    return facts | (failures.row(0, named=True) if failures.height else {"code": None, "message": None})
