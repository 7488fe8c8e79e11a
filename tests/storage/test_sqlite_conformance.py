"""A table of SQLite does what every kind of location must, in both journal modes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.storage.conformance import LocationConformance


class _Database:
    def __init__(self, file: Path, journal: str) -> None:
        self._file = file
        self._opened: list[LocationKind] = []
        self._connection = sqlite3.connect(file, isolation_level=None)
        self._connection.execute(f"PRAGMA journal_mode = {journal}")
        self._connection.execute("PRAGMA synchronous = off")
        self._connection.execute("CREATE TABLE pics (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB)")

    def opened(self, **options: object) -> LocationKind:
        columns = {"table": "pics", "blob_column": "data", "name_column": "name"}
        self._opened.append(open_location("L", "pics", f"sqlite://{self._file}", {**columns, **options}))
        return self._opened[-1]

    def put(self, path: str, data: bytes) -> None:
        self._connection.execute(
            "INSERT INTO pics (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data",
            (path, data),
        )

    def drop(self, path: str) -> None:
        self._connection.execute("DELETE FROM pics WHERE name = ?", (path,))

    def close(self) -> None:
        for location in self._opened:
            location.close()
        self._connection.close()


class _Sqlite(LocationConformance):
    writes = False


class TestSqlite(_Sqlite):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[_Database]:
        with closing(_Database(tmp_path / "a b.db", "delete")) as database:
            yield database


class TestSqliteWithLog(_Sqlite):
    same_size_overwrite_is_seen = False

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[_Database]:
        with closing(_Database(tmp_path / "a b.db", "wal")) as database:
            yield database
