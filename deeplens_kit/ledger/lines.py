"""Lines of a chain in their order, also where somebody made one unreadable.

Takes a session and a query, gives what is made of each row; must not judge what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy import Row, Select
from sqlalchemy.orm import InstrumentedAttribute, Session

__all__ = ["UnreadableLineError", "in_order"]

_Line = TypeVar("_Line")
_PAGE = 1_000
_FIRST = -(2**62)
# Of JSON that is none, a time that is none, a phase that does not exist.
_UNREADABLE = (ValueError, TypeError)


class UnreadableLineError(Exception):
    """A line holds what nobody here writes; only whoever walks over a chain meets it, and says where."""

    def __init__(self, sequence: int) -> None:
        self.sequence = sequence
        super().__init__(f"line {sequence} cannot be read")


def in_order(
    session: Session, query: Select[Any], key: InstrumentedAttribute[int], read: Callable[[Row[Any]], _Line]
) -> Iterator[_Line]:
    """What is made of each row, a page in memory at a time.

    Args:
        session: At one moment.
        query: Columns, `key` among them.
        key: The place of a line; no two have the same.
        read: Makes a value of a row.

    Raises:
        UnreadableLineError: A row cannot be read; those before it were given.
    """
    last = _FIRST
    while True:
        page = query.where(key > last).order_by(key).limit(_PAGE)
        try:
            rows = session.execute(page).all()
        except _UNREADABLE:
            # Within the page: one by one up to it.
            for place in session.scalars(page.with_only_columns(key)).all():
                yield _one(session, query, key, read, place)
            return
        for row in rows:
            last = getattr(row, key.key)
            try:
                line = read(row)
            except _UNREADABLE as error:
                raise UnreadableLineError(last) from error
            yield line
        if len(rows) < _PAGE:
            return


def _one(
    session: Session,
    query: Select[Any],
    key: InstrumentedAttribute[int],
    read: Callable[[Row[Any]], _Line],
    place: int,
) -> _Line:
    try:
        return read(session.execute(query.where(key == place)).one())
    except _UNREADABLE as error:
        raise UnreadableLineError(place) from error
