"""Where a ledger names a picture, and what deleted rows leave behind in its files.

Takes a connection and a digest, gives columns with counts; must not change a row. A deleted row of SQLite stays in the
file, and in its log, until its page is used again; one of PostgreSQL until its table is written anew.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Column as SqlColumn
from sqlalchemy import Connection, Engine, LargeBinary, MetaData, Table, Text, cast, func, select

__all__ = ["Trace", "find_traces", "purge_deleted"]

_SPOKEN = (
    "decisions",
    "job_events",
    "jobs",
    "label_sample_items",
    "labels",
    "object_notes",
    "outbox",
    "quarantine",
    "ratings",
    "requests",
    "saved_searches",
    "search_history",
    "stage_intents",
)
"""Tables that forgetting takes rows or words from."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A column that names a picture.

    Attributes:
        table: Of the ledger.
        column: Of the table.
        rows: That name it.
        times: How often, in all of them.
        indices: That hold the column once more.
    """

    table: str
    column: str
    rows: int
    times: int
    indices: int

    @property
    def spoken(self) -> bool:
        """Whether it is of a table that forgetting takes rows or words from."""
        return self.table in _SPOKEN


def find_traces(connection: Connection, digest: str) -> list[Trace]:
    """Look for a picture in every column of every table, by its digest in hexadecimal or as bytes.

    Compressed bytes, as the steps of plans are, are not looked into.
    """
    found = MetaData()
    found.reflect(connection)
    traces = [
        trace
        for table in found.sorted_tables
        for column in table.columns
        if (trace := _in_column(connection, table, column, digest)).rows
    ]
    return sorted(traces, key=lambda trace: (trace.table, trace.column))


def purge_deleted(engine: Engine) -> None:
    """Write anew what deleted rows lie in."""
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        found = MetaData()
        found.reflect(connection)
        for name in found.tables:
            if name in _SPOKEN:
                connection.exec_driver_sql(f'VACUUM FULL "{name}"')


def _in_column(connection: Connection, table: Table, column: SqlColumn[object], digest: str) -> Trace:
    indices = sum(column.name in index.columns for index in table.indexes) + bool(column.primary_key)
    if isinstance(column.type, LargeBinary):
        query = select(column).execution_options(yield_per=100)
        needles = digest.encode(), bytes.fromhex(digest)
        values = (value for (value,) in connection.execute(query) if isinstance(value, bytes))
        times = [sum(value.count(needle) for needle in needles) for value in values]
        return Trace(table.name, column.name, sum(map(bool, times)), sum(times), indices)
    text = cast(column, Text)
    spent = func.length(text) - func.length(func.replace(text, digest, ""))
    query_sums = select(func.count(), func.coalesce(func.sum(spent), 0)).where(text.contains(digest))
    rows, letters = connection.execute(query_sums).one()
    return Trace(table.name, column.name, int(rows), int(letters) // len(digest), indices)
