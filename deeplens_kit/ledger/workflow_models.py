"""The relational tables of standing workflows and their runs, as SQLAlchemy maps them.

Takes nothing; gives mapped classes that mirror what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from deeplens_kit.ledger.models import Base, UtcTime

__all__ = ["WorkflowRow", "WorkflowRunRow"]


class WorkflowRow(Base):
    """A workflow; removed, never deleted."""

    __tablename__ = "workflows"

    workflow_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    # The name while it is not removed: of these no two are equal.
    live_name: Mapped[str | None] = mapped_column(String(200), unique=True)
    state: Mapped[str] = mapped_column(String(20))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    author: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    bounds: Mapped[dict[str, Any]] = mapped_column(JSON)
    bounds_by: Mapped[str] = mapped_column(Text)
    bounds_at: Mapped[datetime | None] = mapped_column(UtcTime)
    code: Mapped[str] = mapped_column(String(50))
    reason: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    baseline_at: Mapped[datetime] = mapped_column(UtcTime)


class WorkflowRunRow(Base):
    """A run of a workflow, with the last sign of life of its process."""

    __tablename__ = "workflow_runs"

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.workflow_id"), index=True)
    state: Mapped[str] = mapped_column(String(20))
    who: Mapped[str] = mapped_column(Text)
    holder: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    beat_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    plan_id: Mapped[str] = mapped_column(String(32))
    application_id: Mapped[str] = mapped_column(String(32))
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    message: Mapped[str] = mapped_column(Text)
