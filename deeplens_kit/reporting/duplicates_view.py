"""What the page of duplicates says, as frozen values: described here, drawn elsewhere.

Takes the frames of an answer, gives a view with every text that the page shows; must not make HTML, open a file or
load a picture. Groups come by the bytes they free, keepers first; what the page has no room for is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from deeplens_kit.matching.relations import LOOK_FIRST
from deeplens_kit.reporting.coverage_view import CoverageLine, ReasonLine, describe_outcomes, describe_reasons
from deeplens_kit.reporting.evidence_words import evidence_lines, picture_facts, with_view_words
from deeplens_kit.reporting.related_view import RegionView, RelatedView, region_of, related_views, shape_of
from deeplens_kit.reporting.totals import CoverageTotals, Totals, add_up_coverage, add_up_groups, removable
from deeplens_kit.reporting.words import (
    relation_words,
    score_words,
    tier_words,
    withheld_words,
)
from deeplens_kit.schemas import RELATED, Tier, tier_strength
from deeplens_kit.storage.paths import display_path

__all__ = [
    "MAX_GROUPS",
    "MAX_PICTURES",
    "CoverageLine",
    "DuplicatesFrames",
    "DuplicatesView",
    "GroupView",
    "MemberView",
    "PictureView",
    "ReasonLine",
    "SavingLine",
    "WithheldView",
    "describe_duplicates",
    "describe_groups",
    "ranked_groups",
]

# A page of 200 groups is about 5 MB with its thumbnails and opens at once; all groups are in the CSV.
MAX_GROUPS = 200
MAX_PICTURES = 12
_MAX_MEMBERS_PER_PICTURE = 25
_MAX_WITHHELD = 50


@dataclass(frozen=True, slots=True)
class DuplicatesFrames:
    """The frames of an answer.

    Attributes:
        groups: GROUPS with the column location.
        withheld: WITHHELD.
        pairs: PAIRS, or the columns of it that hold the evidence: digest_a, digest_b and the scores per feature.
        pictures: Columns digest, format, width_px, height_px, jpeg_quality of the pictures that are named.
        places: Columns object_id, location, path of the objects that withheld matches name.
        coverage: COVERAGE with the column location.
        failures: FAILURES with the column location.
        related: RELATED.
    """

    groups: pl.DataFrame
    withheld: pl.DataFrame
    pairs: pl.DataFrame
    pictures: pl.DataFrame
    places: pl.DataFrame
    coverage: pl.DataFrame
    failures: pl.DataFrame
    related: pl.DataFrame = field(default_factory=RELATED.empty)


@dataclass(frozen=True, slots=True)
class MemberView:
    """One object of a group."""

    location: str
    folder: str
    name: str
    size_bytes: int
    frees_bytes: int
    is_keeper: bool
    tier: str
    reason: str


@dataclass(frozen=True, slots=True)
class PictureView:
    """The objects of a group that hold one picture, with the evidence that ties it to the keeper.

    Attributes:
        look_first: What to look at before acting on it; empty where that is not asked for.
        regions: Where its view matches: of a member the keeper's, of the keeper those of the members shown.
        shape: Width over height, None where that is not known.
    """

    digest: str
    title: str
    facts: str
    has_keeper: bool
    tier: str
    tier_says: str
    relation: str
    relation_says: str
    look_first: str
    score: float
    score_says: str
    evidence: tuple[str, ...]
    regions: tuple[RegionView, ...]
    shape: float | None
    members: tuple[MemberView, ...]
    hidden_members: int


@dataclass(frozen=True, slots=True)
class GroupView:
    """A keeper and what its group would remove."""

    group_id: str
    title: str
    location: str
    tiers: tuple[str, ...]
    removable: int
    frees_bytes: int
    gross_bytes: int
    pictures: tuple[PictureView, ...]
    hidden_pictures: int


@dataclass(frozen=True, slots=True)
class WithheldView:
    """A match that is not proposed, and why."""

    keeper_digest: str
    keeper: str
    digest: str
    name: str
    tier: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class SavingLine:
    """Removable objects of one location and tier."""

    location: str
    tier: str
    objects: int
    gross_bytes: int
    realisable_bytes: int


@dataclass(frozen=True, slots=True)
class DuplicatesView:
    """Everything that the page shows."""

    workspace: str
    made_at: datetime
    version: str
    notes: tuple[str, ...]
    totals: Totals
    coverage: CoverageTotals
    outcomes: tuple[CoverageLine, ...]
    reasons: tuple[ReasonLine, ...]
    savings: tuple[SavingLine, ...]
    groups: tuple[GroupView, ...]
    groups_in_all: int
    withheld: tuple[WithheldView, ...]
    withheld_in_all: int
    related: tuple[RelatedView, ...]
    related_in_all: int


def describe_duplicates(
    frames: DuplicatesFrames,
    *,
    workspace: str,
    made_at: datetime,
    version: str,
    notes: Sequence[str] = (),
    max_groups: int = MAX_GROUPS,
    max_pictures: int = MAX_PICTURES,
) -> DuplicatesView:
    """Describe an answer for the page.

    Args:
        frames: The answer.
        workspace: What to call the workspace.
        made_at: When the answer was given, with a zone.
        version: Of DeepLens.
        notes: Sentences on what the answer does not cover, for example locations that could not be indexed.
        max_groups: Groups that the page shows; those that free most come first.
        max_pictures: Pictures of a group that the page shows, the keeper's first.
    """
    ranked = ranked_groups(frames.groups)
    shown = ranked.head(max_groups)
    return DuplicatesView(
        workspace=workspace,
        made_at=made_at,
        version=version,
        notes=tuple(notes),
        totals=add_up_groups(frames.groups),
        coverage=add_up_coverage(frames.coverage),
        outcomes=describe_outcomes(frames.coverage),
        reasons=describe_reasons(frames.coverage, frames.failures),
        savings=_savings(frames.groups),
        groups=_groups(frames, shown, max_pictures),
        groups_in_all=ranked.height,
        withheld=_withheld(frames),
        withheld_in_all=frames.withheld.height,
        related=related_views(frames.related, frames.pairs, frames.pictures, _names(frames.places)),
        related_in_all=frames.related.height,
    )


def describe_groups(frames: DuplicatesFrames, *, max_pictures: int = MAX_PICTURES) -> tuple[GroupView, ...]:
    """The groups of an answer alone, as `describe_duplicates` has them: what a page of them needs, and no more.

    Args:
        frames: The answer; its groups, pairs and pictures count.
        max_pictures: Pictures of a group that are described, the keeper's first.
    """
    return _groups(frames, ranked_groups(frames.groups), max_pictures)


def ranked_groups(groups: pl.DataFrame) -> pl.DataFrame:
    """Groups in the order in which they are shown: group_id, frees, gross, removable; what frees most comes first."""
    return (
        groups.group_by("group_id")
        .agg(
            frees=pl.col("frees_bytes").sum(),
            gross=pl.col("size_bytes").filter(~pl.col("is_keeper")).sum(),
            removable=(~pl.col("is_keeper")).sum(),
        )
        .sort("frees", "gross", "group_id", descending=[True, True, False])
    )


def _groups(frames: DuplicatesFrames, shown: pl.DataFrame, max_pictures: int) -> tuple[GroupView, ...]:
    rows = frames.groups.join(shown.select("group_id"), on="group_id", how="semi")
    # Sorted once: of a page of small groups most of the time would go into beginning to sort.
    rows = rows.sort("is_keeper", "score", "location", "path", descending=[True, True, False, False])
    by_group: dict[str, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        by_group.setdefault(row["group_id"], []).append(row)
    digests = rows["digest"].unique().implode()
    near = frames.pairs.filter(pl.col("digest_a").is_in(digests) & pl.col("digest_b").is_in(digests))
    pairs = {(row["digest_a"], row["digest_b"]): row for row in with_view_words(near).iter_rows(named=True)}
    facts = {row["digest"]: row for row in frames.pictures.iter_rows(named=True)}
    return tuple(
        _group(total, by_group[total["group_id"]], pairs, facts, max_pictures) for total in shown.iter_rows(named=True)
    )


def _group(
    total: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    pairs: Mapping[tuple[str, str], Mapping[str, Any]],
    facts: Mapping[str, Mapping[str, Any]],
    max_pictures: int,
) -> GroupView:
    keeper = rows[0]
    by_digest: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_digest.setdefault(row["digest"], []).append(row)
    shown = list(by_digest.values())[:max_pictures]
    others = [members[0] for members in shown if members[0]["digest"] != keeper["digest"]]
    pictures = [_picture(keeper, members, others, pairs, facts) for members in shown]
    return GroupView(
        group_id=total["group_id"],
        title=_split(keeper["path"])[1],
        location=display_path(keeper["location"]),
        tiers=tuple(str(tier) for tier in Tier if any(row["tier"] == tier and not row["is_keeper"] for row in rows)),
        removable=total["removable"],
        frees_bytes=total["frees"],
        gross_bytes=total["gross"],
        pictures=tuple(pictures),
        hidden_pictures=len(by_digest) - len(pictures),
    )


def _picture(
    keeper: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    others: Sequence[Mapping[str, Any]],
    pairs: Mapping[tuple[str, str], Mapping[str, Any]],
    facts: Mapping[str, Mapping[str, Any]],
) -> PictureView:
    first, digest = rows[0], rows[0]["digest"]
    beside = [keeper] if digest != keeper["digest"] else others
    known = [(row, pairs.get(_ends(digest, row["digest"]))) for row in beside]
    regions = (
        region_of(pair, digest, matches=_split(row["path"])[1])
        for row, pair in known
        if pair is not None and row["tier"] != Tier.BYTES
    )
    pair = pairs.get(_ends(digest, keeper["digest"]))
    evidence = tuple(evidence_lines(pair, digest)) if pair is not None and digest != keeper["digest"] else ()
    if first["loses"]:
        evidence += (f"it alone tells {first['loses']}",)
    return PictureView(
        digest=digest,
        title=_split(first["path"])[1],
        facts=picture_facts(facts[digest]) if digest in facts else "",
        has_keeper=first["is_keeper"],
        tier=first["tier"],
        tier_says=tier_words(first["tier"]),
        relation=first["relation"],
        relation_says=relation_words(first["relation"]),
        look_first="" if first["is_keeper"] else LOOK_FIRST.get(first["relation"], ""),
        score=first["score"],
        score_says=score_words(first["score"]),
        evidence=evidence,
        regions=tuple(region for region in regions if region is not None),
        shape=shape_of(facts.get(digest)),
        members=tuple(_member(row) for row in rows[:_MAX_MEMBERS_PER_PICTURE]),
        hidden_members=max(0, len(rows) - _MAX_MEMBERS_PER_PICTURE),
    )


def _member(row: Mapping[str, Any]) -> MemberView:
    folder, name = _split(row["path"])
    return MemberView(
        location=display_path(row["location"]),
        folder=folder,
        name=name,
        size_bytes=row["size_bytes"],
        frees_bytes=row["frees_bytes"],
        is_keeper=row["is_keeper"],
        tier=row["tier"],
        reason=row["reason"],
    )


def _split(path: str) -> tuple[str, str]:
    """Folder with its last '/', and name, as they can be shown."""
    folder, slash, name = path.rpartition("/")
    return display_path(folder) + slash, display_path(name)


def _ends(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)


def _names(places: pl.DataFrame) -> dict[str, str]:
    """Location and path of the objects, by id, as they can be shown."""
    return {
        object_id: f"{display_path(location)}: {display_path(path)}"
        for object_id, location, path in places.select("object_id", "location", "path").iter_rows()
    }


def _withheld(frames: DuplicatesFrames) -> tuple[WithheldView, ...]:
    names = _names(frames.places)
    order = ["score", "keeper_digest", "digest", "object_id"]
    strongest = frames.withheld.sort(order, descending=[True, False, False, False])
    return tuple(
        WithheldView(
            keeper_digest=row["keeper_digest"],
            keeper=names.get(row["keeper_object_id"], row["keeper_digest"]),
            digest=row["digest"],
            name=names.get(row["object_id"], row["digest"]),
            tier=row["tier"],
            score=row["score"],
            reason=withheld_words(row["reason"], row["companion"] and display_path(row["companion"])),
        )
        for row in strongest.head(_MAX_WITHHELD).iter_rows(named=True)
    )


def _savings(groups: pl.DataFrame) -> tuple[SavingLine, ...]:
    lines = (
        removable(groups)
        .group_by("location", "tier")
        .agg(objects=pl.len(), gross=pl.col("size_bytes").sum(), realisable=pl.col("frees_bytes").sum())
        .sort("realisable", "location", tier_strength(), descending=[True, False, False])
    )
    return tuple(
        SavingLine(display_path(row["location"]), row["tier"], row["objects"], row["gross"], row["realisable"])
        for row in lines.iter_rows(named=True)
    )
