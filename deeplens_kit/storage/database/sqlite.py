"""Files in a table of an SQLite file.

Takes `sqlite:///PATH/FILE.db` and options; must not write: the file is opened read-only. Names of tables and columns
come from the file itself and are quoted by SQLite. Rows come in order of their rowid.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from deeplens_kit.storage.connections import ConnectionPool
from deeplens_kit.storage.database.rows import PAGE_ROWS, DatabaseOptions, Row, RowStore
from deeplens_kit.storage.database.sqlite_table import SqliteTable, find_table, table_name
from deeplens_kit.storage.file_url import file_of_url, is_openable, place_of_file, url_of_file
from deeplens_kit.storage.listing import UNSETTLED, settled
from deeplens_kit.storage.local_listing import FileIdentity
from deeplens_kit.storage.paths import encode_path
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault, PassingFault
from deeplens_kit.storage.store import Probe

__all__ = ["SqliteLocation", "SqliteOptions", "SqliteStore"]

_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_PROTOCOL", "SQLITE_INTERRUPT", "SQLITE_SCHEMA")
# A time of modification of the system is as coarse as this; a change within it may leave the file's state as it was.
_CLOCK_SECONDS = 2.0
# Change counter of the file, "incremented whenever the database file is unlocked after having been modified"
# (SQLite, Database File Format, 1.3.7); salts of the write-ahead log (4.1).
_COUNTER, _SALTS = (24, 4), (16, 8)


@dataclass(frozen=True, slots=True)
class SqliteOptions(DatabaseOptions):
    """Options of a table of SQLite."""


class SqliteLocation(RemoteLocation):
    """A table of an SQLite file.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `sqlite:///PATH/FILE.db`.
        options: Fields of `SqliteOptions`.
    """

    options_class = SqliteOptions

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        parsed = SqliteOptions.of(options)
        file = file_of_url(url, "sqlite", "pictures.db")
        prefix = parsed.base_path.strip("/") + "/" if parsed.base_path.strip("/") else ""
        names = (table_name(parsed.table).lower(), parsed.blob_column.lower())  # SQLite makes no difference of case
        super().__init__(
            location_id,
            name,
            url_of_file("sqlite", file),
            place_of_file("sqlite", file) + "".join(f"{quote(part, safe='')}/" for part in names) + encode_path(prefix),
            parsed,
            SqliteStore(file, prefix, parsed),
        )

    @property
    def readers(self) -> int | None:
        """It makes no difference: the file lies on this machine."""
        return None

    @property
    def over_network(self) -> bool:
        """It lies on this machine."""
        return False


class SqliteStore(RowStore):
    """A table; see `storage.database.rows.RowStore`.

    Without a column that changes with each file, the state of the whole database stands in every change token.
    """

    def __init__(self, file: str, prefix: str, options: SqliteOptions) -> None:
        super().__init__(prefix)
        self._file, self._options = file, options
        self._pool: ConnectionPool[_Connection] = ConnectionPool(
            self._connect,
            _Connection.close,
            lambda error: isinstance(error, KnownFault),
            lambda connection: connection.identity == self._identity,
        )
        self._table: SqliteTable | None = None
        self._identity: FileIdentity | None = None

    def rows_after(self, last: object) -> tuple[list[Row], int, bool]:
        """One page by rowid."""
        if last is None:
            self._table = None
        with self._reading() as (connection, table, state):
            special = 0
            while True:
                found = connection.execute(*table.page(last, PAGE_ROWS)).fetchall()
                rows = [table.row(values, state) for values in found if table.holds_bytes(values)]
                special += len(found) - len(rows)
                more = len(found) == PAGE_ROWS
                if rows or not more:
                    return rows, special, more
                last = found[-1][0]

    def row(self, key: str | None, name: str) -> Row | None:
        """One row without its bytes."""
        with self._reading() as (connection, table, state):
            found = connection.execute(*table.one(key, name)).fetchone()
        return None if found is None else table.row(found, state)

    def bytes_of(self, key: str | None, name: str, start: int, length: int | None, token: str | None) -> bytes | None:
        """The part of the row's bytes, without reading what lies before it; in one transaction with its state."""
        with self._reading() as (connection, table, state):
            found = connection.execute(*table.one(key, name)).fetchone()
            row = None if found is None else table.row(found, state)
            if row is None or row.name != name:
                return None
            if token and settled(row.token) != token:
                raise KnownFault(FaultKind.CHANGED, "the row changed")
            rowid = found[0]
            with connection.blobopen(table.table, table.blob, rowid, readonly=True) as blob:
                blob.seek(min(start, len(blob)))
                data: bytes = blob.read(len(blob) if length is None else length)
        return data

    def probe(self) -> Probe:
        """What the options cost or save."""
        with self._reading() as (_, table, _):
            return Probe(now=datetime.now(UTC), remarks=table.remarks)

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate the errors of sqlite3."""
        if isinstance(error, UnicodeError):
            return Fault(FaultKind.GONE, "no row can have this name")
        if isinstance(error, sqlite3.Error):
            name = getattr(error, "sqlite_errorname", "")
            kind = FaultKind.PASSING if name.startswith(_PASSING) else FaultKind.LOCATION
            return Fault(kind, f"{error} ({name})" if name else str(error))
        if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)):
            advice = "connect its disk, allow reading it, or mend the URL"
            return Fault(FaultKind.LOCATION, f"its file cannot be opened: {error.strerror}; {advice}")
        return Fault(FaultKind.PASSING, error.strerror or str(error)) if isinstance(error, OSError) else None

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    @contextmanager
    def _reading(self) -> Iterator[tuple[sqlite3.Connection, SqliteTable, str]]:
        """A connection in a transaction that reads one state of the file, the table, and that state."""
        self._leave_replaced()
        with self._pool.lent() as connection:
            before, identity = _state_of(self._file)
            if connection.identity != identity:
                raise PassingFault("its file was replaced")
            connection.execute("BEGIN")
            try:
                # The first statement begins to read; until then others may still write.
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                if self._table is None:
                    self._table = find_table(connection, self._options)
                table = self._table
                if not table.tells_changes and settled(before) != settled(_state_of(self._file)[0]):
                    raise KnownFault(FaultKind.PASSING, "its file is being written")
                yield connection, table, before
            finally:
                connection.execute("ROLLBACK")

    def _leave_replaced(self) -> None:
        """Close the connections to a file that lost its name to another: they would go on reading it."""
        identity = _identity_of(os.stat(self._file))  # noqa: PTH116 - a native path
        if identity != self._identity:
            self._identity, self._table = identity, None
            self._pool.close()

    def _connect(self) -> _Connection:
        before = os.stat(self._file)  # noqa: PTH116 - a native path
        if not is_openable(before):
            raise KnownFault(FaultKind.LOCATION, "what its URL names is no regular file")
        with open(self._file, "rb"):  # noqa: PTH123 - says why not, which SQLite does not
            pass
        address = f"file:{quote(os.fsencode(self._file))}?mode=ro"
        connection = sqlite3.connect(
            address,
            uri=True,
            timeout=self._options.timeout_seconds,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        connection.text_factory = os.fsdecode
        connection.identity = _identity_of(before)
        if _identity_of(os.stat(self._file)) != connection.identity:  # noqa: PTH116 - a native path
            connection.close()
            raise PassingFault("its file was replaced")
        return connection


class _Connection(sqlite3.Connection):
    """A connection that knows which file it was made to: SQLite keeps that open, whatever has its name later."""

    identity: FileIdentity | None = None


def _identity_of(stat: os.stat_result) -> FileIdentity:
    return stat.st_dev, stat.st_ino


def _state_of(file: str) -> tuple[str, FileIdentity]:
    """The state of a database, of its file and, where there is one, of its write-ahead log; and which file it is."""
    parts, newest, identity = [], 0.0, (0, 0)
    for name, (at, count) in ((file, _COUNTER), (f"{file}-wal", _SALTS)):
        try:
            with open(name, "rb") as stream:  # noqa: PTH123 - a native name
                stat = os.fstat(stream.fileno())
                told = os.pread(stream.fileno(), count, at).hex()
        except FileNotFoundError:
            if name == file:
                raise
            continue
        if name == file:
            identity = _identity_of(stat)
        if stat.st_size:
            parts.append(f"{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ino}.{told}")
            newest = max(newest, stat.st_mtime)
    young = datetime.now(UTC).timestamp() - newest < _CLOCK_SECONDS
    return "+".join(parts) + (UNSETTLED if young else ""), identity
