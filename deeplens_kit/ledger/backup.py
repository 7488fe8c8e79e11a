"""A copy of the ledger, made before its schema changes.

Takes an engine and a folder and gives the path of the copy; must not change the ledger. SQLite is copied by its
own backup interface, so that a writer in between does no harm; PostgreSQL is exported as JSON lines, a file per
table, from one snapshot. A copy gets its name only when it is whole.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import Engine, MetaData, select

__all__ = ["back_up"]


def back_up(engine: Engine, backup_dir: Path, revision: str) -> Path:
    """Copy the ledger into a folder, which is made where missing.

    Args:
        engine: The ledger.
        backup_dir: A local folder.
        revision: The ledger's revision, for the name of the copy.

    Returns:
        "ledger-REVISION-TIME.sqlite", or a folder without the ending that holds TABLE.jsonl files.

    Raises:
        OSError, sqlite3.Error: The copy cannot be written.
    """
    backup_dir.mkdir(parents=True, exist_ok=True)
    name = f"ledger-{revision}-{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%fZ')}"
    if engine.dialect.name == "sqlite":
        return _copy_sqlite(str(engine.url.database), backup_dir / f"{name}.sqlite")
    return _export(engine, backup_dir / name)


def _copy_sqlite(database: str, target: Path) -> Path:
    partial = target.with_suffix(".partial")
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(partial)) as copy:
        source.backup(copy)
        # A single file, whatever the source had: the copy may be moved by hand.
        copy.execute("PRAGMA journal_mode = DELETE")
    _settle(partial)
    return partial.rename(target)


def _export(engine: Engine, target: Path) -> Path:
    partial = target.with_name(f"{target.name}.partial")
    partial.mkdir()
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        # What is there, which may be an older schema than the one mapped.
        found = MetaData()
        found.reflect(connection)
        for table in found.sorted_tables:
            path = partial / f"{table.name}.jsonl"
            with path.open("w", encoding="utf-8") as stream:
                for row in connection.execute(select(table)).mappings():
                    stream.write(json.dumps(dict(row), default=_plain, ensure_ascii=False) + "\n")
            _settle(path)
    return partial.rename(target)


def _plain(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"the ledger holds a {type(value).__name__}, which the export does not know")


def _settle(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
