"""One run of a schedule: the report is made, put where it belongs, and told of; or the workflow is run.

Takes an open workspace, a schedule and which of its times is made good, gives the run as the ledger has it. Must not
decide whether it is due, and must not send: what is to be told stands in the outbox when the run is over.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from deeplens_kit.errors import DeepLensError, Interrupted, ReportError, ReportRunningError
from deeplens_kit.ledger import ReportRun, ReportRunState, WorkflowRunState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.report_recording import beating, recorded_report
from deeplens_kit.service.schedules import making
from deeplens_kit.service.schedules.notices import events_of_run
from deeplens_kit.service.schedules.places import filled, page_place
from deeplens_kit.service.schedules.values import WORKFLOW, Schedule

__all__ = ["perform", "record_failure", "tell_failure"]


def perform(
    workspace: Workspace,
    schedule: Schedule,
    *,
    due_at: datetime | None = None,
    attempt: int = 1,
    last: bool = True,
    stop: threading.Event | None = None,
    progress: ProgressListener | None = None,
) -> ReportRun:
    """Run a schedule once.

    Args:
        workspace: An open workspace.
        schedule: The schedule.
        due_at: The time that is made good; None for a run by hand.
        attempt: 1 for the first try at it.
        last: People are told where it fails; else it is tried again.
        stop: Set it to end a workflow after the step that it is at.
        progress: Told how far a workflow is.

    Returns:
        The run, finished and delivered.

    Raises:
        ReportRunningError: It runs already, or was run for this time.
        DeepLensError: It could not be made, or not be put in place; the run has failed, and the last good page stands.
    """
    before = _latest(workspace, schedule)
    try:
        if schedule.report == WORKFLOW:
            return _run_workflow(workspace, schedule, due_at, attempt, stop, progress)
        return _make(workspace, schedule, due_at, attempt)
    except (ReportRunningError, Interrupted):
        raise
    except Exception as error:
        # Whatever it was, a full disk or a fault of ours: whoever waits for the report is told, and it is raised again.
        problem = str(error) or type(error).__name__
        run = _latest(workspace, schedule)
        if run is None or (before is not None and run.run_id == before.run_id):
            run = record_failure(workspace, schedule, due_at, attempt, problem)
        if last:
            tell_failure(workspace, schedule, run, problem)
        raise


def record_failure(
    workspace: Workspace, schedule: Schedule, due_at: datetime | None, attempt: int, problem: str
) -> ReportRun:
    """Put on record what failed before it began.

    Raises:
        ReportRunningError: The schedule runs already, or was run for this time: then it is of no account.
    """
    ledger = workspace.ledger
    begun = ledger.begin_report_run(
        schedule.report, schedule.parameters, schedule=schedule.name, due_at=due_at, attempt=attempt
    )
    return ledger.end_report_run(begun.run_id, ReportRunState.FAILED, message=problem)


def tell_failure(workspace: Workspace, schedule: Schedule, run: ReportRun, problem: str) -> None:
    """Leave for the outbox that a schedule's run has failed."""
    good = workspace.ledger.report_runs(schedule=schedule.name, states=[ReportRunState.FINISHED], limit=1)
    link = _link(schedule, good[0].out, good[0].started_at) if good and schedule.report != WORKFLOW else ""
    events = events_of_run(schedule, run, workspace.directory.name, problem=problem, link=link)
    workspace.ledger.record_watched(None, events)


def _make(workspace: Workspace, schedule: Schedule, due_at: datetime | None, attempt: int) -> ReportRun:
    ledger, now = workspace.ledger, datetime.now(UTC)
    with page_place(workspace, schedule, now.astimezone(ZoneInfo(schedule.zone))) as place:
        made = making.make_report(
            workspace.directory,
            schedule.report,
            schedule.parameters,
            place.page,
            pdf=schedule.pdf,
            schedule=schedule.name,
            due_at=due_at,
            attempt=attempt,
            keep_failed=place.put_failed if place.store is not None else None,
        )
        # The one that is not delivered: of a schedule there is one at a time.
        run = next(item for item in ledger.report_runs(schedule=schedule.name, limit=2) if item.is_open)
        try:
            with beating(ledger, run.run_id):
                out = place.put(made.html, made.beside)
        except BaseException as error:
            stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
            state = ReportRunState.INTERRUPTED if stopped else ReportRunState.FAILED
            with suppress(DeepLensError):
                ledger.end_report_run(run.run_id, state, message=f"It was made, and not put in place. {error}")
            raise
    link = _link(schedule, out, now)
    events = events_of_run(
        schedule, run, workspace.directory.name, headline=made.headline, link=link, mail=made.message
    )
    return ledger.deliver_report_run(run.run_id, out, made.headline, events=events)


def _run_workflow(
    workspace: Workspace,
    schedule: Schedule,
    due_at: datetime | None,
    attempt: int,
    stop: threading.Event | None,
    progress: ProgressListener | None,
) -> ReportRun:
    # Imported here: reports, which are the rule, need nothing of what it loads.
    from deeplens_kit.pipeline.workflow_running import run_workflow

    ledger, name = workspace.ledger, schedule.parameters[WORKFLOW]
    index = schedule.parameters.get("index") == "true"
    with recorded_report(
        ledger, WORKFLOW, schedule.parameters, schedule=schedule.name, due_at=due_at, attempt=attempt
    ) as noted:
        came = run_workflow(workspace, name, index_first=index, progress=progress, stop=stop)
        noted.figures, noted.message = came.run.figures, came.run.message
        if came.run.state is WorkflowRunState.ANOMALY:
            raise ReportError(came.run.message)
    events = events_of_run(schedule, noted.run, workspace.directory.name, headline=noted.message)
    return ledger.deliver_report_run(noted.run.run_id, events=events)


def _latest(workspace: Workspace, schedule: Schedule) -> ReportRun | None:
    return next(iter(workspace.ledger.report_runs(schedule=schedule.name, limit=1)), None)


def _link(schedule: Schedule, out: str, at: datetime) -> str:
    """What people open: what the schedule says, or where the page is."""
    name = out.rpartition("/")[2]
    return filled(schedule.link, at.astimezone(ZoneInfo(schedule.zone)), name) if schedule.link else out
