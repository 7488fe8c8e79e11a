"""Rows of the outbox, and of what a watch has seen: what is to be told stands there until somebody took it.

Takes a session and gives frozen values; must not commit or send. An event is written in the transaction of the step
that it tells of, so that a kill at any moment loses neither or both.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from deeplens_kit.ledger.models import OutboxRow, WatchedRow
from deeplens_kit.ledger.values import OutboxEvent
from deeplens_kit.telemetry import redact

__all__ = ["KEPT_DAYS", "begin", "end", "put", "remember", "remembered", "undelivered"]

KEPT_DAYS = 30
"""How long an event is kept: for the record where it was delivered, for its address to come back where it was not."""

_FILES = "files"


def put(session: Session, events: Iterable[OutboxEvent], now: datetime) -> None:
    """Add events, or give those that are there and not delivered their new content; sweep what is old."""
    for event in events:
        row = session.get(OutboxRow, event.event_id)
        if row is None:
            row = OutboxRow(event_id=event.event_id, kind=event.kind, target=event.target, created_at=now)
            row.tries, row.last_error, row.delivered_at = 0, "", None
            session.add(row)
        elif row.delivered_at is not None:
            # Another process sent what it held until then: what came to it since is to be told still.
            row.tries, row.last_error, row.delivered_at = 0, "", None
        row.payload = dict(event.payload)
    old = now - timedelta(days=KEPT_DAYS)
    was_told = OutboxRow.delivered_at < old
    session.execute(
        delete(OutboxRow).where(or_(was_told, OutboxRow.delivered_at.is_(None) & (OutboxRow.created_at < old)))
    )


def undelivered(session: Session, kind: str) -> list[OutboxEvent]:
    """Events of a kind that nobody took, the oldest first."""
    query = select(OutboxRow).where(OutboxRow.kind == kind, OutboxRow.delivered_at.is_(None))
    rows = session.scalars(query.order_by(OutboxRow.created_at, OutboxRow.event_id))
    return [
        OutboxEvent(row.event_id, row.kind, row.target, dict(row.payload), row.tries, row.last_error) for row in rows
    ]


def begin(session: Session, event_id: str) -> bool:
    """Count a try; False where there is nothing to deliver any more: another process did."""
    row = session.get(OutboxRow, event_id)
    if row is None or row.delivered_at is not None:
        return False
    row.tries += 1
    return True


def end(session: Session, event_id: str, error: str, now: datetime) -> None:
    """Note what came of a try: an error, or that it was taken."""
    row = session.get(OutboxRow, event_id)
    if row is None:
        return
    row.last_error = redact(error)
    if not error:
        row.delivered_at = now


def remember(session: Session, content: bytes, now: datetime) -> None:
    """Keep what a watch has seen, in the place of what it had seen before."""
    row = session.get(WatchedRow, _FILES)
    if row is None:
        session.add(WatchedRow(name=_FILES, at=now, content=content))
    else:
        row.at, row.content = now, content


def remembered(session: Session) -> bytes | None:
    """What the last look of a watch has seen; None before the first."""
    row = session.get(WatchedRow, _FILES)
    return None if row is None else row.content
