"""What lies in quarantine, by the application that moved it there; and standing workflows with their last runs.

Takes an open workspace, gives frozen lines with every text that is shown; must not write or act.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.pipeline.quarantining import list_quarantine
from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds
from deeplens_kit.pipeline.workflows import list_workflows, workflow_history
from deeplens_kit.reporting.plan_words import action_words
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["HeldFile", "HeldLine", "RunLine", "WorkflowLine", "describe_quarantine", "describe_workflows"]

_MOST_FILES, _MOST_RUNS = 50, 5


@dataclass(frozen=True, slots=True)
class HeldFile:
    """A file in quarantine, and the one that stays for it."""

    item_id: str
    location: str
    path: str
    size_bytes: int
    digest: str
    keeper: str
    state: str


@dataclass(frozen=True, slots=True)
class HeldLine:
    """What one application has in quarantine.

    Attributes:
        application_id: Which moved it there.
        files: How many.
        size_bytes: Their sizes.
        expired: How many may go for good by the setting.
        missing: How many are not where they were put.
        moved_at: The first of them, UTC.
        expires_at: The first of them, UTC; None: never by itself.
        shown: Some of them.
    """

    application_id: str
    files: int
    size_bytes: int
    expired: int
    missing: int
    moved_at: datetime
    expires_at: datetime | None
    shown: tuple[HeldFile, ...]


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run of a workflow."""

    state: str
    started_at: datetime
    who: str
    message: str
    plan_id: str


@dataclass(frozen=True, slots=True)
class WorkflowLine:
    """A workflow.

    Attributes:
        name: Its name.
        state: How it stands.
        does: What it does with the files.
        tiers: Evidence that is strong enough.
        locations: Their names; empty for all.
        every: When, as cron says it, with the zone.
        bounds: Within which its plans need no person, in words.
        reason: Why it is paused; empty where it is not.
        runs: The latest first.
    """

    name: str
    state: str
    does: str
    tiers: tuple[str, ...]
    locations: tuple[str, ...]
    every: str
    bounds: str
    reason: str
    runs: tuple[RunLine, ...]


def describe_quarantine(workspace: Workspace) -> tuple[HeldLine, ...]:
    """What lies in quarantine, by application, that which was moved last first."""
    rows = list_quarantine(workspace)
    parts = rows.partition_by("application_id", maintain_order=True)
    return tuple(sorted((_held(part) for part in parts), key=lambda line: line.moved_at, reverse=True))


def _held(rows: pl.DataFrame) -> HeldLine:
    expiring = rows["expires_at"].drop_nulls()
    moved, expires = rows["moved_at"].min(), expiring.min()
    assert isinstance(moved, datetime), "a file that was moved has a time"
    return HeldLine(
        application_id=rows["application_id"][0],
        files=rows.height,
        size_bytes=int(rows["size_bytes"].sum()),
        expired=int(rows["expired"].sum()),
        missing=rows.filter(pl.col("state") == "missing").height,
        moved_at=moved,
        expires_at=expires if isinstance(expires, datetime) else None,
        shown=tuple(
            HeldFile(
                item_id=row["item_id"],
                location=display_path(row["location"]),
                path=display_path(row["path"]),
                size_bytes=row["size_bytes"],
                digest=row["digest"],
                keeper=""
                if row["keeper_path"] is None
                else f"{display_path(row['keeper_location'] or '')}: {display_path(row['keeper_path'])}",
                state=row["state"],
            )
            for row in rows.head(_MOST_FILES).iter_rows(named=True)
        ),
    )


def describe_workflows(workspace: Workspace) -> tuple[WorkflowLine, ...]:
    """Workflows by name, each with its last runs."""
    bounds = {item.name: WorkflowBounds.of(item.bounds) for item in workspace.ledger.workflows()}
    history = workflow_history(workspace)
    return tuple(
        WorkflowLine(
            name=row["workflow"],
            state=row["state"],
            does=action_words(row["action"]),
            tiers=tuple(row["tiers"]),
            locations=tuple(row["locations"]),
            every=f"{row['every']} ({row['timezone']})",
            bounds=_bounds_words(bounds.get(row["workflow"]), row["bounds_by"]),
            reason=row["reason"] or "",
            runs=tuple(
                RunLine(run["state"], run["started_at"], run["who"], run["message"], run["plan_id"] or "")
                for run in history.filter(pl.col("workflow") == row["workflow"]).head(_MOST_RUNS).iter_rows(named=True)
            ),
        )
        for row in list_workflows(workspace).iter_rows(named=True)
    )


def _bounds_words(bounds: WorkflowBounds | None, who: str | None) -> str:
    if bounds is None:
        return "Each plan waits for a person."
    copies = (
        ""
        if bounds.copy_precision is None
        else f", copies where labels show a precision of at least {bounds.copy_precision:.1%}"
    )
    return (
        f"Plans within bounds that {who} set need no person: up to {plural(bounds.max_objects, 'file')}, "
        f"{format_bytes(bounds.max_bytes)}, {bounds.max_share:.1%} of the files of a location{copies}."
    )
