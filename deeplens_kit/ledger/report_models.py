"""The relational table of reports that were made, as SQLAlchemy maps it.

Takes nothing; gives a mapped class that mirrors what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from deeplens_kit.ledger.models import Base, UtcTime

__all__ = ["ReportRunRow"]


class ReportRunRow(Base):
    """A run of a report, with the last sign of life of its process."""

    __tablename__ = "report_runs"

    run_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    report: Mapped[str] = mapped_column(String(200), index=True)
    schedule: Mapped[str] = mapped_column(String(200), index=True)
    # The schedule until this run of it is delivered or has failed: of these no two are equal.
    live_schedule: Mapped[str | None] = mapped_column(String(200), unique=True)
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(20))
    author: Mapped[str] = mapped_column(Text)
    holder: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(UtcTime)
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    beat_at: Mapped[datetime] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcTime)
    attempt: Mapped[int]
    out: Mapped[str] = mapped_column(Text)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    message: Mapped[str] = mapped_column(Text)
