"""Jobs that run a schedule once, whether or not it is due.

Takes the name of a schedule and an open workspace, gives its run; must not run a workflow, which has a kind of its own
because more is needed to ask for it. What it tells people waits in the outbox, and is sent from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import JobProgress, ReportRun
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs.parameters import Parameters
from deeplens_kit.service.jobs.running import JobRun

if TYPE_CHECKING:
    from deeplens_kit.service.schedules.values import Schedule

__all__ = ["ScheduleParameters", "parse_schedule", "performed", "run_schedule"]


@dataclass(frozen=True, slots=True)
class ScheduleParameters:
    """What a job of kind "schedule" is told.

    Attributes:
        schedule: Its name in the file of schedules.
    """

    schedule: str


def parse_schedule(parameters: Mapping[str, Any]) -> ScheduleParameters:
    """Check the parameters of a job of kind "schedule"."""
    return ScheduleParameters(Parameters("schedule", parameters, ("schedule",)).text("schedule"))


def run_schedule(workspace: Workspace, value: ScheduleParameters, run: JobRun) -> dict[str, Any]:
    """Make its report, put it where it belongs and tell of it; gives the run and its headline."""
    from deeplens_kit.service.schedules import SCHEDULES_FILE, read_schedules, schedule_named
    from deeplens_kit.service.schedules.values import WORKFLOW

    schedule = schedule_named(read_schedules(workspace.directory / SCHEDULES_FILE), value.schedule)
    if schedule.report == WORKFLOW:
        raise SettingsError(f"Schedule {schedule.name!r} runs a workflow; ask for a job of kind 'workflow' instead.")
    run.check()
    run.tell(JobProgress(message=f"Making {schedule.report}"))
    made, not_told = performed(workspace, schedule, run)
    return {
        "run_id": made.run_id,
        "headline": made.message,
        "figures": dict(made.figures),
        "not_told": not_told,
    }


def performed(workspace: Workspace, schedule: Schedule, run: JobRun) -> tuple[ReportRun, list[str]]:
    """Run a schedule by hand, and tell of it; gives the run, and who could not be told."""
    from deeplens_kit.service.schedules import perform, send_waiting

    try:
        made = perform(workspace, schedule, stop=run.stop, progress=run.progress)
    finally:
        told = send_waiting(workspace.ledger, schedule.notify, stop=run.stop)
    return made, [item.target for item in told if item.reason]
