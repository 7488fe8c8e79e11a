"""Applying a plan: rehearsed, done, gone on with after a pause, a halt or a crash.

Takes an open workspace and the id of a plan or an application, gives a report. Nothing is done without an approval of
the plan as it stands, without the leases on all of its locations, or without a line of the journal before and after it.
The ledger is written first, the catalog second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import polars as pl

from deeplens_kit.actions import (
    Acting,
    ActStep,
    Came,
    Ground,
    JournalUnwritable,
    Outcome,
    StepHistory,
    StepResult,
    Unsettled,
    history_of,
    no_boundary,
    settle_open,
    steps_of,
)
from deeplens_kit.errors import (
    ActionsHaltedError,
    LeaseHeldError,
    LocationUnavailableError,
    PlanNotApprovedError,
    PlanStateError,
)
from deeplens_kit.ledger import Application, ApplicationState, PlanRecord, PlanState
from deeplens_kit.matching import policy_from_json
from deeplens_kit.pipeline.act_catalog import forget_moved
from deeplens_kit.pipeline.act_ground import Leases, Protection, ground_of, leased, opened_kinds, options_of
from deeplens_kit.pipeline.act_report import ApplyReport, figures_of, results_frame
from deeplens_kit.pipeline.act_roots import ROOTS, roots_away, roots_of
from deeplens_kit.pipeline.plan_content import content_of
from deeplens_kit.pipeline.plan_freshness import require_fresh
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import bound_context, redact

__all__ = ["Content", "apply", "locations_of", "pause", "rehearse", "resume"]

Content = Callable[[ActStep], bytes | None]
"""What a step writes: the bytes of a new or rewritten file; None where nobody says."""

_POLL_SECONDS = 1.0
"""How often it is asked whether somebody wants a pause."""

_CAN_GO_ON = (ApplicationState.RUNNING, ApplicationState.PAUSED, ApplicationState.HALTED)


def rehearse(
    workspace: Workspace,
    plan_id: str,
    *,
    quick: bool = False,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    content: Content | None = None,
) -> ApplyReport:
    """Look what applying a plan would come to now, step by step, as applying looks. Nothing is changed.

    Args:
        workspace: An open workspace.
        plan_id: The plan, or how its id begins; approved or not.
        quick: Prove no content: nothing is read, and files that only reading would tell from others pass.
        progress: Told how it goes.
        stop: Set it to end early.
        content: What steps write.

    Raises:
        PlanStaleError: The plan has to be made anew.
        LocationReadOnlyError: A location of it is not opened for changes.
        PlanStateError: It is applied already.
    """
    record = workspace.ledger.plan(plan_id)
    _require_open_plan(record)
    frame = load_steps(workspace, record)
    require_fresh(workspace, record, frame, datetime.now(UTC))
    steps = steps_of(frame)
    options = options_of(workspace.settings.actions, proof="none" if quick else None)
    meter = ProgressMeter(progress, "", "check", len(steps))
    with opened_kinds(workspace, locations_of(frame), inactive=False) as kinds:
        protection = _protection(workspace, record, frame)
        ground = ground_of(workspace, "", kinds, options, protected=protection.of_step, content=content)
        came = Acting(ground, stop, lambda result: _tell(meter, result)).rehearse(steps)
    meter.finish()
    figures = figures_of(came.results, len(steps))
    workspace.ledger.record_audit("plan.rehearsed", {"plan_id": record.plan_id, "quick": quick, **figures})
    return ApplyReport(record, None, results_frame(frame, came.results), figures, stopped=came.stopped)


def apply(
    workspace: Workspace,
    plan_id: str,
    *,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    content: Content | None = None,
    boundary: Callable[[str], None] = no_boundary,
) -> ApplyReport:
    """Apply an approved plan.

    Args:
        workspace: An open workspace.
        plan_id: The plan, or how its id begins.
        progress: Told how it goes.
        stop: Set it to end after the step that is being done; it can be gone on with.
        content: What steps write.
        boundary: Called before and after each line of the journal and each act on a storage, by its thread.

    Raises:
        PlanNotApprovedError: Nobody who may approved it as it stands.
        PlanStaleError: It has to be made anew.
        PlanStateError: It is applied, or is being applied.
        LocationReadOnlyError: A location of it is not opened for changes.
        LeaseHeldError: Another run works at a location of it.
        ActionsHaltedError: It stopped before its end; `reports` holds the report. What was done stands, and can be gone
            on with or undone.
        WorkspaceError: The journal cannot be written.
    """
    record = workspace.ledger.plan(plan_id)
    _require_open_plan(record)
    _require_approved(record)
    frame = load_steps(workspace, record)
    require_fresh(workspace, record, frame, datetime.now(UTC))
    settings = workspace.settings.actions
    options = options_of(settings)
    with (
        leased(workspace, "apply", locations_of(frame)) as leases,
        opened_kinds(workspace, locations_of(frame), inactive=False) as kinds,
    ):
        protection, roots = _protection(workspace, record, frame), roots_of(kinds)
        application = workspace.ledger.start_application(
            record.plan_id,
            record.steps_digest,
            {**asdict(options), ROOTS: roots},
            other_approver=settings.other_approver,
        )
        ground = ground_of(
            workspace,
            application.application_id,
            kinds,
            options,
            boundary=boundary,
            protected=protection.of_step,
            content=content or content_of(workspace, record, frame, kinds),
            may_go_on=leases.check,
        )
        return _work(workspace, record, frame, ground, {}, leases, progress, stop)


def resume(
    workspace: Workspace,
    application_id: str,
    *,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    content: Content | None = None,
    boundary: Callable[[str], None] = no_boundary,
) -> ApplyReport:
    """Go on with an application that was paused, halted or whose process ended; raises as `apply`.

    What was half done is finished or made as it was first. Steps that failed are tried again; those that were skipped
    stay skipped.

    Raises:
        PlanStateError: It is finished or undone.
        LocationUnavailableError: What stands at the root of a location is not what it acted on, or nothing does.
            Nothing was done; it can be gone on with once that is connected.
    """
    application = workspace.ledger.application(application_id)
    if application.state not in _CAN_GO_ON:
        raise PlanStateError(
            f"Application {application.application_id} is {application.state}, so there is nothing to go on with; "
            f"`deeplens certificate {application.application_id}` says what it did."
        )
    record = workspace.ledger.plan(application.plan_id)
    frame = load_steps(workspace, record)
    with (
        leased(workspace, "apply", locations_of(frame)) as leases,
        opened_kinds(workspace, locations_of(frame), inactive=False) as kinds,
    ):
        histories = history_of(workspace.ledger.journal(application.application_id))
        if away := roots_away(workspace, application, frame, kinds, histories):
            names = ", ".join(sorted(kinds[location_id].name for location_id in away))
            raise LocationUnavailableError(names, "\n".join(away[location_id] for location_id in sorted(away)))
        protection = _protection(workspace, record, frame)
        ground = ground_of(
            workspace,
            application.application_id,
            kinds,
            options_of(workspace.settings.actions),
            boundary=boundary,
            protected=protection.of_step,
            content=content or content_of(workspace, record, frame, kinds),
            may_go_on=leases.check,
        )
        workspace.ledger.set_application(application.application_id, ApplicationState.RUNNING)
        try:
            settle_open(ground)
        except Unsettled as error:
            raise _halted(workspace, application, str(error.cause)) from error.cause
        except JournalUnwritable as error:
            raise error.cause from error
        histories = history_of(workspace.ledger.journal(application.application_id))
        return _work(workspace, record, frame, ground, histories, leases, progress, stop)


def pause(workspace: Workspace, application_id: str) -> Application:
    """Ask an application to stop after the step that it is at; whatever process runs it, it does within seconds.

    Raises:
        PlanStateError: It does not run.
    """
    application = workspace.ledger.application(application_id)
    if application.state is not ApplicationState.RUNNING:
        raise PlanStateError(f"Application {application.application_id} is {application.state}; it does not run.")
    return workspace.ledger.set_application(application.application_id, ApplicationState.PAUSED, message="asked to")


def locations_of(frame: pl.DataFrame) -> set[str]:
    """Every location that a plan speaks of."""
    columns = ("victim_location_id", "keeper_location_id", "target_location_id")
    return {name for column in columns for name in frame[column].drop_nulls().unique()}


def _work(
    workspace: Workspace,
    record: PlanRecord,
    frame: pl.DataFrame,
    ground: Ground,
    histories: Mapping[int, StepHistory],
    leases: Leases,
    progress: ProgressListener | None,
    stop: threading.Event | None,
) -> ApplyReport:
    """Do the steps that are left, and say how the application stands."""
    steps = steps_of(frame)
    before = _told_before(steps, histories)
    stop = stop or threading.Event()
    meter = ProgressMeter(progress, "", "apply", len(steps))
    meter.advance(len(before))
    may_go_on = _MayGoOn(workspace, ground.application_id, leases, stop)
    with bound_context(run_id=leases.run_id):
        came = Acting(ground, stop, lambda result: _tell(meter, result), may_go_on.look).run(steps, histories)
    meter.finish()
    latest = {**before, **{result.step: result for result in came.results}}
    figures = figures_of(latest.values(), len(steps))
    state = _state_of(came)
    ledger = workspace.ledger
    if came.error is not None and (came.unwritten or isinstance(came.error, LeaseHeldError)):
        # Nothing may be said of it in a ledger that cannot be written, or by a process that slept while another one
        # went on with it: the next `resume` looks what was done.
        raise came.error
    application = ledger.set_application(ground.application_id, state, figures, redact(came.halted))
    forget_moved(workspace, frame, [item.step for item in latest.values() if item.outcome is Outcome.DONE])
    report = ApplyReport(
        record,
        application,
        results_frame(frame, came.results),
        figures,
        stopped=came.stopped and not came.halted,
        halted=came.halted,
    )
    if came.halted:
        raise _halted_error(application, came.halted, report) from came.error
    return report


class _MayGoOn:
    """Looked at before each step: whether the leases are ours, and now and then whether somebody wants a pause."""

    def __init__(self, workspace: Workspace, application_id: str, leases: Leases, stop: threading.Event) -> None:
        self._ledger, self._application_id = workspace.ledger, application_id
        self._leases, self._stop = leases, stop
        self._asked_at = time.monotonic()
        self._lock = threading.Lock()

    def look(self) -> None:
        """Raise LeaseHeldError or WorkspaceError where it may not; set `stop` where a pause is wanted."""
        self._leases.check()
        with self._lock:
            if time.monotonic() - self._asked_at < _POLL_SECONDS:
                return
            self._asked_at = time.monotonic()
        if self._ledger.application(self._application_id).state is ApplicationState.PAUSED:
            self._stop.set()


def _told_before(steps: Sequence[ActStep], histories: Mapping[int, StepHistory]) -> dict[int, StepResult]:
    """What became of steps before this time."""
    told = {}
    for step in steps:
        history = histories.get(step.step)
        if history is None:
            continue
        if history.is_finished(step.action) and history.amiss is None:
            told[step.step] = StepResult(step.step, Outcome.DONE, frees_bytes=step.frees_bytes)
        elif (line := history.amiss or history.ended) is not None:
            outcome = Outcome.SKIPPED if line.phase == "skipped" else Outcome.FAILED
            told[step.step] = StepResult(step.step, outcome, line.code, line.message)
    return told


def _tell(meter: ProgressMeter, result: StepResult) -> None:
    meter.advance(
        failures=result.outcome is Outcome.FAILED,
        skipped=result.outcome is Outcome.SKIPPED,
        bytes_read=result.read_bytes,
    )


def _state_of(came: Came) -> ApplicationState:
    if came.halted:
        return ApplicationState.HALTED
    return ApplicationState.PAUSED if came.stopped else ApplicationState.FINISHED


def _halted(workspace: Workspace, application: Application, why: str) -> ActionsHaltedError:
    stands = workspace.ledger.set_application(application.application_id, ApplicationState.HALTED, message=redact(why))
    return _halted_error(stands, why, None)


def _halted_error(application: Application, why: str, report: ApplyReport | None) -> ActionsHaltedError:
    name = application.application_id
    error = ActionsHaltedError(
        f"Application {name} stopped before its end: {redact(why)}. What was done stands; see to it, then go on with "
        f"`deeplens apply --resume {name}` or take all back with `deeplens undo {name}`."
    )
    error.reports = () if report is None else (report,)
    return error


def _protection(workspace: Workspace, record: PlanRecord, frame: pl.DataFrame) -> Protection:
    policies = [policy_from_json(record.document["choice"]["policy"])] if "choice" in record.document else []
    return Protection(workspace, *policies, steps=frame)


def _require_open_plan(record: PlanRecord) -> None:
    if record.replaced_by:
        raise PlanStateError(
            f"Plan {record.plan_id} is {record.state}, so it cannot be applied; plan {record.replaced_by} took its "
            f"place: look at it with `deeplens plan show {record.replaced_by}`."
        )
    if record.state in (PlanState.APPLYING, PlanState.APPLIED, PlanState.UNDONE, PlanState.SUPERSEDED):
        raise PlanStateError(
            f"Plan {record.plan_id} is {record.state}, so it cannot be applied; `deeplens plan list` shows the plans, "
            "and `deeplens plan make` makes a new one."
        )


def _require_approved(record: PlanRecord) -> None:
    """The plain case, before anything is looked at; the ledger decides when the application starts."""
    if record.state is not PlanState.APPROVED:
        raise PlanNotApprovedError(
            f"Plan {record.plan_id} is {record.state}: nobody approved it as it stands. Nothing was touched; look at "
            f"it with `deeplens plan show {record.plan_id}`, then `deeplens plan approve {record.plan_id}`."
        )
