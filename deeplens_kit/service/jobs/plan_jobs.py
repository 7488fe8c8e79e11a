"""Jobs that make plans, apply them, undo what was applied, and run workflows.

Takes parameters and an open workspace, gives ids and figures; must not act on a file itself. A try after a kill does
not begin anew: a plan that the job has made is found by the job's id, an application is gone on with by its journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.errors import Interrupted, PlanError, SettingsError
from deeplens_kit.ledger import Application, ApplicationState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs.parameters import Parameters
from deeplens_kit.service.jobs.running import JobRun

__all__ = [
    "ApplyParameters",
    "PlanParameters",
    "UndoParameters",
    "WorkflowParameters",
    "parse_apply",
    "parse_plan",
    "parse_undo",
    "parse_workflow",
    "run_apply",
    "run_plan",
    "run_undo",
    "run_workflow",
]

_JOB = "job_id"
_CHOICE = (
    "tiers", "action", "rule", "policy", "locations", "limit", "to", "storage_class", "merge_metadata"
)  # fmt: skip
_CAN_GO_ON = (ApplicationState.RUNNING, ApplicationState.PAUSED, ApplicationState.HALTED)


@dataclass(frozen=True, slots=True)
class PlanParameters:
    """What a job of kind "plan" is told.

    Attributes:
        choice: As `PlanChoice.to_json` gives it, or the arguments of `plan_choice` with rule and policy by name.
    """

    choice: Mapping[str, Any]


def parse_plan(parameters: Mapping[str, Any]) -> PlanParameters:
    """Check the parameters of a job of kind "plan"."""
    choice = Parameters("plan", parameters, ("choice",)).object("choice")
    given = Parameters("plan", choice, _CHOICE)
    given.texts("locations"), given.number("limit", least=1), given.flag("merge_metadata")
    for name in ("action", "to", "storage_class"):
        given.text(name, "")
    return PlanParameters(choice)


def run_plan(workspace: Workspace, value: PlanParameters, run: JobRun) -> dict[str, Any]:
    """Make a draft; gives its id and totals. Where there is nothing to do the job fails and says so."""
    from deeplens_kit.pipeline.planning import plan_of_choice

    job_id, record = run.job.job_id, None
    if run.job.turn > 1:
        record = next((plan for plan in workspace.ledger.plans() if plan.document.get(_JOB) == job_id), None)
    if record is None:
        choice = _choice_of(workspace, value.choice)
        record = plan_of_choice(workspace, choice, {"made_by": "make", _JOB: job_id})
    if record is None:
        raise PlanError("There is nothing that a plan could do: no file may go by what was chosen.")
    return {"plan_id": record.plan_id, "steps": record.steps, "totals": record.document.get("totals", {})}


def _choice_of(workspace: Workspace, choice: Mapping[str, Any]) -> Any:
    from deeplens_kit.pipeline import plan_choice
    from deeplens_kit.pipeline.keep_policies import policy_named
    from deeplens_kit.pipeline.plan_choices import PlanChoice
    from deeplens_kit.pipeline.rule_in_use import rule_named

    if isinstance(choice.get("rule"), Mapping) and isinstance(choice.get("policy"), Mapping):
        return PlanChoice.of(choice)
    words = {name: item for name, item in choice.items() if item is not None and name not in ("rule", "policy")}
    if (rule := choice.get("rule")) is not None:
        words["rule"] = rule_named(workspace, str(rule))
    if (policy := choice.get("policy")) is not None:
        words["policy"] = policy_named(workspace, str(policy))
    return plan_choice(workspace, **words)


@dataclass(frozen=True, slots=True)
class ApplyParameters:
    """What a job of kind "apply" is told: one of both.

    Attributes:
        plan_id: A plan to apply.
        application_id: An application to go on with: paused, halted, or its process ended.
    """

    plan_id: str = ""
    application_id: str = ""


def parse_apply(parameters: Mapping[str, Any]) -> ApplyParameters:
    """Check the parameters of a job of kind "apply"."""
    given = Parameters("apply", parameters, ("plan_id", "application_id"))
    value = ApplyParameters(given.text("plan_id", ""), given.text("application_id", ""))
    if bool(value.plan_id) == bool(value.application_id):
        raise SettingsError("A job of kind 'apply' needs either 'plan_id' or 'application_id'.")
    return value


def run_apply(workspace: Workspace, value: ApplyParameters, run: JobRun) -> dict[str, Any]:
    """Apply, or go on with it; gives the application and its figures."""
    from deeplens_kit.pipeline.applying import apply, resume

    application = _begun(workspace, value, run)
    if application is not None and run.job.turn > 1 and application.state not in _CAN_GO_ON:
        return _applied(application)
    if application is not None:
        report = resume(workspace, application.application_id, progress=run.progress, stop=run.stop)
    else:
        report = apply(workspace, value.plan_id, progress=run.progress, stop=run.stop)
    if report.stopped and run.stop.is_set():
        raise Interrupted("It was ended after the step that it was at; it can be gone on with, or undone.")
    assert report.application is not None, "applied is more than rehearsed"
    return _applied(report.application)


def _begun(workspace: Workspace, value: ApplyParameters, run: JobRun) -> Application | None:
    """The application that is to be gone on with: the one that was named, or that an earlier try of the job began."""
    ledger = workspace.ledger
    if value.application_id:
        return ledger.application(value.application_id)
    if run.job.turn == 1:
        return None
    began = (item for item in ledger.applications(value.plan_id) if item.started_at >= run.job.created_at)
    return next(began, None)


def _applied(application: Application) -> dict[str, Any]:
    return {
        "application_id": application.application_id,
        "plan_id": application.plan_id,
        "state": str(application.state),
        "figures": dict(application.figures),
        "message": application.message,
    }


@dataclass(frozen=True, slots=True)
class UndoParameters:
    """What a job of kind "undo" is told.

    Attributes:
        application_id: What to undo.
    """

    application_id: str


def parse_undo(parameters: Mapping[str, Any]) -> UndoParameters:
    """Check the parameters of a job of kind "undo"."""
    return UndoParameters(Parameters("undo", parameters, ("application_id",)).text("application_id"))


def run_undo(workspace: Workspace, value: UndoParameters, run: JobRun) -> dict[str, Any]:
    """Undo, or go on with it; gives the application and what is not as it was."""
    from deeplens_kit.pipeline.undoing import undo

    application = workspace.ledger.application(value.application_id)
    if run.job.turn > 1 and application.state is ApplicationState.UNDONE:
        return {**_applied(application), "troubles": []}
    undone = undo(workspace, value.application_id, progress=run.progress, stop=run.stop)
    if run.stop.is_set() and undone.application.state is ApplicationState.UNDOING:
        raise Interrupted("It was ended after the step that it was at; undoing again goes on.")
    troubles = [{"step": item.step, "code": item.code, "message": item.message} for item in undone.troubles]
    return {**_applied(undone.application), "troubles": troubles, "left_to_index": undone.left_to_index}


@dataclass(frozen=True, slots=True)
class WorkflowParameters:
    """What a job of kind "workflow" is told.

    Attributes:
        name: Of the workflow.
        index_first: Index its locations first.
        schedule: Run it as a run of this schedule, on record and told of as such; empty for none.
    """

    name: str
    index_first: bool = False
    schedule: str = ""


def parse_workflow(parameters: Mapping[str, Any]) -> WorkflowParameters:
    """Check the parameters of a job of kind "workflow"."""
    given = Parameters("workflow", parameters, ("name", "index_first", "schedule"))
    return WorkflowParameters(given.text("name"), given.flag("index_first"), given.text("schedule", ""))


def run_workflow(workspace: Workspace, value: WorkflowParameters, run: JobRun) -> dict[str, Any]:
    """Run it once. One whose process ended in the middle stays paused until a person resumes it."""
    from deeplens_kit.pipeline import workflow_running

    if value.schedule:
        return _run_as_scheduled(workspace, value, run)
    came = workflow_running.run_workflow(
        workspace, value.name, index_first=value.index_first, progress=run.progress, stop=run.stop
    )
    return {
        "workflow": came.workflow.name,
        "state": str(came.run.state),
        "message": came.run.message,
        "figures": dict(came.run.figures),
        "sent": len(came.sent),
    }


def _run_as_scheduled(workspace: Workspace, value: WorkflowParameters, run: JobRun) -> dict[str, Any]:
    from deeplens_kit.service.jobs.schedule_jobs import performed
    from deeplens_kit.service.schedules import SCHEDULES_FILE, read_schedules, schedule_named
    from deeplens_kit.service.schedules.values import WORKFLOW

    schedule = schedule_named(read_schedules(workspace.directory / SCHEDULES_FILE), value.schedule)
    if schedule.report != WORKFLOW or schedule.parameters[WORKFLOW] != value.name:
        raise SettingsError(f"Schedule {schedule.name!r} does not run the workflow {value.name!r} any more.")
    made, not_told = performed(workspace, schedule, run)
    return {
        "workflow": value.name,
        "state": str(made.state),
        "message": made.message,
        "figures": dict(made.figures),
        "run_id": made.run_id,
        "not_told": not_told,
    }
