"""Rows of standing workflows, each change with its line in the audit trail.

Takes a session and gives frozen values; must not commit (the ledger does), know what a workflow does, or run one. What
a workflow does never changes: whoever wants another one removes it and adds that. Only its bounds do, and who set them
stands beside them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from deeplens_kit.errors import PlanNotApprovedError, PlanStateError, SettingsError, UnknownNameError
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.chain import plain
from deeplens_kit.ledger.notes import check_change, check_name
from deeplens_kit.ledger.values import NoteChange
from deeplens_kit.ledger.workflow_models import WorkflowRow
from deeplens_kit.ledger.workflow_values import Workflow, WorkflowState
from deeplens_kit.telemetry import redact

__all__ = ["BY_HAND", "add", "find", "frozen", "listed", "pause", "remove", "resume", "set_bounds"]

BY_HAND = "by_hand"
"""Why a workflow is paused where a person did it."""

_ID_BYTES = 4
_LONGEST_DOCUMENT = 256 * 2**10
# After these it is another size of plan that is the usual one, as whoever resumed it said.
_NEW_BASELINE = ("drift",)


def add(session: Session, name: str, document: Mapping[str, object], who: str, now: datetime) -> Workflow:
    """Add a workflow without bounds; see `WorkflowRecords.add_workflow`."""
    name = check_name("workflow", name)
    if session.scalar(select(WorkflowRow).where(WorkflowRow.live_name == name)) is not None:
        raise SettingsError(
            f"There is a workflow named {name!r} already; remove it with `deeplens workflows remove`, or choose "
            "another name."
        )
    size = len(json.dumps(document))
    if size > _LONGEST_DOCUMENT:
        raise SettingsError(f"The workflow takes {size:,} bytes as JSON; at most {_LONGEST_DOCUMENT:,} are kept.")
    row = WorkflowRow(
        workflow_id=secrets.token_hex(_ID_BYTES),
        name=name,
        live_name=name,
        state=WorkflowState.ACTIVE.value,
        document=plain(document),
        author=who,
        created_at=now,
        bounds={},
        bounds_by="",
        bounds_at=None,
        code="",
        reason="",
        changed_by=who,
        changed_at=now,
        baseline_at=now,
    )
    session.add(row)
    session.flush()
    # Not the addresses: they may be secrets in themselves.
    details = {"workflow_id": row.workflow_id, "name": name, "every": document.get("every", "")}
    audit(session, who, "workflow.added", details, now)
    return frozen(row)


def find(session: Session, name: str, *, lock: bool = False) -> WorkflowRow:
    """The row of a workflow that is not removed.

    Raises:
        UnknownNameError: There is none; the nearest name is suggested.
    """
    query = select(WorkflowRow).where(WorkflowRow.live_name == name).execution_options(populate_existing=True)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        names = session.scalars(select(WorkflowRow.live_name).where(WorkflowRow.live_name.is_not(None)))
        raise UnknownNameError("workflow", name, [found for found in names if found is not None])
    return row


def listed(session: Session, *, removed: bool) -> list[Workflow]:
    """Workflows by name: those that are not removed, or all."""
    rows = sorted(session.scalars(select(WorkflowRow)), key=lambda row: (row.name, row.created_at))
    return [frozen(row) for row in rows if removed or row.live_name is not None]


def set_bounds(
    session: Session, name: str, bounds: Mapping[str, object], who: str, now: datetime, *, other_approver: bool
) -> Workflow:
    """Set the bounds, or with an empty mapping take them away; see `WorkflowRecords.set_workflow_bounds`."""
    row = find(session, name, lock=True)
    if bounds and other_approver and row.author == who:
        raise PlanNotApprovedError(
            f"Workflow {name!r} was added by {who}; setting actions.other_approver asks for bounds that somebody else "
            "sets, with `deeplens workflows bounds`."
        )
    row.bounds = plain(bounds)
    row.bounds_by, row.bounds_at = (who, now) if bounds else ("", None)
    details = {"workflow_id": row.workflow_id, "name": row.name, "bounds": row.bounds}
    audit(session, who, "workflow.bounds_set" if bounds else "workflow.bounds_removed", details, now)
    session.flush()
    return frozen(row)


def pause(session: Session, row: WorkflowRow, code: str, reason: str, who: str, now: datetime) -> None:
    """Pause a workflow; one that is paused keeps its first reason."""
    if row.state != WorkflowState.ACTIVE:
        return
    row.state, row.code, row.reason = WorkflowState.PAUSED.value, code, redact(reason)
    row.changed_by, row.changed_at = who, now
    details = {"workflow_id": row.workflow_id, "name": row.name, "code": code, "reason": row.reason}
    audit(session, who, "workflow.paused", details, now)
    session.flush()


def resume(session: Session, name: str, note: str, who: str, now: datetime) -> Workflow:
    """Let a paused workflow run again; see `WorkflowRecords.resume_workflow`."""
    row = find(session, name, lock=True)
    if row.state != WorkflowState.PAUSED:
        raise PlanStateError(f"Workflow {name!r} is not paused, so there is nothing to resume.")
    check_change(NoteChange(description=note))
    details = {"workflow_id": row.workflow_id, "name": row.name, "code": row.code, "reason": row.reason, "note": note}
    if row.code in _NEW_BASELINE:
        row.baseline_at = now
    row.state, row.code, row.reason = WorkflowState.ACTIVE.value, "", ""
    row.changed_by, row.changed_at = who, now
    audit(session, who, "workflow.resumed", details, now)
    session.flush()
    return frozen(row)


def remove(session: Session, name: str, who: str, now: datetime) -> Workflow:
    """Remove a workflow, which stays on record with its runs; see `WorkflowRecords.remove_workflow`."""
    row = find(session, name, lock=True)
    row.state, row.live_name = WorkflowState.REMOVED.value, None
    row.changed_by, row.changed_at = who, now
    audit(session, who, "workflow.removed", {"workflow_id": row.workflow_id, "name": row.name}, now)
    session.flush()
    return frozen(row)


def frozen(row: WorkflowRow) -> Workflow:
    """A row without its session."""
    return Workflow(
        workflow_id=row.workflow_id,
        name=row.name,
        state=WorkflowState(row.state),
        document=dict(row.document),
        author=row.author,
        created_at=row.created_at,
        bounds=dict(row.bounds),
        bounds_by=row.bounds_by,
        bounds_at=row.bounds_at,
        code=row.code,
        reason=row.reason,
        changed_by=row.changed_by,
        changed_at=row.changed_at,
        baseline_at=row.baseline_at,
    )
