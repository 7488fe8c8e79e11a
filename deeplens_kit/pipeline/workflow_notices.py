"""Tell people what a workflow did, and where it waits for them.

Takes what a run came to, gives events for the outbox of the ledger and what became of each message; must not run a
workflow. What is not taken stands in the outbox until the next run that is given the same address.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from deeplens_kit.ledger import OutboxEvent, Workflow, WorkflowRun, WorkflowRunState
from deeplens_kit.pipeline.notice_outbox import Notice, NoticeSent, notice_events, send_notices
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["WORKFLOW_SCHEMA", "deliver_notices", "events_of", "notice_of_run"]

WORKFLOW_SCHEMA = "deeplens.workflow.notice/1"
_KIND = "workflow.run"


def notice_of_run(workspace: Workspace, workflow: Workflow, run: WorkflowRun) -> Notice:
    """What is told of a run.

    Args:
        workspace: An open workspace.
        workflow: Of the run.
        run: As it ended: applied, waiting, an anomaly, or crashed.
    """
    paused = run.state in (WorkflowRunState.ANOMALY, WorkflowRunState.CRASHED)
    words = {
        WorkflowRunState.APPLIED: "applied its plan",
        WorkflowRunState.WAITING: "waits for a person",
        WorkflowRunState.ANOMALY: "is paused",
        WorkflowRunState.CRASHED: "is paused",
    }
    lines = [f"Workflow {workflow.name} of the workspace {workspace.directory.name} {words[run.state]}.", run.message]
    if paused:
        lines.append(f"It does nothing until a person resumes it: `deeplens workflows resume {workflow.name}`.")
    if "certificate" in run.figures:
        totals = run.figures["certificate"]
        lines.append(
            f"In quarantine: {totals['in_quarantine']:,} files; emptying frees {totals['will_free_bytes']:,} bytes. "
            "Nothing is removed for good by a workflow."
        )
    document = {
        "made_at": (run.finished_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "workspace": workspace.directory.name,
        "workflow": workflow.name,
        "run_id": run.run_id,
        "state": str(run.state),
        "paused": paused,
        "message": run.message,
        "plan_id": run.plan_id or None,
        "application_id": run.application_id or None,
        "figures": dict(run.figures),
    }
    subject = f"DeepLens: workflow {workflow.name} {words[run.state]}"
    return Notice(run.run_id, WORKFLOW_SCHEMA, subject, tuple(lines), document)


def events_of(notice: Notice, targets: Sequence[str]) -> list[OutboxEvent]:
    """The notice for the outbox, one event for each address."""
    return notice_events(_KIND, notice, targets)


def deliver_notices(
    workspace: Workspace, targets: Sequence[str], *, stop: threading.Event | None = None
) -> list[NoticeSent]:
    """Send what waits for some addresses; see `notice_outbox.send_notices`."""
    return send_notices(workspace.ledger, _KIND, targets, stop=stop)
