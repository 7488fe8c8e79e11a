"""The relational tables of plans, of what was done by them, and of holds, as SQLAlchemy maps them.

Takes nothing; gives mapped classes that mirror what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from deeplens_kit.ledger.models import Base, UtcTime

__all__ = [
    "ApplicationRow",
    "HoldRow",
    "JournalRow",
    "PlanApprovalRow",
    "PlanPartRow",
    "PlanRow",
    "QuarantineRow",
]


class PlanRow(Base):
    """A plan; its steps, once saved, are never changed."""

    __tablename__ = "plans"

    plan_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(20))
    author: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    steps_digest: Mapped[str] = mapped_column(String(64))
    steps: Mapped[int] = mapped_column(BigInteger)
    replaces: Mapped[str] = mapped_column(String(32))


class PlanPartRow(Base):
    """Some of the steps of a plan."""

    __tablename__ = "plan_parts"

    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class PlanApprovalRow(Base):
    """A person's yes or no to a plan."""

    __tablename__ = "plan_approvals"

    approval_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    steps_digest: Mapped[str] = mapped_column(String(64))
    approved: Mapped[bool]
    who: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    note: Mapped[str] = mapped_column(Text)


class ApplicationRow(Base):
    """One applying of a plan, with the head of its journal."""

    __tablename__ = "applications"

    application_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.plan_id"), index=True)
    state: Mapped[str] = mapped_column(String(20))
    who: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    message: Mapped[str] = mapped_column(Text)
    journal_lines: Mapped[int] = mapped_column(BigInteger)
    journal_digest: Mapped[str] = mapped_column(String(64))


class JournalRow(Base):
    """A line of the journal of an application; the database refuses to change or remove one."""

    __tablename__ = "journal"

    application_id: Mapped[str] = mapped_column(ForeignKey("applications.application_id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    step: Mapped[int] = mapped_column(BigInteger)
    operation: Mapped[str] = mapped_column(String(50))
    phase: Mapped[str] = mapped_column(String(20))
    code: Mapped[str] = mapped_column(String(50))
    message: Mapped[str] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcTime)
    digest: Mapped[str] = mapped_column(String(64))


class QuarantineRow(Base):
    """A file that was moved to quarantine, and what became of it."""

    __tablename__ = "quarantine"

    item_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.application_id"), index=True)
    step: Mapped[int] = mapped_column(BigInteger)
    location_id: Mapped[str] = mapped_column(ForeignKey("locations.location_id"))
    path: Mapped[str] = mapped_column(Text)
    quarantine_path: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    token: Mapped[str] = mapped_column(Text)
    keeper_location_id: Mapped[str | None] = mapped_column(String(32))
    keeper_path: Mapped[str | None] = mapped_column(Text)
    keeper_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    keeper_token: Mapped[str | None] = mapped_column(Text)
    kept: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(20), index=True)
    moved_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)


class HoldRow(Base):
    """A legal hold; released, never deleted."""

    __tablename__ = "holds"

    hold_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    location_id: Mapped[str | None] = mapped_column(ForeignKey("locations.location_id"))
    glob: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    collection: Mapped[str] = mapped_column(String(200))
    why: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcTime)
    released_by: Mapped[str | None] = mapped_column(Text)
