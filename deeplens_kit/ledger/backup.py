"""A copy of the ledger, made before its schema changes.

Takes an engine and a folder and gives the path of the copy; must not change the ledger. SQLite is copied by its
own backup interface, so that a writer in between does no harm; PostgreSQL is exported as JSON lines (`table_files`).
A copy gets its name only when it is whole.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from deeplens_kit.ledger.table_files import export_tables

__all__ = ["back_up"]


def back_up(engine: Engine, backup_dir: Path, revision: str) -> Path:
    """Copy the ledger into a folder, which is made where missing.

    Args:
        engine: The ledger.
        backup_dir: A local folder.
        revision: The ledger's revision, for the name of the copy.

    Returns:
        "ledger-REVISION-TIME.sqlite", or a folder without the ending that holds files of JSON lines.

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
    export_tables(engine, partial)
    return partial.rename(target)


def _settle(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
