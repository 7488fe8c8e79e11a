"""The ledger as JSON lines, whichever database it is in: written out at one moment, and taken into an empty one.

Takes an engine and a folder; must not change what it writes out. Every table is files of lines in the order of its
key, so that what was only added to shares its first files with an earlier export. Values are written as JSON has
them, times as ISO 8601 in UTC, bytes in base64.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, DateTime, Engine, LargeBinary, MetaData, Table, delete, insert, select, text

from deeplens_kit.errors import WorkspaceError

__all__ = ["export_tables", "import_tables"]

_ROWS_PER_FILE = 10_000
_BYTES_PER_FILE = 32 * 2**20
_ROWS_PER_INSERT = 1_000
_VERSION = "alembic_version"
# Who holds a lease holds it on the ledger that was written out, not on the one that is made.
_NOT_TAKEN = (_VERSION, "leases")
# Made by the migrations, and then what the export says.
_REPLACED = ("chain_heads",)


def export_tables(engine: Engine, folder: Path) -> str:
    """Write every table into a folder, as it stands at one moment.

    Returns:
        The schema revision.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, connection.begin():
        # What is there, which may be an older schema than the one mapped.
        found = MetaData()
        found.reflect(connection)
        for table in found.sorted_tables:
            for number, lines in enumerate(_files(connection, table)):
                path = folder / f"{table.name}.{number:05}.jsonl"
                with path.open("wb") as stream:
                    stream.writelines(lines)
                    stream.flush()
                    os.fsync(stream.fileno())
        revision = connection.execute(text(f"SELECT version_num FROM {_VERSION}")).scalar_one()
    return str(revision)


def import_tables(connection: Connection, folder: Path) -> None:
    """Take what `export_tables` wrote into a ledger of the same revision that holds nothing.

    Raises:
        WorkspaceError: The folder holds a table that this revision does not have.
    """
    found = MetaData()
    found.reflect(connection)
    known = {table.name for table in found.sorted_tables}
    for path in sorted(folder.glob("*.jsonl")):
        name = path.name.partition(".")[0]
        if name not in known:
            raise WorkspaceError(f"The backup holds a table {name!r} that its revision does not have; it is no backup.")
    for table in found.sorted_tables:
        if table.name in _NOT_TAKEN:
            continue
        if table.name in _REPLACED:
            connection.execute(delete(table))
        for path in sorted(folder.glob(f"{table.name}.*.jsonl")):
            for rows in _rows(path, table, connection.dialect.name):
                connection.execute(insert(table), rows)
        _count_on(connection, table)


def _files(connection: Connection, table: Table) -> Iterator[list[bytes]]:
    """The lines of a table, file by file."""
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_ROWS_PER_INSERT)
    lines: list[bytes] = []
    size = 0
    for row in connection.execute(query).mappings():
        line = json.dumps(dict(row), default=_plain, ensure_ascii=False, sort_keys=True).encode(
            "utf-8", "surrogatepass"
        )
        lines.append(line + b"\n")
        size += len(line)
        if len(lines) >= _ROWS_PER_FILE or size >= _BYTES_PER_FILE:
            yield lines
            lines, size = [], 0
    if lines:
        yield lines


def _rows(path: Path, table: Table, dialect: str) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with path.open("rb") as stream:
        for line in stream:
            values = json.loads(line.decode("utf-8", "surrogatepass"))
            rows.append({name: _value(value, table.columns[name], dialect) for name, value in values.items()})
            if len(rows) >= _ROWS_PER_INSERT:
                yield rows
                rows = []
    if rows:
        yield rows


def _value(value: Any, column: Column[Any], dialect: str) -> Any:
    if value is None:
        return None
    if isinstance(column.type, LargeBinary):
        return base64.b64decode(value)
    if isinstance(column.type, DateTime):
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect == "sqlite" else at
    return value


def _count_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after those that were taken in."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = connection.execute(
            text("SELECT pg_get_serial_sequence(:name, :column)"), {"name": table.name, "column": column.name}
        ).scalar()
        if sequence:
            newest = f"SELECT setval('{sequence}', (SELECT max({column.name}) FROM {table.name}))"
            connection.execute(text(f"{newest} WHERE EXISTS (SELECT 1 FROM {table.name})"))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"the ledger holds a {type(value).__name__}, which the export does not know")
