"""What a workspace has found: frames for people and programs, read from the stores.

Takes an open workspace, gives frames with the names of locations; must not write, and reads no object.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import polars as pl

from deeplens_kit.matching import (
    CONTEXT_COLUMNS,
    POLICY_COLUMNS,
    STRICT,
    TOLD_COLUMNS,
    KeepPolicy,
    PolicyComparison,
    Rule,
    compare_groupings,
    group,
)
from deeplens_kit.pipeline.graph import floor_of, is_current
from deeplens_kit.pipeline.keep_facts import with_keep_facts
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.priced_savings import savings_of_groups
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import OBJECTS, PAIRS, Outcome, Relation, Tier

__all__ = [
    "ALL_PAIRS_LIMIT",
    "GROUP_PICTURE_COLUMNS",
    "GroupsView",
    "active_files",
    "compare_policies",
    "coverage",
    "indexed_files",
    "indexed_places",
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

# What tells one file from another, and what else it takes to tell.
_FILE = ["link_id", "digest"]
_TELLING = ("location_id", "path", "outcome", "link_count", *_FILE)
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
        current: False when pictures were indexed after the last matching: index again.
    """

    groups: pl.DataFrame
    withheld: pl.DataFrame
    related: pl.DataFrame
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


def indexed_files(workspace: Workspace) -> pl.DataFrame:
    """Indexed objects of active locations, as `active_files` has them."""
    return active_files(workspace).filter(pl.col("outcome") == Outcome.INDEXED).drop("place")


def active_files(workspace: Workspace) -> pl.DataFrame:
    """Objects of active locations with `location` (name) and `place`, each file once however many locations list it.

    A file must never become a copy of itself. Locations overlap where one lies within another or is an alias of it:
    then two objects have one place. Where a file system is mounted twice, a file is met under more names than it has
    (`link_count`). One object stands for either. Hard links, which are as many as the file says, all stay.
    """
    objects, overlapping = _with_places(workspace, OBJECTS.names)
    return _each_once(_in_order(objects), overlapping=overlapping)


def indexed_places(workspace: Workspace, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of what `indexed_files` gives, in no particular order: half of the time goes into the order.

    Args:
        workspace: An open workspace.
        columns: Of OBJECTS, and `location`.
    """
    stored = [name for name in OBJECTS.names if name in {*columns, *_TELLING}]
    objects, overlapping = _with_places(workspace, stored)
    if overlapping or _met_twice(objects):
        objects = _each_once(_in_order(objects), overlapping=overlapping)
    return objects.filter(pl.col("outcome") == Outcome.INDEXED).select(columns)


def file_names(workspace: Workspace) -> pl.DataFrame:
    """Every name of every file of active locations: location, place, path, link_id, digest."""
    objects, _ = _with_places(workspace, ["location_id", "path", "link_id", "digest"])
    return objects.select("location", "place", "path", "link_id", "digest")


def _with_places(workspace: Workspace, columns: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """Objects of active locations with `location` and `place`, and whether places overlap."""
    places = pl.DataFrame(
        [(item.location_id, item.name, workspace.kind_of(item).place) for item in workspace.ledger.locations()],
        schema={"location_id": pl.String, "location": pl.String, "place": pl.String},
        orient="row",
    )
    objects = workspace.catalog.objects(columns=columns).join(places, on="location_id")
    return objects, _overlap(places["place"].to_list())


def _in_order(objects: pl.DataFrame) -> pl.DataFrame:
    # In the order of names, not of ids: these are random, and ties between equal objects end by the place. Of a file
    # that could be read through one location alone, that object stands for it.
    return objects.sort(pl.col("outcome") != Outcome.INDEXED, "location", "path")


def _each_once(objects: pl.DataFrame, *, overlapping: bool) -> pl.DataFrame:
    """The first object of every file."""
    if overlapping:
        objects = (
            objects.with_columns(file=pl.col("place") + pl.col("path"))
            .unique("file", keep="first", maintain_order=True)
            .drop("file")
        )
    twice = pl.col("link_id").is_not_null() & (pl.len().over(_FILE) > pl.col("link_count").max().over(_FILE))
    first = pl.int_range(pl.len()).over(_FILE) == 0
    return objects.filter(~twice | first)


def _met_twice(objects: pl.DataFrame) -> bool:
    """Whether any file has more objects than names: told by counts, without an order."""
    linked = objects.filter(pl.col("link_id").is_not_null())
    if linked.select(pl.struct(_FILE).hash().n_unique()).item() == linked.height:
        return False
    counts = linked.group_by(_FILE).agg(objects=pl.len(), names=pl.col("link_count").max())
    return bool(counts.select((pl.col("objects") > pl.col("names")).any()).item())


def _overlap(places: list[str]) -> bool:
    """Whether one place lies within another, or two are the same."""
    ordered = sorted(places)
    return any(later.startswith(earlier) for earlier, later in pairwise(ordered))


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
    rule: Rule = STRICT,
    include: Collection[Relation | str] = (),
    policy: KeepPolicy | str | Path | None = None,
) -> GroupsView:
    """Groups around keepers, from the stored pairs by a rule and by what people decided; no file is touched.

    Args:
        workspace: An open workspace.
        tiers: Tiers to propose from; None for those of the rule. `scene` is never proposed.
        rule: The bounds, for example `Thresholds(likelihood_min=0.95).rule()`.
        include: Relations of a member to its keeper that are proposed besides `whole` and `part`: `composite` (one of
            the two holds foreign content), `contains` (the member shows more). Look at each before you act.
        policy: Which of the copies stays, as for `chosen_policy`; None for the policy in use.

    Raises:
        SettingsError: The rule is looser than the floor of the stored pairs, or the policy cannot be read.
        UnknownNameError: A relation that cannot be included, or a policy that there is none of.
    """
    floor_of(workspace).refuse_looser(rule)
    keep = chosen_policy(workspace, policy)
    objects = with_keep_facts(workspace, active_files(workspace), keep)
    pictures = workspace.catalog.pictures(columns=GROUP_PICTURE_COLUMNS)
    chosen = {Tier(tier) for tier in tiers} if tiers is not None else None
    grouping = group(
        objects,
        pictures,
        workspace.catalog.pairs(),
        rule,
        tiers=chosen,
        include=include,
        policy=keep,
        decisions=workspace.ledger.decisions(),
        crowd_pictures=workspace.settings.group.crowd_pictures,
    )
    return GroupsView(
        groups=grouping.groups.join(workspace.location_names(), on="location_id", how="left"),
        withheld=grouping.withheld,
        related=grouping.related,
        current=is_current(workspace),
    )


def summarise_savings(
    workspace: Workspace,
    tiers: Iterable[Tier | str] | None = None,
    *,
    rule: Rule = STRICT,
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
    rule: Rule = STRICT,
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
    floor_of(workspace).refuse_looser(rule)
    files, pairs = active_files(workspace), workspace.catalog.pairs()
    pictures = workspace.catalog.pictures(columns=GROUP_PICTURE_COLUMNS)
    chosen = [chosen_policy(workspace, one) for one in (against, policy)]
    said = workspace.ledger.decisions()
    before, after = (
        group(
            with_keep_facts(workspace, files, keep),
            pictures,
            pairs,
            rule,
            policy=keep,
            decisions=said,
            crowd_pictures=workspace.settings.group.crowd_pictures,
        )
        for keep in chosen
    )
    return compare_groupings(before, after)
