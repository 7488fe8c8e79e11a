"""The part of the ledger that keeps standing workflows and their runs.

Takes and gives frozen values; must not know what a workflow does, or run one. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deeplens_kit.ledger import outbox as outbox_rows
from deeplens_kit.ledger import workflow_runs as run_rows
from deeplens_kit.ledger import workflows as workflow_rows
from deeplens_kit.ledger.act_values import PlanRecord
from deeplens_kit.ledger.holder import current_holder, current_person
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import OutboxEvent
from deeplens_kit.ledger.workflow_values import Workflow, WorkflowRun, WorkflowRunState

__all__ = ["WorkflowRecords"]


class WorkflowRecords(Transactions):
    """Clean-ups that recur, and what came of each time."""

    def add_workflow(self, name: str, document: Mapping[str, object]) -> Workflow:
        """Add a workflow of this person's; each of its plans needs a person until somebody sets bounds.

        Args:
            name: No other that is not removed may have it.
            document: What it does, when, and whom it tells, as JSON can hold it.

        Raises:
            SettingsError: The name is taken or not allowed.
        """
        with self._writing() as (session, now):
            return workflow_rows.add(session, name, document, current_person(), now)

    def workflow(self, name: str) -> Workflow:
        """The workflow of a name.

        Raises:
            UnknownNameError: There is none, or it was removed.
        """
        with self._reading() as session:
            return workflow_rows.frozen(workflow_rows.find(session, name))

    def workflows(self, *, removed: bool = False) -> list[Workflow]:
        """Workflows by name: those that are not removed, or all."""
        with self._reading() as session:
            return workflow_rows.listed(session, removed=removed)

    def set_workflow_bounds(self, name: str, bounds: Mapping[str, object], *, other_approver: bool = False) -> Workflow:
        """Say within which bounds plans of a workflow count as approved by this person; empty takes them away.

        Raises:
            UnknownNameError: There is no such workflow.
            PlanNotApprovedError: This person added it, and `other_approver` asks for somebody else.
        """
        with self._writing() as (session, now):
            who = current_person()
            return workflow_rows.set_bounds(session, name, bounds, who, now, other_approver=other_approver)

    def pause_workflow(self, name: str, reason: str) -> Workflow:
        """Pause a workflow by hand; a run that is at work ends after the step that it is at."""
        with self._writing() as (session, now):
            row = workflow_rows.find(session, name, lock=True)
            workflow_rows.pause(session, row, workflow_rows.BY_HAND, reason, current_person(), now)
            return workflow_rows.frozen(row)

    def resume_workflow(self, name: str, note: str = "") -> Workflow:
        """Let a paused workflow run again; PlanStateError where it is not paused."""
        with self._writing() as (session, now):
            return workflow_rows.resume(session, name, note, current_person(), now)

    def remove_workflow(self, name: str) -> Workflow:
        """Remove a workflow: it runs no more, and stays on record with its runs."""
        with self._writing() as (session, now):
            return workflow_rows.remove(session, name, current_person(), now)

    def settle_workflow(self, name: str, stale_seconds: float) -> WorkflowRun | None:
        """Mark a run whose process is gone as crashed, and pause the workflow; None where there is none.

        Args:
            name: The workflow.
            stale_seconds: A run on another machine without heartbeat for longer than this is taken as gone.
        """
        with self._writing() as (session, now):
            return run_rows.settle_crashed(session, name, stale_seconds, current_person(), now)

    def begin_workflow_run(self, name: str) -> WorkflowRun:
        """Begin a run of a workflow; of several processes that ask, one may.

        Raises:
            UnknownNameError: There is no such workflow.
            WorkflowPausedError: It is paused.
            PlanStateError: It runs already.
        """
        with self._writing() as (session, now):
            return run_rows.begin(session, name, current_holder(), current_person(), now)

    def beat_workflow_run(self, run_id: str) -> bool:
        """Show that a run lives; False where it should end: its workflow was paused, or it was taken for dead."""
        with self._writing() as (session, now):
            return run_rows.beat(session, run_id, now)

    def note_workflow_plan(self, run_id: str, plan_id: str) -> None:
        """Say which plan a run has at hand."""
        with self._writing() as (session, _):
            run_rows.note(session, run_id, plan_id)

    def end_workflow_run(
        self,
        run_id: str,
        state: WorkflowRunState,
        figures: Mapping[str, object],
        message: str,
        *,
        application_id: str = "",
        pause_code: str = "",
        events: Iterable[OutboxEvent] = (),
    ) -> WorkflowRun:
        """Record the end of a run, with what is to be told of it.

        Args:
            run_id: The run.
            state: How it ended.
            figures: Counts and bytes, as JSON can hold them.
            message: What came of it, in a sentence.
            application_id: The application of its plan; empty for none.
            pause_code: Pauses the workflow, for the reason `message`; empty leaves it as it is.
            events: Notices, written in the same transaction.

        Raises:
            PlanStateError: Another process took it for dead.
        """
        with self._writing() as (session, now):
            outbox_rows.put(session, events, now)
            who = current_person()
            return run_rows.end(session, run_id, state, figures, message, application_id, pause_code, who, now)

    def workflow_runs(self, name: str | None = None, *, limit: int | None = None) -> list[WorkflowRun]:
        """Runs, the latest first: of one workflow, or of all, removed ones too."""
        with self._reading() as session:
            workflow_id = workflow_rows.find(session, name).workflow_id if name is not None else None
            return run_rows.listed(session, workflow_id, limit)

    def approve_within_bounds(
        self,
        run_id: str,
        plan_id: str,
        steps_digest: str,
        bounds: Mapping[str, object],
        *,
        other_approver: bool = False,
    ) -> PlanRecord:
        """Say yes to a draft in the name of who set the bounds of the workflow; the trail says that nobody looked.

        Whether the plan is within the bounds is the caller's to know.

        Args:
            run_id: The run that asks.
            plan_id: The plan.
            steps_digest: SHA-256 of the steps that were held against the bounds.
            bounds: The bounds that they were held against.
            other_approver: Whether the author of the plan or the workflow may not be who set them.

        Raises:
            PlanNotApprovedError: The bounds are others or none any more, the workflow was paused, or `other_approver`
                asks for somebody else than who set them.
            PlanStateError: It is no draft.
            PlanStaleError: It has other steps.
        """
        with self._writing() as (session, now):
            who = current_person()
            return run_rows.approve(
                session, run_id, plan_id, steps_digest, bounds, who, now, other_approver=other_approver
            )
