"""One run of a standing workflow: plan, approval within bounds or a wait for a person, quarantine, certificate, notice.

Takes an open workspace and the name of a workflow, gives what came of it. Must not empty a quarantine, act on a plan
that is neither within bounds that a person set nor approved by one, or go on after anything that is not as it should
be: then the workflow is paused until a person resumes it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from deeplens_kit.errors import (
    ActionsHaltedError,
    DeepLensError,
    Interrupted,
    LeaseHeldError,
    PlanNotApprovedError,
    PlanStaleError,
)
from deeplens_kit.ledger import (
    AUTO_APPROVED,
    PlanRecord,
    PlanState,
    Workflow,
    WorkflowRun,
    WorkflowRunState,
)
from deeplens_kit.pipeline.act_report import ApplyReport
from deeplens_kit.pipeline.applying import apply
from deeplens_kit.pipeline.certifying import certificate
from deeplens_kit.pipeline.indexing import index
from deeplens_kit.pipeline.notice_outbox import NoticeSent
from deeplens_kit.pipeline.plan_freshness import require_fresh
from deeplens_kit.pipeline.planning import load_steps, plan_of_choice
from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds, files_by_location, plan_size
from deeplens_kit.pipeline.workflow_checks import (
    Anomaly,
    amiss_of_figures,
    drift,
    location_amiss,
    locations_of_choice,
    shrunk,
    unfinished,
)
from deeplens_kit.pipeline.workflow_notices import deliver_notices, events_of, notice_of_run
from deeplens_kit.pipeline.workflow_settings import WorkflowSettings
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["WorkflowOutcome", "run_workflow"]

_log = get_logger(__name__)

_BEATS_PER_STALE = 6
_TOLD = (
    WorkflowRunState.APPLIED,
    WorkflowRunState.WAITING,
    WorkflowRunState.ANOMALY,
    WorkflowRunState.CRASHED,
)
"""Runs that are news; that there was nothing to do is none."""


@dataclass(frozen=True, slots=True)
class WorkflowOutcome:
    """What a run of a workflow came to.

    Attributes:
        workflow: As it stands now.
        run: The run.
        sent: What became of each notice.
    """

    workflow: Workflow
    run: WorkflowRun
    sent: tuple[NoticeSent, ...]


@dataclass(slots=True)
class _Came:
    """What the work came to, as far as it is known."""

    state: WorkflowRunState = WorkflowRunState.NOTHING
    message: str = ""
    pause_code: str = ""
    plan_id: str = ""
    application_id: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def amiss(self, anomaly: Anomaly) -> _Came:
        self.state, self.message, self.pause_code = WorkflowRunState.ANOMALY, anomaly.message, anomaly.code
        return self

    def ends(self, state: WorkflowRunState, message: str) -> _Came:
        self.state, self.message = state, message
        return self


def run_workflow(
    workspace: Workspace,
    name: str,
    *,
    index_first: bool = False,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
) -> WorkflowOutcome:
    """Run a workflow once; what a scheduler calls.

    Args:
        workspace: An open workspace.
        name: Of the workflow.
        index_first: Index its locations first.
        progress: Told how indexing and applying go.
        stop: Set it to end after the step that is being done; the workflow is paused then.

    Returns:
        What came of it. Where the state of the run is `ANOMALY`, the workflow is paused.

    Raises:
        UnknownNameError: There is no such workflow.
        WorkflowPausedError: It is paused, or was just now: a run before this one crashed.
        PlanStateError: It runs already.
        WorkspaceError: The ledger cannot be written.
    """
    ledger = workspace.ledger
    stop = stop or threading.Event()
    crashed = ledger.settle_workflow(name, workspace.settings.index.lease_stale_seconds)
    workflow = ledger.workflow(name)
    settings = WorkflowSettings.of(workflow.document)
    if crashed is not None:
        ledger.record_watched(None, events_of(notice_of_run(workspace, workflow, crashed), settings.notify))
        deliver_notices(workspace, settings.notify, stop=stop)
    run = ledger.begin_workflow_run(name)
    came = _Came()
    with _beating(workspace, run, stop):
        try:
            came = _work(workspace, workflow, settings, run, came, index_first, progress, stop)
        except LeaseHeldError as error:
            came.ends(WorkflowRunState.POSTPONED, f"Left for the next run: {error}")
        except Interrupted as error:
            came.amiss(Anomaly("stopped", f"The run was stopped before its end. {error}"))
        except DeepLensError as error:
            came.amiss(Anomaly(error.code, redact(str(error))))
        except BaseException as error:
            # In a process that lives on nobody would take this run for dead.
            came.amiss(Anomaly("crashed", f"The run ended by an error of the program ({type(error).__name__})."))
            with suppress(DeepLensError):
                _end(workspace, workflow, settings, run, came)
            raise
    ended = _end(workspace, workflow, settings, run, came)
    sent = deliver_notices(workspace, settings.notify, stop=stop)
    # By its id: somebody may have removed it meanwhile.
    (stands,) = (item for item in ledger.workflows(removed=True) if item.workflow_id == workflow.workflow_id)
    return WorkflowOutcome(stands, ended, tuple(sent))


def _work(
    workspace: Workspace,
    workflow: Workflow,
    settings: WorkflowSettings,
    run: WorkflowRun,
    came: _Came,
    index_first: bool,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> _Came:
    ledger, choice = workspace.ledger, settings.choice
    runs = [item for item in ledger.workflow_runs(workflow.name) if item.run_id != run.run_id]
    # 1. Is all as it was left?
    if (found := unfinished(workspace, runs)) is not None:
        return came.amiss(found)
    locations = locations_of_choice(workspace, choice)
    if (found := location_amiss(workspace, locations, named=bool(choice.locations))) is not None:
        return came.amiss(found)
    if index_first:
        index(workspace, [item.name for item in locations], progress=progress, stop=stop)
    ids = [item.location_id for item in locations]
    came.figures["files"] = files_by_location(workspace, ids)
    if (found := shrunk(workspace, came.figures["files"], runs, ledger.applications())) is not None:
        return came.amiss(found)
    # 2. The plan: one that a person approved since, or a new one.
    last = _waiting(workspace, runs)
    record = last if last is not None and _is_ready(workspace, last) else None
    approved = record is not None
    if record is None:
        made_by = {"made_by": "workflow", "workflow": {"name": workflow.name, "run_id": run.run_id}}
        record = plan_of_choice(workspace, choice, made_by, replaces=last.plan_id if last is not None else "")
    if record is None:
        return came.ends(WorkflowRunState.NOTHING, "There was nothing to do.")
    ledger.note_workflow_plan(run.run_id, record.plan_id)
    came.plan_id, came.figures["steps"] = record.plan_id, record.steps
    # 3. May it be done without a person?
    if not approved:
        if (found := drift(record.steps, workflow, runs, settings.drift_factor)) is not None:
            return came.amiss(replace(found, message=f"{found.message} Plan {record.plan_id} waits for a person."))
        if not _approve(workspace, workflow, run, record, runs, came):
            return came
    # 4. Quarantine, and what was proved.
    return _apply(workspace, record, ids, came, progress, stop)


def _waiting(workspace: Workspace, runs: Sequence[WorkflowRun]) -> PlanRecord | None:
    """The plan of the run before that was not applied, and that no other took the place of."""
    before = next((run for run in runs if run.plan_id), None)
    if before is None:
        return None
    record = workspace.ledger.plan(before.plan_id)
    if record.state is PlanState.APPROVED and before.state is WorkflowRunState.POSTPONED:
        # Bounds may have changed since they let it through: it is made and held against them anew.
        return record
    return record if record.state in (PlanState.DRAFT, PlanState.APPROVED) else None


def _is_ready(workspace: Workspace, record: PlanRecord) -> bool:
    """Whether a person approved a plan, and it is fresh still."""
    by_person = any(item.approved and not item.note.startswith(AUTO_APPROVED) for item in record.approvals)
    if record.state is not PlanState.APPROVED or not by_person:
        return False
    try:
        require_fresh(workspace, record, load_steps(workspace, record), datetime.now(UTC))
    except PlanStaleError:
        return False
    return True


def _approve(
    workspace: Workspace,
    workflow: Workflow,
    run: WorkflowRun,
    record: PlanRecord,
    runs: Sequence[WorkflowRun],
    came: _Came,
) -> bool:
    """Approve a plan within bounds; else leave it to a person, and say so in `came`."""
    steps = load_steps(workspace, record)
    came.figures |= {"bytes": int(steps["victim_size_bytes"].sum()), "frees_bytes": int(steps["frees_bytes"].sum())}
    # As they are now: somebody may have changed them since the run began.
    workflow = workspace.ledger.workflow(workflow.name)
    bounds = WorkflowBounds.of(workflow.bounds)
    how = (
        f"`deeplens plan show {record.plan_id}`, then `deeplens plan approve {record.plan_id}`: the next run applies it"
    )
    if bounds is None:
        came.ends(
            WorkflowRunState.WAITING, f"Plan {record.plan_id} waits for a person, since nobody set bounds; {how}."
        )
        return False
    beyond = bounds.exceeded(plan_size(workspace, record.document.get("evidence"), steps))
    if not beyond:
        other = workspace.settings.actions.other_approver
        try:
            workspace.ledger.approve_within_bounds(
                run.run_id, record.plan_id, record.steps_digest, workflow.bounds, other_approver=other
            )
        except PlanNotApprovedError as error:
            came.ends(WorkflowRunState.WAITING, f"{error} It waits for a person; {how}.")
            return False
        return True
    came.figures["exceeded"] = beyond
    said = f"Plan {record.plan_id} is beyond the bounds that {workflow.bounds_by} set ({'; '.join(beyond)})"
    before = next((item for item in runs if item.state is not WorkflowRunState.POSTPONED), None)
    if before is not None and before.state is WorkflowRunState.WAITING and before.figures.get("exceeded"):
        came.amiss(Anomaly("bounds", f"{said}, for the second time in a row. It waits for a person; {how}."))
    else:
        came.ends(WorkflowRunState.WAITING, f"{said}, so it waits for a person; {how}.")
    return False


def _apply(
    workspace: Workspace,
    record: PlanRecord,
    location_ids: Sequence[str],
    came: _Came,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> _Came:
    halted = ""
    try:
        report = apply(workspace, record.plan_id, progress=progress, stop=stop)
    except ActionsHaltedError as error:
        reports = [item for item in error.reports if isinstance(item, ApplyReport)]
        if not reports:
            raise
        report, halted = reports[0], str(error)
    if report.application is None:
        raise AssertionError("an application that was applied has an id")
    name = came.application_id = report.application.application_id
    came.figures |= dict(report.figures)
    proved = certificate(workspace, name)
    came.figures |= {"certificate": {**proved.totals, "journal": proved.journal_head, "audit": proved.audit_head}}
    came.figures["files"] = files_by_location(workspace, location_ids)
    if halted:
        return came.amiss(Anomaly("halted", halted))
    if report.stopped:
        said = f"Application {name} was stopped before its end; `deeplens apply --resume {name}` goes on."
        return came.amiss(Anomaly("stopped", said))
    said = (
        f"Application {name} of plan {record.plan_id}: {report.figures['done']:,} of {record.steps:,} steps done. "
        f"`deeplens certificate {name}` says what was proved, `deeplens undo {name}` takes it back."
    )
    if (found := amiss_of_figures(report.figures, workspace.settings.actions.stop_at_skip_share)) is not None:
        return came.amiss(Anomaly(found.code, f"{found.message} {said}"))
    return came.ends(WorkflowRunState.APPLIED, said)


def _end(
    workspace: Workspace, workflow: Workflow, settings: WorkflowSettings, run: WorkflowRun, came: _Came
) -> WorkflowRun:
    """Write what came of a run, its notice, and the pause, all or nothing."""
    told = replace(
        run,
        state=came.state,
        finished_at=datetime.now(UTC),
        plan_id=came.plan_id,
        application_id=came.application_id,
        figures=came.figures,
        message=redact(came.message),
    )
    events = events_of(notice_of_run(workspace, workflow, told), settings.notify) if came.state in _TOLD else []
    return workspace.ledger.end_workflow_run(
        run.run_id,
        came.state,
        came.figures,
        came.message,
        application_id=came.application_id,
        pause_code=came.pause_code,
        events=events,
    )


@contextmanager
def _beating(workspace: Workspace, run: WorkflowRun, stop: threading.Event) -> Iterator[None]:
    """Show that the run lives while the block goes on; `stop` is set where the workflow is paused meanwhile."""
    ended = threading.Event()
    wait = workspace.settings.index.lease_stale_seconds / _BEATS_PER_STALE

    def beat() -> None:
        while not ended.wait(wait):
            try:
                if not workspace.ledger.beat_workflow_run(run.run_id):
                    stop.set()
            except DeepLensError as error:
                # The next one may go through; without any for long enough another process takes over.
                _log.warning("heartbeat failed", run_id=run.run_id, error=str(error))

    thread = threading.Thread(target=beat, name="workflow-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
