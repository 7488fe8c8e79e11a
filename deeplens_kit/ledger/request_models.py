"""The relational table of requests that may be sent twice, as SQLAlchemy maps it.

Takes nothing; gives mapped classes that mirror what the migrations make (a test compares both). Must not be used
outside the ledger: others get the frozen values.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from deeplens_kit.ledger.models import Base, UtcTime

__all__ = ["RequestRow"]


class RequestRow(Base):
    """A request that bore a key; without an answer it is being worked on, or whoever did has died."""

    __tablename__ = "requests"

    # Of whoever asks and their key: keys of two people have nothing to do with each other.
    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    who: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(String(64))
    # The process that works on it.
    holder: Mapped[str] = mapped_column(Text)
    began_at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    status: Mapped[int | None]
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
