"""Rows of runs: started, finished, and found dead.

Takes a session and gives frozen values; must not commit or take leases.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.holder import is_alive
from deeplens_kit.ledger.models import LeaseRow, RunRow
from deeplens_kit.ledger.values import Run, RunState
from deeplens_kit.telemetry import redact

__all__ = ["finish", "frozen", "interrupt_dead", "listed", "start"]

_ID_BYTES = 8
_DEAD = "the process ended without finishing the run"


def start(
    session: Session, kind: str, location_id: str | None, settings: Mapping[str, object], holder: str, now: datetime
) -> Run:
    """Add a run that begins now."""
    row = RunRow(
        run_id=secrets.token_hex(_ID_BYTES),
        kind=kind,
        location_id=location_id,
        state=RunState.RUNNING.value,
        holder=holder,
        started_at=now,
        finished_at=None,
        settings=dict(settings),
        figures={},
        message="",
    )
    session.add(row)
    session.flush()
    return frozen(row)


def finish(
    session: Session, run_id: str, state: RunState | str, figures: Mapping[str, object], message: str, now: datetime
) -> Run:
    """Record the end of a run.

    Raises:
        SettingsError: The state is no end.
        UnknownNameError: There is no such run.
    """
    ends = [item.value for item in RunState if item is not RunState.RUNNING]
    if state not in ends:
        raise SettingsError(f"A run cannot end as {str(state)!r}; allowed are {', '.join(ends)}.")
    row = session.get(RunRow, run_id)
    if row is None:
        raise UnknownNameError("run", run_id, session.scalars(select(RunRow.run_id)))
    row.state, row.figures, row.message, row.finished_at = RunState(state).value, dict(figures), redact(message), now
    return frozen(row)


def interrupt_dead(session: Session, location_id: str | None, now: datetime, stale_seconds: float) -> list[str]:
    """Mark runs of a location as interrupted whose process is gone; returns their ids.

    A run lives while its process does, where that can be seen from here; elsewhere while its lease is fresh, or
    while it is so young that it may be about to take one.
    """
    stale_before = now - timedelta(seconds=stale_seconds)
    fresh = set(session.scalars(select(LeaseRow.run_id).where(LeaseRow.heartbeat_at >= stale_before)))
    running = select(RunRow).where(RunRow.state == RunState.RUNNING.value, RunRow.location_id == location_id)
    dead = []
    for row in session.scalars(running):
        alive = is_alive(row.holder)
        if alive is None:
            alive = row.run_id in fresh or row.started_at >= stale_before
        if not alive:
            row.state, row.finished_at, row.message = RunState.INTERRUPTED.value, now, _DEAD
            dead.append(row.run_id)
    return dead


def listed(session: Session, location_id: str | None) -> list[Run]:
    """Runs, the latest first; of one location, or all."""
    query = select(RunRow).order_by(RunRow.started_at.desc(), RunRow.run_id)
    if location_id is not None:
        query = query.where(RunRow.location_id == location_id)
    return [frozen(row) for row in session.scalars(query)]


def last(session: Session, kind: str) -> dict[str, Run]:
    """The run of a kind that began last at each location that had one, by the location's id."""
    at = select(RunRow.location_id, func.max(RunRow.started_at).label("began")).where(RunRow.kind == kind)
    newest = at.group_by(RunRow.location_id).subquery()
    query = select(RunRow).join(
        newest, (RunRow.location_id == newest.c.location_id) & (RunRow.started_at == newest.c.began)
    )
    # The first of those that began at once is the one that `listed` has first.
    rows = session.scalars(query.where(RunRow.kind == kind).order_by(RunRow.run_id.desc()))
    return {str(row.location_id): frozen(row) for row in rows}


def version(session: Session) -> tuple[int, int, str]:
    """How many runs there are and how many have ended, both of which only ever grow, and when the last one did."""
    query = select(func.count(), func.count(RunRow.finished_at), func.max(RunRow.finished_at)).select_from(RunRow)
    every, ended, last = session.execute(query).one()
    return int(every), int(ended), str(last)


def frozen(row: RunRow) -> Run:
    """The value of a row."""
    return Run(
        run_id=row.run_id,
        kind=row.kind,
        location_id=row.location_id,
        state=RunState(row.state),
        holder=row.holder,
        started_at=row.started_at,
        finished_at=row.finished_at,
        settings=dict(row.settings),
        figures=dict(row.figures),
        message=row.message,
    )
