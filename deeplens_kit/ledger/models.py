"""The relational tables, as SQLAlchemy maps them.

Takes nothing; gives mapped classes that mirror what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "AuditRow",
    "Base",
    "ChainHeadRow",
    "CollectionRow",
    "DecisionRow",
    "LabelItemRow",
    "LabelRow",
    "LabelSampleRow",
    "LeaseRow",
    "LocationRow",
    "NoteRow",
    "OutboxRow",
    "RuleRow",
    "RunRow",
    "SavedSearchRow",
    "SearchRecordRow",
    "UtcTime",
    "WatchedRow",
]


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC, aware on both sides; SQLite stores none of the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware in, UTC to the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"time {value} has no zone; the ledger stores UTC")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables of the ledger."""


class LocationRow(Base):
    """A location."""

    __tablename__ = "locations"

    location_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    url: Mapped[str] = mapped_column(Text)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    active: Mapped[bool]


class RunRow(Base):
    """A run."""

    __tablename__ = "runs"

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50))
    location_id: Mapped[str | None] = mapped_column(ForeignKey("locations.location_id"), index=True)
    state: Mapped[str] = mapped_column(String(20))
    holder: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    message: Mapped[str] = mapped_column(Text)


class LeaseRow(Base):
    """The lease on a location: at most one."""

    __tablename__ = "leases"

    location_id: Mapped[str] = mapped_column(ForeignKey("locations.location_id"), primary_key=True)
    holder: Mapped[str] = mapped_column(Text)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.run_id"))
    acquired_at: Mapped[datetime] = mapped_column(UtcTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcTime)


class AuditRow(Base):
    """A change, written in the transaction that makes it; the database refuses to change or remove it."""

    __tablename__ = "audit"

    audit_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    who: Mapped[str] = mapped_column(Text)
    action: Mapped[str] = mapped_column(String(50))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Without gaps, which audit_id has where a transaction was rolled back.
    sequence: Mapped[int] = mapped_column(BigInteger, index=True, unique=True)
    digest: Mapped[str] = mapped_column(String(64))


class ChainHeadRow(Base):
    """How many lines a chain has and the digest of the last: without it nobody would miss that one."""

    __tablename__ = "chain_heads"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    lines: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class CollectionRow(Base):
    """A collection of objects."""

    __tablename__ = "collections"

    collection_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class NoteRow(Base):
    """What people say of an object; its key is a digest of location and path."""

    __tablename__ = "object_notes"

    object_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    location_id: Mapped[str] = mapped_column(ForeignKey("locations.location_id"))
    path: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    collection_id: Mapped[int | None] = mapped_column(ForeignKey("collections.collection_id"), index=True)
    tags: Mapped[list[str]] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(Text)
    category: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)


class OutboxRow(Base):
    """What is to be told to one address, or was."""

    __tablename__ = "outbox"

    event_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(50))
    target: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcTime, index=True)
    tries: Mapped[int]
    last_error: Mapped[str] = mapped_column(Text)


class WatchedRow(Base):
    """What a watch has seen when it looked last."""

    __tablename__ = "watched"

    name: Mapped[str] = mapped_column(String(50), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class SavedSearchRow(Base):
    """A search that somebody saved."""

    __tablename__ = "saved_searches"
    __table_args__ = (UniqueConstraint("who", "name", name="uq_saved_searches_who_name"),)

    search_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(200))
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
    description: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)


class SearchRecordRow(Base):
    """What was searched for once."""

    __tablename__ = "search_history"

    record_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    who: Mapped[str] = mapped_column(Text)
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
    by: Mapped[str] = mapped_column(String(50))
    results: Mapped[int]
    seconds: Mapped[float] = mapped_column(Double)


class RuleRow(Base):
    """One version of a rule; what was saved is never changed, only retired."""

    __tablename__ = "rules"
    __table_args__ = (UniqueConstraint("name", "version"),)

    rule_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    retired_at: Mapped[datetime | None] = mapped_column(UtcTime)
    retired_by: Mapped[str | None] = mapped_column(Text)


class LabelSampleRow(Base):
    """A draw of pairs that people were asked to label."""

    __tablename__ = "label_samples"

    sample_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    who: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(50))
    seed: Mapped[int] = mapped_column(BigInteger)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class LabelItemRow(Base):
    """One pair of a draw."""

    __tablename__ = "label_sample_items"

    sample_id: Mapped[str] = mapped_column(ForeignKey("label_samples.sample_id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest_a: Mapped[str] = mapped_column(String(64))
    digest_b: Mapped[str] = mapped_column(String(64))
    stratum: Mapped[str] = mapped_column(String(200))


class LabelRow(Base):
    """A person's verdict on a pair as it stands; what it was before is in the audit trail."""

    __tablename__ = "labels"

    digest_a: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest_b: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)
    who: Mapped[str] = mapped_column(Text, primary_key=True)
    verdict: Mapped[str] = mapped_column(String(20))
    labelled_at: Mapped[datetime] = mapped_column(UtcTime)
    # Of a draw that may be another workspace's, from which the label came.
    sample_id: Mapped[str | None] = mapped_column(String(32), index=True)
    note: Mapped[str] = mapped_column(Text)


class DecisionRow(Base):
    """A person's decision on an ordered pair of pictures, or on one; withdrawn, never deleted."""

    __tablename__ = "decisions"

    decision_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    act_id: Mapped[str] = mapped_column(String(32), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    keeper_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    member_digest: Mapped[str] = mapped_column(String(64), index=True)
    who: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
    why: Mapped[str] = mapped_column(Text)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime, index=True)
    withdrawn_by: Mapped[str | None] = mapped_column(Text)
