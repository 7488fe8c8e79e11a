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
        SettingsError: This person has one of the name, the name is not allowed, or the query is too large.
    """
    name = check_name("saved search", name)
    check_change(NoteChange(description=description))
    size = len(json.dumps(query))
    if size > _LONGEST_QUERY:
        raise SettingsError(
            f"The search would take {size:,} bytes in the ledger; at most {_LONGEST_QUERY:,} are kept: save it with "
            "smaller pictures, or with indexed ones."
        )
    row = _own(session, name, who)
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


def find(session: Session, name: str, of: str | None, who: str) -> SavedSearchRow:
    """The row of a name: that of a person, or where nobody is named one's own, or else the only one.

    Args:
        session: Of the ledger.
        name: Under which it was saved.
        of: Whose it is; None for what is said above.
        who: Who asks.

    Raises:
        UnknownNameError: There is none; the nearest is suggested.
        SettingsError: Several others have one of this name.
    """
    mine = _own(session, name, who if of is None else of)
    if mine is not None:
        return mine
    query = select(SavedSearchRow).where(SavedSearchRow.name == name)
    others = [] if of is not None else list(session.scalars(query.order_by(SavedSearchRow.who)))
    if len(others) > 1:
        raise SettingsError(
            f"There are saved searches named {name!r} of {', '.join(row.who for row in others)}; say whose is meant."
        )
    if others:
        return others[0]
    known = select(SavedSearchRow.name) if of is None else select(SavedSearchRow.name).where(SavedSearchRow.who == of)
    raise UnknownNameError("saved search", name, session.scalars(known))


def saved(session: Session) -> list[SavedSearch]:
    """Every saved search by name, and of one name by whose it is."""
    # Sorted here: databases differ in how they order letters.
    found = map(frozen, session.scalars(select(SavedSearchRow)))
    return sorted(found, key=lambda item: (item.name, item.who))


def remove(session: Session, name: str, of: str | None, who: str, now: datetime) -> None:
    """Forget a saved search, one's own where nobody is named: never another's because there is none.

    Raises:
        UnknownNameError: There is none; the nearest is suggested.
        SettingsError: Only others have one of this name.
    """
    row = _own(session, name, who if of is None else of)
    if row is None:
        row = find(session, name, of, who)
        raise SettingsError(
            f"You have no saved search named {name!r}; there is one of {row.who}: say so where that one is meant."
        )
    session.delete(row)
    audit(session, who, "search.removed", {"name": name, **({} if row.who == who else {"of": row.who})}, now)


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


def _own(session: Session, name: str, who: str) -> SavedSearchRow | None:
    query = select(SavedSearchRow).where(SavedSearchRow.name == name, SavedSearchRow.who == who)
    return session.scalar(query)


def _fill(row: SavedSearchRow, query: Mapping[str, object], description: str, who: str, now: datetime) -> None:
    row.query, row.description, row.who, row.at = dict(query), description, who, now


def _taken(name: str) -> SettingsError:
    return SettingsError(f"You have a saved search named {name!r} already; remove it first, or choose another name.")
