"""Rows of the outbox of stages: what became of images and jobs, numbered in the order in which it was committed.

Takes a session and gives frozen values; must not commit. Events wait until their transaction ends and are numbered
then, by one statement on the row that holds the last number. The database keeps that row locked until the commit, so
nobody gets a number before all smaller ones are committed: a reader that has seen a number has seen all below it, on
PostgreSQL too, whose own sequences give numbers that are committed in another order. What is rolled back gives its
numbers back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from deeplens_kit.ledger.chain import plain
from deeplens_kit.ledger.inserting import insert_into
from deeplens_kit.ledger.job_models import JobEventHeadRow, JobEventRow, StageIntentRow
from deeplens_kit.ledger.job_values import ImageStage, JobEvent, StageIntent

__all__ = [
    "PRUNED_AT_ONCE",
    "add",
    "bounds",
    "forget_intent",
    "intend",
    "intent",
    "intents",
    "latest",
    "prune",
    "settle",
    "since",
]

PRUNED_AT_ONCE = 50_000
"""Events that one transaction forgets: a second or less, which others wait for."""

_HEAD = "job_events"
_WAITING = "deeplens_job_events"
_ROWS_PER_INSERT = 1_000


def add(session: Session, job_id: str, stages: Iterable[ImageStage], now: datetime) -> None:
    """Tell of stages, in the session's transaction."""
    session.info.setdefault(_WAITING, []).extend(
        {
            "job_id": job_id,
            "image_id": item.image_id,
            "stage": item.stage,
            "at": now,
            "details": plain(item.details) if item.details else {},
        }
        for item in stages
    )


def settle(session: Session) -> None:
    """Number the events that wait and write them, at the end of a transaction."""
    waiting: list[dict[str, Any]] = session.info.pop(_WAITING, [])
    if not waiting:
        return
    counted = insert_into(session, JobEventHeadRow).values(name=_HEAD, last=len(waiting))
    last = session.execute(
        counted.on_conflict_do_update(
            index_elements=["name"], set_={"last": JobEventHeadRow.last + len(waiting)}
        ).returning(JobEventHeadRow.last)
    ).scalar_one()
    for sequence, row in enumerate(waiting, last - len(waiting) + 1):
        row["sequence"] = sequence
    for begin in range(0, len(waiting), _ROWS_PER_INSERT):
        session.execute(insert(JobEventRow), waiting[begin : begin + _ROWS_PER_INSERT])


def since(session: Session, after: int, job_id: str, limit: int) -> tuple[JobEvent, ...]:
    """Events after a number, in order; of one job where it is named."""
    query = select(JobEventRow).where(JobEventRow.sequence > after).order_by(JobEventRow.sequence).limit(limit)
    if job_id:
        query = query.where(JobEventRow.job_id == job_id)
    return tuple(_event(row) for row in session.scalars(query))


def latest(session: Session, job_id: str, limit: int) -> tuple[JobEvent, ...]:
    """Events of a job, the latest first."""
    query = select(JobEventRow).where(JobEventRow.job_id == job_id).order_by(JobEventRow.sequence.desc()).limit(limit)
    return tuple(_event(row) for row in session.scalars(query))


def bounds(session: Session) -> tuple[int, int]:
    """The first number that is kept, and the last that was given; the first is one more where none is kept."""
    last = session.scalar(select(JobEventHeadRow.last).where(JobEventHeadRow.name == _HEAD)) or 0
    first = session.scalar(select(func.min(JobEventRow.sequence)))
    return (last + 1 if first is None else first), last


def prune(session: Session, days: float, now: datetime, most: int = PRUNED_AT_ONCE) -> int:
    """Forget events that are older, the first ones and at most so many; gives how many."""
    before = now - timedelta(days=days)
    oldest = session.scalar(select(func.min(JobEventRow.at)))
    if oldest is None or oldest >= before:
        return 0
    first = select(JobEventRow.sequence).where(JobEventRow.at < before).order_by(JobEventRow.sequence).limit(most)
    found = list(session.scalars(first))
    if not found:  # another process forgot them between the two
        return 0
    session.execute(delete(JobEventRow).where(JobEventRow.at < before, JobEventRow.sequence <= found[-1]))
    return len(found)


def intend(session: Session, note: StageIntent, now: datetime) -> None:
    """Note what is about to be true of some images; in the place of what the run noted before."""
    session.execute(delete(StageIntentRow).where(StageIntentRow.run_id == note.run_id))
    stages = [[item.image_id, item.stage, plain(item.details) if item.details else {}] for item in note.stages]
    row = {"run_id": note.run_id, "location_id": note.location_id, "job_id": note.job_id, "at": now, "stages": stages}
    session.execute(insert(StageIntentRow), [row])


def intent(session: Session, run_id: str) -> StageIntent | None:
    """What a run has noted; None where nothing."""
    row = session.get(StageIntentRow, run_id)
    return None if row is None else _frozen(row)


def intents(session: Session, location_id: str) -> Sequence[StageIntent]:
    """What runs at a location have noted, and not told."""
    query = select(StageIntentRow).where(StageIntentRow.location_id == location_id).order_by(StageIntentRow.at)
    return [_frozen(row) for row in session.scalars(query)]


def forget_intent(session: Session, run_id: str) -> None:
    """Strike what a run has noted."""
    session.execute(delete(StageIntentRow).where(StageIntentRow.run_id == run_id))


def _event(row: JobEventRow) -> JobEvent:
    return JobEvent(row.sequence, row.job_id, row.image_id, row.stage, row.at, dict(row.details))


def _frozen(row: StageIntentRow) -> StageIntent:
    stages = tuple(ImageStage(image_id, stage, details) for image_id, stage, details in row.stages)
    return StageIntent(row.run_id, row.location_id, row.job_id, stages)
