"""When a schedule is run next: at the next of its times, at once for one that was missed, later for one that failed.

Takes a schedule, its runs in the ledger and the time, gives one turn; must not read a clock or run anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from deeplens_kit.ledger import ReportRun, ReportRunState
from deeplens_kit.reporting.cron import last_run, next_runs
from deeplens_kit.service.schedules.values import Schedule

__all__ = ["Turn", "due_until", "next_turn", "retry_at"]

_MOST_TAKEN_UP = 3
"""Runs whose process is gone that are taken up beyond the tries of a schedule; our choice."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A run that is to come.

    Attributes:
        due_at: UTC: the time of the schedule that it makes good.
        attempt: 1 for the first try at it.
        at: UTC: when it is to begin; not after now for one that is due.
    """

    due_at: datetime
    attempt: int
    at: datetime


def next_turn(schedule: Schedule, runs: Iterable[ReportRun], since: datetime | None, now: datetime) -> Turn | None:
    """The next turn of a schedule; None while it is paused or runs, or where its times are over.

    Times that were missed are made good once, by the latest of them. A run that failed, or whose process is gone, is
    tried again for as long as no later time has come.

    Args:
        schedule: The schedule.
        runs: Its runs, in any order; at least those of the latest time.
        since: Times up to this one count as none: the schedule is as it is since then. None where that is not known.
        now: Aware.
    """
    runs = list(runs)
    if schedule.paused or any(run.is_open for run in runs):
        return None
    newest = max(
        (run for run in runs if run.due_at is not None), key=lambda run: (run.due_at, run.attempt), default=None
    )
    made_good = newest.due_at if newest is not None else None
    passed = max((at for at in (since, made_good) if at is not None), default=now)
    missed = due_until(schedule, now)
    if missed is not None and missed > passed:
        return Turn(missed, 1, now)
    coming = next_runs(schedule.times, now.astimezone(ZoneInfo(schedule.zone)), 1)
    at = coming[0].astimezone(UTC) if coming else None
    if newest is not None and made_good is not None and (since is None or made_good > since):
        again = retry_at(schedule, newest)
        if again is not None and (at is None or again < at):
            return Turn(made_good, newest.attempt + 1, again)
    return Turn(at, 1, at) if at is not None else None


def due_until(schedule: Schedule, now: datetime) -> datetime | None:
    """The last time of a schedule, UTC; None where none has come."""
    found = last_run(schedule.times, now.astimezone(ZoneInfo(schedule.zone)))
    return found.astimezone(UTC) if found is not None else None


def retry_at(schedule: Schedule, run: ReportRun) -> datetime | None:
    """When a run is tried again, UTC; None where it went well, was tried often enough, or a later time comes first."""
    interrupted = run.state is ReportRunState.INTERRUPTED
    if run.finished_at is None or not (interrupted or run.state is ReportRunState.FAILED):
        return None
    # Whoever ends a process wants its work done still: that is no fault of it, unless it comes to be a habit.
    if run.attempt > schedule.retries + (_MOST_TAKEN_UP if interrupted else 0):
        return None
    waits = run.attempt - (2 if interrupted else 1)
    wait = timedelta(minutes=schedule.retry_minutes * 2.0**waits) if waits >= 0 else timedelta()
    again = run.finished_at + wait
    return None if run.due_at is not None and _is_overtaken(schedule, run.due_at, again) else again


def _is_overtaken(schedule: Schedule, due_at: datetime, at: datetime) -> bool:
    """Whether a later time of the schedule has come by then, which makes this one good too."""
    later = next_runs(schedule.times, due_at.astimezone(ZoneInfo(schedule.zone)), 1)
    return bool(later) and later[0].astimezone(UTC) <= at
