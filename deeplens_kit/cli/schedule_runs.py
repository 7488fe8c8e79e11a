"""`deeplens schedule run` and `run-now`: the loop that runs what is due, and one run by hand or by another scheduler.

Takes the file of schedules, says what comes of each run; must not decide what a time means or make a report itself.
"""

from __future__ import annotations

import sys
import threading
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from deeplens_kit.cli.answers import Answer, Json, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.schedule_commands import ScheduleFile, ScheduleName, file_of
from deeplens_kit.cli.schedule_lines import json_lines, nothing_due_json, stopped_json, text_lines
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import print_lines, shown
from deeplens_kit.errors import Interrupted, ReportError
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.service.schedules import Schedule, Turn
    from deeplens_kit.service.schedules.events import SchedulerEvent

__all__ = ["run", "run_now"]


def run(
    context: typer.Context,
    file: ScheduleFile = None,
    once: Annotated[bool, typer.Option("--once", help="Run what is due now, and end.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="How many may run at once.")] = 1,
    lines: Annotated[bool, typer.Option("--json-lines", help="Print one JSON object a line as it happens.")] = False,
) -> None:
    """Run the schedules of the file when they are due, until Ctrl-C or SIGTERM. What was missed is made good once.

    The file is read again when it changes. Two of these on one workspace share the work.
    """
    from deeplens_kit.service.schedules import Scheduler
    from deeplens_kit.service.schedules.events import RunEnded

    ended = 0

    def tell(event: SchedulerEvent) -> None:
        nonlocal ended
        ended += isinstance(event, RunEnded)
        at = datetime.now(UTC)
        print_lines(list(json_lines(event, at) if lines else text_lines(event, at, once=once)))
        # At once: whoever reads waits for it.
        sys.stdout.flush()

    with opened(context) as workspace, stop_on_signals(schedules=True) as stop:
        scheduler = Scheduler(workspace, file_of(context, file), tell=tell, stop=stop, parallel=parallel)
        failed = 0
        if once:
            failed = scheduler.run_due()
        else:
            scheduler.run()
        interrupted = once and stop.is_set()
    if interrupted:
        raise Interrupted("Stopped; what was being made is made anew by the next run.")
    if once and not ended:
        print_lines([nothing_due_json(datetime.now(UTC)) if lines else "Nothing is due now."])
    if not once:
        print_lines([stopped_json(datetime.now(UTC)) if lines else "Stopped."])
    if failed:
        raise ReportError(f"{plural(failed, 'run')} failed; `deeplens schedule history` says why.")


def run_now(
    context: typer.Context,
    name: ScheduleName,
    file: ScheduleFile = None,
    if_due: Annotated[
        bool,
        typer.Option("--if-due", help="Only where it is due and not made yet, as crontab, systemd and Kubernetes ask."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a schedule once, whether or not it is due: made, put in place, and told of."""
    from deeplens_kit.service.schedules import perform, read_schedules, schedule_named, send_waiting
    from deeplens_kit.service.schedules.tables import run_table
    from deeplens_kit.service.schedules.values import WORKFLOW

    place = file_of(context, file)
    schedule = schedule_named(read_schedules(place), name)
    # A report is ended by Ctrl-C itself; a workflow ends the step that it is at first.
    signals = stop_on_signals(steps=True) if schedule.report == WORKFLOW else nullcontext(threading.Event())
    with opened(context) as workspace, signals as stop:
        due_at, attempt = None, 1
        if if_due:
            turn = _due(workspace, schedule, place)
            if turn is None:
                summary: dict[str, object] = {"schedule": name, "state": "nothing due"}
                rows = run_table(())
                said = [f"Schedule {shown(name)} is not due, or was run for its last time already."]
                return give(Answer("schedule run-now", rows, None, summary, said), as_json=as_json, csv=None)
            due_at, attempt = turn.due_at, turn.attempt
        try:
            made = perform(workspace, schedule, due_at=due_at, attempt=attempt, stop=stop)
        finally:
            told = send_waiting(workspace.ledger, schedule.notify, stop=stop)
            for item in told:
                if item.reason or item.warning:
                    typer.echo(f"Notice to {item.target}: {shown(item.reason or item.warning)}", err=True)
        rows = run_table([made])
    summary = {
        "schedule": name,
        "state": str(made.state),
        "message": made.message,
        "out": made.out or None,
        "figures": dict(made.figures),
        "notices": [{"target": item.target, "reason": item.reason} for item in told],
    }
    said = [shown(made.message), *([f"Wrote {shown(made.out)}"] if made.out else [])]
    give(Answer("schedule run-now", rows, None, summary, said), as_json=as_json, csv=None)


def _due(workspace: Workspace, schedule: Schedule, file: Path) -> Turn | None:
    """The turn that is due; one that failed is tried again at once, since nobody else does."""
    from deeplens_kit.service.schedules import next_turn
    from deeplens_kit.service.schedules.scheduler import runs_of_latest_time

    now, runs = datetime.now(UTC), runs_of_latest_time(workspace, schedule.name)
    since = None if runs else datetime.fromtimestamp(file.stat().st_mtime, ZoneInfo("UTC"))
    turn = next_turn(schedule, runs, since, now)
    return turn if turn is not None and (turn.at <= now or turn.attempt > 1) else None
