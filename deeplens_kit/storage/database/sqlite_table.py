"""A table of SQLite: what the file says of it, and the statements that read it.

Takes a connection and the names that options give, gives statements with their values; must not run those.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deeplens_kit.storage.database.rows import DatabaseOptions, Row, chosen
from deeplens_kit.storage.listing import UNSETTLED, settled, unsettled
from deeplens_kit.storage.resilience import FaultKind, KnownFault

__all__ = ["SqliteTable", "find_table", "table_name"]

_ROW_IDS = ("rowid", "_rowid_", "oid")
# A time of the day in ISO 8601, to its seconds (the step of CURRENT_TIMESTAMP), minutes or hours; without one, a day.
_FORMS = (
    (re.compile(r"[T ]\d\d:?\d\d:?\d\d"), 1.0),
    (re.compile(r"[T ]\d\d:?\d\d"), 60.0),
    (re.compile(r"[T ]\d\d"), 3600.0),
)
_DAY_SECONDS = 86400.0
_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_MARK_AGAIN = (
    "Each change of the database makes all of its files be read again, because its table tells of no change: name a "
    "modified_column or a checksum_column."
)


@dataclass(frozen=True, slots=True)
class SqliteTable:
    """A table and the columns that are read; names end in `_sql` as they stand in a statement.

    Attributes:
        table: Its name.
        blob: The column of the bytes.
        columns_sql: What is selected, in the order of `row`.
        table_sql: The table.
        rowid_sql: The rowid, by one of its names that no column has.
        blob_sql: The column of the bytes.
        key_sql: Of the keys.
        name_sql: Of the names; of the keys where there are none.
        has_modified: A column tells when a file was changed.
        has_checksum: A column holds digests.
        remarks: What is worth knowing, a sentence each.
    """

    table: str
    blob: str
    columns_sql: str
    table_sql: str
    rowid_sql: str
    blob_sql: str
    key_sql: str
    name_sql: str
    has_modified: bool
    has_checksum: bool
    remarks: tuple[str, ...]

    @property
    def tells_changes(self) -> bool:
        """Whether each row says by itself that it changed."""
        return self.has_modified or self.has_checksum

    def page(self, last: object, rows: int) -> tuple[str, tuple[object, ...]]:
        """The rows behind a rowid, in order."""
        behind = "" if last is None else f"AND {self.rowid_sql} > ?"
        statement = (
            f"SELECT {self.columns_sql} FROM {self.table_sql} WHERE {self.blob_sql} IS NOT NULL "
            f"AND {self.key_sql} IS NOT NULL {behind} ORDER BY {self.rowid_sql} LIMIT ?"
        )
        return statement, ((rows,) if last is None else (last, rows))

    def one(self, key: str | None, name: str) -> tuple[str, tuple[object, ...]]:
        """The row of a key, or the first of a name."""
        by_key = key is not None or self.name_sql == self.key_sql
        text = name if key is None else key
        # As bytes that become text again: text of SQLite need not be UTF-8.
        column_sql = self.key_sql if by_key else self.name_sql
        among, values = "(CAST(? AS TEXT))", (os.fsencode(text),)  # type: str, tuple[object, ...]
        if text.lstrip("-").isdecimal() and len(text) < 20 and str(int(text)) == text:
            # A column without a type keeps a number as one, and does not find it by its text.
            among, values = "(CAST(? AS TEXT), ?)", (*values, int(text))
        # An index finds it, and of what a column calls equal (NOCASE) only what is.
        statement = (
            f"SELECT {self.columns_sql} FROM {self.table_sql} WHERE {column_sql} IN {among} "
            f"AND {column_sql} COLLATE BINARY IN {among} AND typeof({self.blob_sql}) = 'blob' "
            f"AND {self.key_sql} IS NOT NULL ORDER BY {self.rowid_sql} LIMIT 1"
        )
        return statement, (*values, *values)

    def holds_bytes(self, values: Sequence[Any]) -> bool:
        """Whether the bytes of a row are such, and no text or number."""
        return bool(values[3] == "blob")

    def row(self, values: Sequence[Any], state: str) -> Row:
        """A row from the columns of those statements.

        Args:
            values: As selected.
            state: Of the file.
        """
        rowid, key, name, _, size, modified, checksum = values
        digest = (checksum.hex() if isinstance(checksum, bytes) else str(checksum or "")).lower()
        if not _DIGEST.fullmatch(digest):
            digest = ""  # a word such as "pending" stays as it is while the file changes
        seconds = _seconds(modified)
        mark, unsure = str(rowid), ""
        if not self.tells_changes:
            mark, unsure = f"{mark}@{settled(state)}", UNSETTLED if state.endswith(UNSETTLED) else ""
        elif self.has_modified:
            mark = f"{mark}@{modified}"
            if not digest:
                time = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
                unsure = unsettled("", time, _step_of(modified, seconds), datetime.now(UTC))
        elif not digest:
            unsure = UNSETTLED  # nothing tells whether this row changes
        return Row(rowid, key, name or "", size, mark, seconds, digest, unsure)


def table_name(text: str) -> str:
    """The table that an option names; the only schema there is may stand before it."""
    return text.removeprefix("main.")


def find_table(connection: sqlite3.Connection, options: DatabaseOptions) -> SqliteTable:
    """Look a table up in its file.

    Raises:
        KnownFault: It is not there, or cannot be read as files; with what there is instead.
    """
    listed = connection.execute("SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'").fetchall()
    kinds = {name: (kind, bare) for name, kind, bare in listed if not name.startswith("sqlite_")}
    table = _named("table", table_name(options.table), kinds, "the file")
    where = f"table {table!r}"
    if kinds[table][0] != "table":
        raise KnownFault(FaultKind.LOCATION, f"{table!r} is a {kinds[table][0]}; name the table that it shows")
    if kinds[table][1]:
        raise KnownFault(FaultKind.LOCATION, f"{where} is made WITHOUT ROWID, and its rows cannot be read in parts")
    found = connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall()
    columns = [name for name, _ in found]
    rowid = next((name for name in _ROW_IDS if name not in {column.lower() for column in columns}), None)
    if rowid is None:
        raise KnownFault(FaultKind.LOCATION, f"{where} has columns of all names of the rowid: {', '.join(_ROW_IDS)}")
    blob = _named("column", options.blob_column, columns, where)
    key = _key(connection, options, table, found, rowid)
    given = (options.name_column, options.modified_column, options.checksum_column)
    name, modified, checksum = (_named("column", wanted, columns, where) if wanted else "" for wanted in given)

    def sql(identifier: str) -> str:
        return str(connection.execute("""SELECT printf('"%w"', ?)""", (identifier,)).fetchone()[0])

    blob_sql, key_sql = sql(blob), rowid if key is None else sql(key)
    name_sql = sql(name) if name else key_sql
    selected = (
        *(rowid, f"CAST({key_sql} AS TEXT)", f"CAST({name_sql} AS TEXT)", f"typeof({blob_sql})", f"length({blob_sql})"),
        *(sql(modified) if modified else "NULL", sql(checksum) if checksum else "NULL"),
    )
    remarks = [] if modified or checksum else [_MARK_AGAIN]
    if name and name not in {first for first, _ in _indexes(connection, table)}:
        remarks.append(
            f"Column {name!r} has no index: each file that is read is looked for in the whole table. Give it one, or "
            "leave out name_column."
        )
    return SqliteTable(
        *(table, blob, ", ".join(selected), sql(table), rowid, blob_sql, key_sql, name_sql),
        has_modified=bool(modified),
        has_checksum=bool(checksum),
        remarks=tuple(remarks),
    )


def _named(kind: str, wanted: str, known: Sequence[str] | dict[str, Any], where: str) -> str:
    """A name as the file spells it: SQLite makes no difference of case."""
    for name in known:
        if name.lower() == wanted.lower():
            return name
    return chosen(kind, wanted, known, where)


def _key(
    connection: sqlite3.Connection, options: DatabaseOptions, table: str, found: list[tuple[str, int]], rowid: str
) -> str | None:
    """The column of keys; None for the rowid itself."""
    columns, primary = [name for name, _ in found], [name for name, position in found if position]
    if not options.key_column:
        return next(iter(_alone(primary)), None)
    if options.key_column.lower() == rowid:
        return None
    key = _named("column", options.key_column, columns, f"table {table!r}")
    unique = sorted({first for first, alone in _indexes(connection, table) if alone} | _alone(primary))
    if key not in unique:
        some = ", ".join(unique) or "none"
        raise KnownFault(
            FaultKind.LOCATION, f"key_column {key!r} of table {table!r} has no unique index; those that do: {some}"
        )
    return key


def _alone(primary: Sequence[str]) -> set[str]:
    return set(primary) if len(primary) == 1 else set()


def _indexes(connection: sqlite3.Connection, table: str) -> list[tuple[str, bool]]:
    """The first column of each index of the whole table, and whether it is unique by that alone."""
    found = []
    listed = connection.execute(
        'SELECT name, "unique" FROM pragma_index_list(?) WHERE NOT partial', (table,)
    ).fetchall()
    for index, unique in listed:
        columns = [name for (name,) in connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()]
        if columns[0] is not None:
            found.append((columns[0], bool(unique) and len(columns) == 1))
    return found


def _seconds(modified: object) -> float | None:
    """Seconds since 1970 of a time as SQLite's applications keep it: ISO 8601 (UTC without a zone), or such seconds."""
    try:
        if isinstance(modified, (int, float)):
            # Milliseconds where seconds would lie behind the year 5138.
            return datetime.fromtimestamp(modified if abs(modified) < 1e11 else modified / 1000, UTC).timestamp()
        time = datetime.fromisoformat(str(modified))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _step_of(modified: object, seconds: float | None) -> float:
    """How far apart two times of such a form are at least, in seconds."""
    if not seconds or seconds % _DAY_SECONDS == 0:
        return _DAY_SECONDS  # midnight is most likely a date
    if isinstance(modified, (int, float)):
        return 1.0
    return next((step for form, step in _FORMS if form.search(str(modified))), _DAY_SECONDS)
