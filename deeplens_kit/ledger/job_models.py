"""The relational tables of jobs and of the stages of images, as SQLAlchemy maps them.

Takes nothing; gives mapped classes that mirror what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from deeplens_kit.ledger.models import Base, UtcTime

__all__ = ["JobEventHeadRow", "JobEventRow", "JobRow", "StageIntentRow"]


class JobRow(Base):
    """A job: the queue is these rows, nothing else."""

    __tablename__ = "jobs"
    __table_args__ = (Index("ix_jobs_waiting", "state", "due_at"),)

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50))
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(20))
    who: Mapped[str] = mapped_column(Text)
    priority: Mapped[int]
    resource: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    due_at: Mapped[datetime] = mapped_column(UtcTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcTime)
    worker: Mapped[str] = mapped_column(Text)
    # Counts the times it was taken: a worker that lost it and took it again is not who had it before.
    turn: Mapped[int]
    progress: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    error: Mapped[str] = mapped_column(Text)
    error_code: Mapped[str] = mapped_column(String(50))
    correlation_id: Mapped[str] = mapped_column(String(200))
    cancel_asked: Mapped[bool]
    key: Mapped[str] = mapped_column(String(200))
    # The key until the job is finished: of these no two are equal.
    live_key: Mapped[str | None] = mapped_column(String(200), unique=True)


class JobEventRow(Base):
    """A stage to which an image, or a job, has come: an outbox, read by its sequence."""

    __tablename__ = "job_events"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[str] = mapped_column(String(32), index=True)
    image_id: Mapped[str] = mapped_column(Text)
    stage: Mapped[str] = mapped_column(String(50))
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


class JobEventHeadRow(Base):
    """The last sequence that was given: whoever writes events locks it until they are committed."""

    __tablename__ = "job_event_heads"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


class StageIntentRow(Base):
    """Stages that are about to be true: what a run writes to the catalog just now."""

    __tablename__ = "stage_intents"

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    location_id: Mapped[str] = mapped_column(String(32), index=True)
    job_id: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(UtcTime)
    stages: Mapped[list[list[Any]]] = mapped_column(JSON)
