"""Rows of the runs of standing workflows: one at a time of each, and what came of it.

Takes a session and gives frozen values; must not commit: the ledger does. A run shows that it lives by its process and
by a heartbeat; one that does neither has crashed, and its workflow is paused in the transaction that finds it so.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from deeplens_kit.errors import (
    PlanNotApprovedError,
    PlanStaleError,
    PlanStateError,
    UnknownNameError,
    WorkflowPausedError,
)
from deeplens_kit.ledger import plans, workflows
from deeplens_kit.ledger.act_models import PlanApprovalRow
from deeplens_kit.ledger.act_values import PlanRecord, PlanState
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.chain import plain
from deeplens_kit.ledger.holder import is_alive, shown_holder
from deeplens_kit.ledger.workflow_models import WorkflowRow, WorkflowRunRow
from deeplens_kit.ledger.workflow_values import AUTO_APPROVED, WorkflowRun, WorkflowRunState, WorkflowState
from deeplens_kit.telemetry import redact

__all__ = ["approve", "beat", "begin", "end", "listed", "note", "settle_crashed"]

_ID_BYTES = 4


def settle_crashed(session: Session, name: str, stale_seconds: float, who: str, now: datetime) -> WorkflowRun | None:
    """Mark a run whose process is gone, and pause its workflow; None where there is none."""
    workflow = workflows.find(session, name, lock=True)
    row = _running(session, workflow)
    if row is None:
        return None
    alive = is_alive(row.holder)
    if alive or (alive is None and row.beat_at >= now - timedelta(seconds=stale_seconds)):
        return None
    row.state, row.finished_at = WorkflowRunState.CRASHED.value, now
    row.message = (
        f"The run that {shown_holder(row.holder)} began at {row.started_at:%Y-%m-%d %H:%M} UTC ended before it was done"
        + (f", while plan {row.plan_id} was at hand." if row.plan_id else ".")
    )
    details = {"workflow_id": workflow.workflow_id, "run_id": row.run_id, "plan_id": row.plan_id}
    audit(session, who, "workflow.run_crashed", details, now)
    workflows.pause(session, workflow, "crashed", row.message, who, now)
    return _frozen(row)


def begin(session: Session, name: str, holder: str, who: str, now: datetime) -> WorkflowRun:
    """Begin a run; see `WorkflowRecords.begin_workflow_run`."""
    workflow = workflows.find(session, name, lock=True)
    if workflow.state != WorkflowState.ACTIVE:
        raise WorkflowPausedError(
            f"Workflow {name!r} is paused since {workflow.changed_at:%Y-%m-%d %H:%M} UTC: {workflow.reason} Nothing "
            f"was done; see to it, then `deeplens workflows resume {name}`."
        )
    if (other := _running(session, workflow)) is not None:
        raise PlanStateError(
            f"Workflow {name!r} runs already, by {shown_holder(other.holder)} since {other.started_at:%Y-%m-%d %H:%M} "
            "UTC. Nothing was done; wait for it to end."
        )
    row = WorkflowRunRow(
        run_id=secrets.token_hex(_ID_BYTES),
        workflow_id=workflow.workflow_id,
        state=WorkflowRunState.RUNNING.value,
        who=who,
        holder=holder,
        started_at=now,
        beat_at=now,
        finished_at=None,
        plan_id="",
        application_id="",
        figures={},
        message="",
    )
    session.add(row)
    session.flush()
    audit(session, who, "workflow.run_began", {"workflow_id": workflow.workflow_id, "run_id": row.run_id}, now)
    return _frozen(row)


def beat(session: Session, run_id: str, now: datetime) -> bool:
    """Show that a run lives; False where it should end: it was taken for dead, or its workflow is not active."""
    row = session.get(WorkflowRunRow, run_id)
    if row is None or row.state != WorkflowRunState.RUNNING:
        return False
    row.beat_at = now
    return session.get_one(WorkflowRow, row.workflow_id).state == WorkflowState.ACTIVE


def note(session: Session, run_id: str, plan_id: str) -> None:
    """Say which plan a run has at hand, so that it is known after a crash."""
    _found(session, run_id).plan_id = plan_id


def end(
    session: Session,
    run_id: str,
    state: WorkflowRunState,
    figures: Mapping[str, object],
    message: str,
    application_id: str,
    pause_code: str,
    who: str,
    now: datetime,
) -> WorkflowRun:
    """End a run; see `WorkflowRecords.end_workflow_run`."""
    row = _found(session, run_id)
    if row.state != WorkflowRunState.RUNNING:
        raise PlanStateError(f"Run {run_id} of a workflow is {row.state} already: another process took it for dead.")
    row.state, row.finished_at, row.message = state.value, now, redact(message)
    row.figures, row.application_id = plain(figures), application_id
    details = {"workflow_id": row.workflow_id, "run_id": run_id, "state": row.state, "message": row.message}
    details |= {"plan_id": row.plan_id} if row.plan_id else {}
    # Under another name than the application's own lines: it tells nothing of the journal's head.
    details |= {"of_application": application_id} if application_id else {}
    audit(session, who, "workflow.run_ended", details, now)
    if pause_code:
        workflow = session.get_one(WorkflowRow, row.workflow_id, with_for_update=True)
        workflows.pause(session, workflow, pause_code, message, who, now)
    session.flush()
    return _frozen(row)


def approve(
    session: Session,
    run_id: str,
    plan_id: str,
    steps_digest: str,
    bounds: Mapping[str, object],
    who: str,
    now: datetime,
    *,
    other_approver: bool,
) -> PlanRecord:
    """Say yes to a plan in the name of who set the bounds; see `WorkflowRecords.approve_within_bounds`."""
    run = _found(session, run_id)
    workflow = session.get_one(WorkflowRow, run.workflow_id, with_for_update=True)
    plan = plans.find(session, plan_id, lock=True)
    by, at = workflow.bounds_by, workflow.bounds_at
    if run.state != WorkflowRunState.RUNNING or workflow.state != WorkflowState.ACTIVE:
        raise PlanNotApprovedError(f"Plan {plan.plan_id} was not approved: workflow {workflow.name!r} was paused.")
    if at is None or not by or workflow.bounds != plain(bounds):
        raise PlanNotApprovedError(
            f"Plan {plan.plan_id} was not approved: workflow {workflow.name!r} has other bounds than those that it was "
            "held against, or none."
        )
    if plan.state != PlanState.DRAFT:
        raise PlanStateError(f"Plan {plan.plan_id} is {plan.state}, so it cannot be approved.")
    if plan.steps_digest != steps_digest:
        raise PlanStaleError(f"Plan {plan.plan_id} has other steps than those that were held against the bounds.")
    if other_approver and by in (plan.author, workflow.author):
        raise PlanNotApprovedError(
            f"Plan {plan.plan_id} was not approved: the bounds of workflow {workflow.name!r} were set by {by}, who "
            "also added it or runs it; setting actions.other_approver asks for somebody else."
        )
    said = f"{AUTO_APPROVED} within bounds set by {by} at {at:%Y-%m-%d %H:%M} UTC"
    note = f"{said}, by workflow {workflow.name}, run {run_id}"
    yes = PlanApprovalRow(plan_id=plan.plan_id, steps_digest=steps_digest, approved=True, who=by, at=now, note=note)
    session.add(yes)
    plan.state = PlanState.APPROVED.value
    details: dict[str, object] = {
        "plan_id": plan.plan_id,
        "steps_digest": steps_digest,
        "approved_by": by,
        "note": said,
    }
    details |= {"workflow_id": workflow.workflow_id, "run_id": run_id, "bounds": dict(workflow.bounds)}
    audit(session, who, "plan.auto_approved", details, now)
    session.flush()
    return plans.frozen(session, plan)


def listed(session: Session, workflow_id: str | None, limit: int | None) -> list[WorkflowRun]:
    """Runs, the latest first; of one workflow, or all."""
    query = select(WorkflowRunRow).order_by(WorkflowRunRow.started_at.desc(), WorkflowRunRow.run_id).limit(limit)
    if workflow_id is not None:
        query = query.where(WorkflowRunRow.workflow_id == workflow_id)
    return [_frozen(row) for row in session.scalars(query)]


def _running(session: Session, workflow: WorkflowRow) -> WorkflowRunRow | None:
    query = select(WorkflowRunRow).where(WorkflowRunRow.workflow_id == workflow.workflow_id)
    return session.scalar(query.where(WorkflowRunRow.state == WorkflowRunState.RUNNING.value).limit(1))


def _found(session: Session, run_id: str) -> WorkflowRunRow:
    row = session.get(WorkflowRunRow, run_id, with_for_update=True)
    if row is None:
        raise UnknownNameError("run of a workflow", run_id, session.scalars(select(WorkflowRunRow.run_id)))
    return row


def _frozen(row: WorkflowRunRow) -> WorkflowRun:
    return WorkflowRun(
        run_id=row.run_id,
        workflow_id=row.workflow_id,
        state=WorkflowRunState(row.state),
        who=row.who,
        holder=row.holder,
        started_at=row.started_at,
        finished_at=row.finished_at,
        plan_id=row.plan_id,
        application_id=row.application_id,
        figures=dict(row.figures),
        message=row.message,
    )
