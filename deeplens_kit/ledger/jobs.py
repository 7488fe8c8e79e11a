"""Rows of jobs: enqueued, taken by one worker at a time, given back, ended.

Takes a session and gives frozen values; must not commit: the ledger does, so that a change of a job, its line in the
audit trail and the stages that it tells of are one transaction. Taking is one conditional statement: of two workers
exactly one gets a job, on either database; nobody waits for a row that another is taking.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import JobStateError, QueueFullError, UnknownNameError
from deeplens_kit.ledger import job_events
from deeplens_kit.ledger.asking import note_made
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.chain import plain
from deeplens_kit.ledger.holder import is_alive
from deeplens_kit.ledger.inserting import insert_into
from deeplens_kit.ledger.job_models import JobRow
from deeplens_kit.ledger.job_values import FINISHED_STATES, ImageStage, Job, JobProgress, JobState, Resource
from deeplens_kit.telemetry import redact

__all__ = [
    "cancel",
    "claim",
    "counts",
    "end",
    "enqueue",
    "find",
    "frozen",
    "held",
    "is_any_due",
    "listed",
    "prune",
    "retry",
]

_ID_BYTES = 8
_FULL_WAIT_SECONDS = 10.0
_RUNNING, _QUEUED = JobState.RUNNING.value, JobState.QUEUED.value
_OPEN = (_QUEUED, _RUNNING)
_LOST = "Its worker ended before it did"
# What waits for a person is none of them.
_FORGETTABLE = tuple(state.value for state in FINISHED_STATES if state is not JobState.DEAD)


def enqueue(
    session: Session, values: Mapping[str, Any], who: str, correlation_id: str, max_waiting: int | None, now: datetime
) -> Job:
    """Add a job, or give the unfinished one of the same key; see `JobRecords.enqueue`."""
    if max_waiting is not None:
        waiting = session.scalar(select(func.count()).where(JobRow.state == _QUEUED)) or 0
        if waiting >= max_waiting:
            raise QueueFullError(waiting, _FULL_WAIT_SECONDS)
    job_id = secrets.token_hex(_ID_BYTES)
    row = {
        **values,
        "job_id": job_id,
        "parameters": plain(values["parameters"]),
        "state": _QUEUED,
        "who": who,
        "attempts": 0,
        "created_at": now,
        "started_at": None,
        "finished_at": None,
        "due_at": now,
        "lease_until": None,
        "worker": "",
        "turn": 0,
        "progress": JobProgress().to_json(),
        "result": {},
        "error": "",
        "error_code": "",
        "correlation_id": correlation_id,
        "cancel_asked": False,
        "live_key": values["key"] or None,
    }
    session.execute(insert_into(session, JobRow).values(**row).on_conflict_do_nothing(index_elements=["live_key"]))
    made = session.get(JobRow, job_id)
    if made is None:
        other = session.scalars(select(JobRow).where(JobRow.live_key == values["key"])).one()
        note_made(session, "job", other.job_id)
        return frozen(other)
    note_made(session, "job", job_id)
    audit(session, who, "job.enqueued", {"job_id": job_id, "kind": made.kind}, now)
    _tell(session, made, now)
    return frozen(made)


def find(session: Session, job_id: str, *, lock: bool = False) -> JobRow:
    """The row of a job by its id, or by the beginning of it where only one begins so.

    Raises:
        UnknownNameError: There is none, or several begin so.
    """
    query = select(JobRow).where(JobRow.job_id.startswith(job_id, autoescape=True)).limit(2)
    found = list(session.scalars(query.with_for_update() if lock else query)) if job_id else []
    exact = [row for row in found if row.job_id == job_id]
    if len(exact or found) == 1:
        return (exact or found)[0]
    near = [row.job_id for row in found]
    raise UnknownNameError("job", job_id, near, advice="list them with `deeplens jobs list`.")


def listed(
    session: Session,
    states: Collection[JobState],
    kinds: Collection[str],
    who: str,
    limit: int,
    before: tuple[datetime, str] | None,
) -> tuple[Job, ...]:
    """Jobs, the latest first."""
    query = select(JobRow).order_by(JobRow.created_at.desc(), JobRow.job_id.desc()).limit(limit)
    if states:
        query = query.where(JobRow.state.in_([state.value for state in states]))
    if kinds:
        query = query.where(JobRow.kind.in_(list(kinds)))
    if who:
        query = query.where(JobRow.who == who)
    if before is not None:
        at, job_id = before
        query = query.where(or_(JobRow.created_at < at, and_(JobRow.created_at == at, JobRow.job_id < job_id)))
    return tuple(frozen(row) for row in session.scalars(query))


def counts(session: Session) -> dict[JobState, int]:
    """How many jobs stand how."""
    found = session.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
    by_state: dict[str, int] = {state: number for state, number in found}  # noqa: C416 - rows are no pairs to mypy
    return {state: by_state.get(state.value, 0) for state in JobState}


def is_any_due(session: Session, now: datetime) -> bool:
    """Whether a worker has anything to do: a job that is due, or one that runs and may have lost its worker."""
    due = or_(JobRow.state == _RUNNING, and_(JobRow.state == _QUEUED, JobRow.due_at <= now))
    return session.scalar(select(JobRow.job_id).where(due).limit(1)) is not None


def claim(
    session: Session, worker: str, resources: Collection[Resource], lease_seconds: float, now: datetime
) -> Job | None:
    """Take the next job that is due; None where there is none."""
    _take_back(session, now)
    resource = JobRow.resource.in_([item.value for item in resources])
    due = and_(JobRow.state == _QUEUED, JobRow.due_at <= now, resource)
    order = (JobRow.priority.desc(), JobRow.due_at, JobRow.created_at, JobRow.job_id)
    # SQLite writes one at a time and leaves the lock out.
    following = select(JobRow.job_id).where(due).order_by(*order).limit(1).with_for_update(skip_locked=True)
    values = {
        "state": _RUNNING,
        "worker": worker,
        "attempts": JobRow.attempts + 1,
        "turn": JobRow.turn + 1,
        "started_at": now,
        "lease_until": now + timedelta(seconds=lease_seconds),
        "progress": JobProgress().to_json(),
    }
    taking = update(JobRow).where(JobRow.job_id == following.scalar_subquery(), JobRow.state == _QUEUED).values(values)
    taken = session.scalars(taking.returning(JobRow), execution_options={"synchronize_session": False}).one_or_none()
    if taken is None:
        return None
    session.refresh(taken)
    _tell(session, taken, now, attempt=taken.attempts)
    return frozen(taken)


def held(session: Session, job_id: str, turn: int) -> JobRow | None:
    """The row of a job that a worker has, locked; None where it has it no more."""
    mine = and_(JobRow.job_id == job_id, JobRow.turn == turn, JobRow.state == _RUNNING)
    return session.scalars(select(JobRow).where(mine).with_for_update()).one_or_none()


def end(
    session: Session,
    row: JobRow,
    state: JobState,
    now: datetime,
    *,
    error: str = "",
    code: str = "",
    result: Mapping[str, object] | None = None,
    again_in_seconds: float = 0.0,
) -> Job:
    """Say how a job stands after a worker had it; one that is queued again is due in so many seconds.

    One that somebody wanted to end is not queued again: it would do more of what they asked it to leave.
    """
    if state is JobState.QUEUED and row.cancel_asked:
        state = JobState.CANCELLED
    row.state, row.lease_until = state.value, None
    row.error, row.error_code = _kept(error), code
    if result is not None:
        row.result = plain(result)
    if state in FINISHED_STATES:
        row.finished_at, row.live_key, row.cancel_asked = now, None, False
    else:
        row.due_at = now + timedelta(seconds=again_in_seconds)
    told = {"error": row.error, "code": code} if error else {}
    _tell(session, row, now, **told)
    session.flush()
    return frozen(row)


def cancel(session: Session, job_id: str, who: str, now: datetime) -> Job:
    """End a job that waits or is given up, or ask its worker to; see `JobRecords.cancel_job`."""
    row = find(session, job_id, lock=True)
    if row.state not in (*_OPEN, JobState.DEAD.value):
        raise JobStateError(f"Job {row.job_id} is {row.state} already, so there is nothing to cancel.", row.job_id)
    if not row.cancel_asked:
        audit(session, who, "job.cancelled", {"job_id": row.job_id, "kind": row.kind}, now)
    if row.state != _RUNNING:
        # What a dead one died of stays with it.
        return end(session, row, JobState.CANCELLED, now, error=row.error, code=row.error_code)
    row.cancel_asked = True
    session.flush()
    return frozen(row)


def retry(session: Session, job_id: str, who: str, now: datetime) -> Job:
    """Queue a job again that ended without being done; see `JobRecords.retry_job`."""
    row = find(session, job_id, lock=True)
    state = JobState(row.state)
    if state not in FINISHED_STATES or state is JobState.DONE:
        raise JobStateError(
            f"Job {row.job_id} is {state}; only one that failed, is dead or was cancelled is tried again.", row.job_id
        )
    if row.key:
        other = session.scalar(select(JobRow.job_id).where(JobRow.live_key == row.key))
        if other is not None:
            raise JobStateError(f"Job {other} does the same as job {row.job_id} already; wait for it.", row.job_id)
    row.state, row.attempts, row.due_at, row.finished_at = _QUEUED, 0, now, None
    row.error, row.error_code, row.live_key = "", "", row.key or None
    audit(session, who, "job.retried", {"job_id": row.job_id, "kind": row.kind}, now)
    _tell(session, row, now)
    session.flush()
    return frozen(row)


def prune(session: Session, days: float, who: str, now: datetime, most: int) -> int:
    """Forget jobs that ended longer ago, the oldest first and at most so many; see `JobRecords.prune_jobs`."""
    before = now - timedelta(days=days)
    # No job ended before it was asked for; by that time there is an index.
    old = and_(JobRow.created_at < before, JobRow.finished_at < before, JobRow.state.in_(_FORGETTABLE))
    found = list(session.scalars(select(JobRow.job_id).where(old).order_by(JobRow.created_at).limit(most)))
    if found:
        gone = list(session.scalars(delete(JobRow).where(JobRow.job_id.in_(found)).returning(JobRow.job_id)))
        # Another process may have forgotten the same ones meanwhile, and said so.
        if gone:
            audit(session, who, "jobs.pruned", {"jobs": len(gone), "before": before.isoformat()}, now)
    return len(found)


def _take_back(session: Session, now: datetime) -> None:
    """Queue jobs again whose worker is gone, or end them where they were begun as often as they may be."""
    # Few run at a time; whether the process of one lives can be told at once on the machine of the worker alone.
    running = select(JobRow).where(JobRow.state == _RUNNING).with_for_update(skip_locked=True)
    for row in session.scalars(running):
        expired = row.lease_until is None or row.lease_until < now
        if not expired and is_alive(row.worker) is not False:
            continue
        if row.cancel_asked:
            end(session, row, JobState.CANCELLED, now, error=f"{_LOST}, and it was to be cancelled.", code="lost")
        elif row.attempts >= row.max_attempts:
            end(session, row, JobState.DEAD, now, error=f"{_LOST}, {row.attempts} times.", code="lost")
        else:
            end(session, row, JobState.QUEUED, now, error=f"{_LOST}; it was queued again.", code="lost")


def _tell(session: Session, row: JobRow, now: datetime, **details: object) -> None:
    said = {"kind": row.kind, **details}
    job_events.add(session, row.job_id, [ImageStage("", f"job.{row.state}", said)], now)


def _kept(text: str) -> str:
    """Without secrets, and as every database holds it."""
    return redact(text).encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def frozen(row: JobRow) -> Job:
    """A row without its session."""
    return Job(
        job_id=row.job_id,
        kind=row.kind,
        parameters=dict(row.parameters),
        state=JobState(row.state),
        who=row.who,
        priority=row.priority,
        resource=Resource(row.resource),
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        due_at=row.due_at,
        lease_until=row.lease_until,
        worker=row.worker,
        progress=JobProgress.of(row.progress),
        result=dict(row.result),
        error=row.error,
        error_code=row.error_code,
        correlation_id=row.correlation_id,
        cancel_asked=row.cancel_asked,
        key=row.key,
        turn=row.turn,
    )
