"""Connections to the ledger's database.

Takes a checked address and gives an engine; must not know the tables. SQLite is put in WAL mode with foreign keys
on, and a transaction that will write says so at its start: one that begins by reading cannot wait for its turn.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.pool import ConnectionPoolEntry

from deeplens_kit.errors import SettingsError

__all__ = ["database_now", "open_engine", "writing"]

# How long a writer waits for another; our transactions take milliseconds.
BUSY_SECONDS = 30
_WRITES = "deeplens_writes"


def open_engine(address: URL) -> Engine:
    """An engine for SQLite or PostgreSQL; connects when first used.

    Raises:
        SettingsError: The driver of PostgreSQL is not installed.
    """
    if address.get_backend_name() != "sqlite":
        try:
            # A connection that the server dropped while nothing was asked is replaced before it is used.
            engine = create_engine(
                address, pool_pre_ping=True, hide_parameters=True, connect_args={"connect_timeout": BUSY_SECONDS}
            )
        except ImportError as error:
            raise SettingsError(
                "ledger_url names PostgreSQL, and its driver is not installed; install deeplens-kit with the extra "
                "`postgres`, for example `pip install '.[cpu,postgres]'`, or name an SQLite file."
            ) from error
        event.listen(engine, "before_cursor_execute", _ask_without_nul, retval=True)
        return engine
    engine = create_engine(address, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine, for transactions that write."""
    return engine.execution_options(**{_WRITES: True})


def database_now(connection: Connection) -> datetime:
    """The time by the database's clock: hosts that share a server need not agree on theirs."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now.astimezone(UTC)


def _prepare_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # The driver must not open transactions by itself: it leaves DDL out of them, and never says IMMEDIATE.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    # Survives the loss of power, not only of the process: the ledger cannot be rebuilt.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _ask_without_nul(
    _connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Have a text that PostgreSQL cannot hold be found nowhere: it refuses even to look for a NUL."""
    if statement.startswith("SELECT") and isinstance(parameters, dict):
        odd = {name for name, value in parameters.items() if isinstance(value, str) and "\0" in value}
        if odd:
            mark = "\N{REPLACEMENT CHARACTER}"
            parameters = parameters | {name: parameters[name].replace("\0", mark) for name in odd}
    return statement, parameters


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
