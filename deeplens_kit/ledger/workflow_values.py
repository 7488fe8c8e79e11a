"""What the ledger gives of standing workflows and their runs: frozen values without a connection behind them.

Takes nothing from other modules; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["AUTO_APPROVED", "Workflow", "WorkflowRun", "WorkflowRunState", "WorkflowState"]

AUTO_APPROVED = "auto-approved"
"""How the note of an approval begins that no person gave at the time, but bounds that one had set."""


class WorkflowState(StrEnum):
    """How a workflow stands. `PAUSED`: it does nothing until a person resumes it. `REMOVED`: kept for the record."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


class WorkflowRunState(StrEnum):
    """How a run of a workflow ended.

    `NOTHING`: there was nothing to do. `WAITING`: its plan waits for a person. `APPLIED`: its plan was applied.
    `POSTPONED`: another run worked at a location of it. `ANOMALY`: something was not as it should be, and the workflow
    was paused. `CRASHED`: its process ended before it did.
    """

    RUNNING = "running"
    NOTHING = "nothing"
    WAITING = "waiting"
    APPLIED = "applied"
    POSTPONED = "postponed"
    ANOMALY = "anomaly"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Workflow:
    """A clean-up that recurs.

    Attributes:
        workflow_id: 8 hexadecimal digits, random.
        name: How people name it; no two that are not removed have the same.
        state: How it stands.
        document: What it does, when, and whom it tells, as JSON can hold it; never changed.
        author: Who added it, as user@host.
        created_at: UTC.
        bounds: Within which its plans need no person, as JSON can hold them; empty where each needs one.
        bounds_by: Who set them; empty for nobody.
        bounds_at: UTC; None for never.
        code: Why it is paused, stable; else empty.
        reason: The same in a sentence.
        changed_by: Who paused or resumed it last, or its author.
        changed_at: UTC.
        baseline_at: UTC: plans that were made before are no measure for the next ones.
    """

    workflow_id: str
    name: str
    state: WorkflowState
    document: Mapping[str, Any]
    author: str
    created_at: datetime
    bounds: Mapping[str, Any]
    bounds_by: str
    bounds_at: datetime | None
    code: str
    reason: str
    changed_by: str
    changed_at: datetime
    baseline_at: datetime


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """One run of a workflow.

    Attributes:
        run_id: 8 hexadecimal digits, random.
        workflow_id: The workflow.
        state: How it ended.
        who: As user@host.
        holder: The process, see `holder.current_holder`.
        started_at: UTC.
        finished_at: UTC; None while it runs.
        plan_id: The plan that it made or applied; empty for none.
        application_id: The application of it; empty for none.
        figures: Counts and bytes, as JSON can hold them.
        message: What came of it, in a sentence.
    """

    run_id: str
    workflow_id: str
    state: WorkflowRunState
    who: str
    holder: str
    started_at: datetime
    finished_at: datetime | None
    plan_id: str
    application_id: str
    figures: Mapping[str, Any]
    message: str
