"""Errors of the database, said in our own words.

Takes whatever SQLAlchemy or a driver raised and gives one of our errors with the cause kept; must not hide an
error or show a password.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from deeplens_kit.errors import StoreFullError, WorkspaceError
from deeplens_kit.telemetry import redact

__all__ = ["translated"]

_FULL = re.compile(r"is full|no space left|disk full|quota exceeded|could not extend file", re.IGNORECASE)
_DENIED = re.compile(
    r"readonly|read-only|permission denied|unable to open|password authentication|access denied", re.IGNORECASE
)
_BUSY = re.compile(r"is locked|lock timeout|deadlock", re.IGNORECASE)


@contextmanager
def translated(doing: str, place: str) -> Iterator[None]:
    """Turn errors of the database and the system into ours.

    Args:
        doing: What was being done, as in "write to".
        place: The ledger's address as it may be shown.

    Raises:
        StoreFullError: No space is left or a quota is reached.
        WorkspaceError: Anything else that the database refused.
    """
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = " ".join(redact(str(cause)).split())
        if _FULL.search(text):
            raise StoreFullError(
                f"The ledger at {place} cannot be written: the disk or quota is full; what was committed is kept. "
                "Make room and run again."
            ) from error
        raise WorkspaceError(f"Cannot {doing} the ledger at {place}: {text}; {_advice(error, text)}.") from error


def _advice(error: Exception, text: str) -> str:
    if _DENIED.search(text):
        return "check that it may be read and written"
    if _BUSY.search(text) or isinstance(error, IntegrityError):
        return "another process works on it; run again"
    if isinstance(error, ProgrammingError) or "not a database" in text:
        return "it is damaged or not a ledger; name another, or restore a backup"
    return "check that its disk or server can be reached"
