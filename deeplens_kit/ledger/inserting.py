"""Inserting a row that may be there already, as either database has it.

Takes a session and a table, gives a statement whose `on_conflict_…` is still to be said; must not run it. What speaks
PostgreSQL loads where a ledger is one: it takes a twelfth of the time in which a command starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from deeplens_kit.ledger.models import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

__all__ = ["insert_into"]


def insert_into(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An insert into a table in the words of the session's database."""
    if session.get_bind().dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
