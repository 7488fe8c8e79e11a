"""Groups of copies as the API gives them, a page at a time.

Takes what was found in the workspace, gives the groups that are asked for; must not group anything by itself.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.service.api.ids import image_id_of, is_picture_id, object_id_of
from deeplens_kit.service.api.paging import cursor_of, position_of
from deeplens_kit.service.api.results import thumbnail_url
from deeplens_kit.service.api.values.search import (
    DuplicateGroup,
    DuplicateMember,
    DuplicatesAnswer,
    DuplicatesRequest,
    PictureMetadata,
)
from deeplens_kit.service.context import Service
from deeplens_kit.views.state.duplicates_state import Findings, ranked_groups

__all__ = ["duplicate_groups", "groups_named"]

# From the strongest evidence to the weakest.
_TIERS = ("bytes", "pixels", "copy")


def duplicate_groups(held: Service, asked: DuplicatesRequest) -> DuplicatesAnswer:
    """The groups that are asked for, those first that free most.

    Args:
        held: What is served.
        asked: Which are wanted.

    Raises:
        UnknownNameError: There is no such image or location.
        SettingsError: The cursor is of another list.
    """
    started = time.perf_counter()
    findings = held.desk.findings()
    chosen = _chosen(held, findings.frames.groups, asked)
    proposed = chosen.filter(~pl.col("is_keeper"))
    ranked = ranked_groups(proposed)
    what = asked.model_copy(update={"cursor": None}).model_dump_json(exclude={"max_results", "include_metadata"})
    start = position_of(asked.cursor, what)
    shown = ranked.slice(start, asked.max_results)
    end = start + shown.height
    # An object that several groups propose can be removed once.
    once = proposed.sort("frees_bytes", descending=True).unique("object_id", keep="first")
    base = held.settings.thumbnail_base
    return DuplicatesAnswer(
        query_id=uuid.uuid4().hex,
        groups=_groups(findings, chosen, shown["group_id"].to_list(), base, with_metadata=asked.include_metadata),
        total_groups=ranked.height,
        total_duplicates=once.height,
        reclaimable_bytes=int(once["frees_bytes"].sum()),
        processing_time_ms=round((time.perf_counter() - started) * 1000, 2),
        next_cursor=cursor_of(what, end) if shown.height and end < ranked.height else None,
        notes=list(findings.notes),
    )


def groups_named(held: Service, group_ids: Iterable[str]) -> list[DuplicateGroup]:
    """Groups by their ids, in this order; those that are not there are passed over."""
    findings = held.desk.findings()
    wanted = list(group_ids)
    rows = findings.frames.groups.filter(pl.col("group_id").is_in(wanted))
    return _groups(findings, rows, wanted, held.settings.thumbnail_base, with_metadata=True)


def _chosen(held: Service, groups: pl.DataFrame, asked: DuplicatesRequest) -> pl.DataFrame:
    """Rows of the groups that are wanted: each with its keeper and the copies that are meant."""
    copies = ~pl.col("is_keeper")
    if asked.image_id is not None:
        of_it = _of_image(groups, asked.image_id)
        groups = groups.filter(pl.col("group_id").is_in(of_it.implode()))
    wanted = copies & (pl.col("score") >= asked.similarity_threshold)
    if asked.tiers:
        wanted &= pl.col("tier").is_in(asked.tiers)
    if asked.storage_locations:
        known = {item.name for item in held.workspace.ledger.locations()}
        for name in asked.storage_locations:
            if name not in known:
                raise UnknownNameError("active location", name, known)
        wanted &= pl.col("location").is_in(asked.storage_locations)
    kept = groups.filter(wanted)
    return groups.filter((pl.col("is_keeper") & pl.col("group_id").is_in(kept["group_id"].unique().implode())) | wanted)


def _of_image(groups: pl.DataFrame, image: str) -> pl.Series:
    column, value = ("digest", image) if is_picture_id(image) else ("object_id", object_id_of(image))
    return groups.filter(pl.col(column) == value)["group_id"].unique()


def _groups(
    findings: Findings, rows: pl.DataFrame, group_ids: list[str], base: str, *, with_metadata: bool
) -> list[DuplicateGroup]:
    rows = rows.filter(pl.col("group_id").is_in(group_ids))
    if rows.is_empty():
        return []
    facts: Mapping[str, Mapping[str, Any]] = {}
    if with_metadata:
        named = findings.frames.pictures.filter(pl.col("digest").is_in(rows["digest"].unique().implode()))
        facts = {row["digest"]: row for row in named.iter_rows(named=True)}
    by_id = rows.partition_by("group_id", as_dict=True)
    return [_group(by_id[(name,)], facts, base) for name in group_ids if (name,) in by_id]


def _group(rows: pl.DataFrame, facts: Mapping[str, Mapping[str, Any]], base: str) -> DuplicateGroup:
    ordered = rows.sort("is_keeper", "score", "location", "path", descending=[True, True, False, False])
    members = [_member(row, facts, base) for row in ordered.iter_rows(named=True)]
    keeper, *copies = members
    return DuplicateGroup(
        group_id=rows["group_id"][0],
        confidence=min((member.confidence for member in copies), default=1.0),
        tier=max((member.tier for member in copies), key=_TIERS.index, default=keeper.tier),
        reclaimable_bytes=sum(member.frees_bytes for member in copies),
        keeper=keeper,
        duplicates=copies,
    )


def _member(row: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]], base: str) -> DuplicateMember:
    known = facts.get(row["digest"])
    metadata = None
    if known is not None:
        metadata = PictureMetadata(
            width=known["width_px"], height=known["height_px"], file_size=row["size_bytes"], format=known["format"]
        )
    return DuplicateMember(
        image_id=image_id_of(row["object_id"]),
        picture_id=row["digest"],
        storage_location=row["location"],
        file_path=row["path"],
        file_size=row["size_bytes"],
        is_keeper=row["is_keeper"],
        confidence=min(1.0, max(0.0, row["score"])),
        tier=row["tier"],
        relation=row["relation"],
        reason=row["reason"],
        frees_bytes=row["frees_bytes"],
        metadata=metadata,
        thumbnail_url=thumbnail_url(base, row["digest"]),
    )
