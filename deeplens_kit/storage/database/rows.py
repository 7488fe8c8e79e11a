"""What tables of any database have in common as locations: options, pages of rows, states, bytes.

Takes what a kind asks of its database row by row and implements `storage.store.Store` over it; must not speak SQL.
"""

from __future__ import annotations

import difflib
import re
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from deeplens_kit.errors import SettingsError
from deeplens_kit.storage.database.naming import called, path_with_key, row_name
from deeplens_kit.storage.listing import Entry
from deeplens_kit.storage.options import RemoteOptions, option
from deeplens_kit.storage.resilience import FaultKind, KnownFault
from deeplens_kit.storage.store import Cursor, Page, Store

__all__ = ["PAGE_ROWS", "DatabaseOptions", "Row", "RowStore", "chosen"]

PAGE_ROWS = 1000
_HEX = re.compile(r"[0-9a-f]+")
_DIGESTS = {32: "md5", 64: "sha256"}


@dataclass(frozen=True, slots=True)
class DatabaseOptions(RemoteOptions):
    """Where in a database the files are; every database has these options."""

    table: str = option("", "The table that holds the files, with its schema where it has one: SCHEMA.TABLE.")
    blob_column: str = option("", "The column of the files' bytes.")
    key_column: str = option("", "A column of values that are unique; by default the primary key.")
    name_column: str = option("", "The column of the files' names or paths; by default the key is the name.")
    modified_column: str = option("", "The column that tells when a file was changed last.")
    checksum_column: str = option("", "The column of SHA-256 or MD5 digests of the files, which the database keeps.")

    def __post_init__(self) -> None:
        RemoteOptions.__post_init__(self)
        for name, what in (("table", "the table that holds the files"), ("blob_column", "the column of their bytes")):
            if not getattr(self, name):
                raise SettingsError(f"Location option {name!r} is missing; name {what}: --option {name}=NAME.")


class Row(NamedTuple):
    """A row without its bytes.

    Attributes:
        at: What the next page starts behind.
        key: The key as text.
        name: The name as text; the key where there is no column of names, empty where that is NULL.
        size_bytes: Of the file.
        mark: What changes with the row, as the database tells it; the first part of a change token.
        modified: Seconds since 1970, UTC; None where unknown.
        digest: As its column has it, lower-case hexadecimal; empty where there is none.
        unsure: A later change of the file may leave `mark` as it is.
    """

    at: object
    key: str
    name: str
    size_bytes: int
    mark: str
    modified: float | None = None
    digest: str = ""
    unsure: str = ""

    @property
    def token(self) -> str:
        """The change token: mark, size and digest."""
        return f"{self.mark}|{self.size_bytes}|{self.digest}".removesuffix("|") + self.unsure


class _Position(NamedTuple):
    """Where a listing goes on, and the names that are given away."""

    last: object
    taken: set[str]


class RowStore(Store):
    """A table; see `storage.store.Store`. Nothing of it is locked or kept open between two pages.

    Args:
        prefix: What the paths of its objects begin with; empty, or ends in '/'.
    """

    writes = False
    reads_conditionally = True

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    @abstractmethod
    def rows_after(self, last: object) -> tuple[list[Row], int, bool]:
        """At most PAGE_ROWS rows in order of key, how many hold something else than bytes, and whether more follow.

        `last` is the last row's `at`; None starts, and looks at the table anew.
        """

    @abstractmethod
    def row(self, key: str | None, name: str) -> Row | None:
        """The row of a key, or the first of a name; None where there is none."""

    @abstractmethod
    def bytes_of(self, key: str | None, name: str, start: int, length: int | None, token: str | None) -> bytes | None:
        """Bytes of the same row; None where it is gone. Raises a CHANGED fault where `token` is another."""

    def page(self, cursor: Cursor | None) -> Page:
        """A page of the rows in order of their keys."""
        at = cursor if isinstance(cursor, _Position) else _Position(None, set())
        rows, special, more = self.rows_after(at.last)
        entries, given, cut = [], set[str](), len(self._prefix)
        for row in rows:
            if called(row.name) and row.name not in at.taken and row.name not in given:
                given.add(row.name)
                path = row.name
            else:
                path = path_with_key(row.name, row.key)
            if path.startswith(self._prefix) and len(path) > cut:
                entries.append(_entry(path[cut:], row))
        # Only now: a page that failed is asked for once more with the same cursor.
        at.taken.update(given)
        return Page(entries, special=special, after=_Position(rows[-1].at, at.taken) if more and rows else None)

    def stat(self, path: str) -> Entry:
        """One row without its bytes."""
        wanted = row_name(self._prefix + path)
        row = self.row(wanted.key, wanted.name)
        if row is None or row.name != wanted.name:
            raise KnownFault(FaultKind.GONE, "the row is gone")
        return _entry(path, row)

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """Bytes of a row and its state, by one statement."""
        wanted = row_name(self._prefix + path)
        data = self.bytes_of(wanted.key, wanted.name, start, length, token)
        if data is None:
            raise KnownFault(FaultKind.GONE, "the row is gone")
        return data


def chosen(kind: str, wanted: str, known: Iterable[str], where: str) -> str:
    """A name that the database has.

    Args:
        kind: What it names: "table" or "column".
        wanted: As the options have it.
        known: The names that there are.
        where: What has them: "schema 'public'".

    Raises:
        KnownFault: It has no such name; the nearest is said.
    """
    names = sorted(known)
    if wanted in names:
        return wanted
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    some = ", ".join(map(repr, names[:20])) or "none"
    hint = f"the nearest name is {near[0]!r}" if near else f"there are: {some}"
    raise KnownFault(FaultKind.LOCATION, f"there is no {kind} {wanted!r} in {where}; {hint}")


def _entry(path: str, row: Row) -> Entry:
    kind = _DIGESTS.get(len(row.digest)) if _HEX.fullmatch(row.digest) else None
    checksum = f"{kind}:{row.digest}" if kind else None
    return Entry(path, row.size_bytes, row.token, _time(row.modified), checksum)


def _time(seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # infinite, or outside the years 1..9999
        return None
