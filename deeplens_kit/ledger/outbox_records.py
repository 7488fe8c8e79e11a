"""The part of the ledger that keeps what a watch has seen and what is to be told of it.

Takes and gives frozen values; must not tell anybody. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

from deeplens_kit.ledger import outbox as outbox_rows
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import OutboxEvent

__all__ = ["OutboxRecords"]


class OutboxRecords(Transactions):
    """What is to be told to others."""

    def record_watched(self, content: bytes | None, events: Iterable[OutboxEvent]) -> None:
        """Record what a watch has seen (None: as before) and what is to be told of it, both or neither."""
        with self._writing() as (session, now):
            outbox_rows.put(session, events, now)
            if content is not None:
                outbox_rows.remember(session, content, now)

    def watched(self) -> bytes | None:
        """What a watch has seen when it looked last; None before the first."""
        with self._reading() as session:
            return outbox_rows.remembered(session)

    def undelivered(self, kind: str) -> list[OutboxEvent]:
        """Events of a kind that nobody took yet, the oldest first."""
        with self._reading() as session:
            return outbox_rows.undelivered(session, kind)

    def begin_delivery(self, event_id: str) -> bool:
        """Count a try; False where it was delivered meanwhile, or is forgotten."""
        with self._writing() as (session, _):
            return outbox_rows.begin(session, event_id)

    def end_delivery(self, event_id: str, error: str = "") -> None:
        """Note that an event was taken, or why not."""
        with self._writing() as (session, now):
            outbox_rows.end(session, event_id, error, now)
