"""How the ledger reads and writes: each step is one transaction, and the database's errors are ours.

Takes an engine, gives sessions; must not know the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deeplens_kit.ledger.engine import database_now, writing
from deeplens_kit.ledger.faults import translated

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
    def _writing(self) -> Iterator[tuple[Session, datetime]]:
        """A transaction that writes, and its time."""
        with translated("write to", self._place), Session(writing(self._engine)) as session, session.begin():
            yield session, database_now(session.connection())
