"""Schedules and their runs as frames: what a list and a history show.

Takes an open workspace and schedules, gives frames; must not run anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from deeplens_kit.ledger import ReportRun
from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.notify_targets import label_of
from deeplens_kit.reporting.cron import next_runs
from deeplens_kit.service.schedules.values import Schedule
from deeplens_kit.telemetry import redact

__all__ = ["list_schedules", "run_table", "schedule_history"]

_TIME = pl.Datetime("us", "UTC")
_SCHEDULES = pl.Schema(
    {
        "schedule": pl.String(),
        "what": pl.String(),
        "parameters": pl.String(),
        "cron": pl.String(),
        "timezone": pl.String(),
        "paused": pl.Boolean(),
        "next_at": _TIME,
        "to": pl.String(),
        "notify": pl.List(pl.String()),
        "last_state": pl.String(),
        "last_started_at": _TIME,
        "last_message": pl.String(),
    }
)
_RUNS = pl.Schema(
    {
        "run_id": pl.String(),
        "schedule": pl.String(),
        "report": pl.String(),
        "state": pl.String(),
        "due_at": _TIME,
        "started_at": _TIME,
        "finished_at": _TIME,
        "delivered_at": _TIME,
        "attempt": pl.Int64(),
        "out": pl.String(),
        "message": pl.String(),
        "author": pl.String(),
    }
)


def list_schedules(workspace: Workspace, schedules: Sequence[Schedule], now: datetime) -> pl.DataFrame:
    """Schedules in their order, with what came of the last run; `notify` has scheme and host alone.

    Args:
        workspace: An open workspace.
        schedules: As the file has them.
        now: Aware.
    """
    rows = []
    for item in schedules:
        coming = [] if item.paused else next_runs(item.times, now.astimezone(ZoneInfo(item.zone)), 1)
        last = next(iter(workspace.ledger.report_runs(schedule=item.name, limit=1)), None)
        rows.append(
            {
                "schedule": item.name,
                "what": item.what,
                "parameters": " ".join(f"{name}={value}" for name, value in sorted(item.parameters.items())),
                "cron": item.cron,
                "timezone": item.zone,
                "paused": item.paused,
                "next_at": coming[0] if coming else None,
                "to": redact(item.to) or None,
                "notify": [label_of(address) for address in item.notify],
                "last_state": str(last.state) if last is not None else None,
                "last_started_at": last.started_at if last is not None else None,
                "last_message": last.message if last is not None else None,
            }
        )
    return pl.DataFrame(rows, schema=_SCHEDULES)


def schedule_history(workspace: Workspace, name: str | None = None, *, limit: int | None = None) -> pl.DataFrame:
    """Runs of schedules, the latest first; those that are not in the file any more too.

    Args:
        workspace: An open workspace.
        name: Of this schedule; None for all.
        limit: At most so many; None for all.
    """
    return run_table(workspace.ledger.report_runs(schedule=name, scheduled=True, limit=limit))


def run_table(runs: Iterable[ReportRun]) -> pl.DataFrame:
    """Runs as rows, in their order."""
    names = [column for column in _RUNS if column != "state"]
    rows = [{**{column: getattr(run, column) for column in names}, "state": str(run.state)} for run in runs]
    return pl.DataFrame(rows, schema=_RUNS)
