"""Plans as a page lists them, and what is around one: what changed since the one before, and what was done by it.

Takes an open workspace, gives frozen lines with every text that is shown; must not write or act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deeplens_kit import pipeline
from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger.act_values import LIVE_PLANS
from deeplens_kit.reporting.plan_reading import read_plan
from deeplens_kit.reporting.plan_view import PlanView
from deeplens_kit.reporting.plan_words import action_words, moved_to, plan_money
from deeplens_kit.reporting.words import format_bytes, format_money, plural
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import Application, PlanRecord
    from deeplens_kit.pipeline import Workspace

__all__ = [
    "PAGE_PLANS",
    "ApplicationLine",
    "DiffLine",
    "PlanDetail",
    "PlanLine",
    "PlanPage",
    "describe_plan_detail",
    "describe_plans",
    "plan_effect",
]

PAGE_PLANS = 25
"""Plans of a page."""

_MOST_DIFFERENCES = 100
_QUARANTINED = ("remove", "hardlink", "symlink", "reflink", "redirect", "move")


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A plan in a list.

    Attributes:
        plan_id: Its id.
        state: How it stands.
        does: What it does with the files.
        steps: How many.
        size_bytes: Of the files.
        frees_bytes: In the end.
        money: A month, with its currency; empty where nothing has a price.
        author: Who made it.
        created_at: UTC.
        approved_by: Who approved it as it stands; empty for nobody.
        replaced_by: The plan that took its place; empty for none.
    """

    plan_id: str
    state: str
    does: str
    steps: int
    size_bytes: int
    frees_bytes: int
    money: str
    author: str
    created_at: datetime
    approved_by: str
    replaced_by: str


@dataclass(frozen=True, slots=True)
class PlanPage:
    """Some of the plans.

    Attributes:
        lines: The latest first.
        page: Which page, from 1.
        pages: How many there are.
        in_all: Plans on all of them.
    """

    lines: tuple[PlanLine, ...]
    page: int
    pages: int
    in_all: int


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A difference between a plan and the one before it."""

    change: str
    location: str
    path: str
    what: str
    frees_bytes: int


@dataclass(frozen=True, slots=True)
class ApplicationLine:
    """One applying of a plan.

    Attributes:
        application_id: Its id.
        state: How it stands.
        who: Who applied it.
        started_at: UTC.
        finished_at: UTC; None while it runs.
        says: What came of it, in words.
        can_go_on: It was paused or halted, or its process ended.
        can_undo: Not all of it is undone.
    """

    application_id: str
    state: str
    who: str
    started_at: datetime
    finished_at: datetime | None
    says: str
    can_go_on: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class PlanDetail:
    """A plan with all that is around it.

    Attributes:
        record: The plan.
        view: What it is, its totals and its steps.
        effect: What applying it does, with numbers.
        stale: Why it has to be made anew; empty where it need not.
        before: Id of the plan that it is held against; empty for none.
        differences: From that one, some of them.
        differences_in_all: How many.
        applications: What was done by it, the latest first.
    """

    record: PlanRecord
    view: PlanView
    effect: str
    stale: str
    before: str
    differences: tuple[DiffLine, ...]
    differences_in_all: int
    applications: tuple[ApplicationLine, ...]


def describe_plans(workspace: Workspace, *, superseded: bool = False, page: int = 1) -> PlanPage:
    """A page of plans, the latest first.

    Args:
        workspace: An open workspace.
        superseded: Also those of which another took the place.
        page: Which, from 1; of one that there is none of the last.
    """
    states = None if superseded else LIVE_PLANS
    in_all = workspace.ledger.count_plans(states)
    pages = max(1, -(-in_all // PAGE_PLANS))
    page = min(max(page, 1), pages)
    found = workspace.ledger.plans(states, limit=PAGE_PLANS, offset=(page - 1) * PAGE_PLANS)
    return PlanPage(tuple(map(_plan_line, found)), page, pages, in_all)


def describe_plan_detail(workspace: Workspace, plan_id: str, *, max_steps: int = 20) -> PlanDetail:
    """A plan with what is around it.

    Args:
        workspace: An open workspace.
        plan_id: Its id, or how that begins.
        max_steps: Steps that are described, those that free most.

    Raises:
        UnknownNameError: There is no such plan.
    """
    record = workspace.ledger.plan(plan_id)
    steps = pipeline.load_steps(workspace, record)
    before = pipeline.plan_before(workspace, record)
    changed = None if before is None else pipeline.diff_plans(workspace, before.plan_id, record.plan_id)
    names = dict(workspace.location_names().iter_rows())
    return PlanDetail(
        record=record,
        view=read_plan(workspace, record, steps, max_steps=max_steps),
        effect=plan_effect(record),
        stale=_stale(workspace, record, steps),
        before="" if before is None else before.plan_id,
        differences=() if changed is None else _differences(changed, names),
        differences_in_all=0 if changed is None else changed.height,
        applications=tuple(_application_line(item) for item in workspace.ledger.applications(record.plan_id)),
    )


def plan_effect(record: PlanRecord) -> str:
    """What applying a plan does, with numbers: "moves 214 files, 1.2 GB, to quarantine"."""
    totals: Mapping[str, Any] = record.document.get("totals", {})
    choice: Mapping[str, Any] = record.document.get("choice", {})
    action = str(choice.get("action", record.kind))
    size = format_bytes(int(totals.get("bytes", 0)))
    files = plural(record.steps, "file")
    if action == "remove":
        return f"moves {files}, {size}, to quarantine"
    if action == "move":
        return f"moves {files}, {size}, to {display_path(moved_to(record))}, each with a copy in quarantine first"
    if action == "storage_class":
        return f"sets the storage class of {files}, {size}"
    if action in _QUARANTINED:
        return (
            f"moves {files}, {size}, to quarantine and puts a link or note to the file that stays in the place of each"
        )
    return f"takes {plural(record.steps, 'step')} on {size}"


def _plan_line(record: PlanRecord) -> PlanLine:
    totals: Mapping[str, Any] = record.document.get("totals", {})
    choice: Mapping[str, Any] = record.document.get("choice", {})
    yes = [said.who for said in record.approvals if said.approved and said.steps_digest == record.steps_digest]
    money = plan_money(totals.get("by_location", ()))
    return PlanLine(
        plan_id=record.plan_id,
        state=str(record.state),
        does=action_words(str(choice.get("action", record.kind))),
        steps=record.steps,
        size_bytes=int(totals.get("bytes", 0)),
        frees_bytes=int(totals.get("frees_bytes", 0)),
        money="" if money is None else f"{format_money(money[0])} {money[1]}",
        author=record.author,
        created_at=record.created_at,
        approved_by=", ".join(dict.fromkeys(yes)),
        replaced_by=record.replaced_by,
    )


def _stale(workspace: Workspace, record: PlanRecord, steps: pl.DataFrame) -> str:
    """Why a plan that could still be applied has to be made anew."""
    if str(record.state) not in ("draft", "approved"):
        return ""
    try:
        pipeline.require_fresh(workspace, record, steps, datetime.now(UTC))
    except DeepLensError as error:
        return str(error)
    return ""


def _differences(changed: pl.DataFrame, names: Mapping[str, str]) -> tuple[DiffLine, ...]:
    lines = []
    for row in changed.head(_MOST_DIFFERENCES).iter_rows(named=True):
        after, earlier = row["frees_bytes_after"] or 0, row["frees_bytes_before"] or 0
        location = names.get(row["victim_location_id"], row["victim_location_id"])
        lines.append(
            DiffLine(
                row["change"], display_path(location), display_path(row["victim_path"]), row["what"], after - earlier
            )
        )
    return tuple(lines)


def _application_line(found: Application) -> ApplicationLine:
    state, figures = str(found.state), found.figures
    counts = _counts(figures, ("done", "skipped", "failed", "not_tried", "undone"))
    freed = figures.get("frees_bytes", 0)
    says = ", ".join(counts) or "no step yet"
    # What was taken back lies in no quarantine any more, or in part.
    if freed and state in ("running", "paused", "halted", "finished"):
        says += f"; emptying its quarantine frees {format_bytes(int(freed))}"
    if found.message:
        says += f". {found.message}"
    return ApplicationLine(
        application_id=found.application_id,
        state=state,
        who=found.who,
        started_at=found.started_at,
        finished_at=found.finished_at,
        says=says,
        can_go_on=state in ("paused", "halted") or (state == "running" and found.finished_at is None),
        can_undo=state in ("finished", "paused", "halted", "undoing"),
    )


def _counts(figures: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [f"{int(figures[name]):,} {name.replace('_', ' ')}" for name in names if figures.get(name)]
