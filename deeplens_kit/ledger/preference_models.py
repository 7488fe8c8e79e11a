"""The relational tables of what each person prefers and how they rated what was found, as SQLAlchemy maps them.

Takes nothing; gives mapped classes that mirror what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Double, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from deeplens_kit.ledger.models import Base, UtcTime

__all__ = ["PreferenceRow", "RatingRow"]


class PreferenceRow(Base):
    """How somebody wants one thing to be."""

    __tablename__ = "preferences"

    who: Mapped[str] = mapped_column(String(300), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcTime)


class RatingRow(Base):
    """What somebody said of a picture that a search found."""

    __tablename__ = "ratings"
    __table_args__ = (UniqueConstraint("who", "asked_key", "digest"),)

    rating_id: Mapped[int] = mapped_column(primary_key=True)
    who: Mapped[str] = mapped_column(String(300))
    # Of the question: what tells it from all others, and the picture that was asked for where it was one.
    asked_key: Mapped[str] = mapped_column(String(64))
    asked_digest: Mapped[str | None] = mapped_column(String(64), index=True)
    query: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(20))
    score: Mapped[float] = mapped_column(Double)
    is_labelled: Mapped[bool]
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcTime)
