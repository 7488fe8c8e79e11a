"""What a workspace has found: frames for people and programs, read from the stores.

Takes an open workspace, gives frames with the names of locations; must not write, and reads no object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeplens_kit.catalog.freed_memory import give_back
from deeplens_kit.matching import (
    CONTEXT_COLUMNS,
    POLICY_COLUMNS,
    TOLD_COLUMNS,
    Grouping,
    KeepPolicy,
    PolicyComparison,
    Rule,
    compare_groupings,
    group,
)
from deeplens_kit.pipeline.file_listing import active_files, indexed_files, placed_files
from deeplens_kit.pipeline.graph import floor_of, is_current
from deeplens_kit.pipeline.keep_facts import with_keep_facts
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.priced_savings import savings_of_groups
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import PAIRS, Relation, Tier

__all__ = [
    "ALL_PAIRS_LIMIT",
    "GROUP_OBJECT_COLUMNS",
    "GROUP_PICTURE_COLUMNS",
    "GroupsView",
    "compare_policies",
    "coverage",
    "group_files",
    "list_failures",
    "list_groups",
    "list_objects",
    "list_pairs",
    "summarise_savings",
]

# Objects with equal bytes are listed pair by pair up to this many (4,950 pairs), beyond it each against the first; and
# of two alike pictures so many objects each are paired. Equal bytes are equal to all that one of them is alike to, so
# nothing is lost, and ten thousand equal icons do not make fifty million rows.
ALL_PAIRS_LIMIT = 100

GROUP_PICTURE_COLUMNS = list(dict.fromkeys(["digest", *POLICY_COLUMNS, *CONTEXT_COLUMNS, *TOLD_COLUMNS]))
"""Columns of `pictures` that grouping looks at."""

GROUP_OBJECT_COLUMNS = [
    *("object_id", "location_id", "path", "digest", "size_bytes", "modified_at", "link_id", "link_count"),
    "storage_class",
]
"""Columns of `objects` that grouping and keep policies look at."""

# What grouping does not look at: a third of what a pair takes.
_NOT_GROUPED_BY = ("transform", "sscd_normalised", "sscd_region", "found_by", "run_id")
_PAIR_COLUMNS = [name for name in PAIRS.names if name not in _NOT_GROUPED_BY]
_PRIVATE_COLUMNS = ["gps_latitude", "gps_longitude"]
_NO_EVIDENCE = ("digest_a", "digest_b", "tier", "relation", "score", "run_id")
_EVIDENCE = [name for name in PAIRS.names if name not in _NO_EVIDENCE]
# What pairs of equal bytes are known to have without a look.
_OF_EQUAL_BYTES: dict[str, object] = {
    "phash_distance": 0,
    "pdq_distance": 0,
    "orientation": 0,
    "found_by": "",
    "hub": False,
}


@dataclass(frozen=True, slots=True)
class GroupsView:
    """Groups and what was left out of them.

    Attributes:
        groups: GROUPS with the column `location`, the name.
        withheld: WITHHELD.
        related: RELATED: what matches in part and is not proposed, a collage and what is in it.
        approvals: APPROVALS: which approvals wait, and for what.
        current: False when pictures were indexed after the last matching: index again.
    """

    groups: pl.DataFrame
    withheld: pl.DataFrame
    related: pl.DataFrame
    approvals: pl.DataFrame
    current: bool


def list_objects(workspace: Workspace, *, private: bool = False) -> pl.DataFrame:
    """Every object with its location's name and its picture's facts.

    Args:
        workspace: An open workspace.
        private: Also where pictures were taken (GPS).
    """
    pictures = workspace.catalog.pictures()
    if not private:
        pictures = pictures.drop(_PRIVATE_COLUMNS)
    pictures = pictures.drop("size_bytes", "run_id")
    return (
        workspace.catalog.objects()
        .join(workspace.location_names(), on="location_id", how="left")
        .join(pictures, on="digest", how="left")
        .sort("location", "path")
    )


def list_failures(workspace: Workspace) -> pl.DataFrame:
    """Every object and folder that could not be analysed: FAILURES with the column `location`."""
    failures = workspace.catalog.failures().join(workspace.location_names(), on="location_id", how="left")
    return failures.sort("location", "path")


def coverage(workspace: Workspace) -> pl.DataFrame:
    """What became of every object: COVERAGE with the column `location`."""
    codes = workspace.catalog.failures().select("object_id", "code")
    return (
        workspace.catalog.objects(columns=["object_id", "location_id", "size_bytes", "outcome"])
        .join(codes, on="object_id", how="left")
        .group_by("location_id", "outcome", pl.col("code").fill_null(""))
        .agg(objects=pl.len().cast(pl.Int64), bytes=pl.col("size_bytes").sum())
        .join(workspace.location_names(), on="location_id", how="left")
        .sort("location", "outcome", "code")
    )


def list_pairs(
    workspace: Workspace,
    tiers: Iterable[Tier | str] | None = None,
    *,
    relations: Iterable[Relation | str] | None = None,
) -> pl.DataFrame:
    """Pairs of objects with their scores, strongest first.

    Args:
        workspace: An open workspace.
        tiers: Tiers to list; None for all.
        relations: Relations to list, as a stands to b; None for all.

    Returns:
        Columns path_a, location_a, path_b, location_b, score, tier, relation, the evidence as PAIRS has it, digest_a,
        digest_b. Objects with equal bytes are pairs of tier `bytes`.
    """
    chosen = {Tier(tier) for tier in tiers} if tiers is not None else set(Tier)
    places = indexed_files(workspace).select("digest", "path", "location").sort("digest", "location", "path")
    pairs = workspace.catalog.pairs().filter(pl.col("tier").is_in([str(tier) for tier in chosen]))
    few = places.filter(pl.int_range(pl.len()).over("digest") < ALL_PAIRS_LIMIT)
    similar = pairs.join(few, left_on="digest_a", right_on="digest").join(
        few, left_on="digest_b", right_on="digest", suffix="_b"
    )
    parts = [similar.rename({"path": "path_a", "location": "location_a"})]
    if Tier.BYTES in chosen:
        parts.append(_equal_pairs(places))
    columns = ["path_a", "location_a", "path_b", "location_b", "score", "tier", "relation", *_EVIDENCE]
    listed = pl.concat([part.select(*columns, "digest_a", "digest_b") for part in parts])
    if relations is not None:
        listed = listed.filter(pl.col("relation").is_in([str(Relation(name)) for name in relations]))
    return listed.sort("score", "digest_a", "digest_b", "path_a", "path_b", descending=[True, *[False] * 4])


def _equal_pairs(places: pl.DataFrame) -> pl.DataFrame:
    numbered = places.with_columns(number=pl.int_range(pl.len()).over("digest"), count=pl.len().over("digest")).filter(
        pl.col("count") > 1
    )
    first = numbered.filter((pl.col("count") <= ALL_PAIRS_LIMIT) | (pl.col("number") == 0))
    both = first.join(numbered, on="digest", suffix="_b").filter(pl.col("number") < pl.col("number_b"))
    return both.select(
        path_a="path",
        location_a="location",
        path_b="path_b",
        location_b="location_b",
        score=pl.lit(1.0, pl.Float32),
        tier=pl.lit(str(Tier.BYTES)),
        relation=pl.lit(str(Relation.WHOLE)),
        **{name: pl.lit(_OF_EQUAL_BYTES.get(name), PAIRS.polars[name]) for name in _EVIDENCE},
        digest_a="digest",
        digest_b="digest",
    )


def list_groups(
    workspace: Workspace,
    tiers: Iterable[Tier | str] | None = None,
    *,
    rule: Rule | None = None,
    include: Collection[Relation | str] = (),
    policy: KeepPolicy | str | Path | None = None,
) -> GroupsView:
    """Groups around keepers, from the stored pairs by a rule and by what people decided; no file is touched.

    Args:
        workspace: An open workspace.
        tiers: Tiers to propose from; None for those of the rule. `scene` is never proposed.
        rule: The bounds, for example `Thresholds(likelihood_min=0.95).rule()`; None for the rule in use.
        include: Relations of a member to its keeper that are proposed besides `whole` and `part`: `composite` (one of
            the two holds foreign content), `contains` (the member shows more). Look at each before you act.
        policy: Which of the copies stays, as for `chosen_policy`; None for the policy in use.

    Raises:
        SettingsError: The rule is looser than the floor of the stored pairs, or the policy cannot be read.
        UnknownNameError: A relation that cannot be included, or a policy that there is none of.
    """
    rule = chosen_rule(workspace, rule)
    floor_of(workspace).refuse_looser(rule)
    keep = chosen_policy(workspace, policy)
    files = placed_files(workspace, GROUP_OBJECT_COLUMNS)
    pictures = workspace.catalog.pictures(columns=GROUP_PICTURE_COLUMNS)
    chosen = {Tier(tier) for tier in tiers} if tiers is not None else None

    def pairs() -> pl.DataFrame:
        # Of a million pictures they are a gigabyte: what reading took besides is given back before they are used.
        give_back()
        read = workspace.catalog.pairs(_PAIR_COLUMNS)
        give_back()
        return read

    grouping = group_files(workspace, files, pictures, pairs, rule, tiers=chosen, include=include, policy=keep)
    return GroupsView(
        groups=grouping.groups.join(workspace.location_names(), on="location_id", how="left"),
        withheld=grouping.withheld,
        related=grouping.related,
        approvals=grouping.approvals,
        current=is_current(workspace),
    )


def group_files(
    workspace: Workspace,
    files: pl.DataFrame,
    pictures: pl.DataFrame,
    pairs: pl.DataFrame | Callable[[], pl.DataFrame],
    rule: Rule,
    *,
    policy: KeepPolicy,
    tiers: Collection[Tier] | None = None,
    include: Collection[Relation | str] = (),
    names: pl.DataFrame | None = None,
) -> Grouping:
    """`matching.group` by what holds in a workspace: what people decided, its bound for crowds, and a policy.

    Args:
        workspace: An open workspace.
        files: As `active_files` gives them.
        pictures: As for `matching.group`.
        pairs: As for `matching.group`.
        rule: The bounds.
        policy: As for `matching.group`.
        tiers: As for `matching.group`.
        include: As for `matching.group`.
        names: As for `with_keep_facts`.
    """
    return group(
        with_keep_facts(workspace, files, policy, names),
        pictures,
        pairs,
        rule,
        tiers=tiers,
        include=include,
        policy=policy,
        decisions=workspace.ledger.decisions(),
        crowd_pictures=workspace.settings.group.crowd_pictures,
    )


def summarise_savings(
    workspace: Workspace,
    tiers: Iterable[Tier | str] | None = None,
    *,
    rule: Rule | None = None,
    policy: KeepPolicy | str | Path | None = None,
) -> pl.DataFrame:
    """What the proposed removals would free, as `savings_of_groups` has it: bytes, and money where there are prices.

    Args:
        workspace: An open workspace.
        tiers: As for `list_groups`.
        rule: As for `list_groups`.
        policy: As for `list_groups`.
    """
    return savings_of_groups(workspace, list_groups(workspace, tiers, rule=rule, policy=policy).groups)


def compare_policies(
    workspace: Workspace,
    policy: KeepPolicy | str | Path | None,
    against: KeepPolicy | str | Path | None = None,
    *,
    rule: Rule | None = None,
) -> PolicyComparison:
    """What would be otherwise by another keep policy: which files would stay, and what could be freed.

    Args:
        workspace: An open workspace.
        policy: The one that is thought of.
        against: The one that it is held against; None for the policy in use.
        rule: As for `list_groups`.

    Raises:
        As `list_groups`.
    """
    rule = chosen_rule(workspace, rule)
    floor_of(workspace).refuse_looser(rule)
    files, pairs = active_files(workspace), workspace.catalog.pairs(_PAIR_COLUMNS)
    pictures = workspace.catalog.pictures(columns=GROUP_PICTURE_COLUMNS)
    chosen = [chosen_policy(workspace, one) for one in (against, policy)]
    before, after = (group_files(workspace, files, pictures, pairs, rule, policy=keep) for keep in chosen)
    return compare_groupings(before, after)
