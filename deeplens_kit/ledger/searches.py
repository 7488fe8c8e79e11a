"""Rows of saved searches and of the history of searches.

Takes a session and gives frozen values; must not commit: the ledger does. Saving and removing leave a line in the
audit trail, and so does clearing the history; a line for each search would keep what somebody wanted to be forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, func, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.models import SavedSearchRow, SearchRecordRow
from deeplens_kit.ledger.notes import check_change, check_name
from deeplens_kit.ledger.values import NoteChange, SavedSearch, SearchRecord

__all__ = ["clear", "find", "frozen", "history", "record", "remove", "save", "saved"]

# Of a query with its pictures, as JSON; the ledger is small, and is backed up whole.
_LONGEST_QUERY = 32 * 2**20
# Of a query in the history, which has no pictures: more is no question of a person.
_LONGEST_RECORD = 256 * 2**10


def save(
    session: Session,
    name: str,
    query: Mapping[str, object],
    description: str,
    who: str,
    now: datetime,
    *,
    replace: bool,
) -> SavedSearch:
    """Keep a search under a name.

    Raises:
        SettingsError: The name is taken or not allowed, or the query is too large.
    """
    name = check_name("saved search", name)
    check_change(NoteChange(description=description))
    size = len(json.dumps(query))
    if size > _LONGEST_QUERY:
        raise SettingsError(
            f"The search would take {size:,} bytes in the ledger; at most {_LONGEST_QUERY:,} are kept: save it with "
            "smaller pictures, or with indexed ones."
        )
    row = _found(session, name)
    if row is not None and not replace:
        raise _taken(name)
    if row is None:
        row = SavedSearchRow(name=name)
        _fill(row, query, description, who, now)
        try:
            # Within a savepoint: who saved one of this name a moment ago does not cost the transaction.
            with session.begin_nested():
                session.add(row)
        except IntegrityError as error:
            raise _taken(name) from error
    else:
        _fill(row, query, description, who, now)
    session.flush()
    audit(session, who, "search.saved", {"name": name}, now)
    return frozen(row)


def find(session: Session, name: str) -> SavedSearchRow:
    """The row of a name.

    Raises:
        UnknownNameError: There is none; the nearest is suggested.
    """
    row = _found(session, name)
    if row is None:
        raise UnknownNameError("saved search", name, session.scalars(select(SavedSearchRow.name)))
    return row


def saved(session: Session) -> list[SavedSearch]:
    """Every saved search by name."""
    # Sorted here: databases differ in how they order letters.
    return sorted((frozen(row) for row in session.scalars(select(SavedSearchRow))), key=lambda item: item.name)


def remove(session: Session, name: str, who: str, now: datetime) -> None:
    """Forget a saved search.

    Raises:
        UnknownNameError: There is none of the name.
    """
    session.delete(find(session, name))
    audit(session, who, "search.removed", {"name": name}, now)


def record(
    session: Session,
    query: Mapping[str, object],
    by: str,
    results: int,
    seconds: float,
    who: str,
    now: datetime,
    most: int,
) -> SearchRecord:
    """Note that something was searched for, and forget what is oldest beyond `most`.

    Raises:
        SettingsError: The query is too large.
    """
    if len(json.dumps(query)) > _LONGEST_RECORD:
        raise SettingsError(f"The query takes more than {_LONGEST_RECORD:,} bytes; it is not remembered.")
    row = SearchRecordRow(at=now, who=who, query=dict(query), results=results, seconds=seconds, by=by)
    session.add(row)
    session.flush()
    # Ids only go up: what lies so far behind is at least as many searches ago.
    session.execute(delete(SearchRecordRow).where(SearchRecordRow.record_id <= row.record_id - most))
    return _record(row)


def history(session: Session, limit: int | None, of: str | None = None) -> list[SearchRecord]:
    """What was searched for, the latest first; by everybody, or by one person."""
    query = select(SearchRecordRow).order_by(SearchRecordRow.record_id.desc()).limit(limit)
    if of is not None:
        query = query.where(SearchRecordRow.who == of)
    return [_record(row) for row in session.scalars(query)]


def clear(session: Session, who: str, now: datetime, of: str | None = None) -> int:
    """Forget what was searched for, by everybody or by one person; the number of searches."""
    whose = SearchRecordRow.who == of if of is not None else true()
    number = session.scalar(select(func.count()).select_from(SearchRecordRow).where(whose)) or 0
    session.execute(delete(SearchRecordRow).where(whose))
    audit(session, who, "search_history.cleared", {"searches": number, **({"of": of} if of else {})}, now)
    return number


def frozen(row: SavedSearchRow) -> SavedSearch:
    """A row without its session."""
    return SavedSearch(row.name, dict(row.query), row.description, row.who, row.at)


def _record(row: SearchRecordRow) -> SearchRecord:
    return SearchRecord(row.record_id, row.at, row.who, dict(row.query), row.by, row.results, row.seconds)


def _found(session: Session, name: str) -> SavedSearchRow | None:
    return session.scalar(select(SavedSearchRow).where(SavedSearchRow.name == name))


def _fill(row: SavedSearchRow, query: Mapping[str, object], description: str, who: str, now: datetime) -> None:
    row.query, row.description, row.who, row.at = dict(query), description, who, now


def _taken(name: str) -> SettingsError:
    return SettingsError(f"There is a saved search named {name!r} already; remove it first, or choose another name.")
