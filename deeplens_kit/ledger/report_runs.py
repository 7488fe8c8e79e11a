"""Rows of the reports that were made: one run at a time of each schedule, and what came of it.

Takes a session and gives frozen values; must not commit: the ledger does. A run shows that it lives by its process and
by a heartbeat; one that does neither was interrupted. That of two processes one runs a schedule is the database's own
doing: the schedule stands in a unique column until its run is delivered or has failed.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, Text, and_, cast, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from deeplens_kit.errors import ReportError, ReportRunningError, SettingsError, UnknownNameError
from deeplens_kit.ledger.chain import plain
from deeplens_kit.ledger.holder import is_alive, shown_holder
from deeplens_kit.ledger.inserting import insert_into
from deeplens_kit.ledger.report_models import ReportRunRow
from deeplens_kit.ledger.report_values import ReportRun, ReportRunState
from deeplens_kit.telemetry import redact

__all__ = ["RunsWanted", "beat", "begin", "count", "deliver", "end", "last", "listed", "one", "settle_dead"]

_RUNNING, _FINISHED = ReportRunState.RUNNING.value, ReportRunState.FINISHED.value


def begin(
    session: Session,
    report: str,
    parameters: Mapping[str, str],
    out: str,
    schedule: str,
    due_at: datetime | None,
    attempt: int,
    holder: str,
    who: str,
    stale_seconds: float,
    now: datetime,
) -> ReportRun:
    """Begin a run; see `ReportRunRecords.begin_report_run`."""
    settle_dead(session, stale_seconds, now)
    run_id = uuid.uuid4().hex
    values = {
        "run_id": run_id,
        "report": report,
        "schedule": schedule,
        "live_schedule": schedule or None,
        "parameters": _ordered(parameters),
        "state": _RUNNING,
        "author": who,
        "holder": holder,
        "due_at": due_at,
        "started_at": now,
        "beat_at": now,
        "finished_at": None,
        "delivered_at": None,
        "attempt": attempt,
        "out": _kept(out),
        "figures": {},
        "message": "",
    }
    session.execute(
        insert_into(session, ReportRunRow).values(**values).on_conflict_do_nothing(index_elements=["live_schedule"])
    )
    row = session.get(ReportRunRow, run_id)
    if row is None:
        other = session.scalars(select(ReportRunRow).where(ReportRunRow.live_schedule == schedule)).one_or_none()
        by = f"by {shown_holder(other.holder)} since {_at(other.started_at)}" if other else "by another process"
        raise ReportRunningError(f"Schedule {schedule!r} runs already, {by}; wait for it to end.", schedule)
    if due_at is not None and (done := _made(session, row)) is not None:
        raise ReportRunningError(
            f"Schedule {schedule!r} was run for {_at(due_at)} or later already, by {shown_holder(done.holder)}; "
            "nothing is to be done.",
            schedule,
        )
    return _frozen(row)


def beat(session: Session, run_id: str, now: datetime) -> bool:
    """Show that a run lives; False where it does not count any more: it ended, or was taken for dead."""
    row = session.get(ReportRunRow, run_id, with_for_update=True)
    if row is None or (row.state != _RUNNING and row.live_schedule is None):
        return False
    row.beat_at = now
    return True


def end(
    session: Session,
    run_id: str,
    state: ReportRunState | str,
    figures: Mapping[str, object],
    message: str,
    now: datetime,
) -> ReportRun:
    """End a run; see `ReportRunRecords.end_report_run`."""
    ends = [item.value for item in ReportRunState if item is not ReportRunState.RUNNING]
    if state not in ends:
        raise SettingsError(f"A run of a report cannot end as {str(state)!r}; allowed are {', '.join(ends)}.")
    row, ended = _open(session, run_id), ReportRunState(state)
    row.state, row.finished_at, row.message = ended.value, now, _kept(message)
    row.figures = plain(figures) or row.figures
    if ended is not ReportRunState.FINISHED:
        row.live_schedule = None
    elif row.live_schedule is None:
        row.delivered_at = now
    session.flush()
    return _frozen(row)


def deliver(session: Session, run_id: str, out: str, message: str, now: datetime) -> ReportRun:
    """Note that a finished run is delivered; see `ReportRunRecords.deliver_report_run`."""
    row = _open(session, run_id)
    if row.state != _FINISHED:
        raise ReportError(f"Run {run_id} of report {row.report!r} is {row.state}; only one that finished is delivered.")
    row.delivered_at, row.live_schedule = now, None
    row.out, row.message = _kept(out) or row.out, _kept(message) or row.message
    session.flush()
    return _frozen(row)


def settle_dead(session: Session, stale_seconds: float, now: datetime) -> list[ReportRun]:
    """Mark runs as interrupted whose process is gone; gives them."""
    stale_before, settled = now - timedelta(seconds=stale_seconds), []
    query = select(ReportRunRow).where(or_(ReportRunRow.state == _RUNNING, ReportRunRow.live_schedule.is_not(None)))
    for row in session.scalars(query.order_by(ReportRunRow.run_id).with_for_update()):
        alive = is_alive(row.holder)
        if alive or (alive is None and row.beat_at >= stale_before):
            continue
        what = "delivered" if row.state == _FINISHED else "done"
        row.state, row.finished_at, row.live_schedule = ReportRunState.INTERRUPTED.value, now, None
        row.message = f"The process of {shown_holder(row.holder)} ended before the run was {what}."
        settled.append(_frozen(row))
    session.flush()
    return settled


@dataclass(frozen=True, slots=True)
class RunsWanted:
    """Which runs are asked for; see `ReportRunRecords.report_runs`."""

    report: str | None = None
    but: str | None = None
    schedule: str | None = None
    scheduled: bool = False
    states: Collection[ReportRunState] | None = None
    due: bool = False
    parameters: Mapping[str, str] | None = None

    def of(self, query: Select[Any]) -> Select[Any]:
        """The query of these alone."""
        if self.report is not None:
            query = query.where(ReportRunRow.report == self.report)
        if self.but is not None:
            query = query.where(ReportRunRow.report != self.but)
        if self.schedule is not None:
            query = query.where(ReportRunRow.schedule == self.schedule)
        if self.scheduled:
            query = query.where(ReportRunRow.schedule != "")
        if self.states is not None:
            query = query.where(ReportRunRow.state.in_([state.value for state in self.states]))
        if self.parameters is not None:
            query = query.where(_has_just(self.parameters))
        return query.where(ReportRunRow.due_at.is_not(None)) if self.due else query


def listed(session: Session, wanted: RunsWanted, limit: int | None, offset: int) -> list[ReportRun]:
    """Runs, the latest first."""
    query = select(ReportRunRow).order_by(ReportRunRow.started_at.desc(), ReportRunRow.run_id)
    return [_frozen(row) for row in session.scalars(wanted.of(query).limit(limit).offset(offset))]


def count(session: Session, wanted: RunsWanted) -> int:
    """How many runs there are."""
    return session.scalar(wanted.of(select(func.count()).select_from(ReportRunRow))) or 0


def last(
    session: Session, report: str, parameters: Mapping[str, str] | None, before: datetime | None
) -> ReportRun | None:
    """The latest run of a report that finished, with just these parameters where they are given."""
    query = select(ReportRunRow).where(ReportRunRow.report == report, ReportRunRow.state == _FINISHED)
    if before is not None:
        query = query.where(ReportRunRow.started_at < before)
    if parameters is not None:
        query = query.where(_has_just(parameters))
    row = session.scalar(query.order_by(ReportRunRow.started_at.desc(), ReportRunRow.run_id).limit(1))
    return _frozen(row) if row is not None else None


def one(session: Session, run_id: str) -> ReportRun | None:
    """A run by its id; None where there is none."""
    row = session.get(ReportRunRow, run_id)
    return _frozen(row) if row is not None else None


def _has_just(parameters: Mapping[str, str]) -> ColumnElement[bool]:
    """Whether a row has these parameters and no others: both databases keep the very text that is written."""
    return cast(ReportRunRow.parameters, Text) == json.dumps(_ordered(parameters))


def _ordered(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Parameters in one order, so that equal ones are equal texts."""
    return dict(sorted(plain(parameters).items()))


def _made(session: Session, row: ReportRunRow) -> ReportRunRow | None:
    """Another run of a schedule that makes this one needless: of a later time, or this time's and done or as far on."""
    query = select(ReportRunRow).where(ReportRunRow.schedule == row.schedule, ReportRunRow.run_id != row.run_id)
    same = and_(
        ReportRunRow.due_at == row.due_at, or_(ReportRunRow.state == _FINISHED, ReportRunRow.attempt >= row.attempt)
    )
    return session.scalar(query.where(or_(ReportRunRow.due_at > row.due_at, same)).limit(1))


def _open(session: Session, run_id: str) -> ReportRunRow:
    """A run that is not over: it runs, or is not delivered."""
    row = session.get(ReportRunRow, run_id, with_for_update=True)
    if row is None:
        raise UnknownNameError("run of a report", run_id, session.scalars(select(ReportRunRow.run_id)))
    if row.state != _RUNNING and row.live_schedule is None:
        raise ReportError(
            f"Run {run_id} of report {row.report!r} is {row.state} already: it ended or was taken for dead."
        )
    return row


def _kept(text: str) -> str:
    """Without secrets, and as every database holds it: bytes that are no text, and zeros, are written out."""
    return redact(text).encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _frozen(row: ReportRunRow) -> ReportRun:
    return ReportRun(
        run_id=row.run_id,
        report=row.report,
        schedule=row.schedule,
        parameters=dict(row.parameters),
        state=ReportRunState(row.state),
        due_at=row.due_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        delivered_at=row.delivered_at,
        attempt=row.attempt,
        out=row.out,
        figures=dict(row.figures),
        message=row.message,
        author=row.author,
        holder=row.holder,
    )
