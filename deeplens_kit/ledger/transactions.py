"""How the ledger reads and writes: each step is one transaction, and the database's errors are ours.

Takes an engine, gives sessions; must not know the tables. What is written is told in the audit trail in the same
transaction, as the last thing in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deeplens_kit.ledger.audit import settle
from deeplens_kit.ledger.engine import database_now, writing
from deeplens_kit.ledger.faults import translated
from deeplens_kit.ledger.job_events import settle as settle_events

__all__ = ["Transactions"]


class Transactions:
    """Sessions of a database; safe to share between threads.

    Args:
        engine: Of the database.
        place: Its address as it may be shown.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self._place = place

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with translated("read", self._place), Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def _snapshot(self) -> Iterator[Session]:
        """Reading at one moment, whatever others write meanwhile; SQLite's readers always do."""
        engine = self._engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with translated("read", self._place), Session(engine) as session, session.begin():
            yield session

    @contextmanager
    def _writing(self) -> Iterator[tuple[Session, datetime]]:
        """A transaction that writes, and its time."""
        with translated("write to", self._place), Session(writing(self._engine)) as session, session.begin():
            yield session, database_now(session.connection())
            # Each locks a row until the commit: always in this order, so that no two writers wait for each other.
            settle_events(session)
            settle(session)
