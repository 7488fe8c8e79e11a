"""Pages of a list: how many, and where the next one begins.

Takes a list, gives a page of it with a cursor; must not know what is listed. A cursor is opaque, and good for the list
alone that gave it: what was asked stands in it as a digest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Protocol, TypeVar

from fastapi import Query

from deeplens_kit.errors import SettingsError
from deeplens_kit.service.api.values.base import Page

__all__ = ["Cursor", "Limit", "Listed", "StoredList", "cursor_of", "page_of", "position_of"]

_Row = TypeVar("_Row")
_Item = TypeVar("_Item")
_Given = TypeVar("_Given", covariant=True)

Limit = Annotated[int, Query(ge=1, le=1000, description="Items of a page at most.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]

_GREATEST = 1_000_000_000


def cursor_of(asked: object, position: int) -> str:
    """A cursor for a position of the list that was asked for by a value."""
    plain = json.dumps([_mark(asked), position], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).rstrip(b"=").decode()


def position_of(cursor: str | None, asked: object) -> int:
    """Where a page begins; 0 without a cursor.

    Raises:
        SettingsError: It is no cursor, or one of another list.
    """
    if cursor is None:
        return 0
    try:
        mark, position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise SettingsError("The cursor cannot be read; give `next_cursor` of an answer as it is.") from error
    if mark != _mark(asked):
        raise SettingsError("The cursor is of another list; ask for the first page without one.")
    if type(position) is not int or not 0 <= position <= _GREATEST:
        raise SettingsError("The cursor cannot be read; give `next_cursor` of an answer as it is.")
    return position


class Listed(Protocol[_Given]):
    """A list of which a part can be had."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, part: slice, /) -> Sequence[_Given]:
        """Some of them, in order."""


class StoredList(Generic[_Row]):
    """A list that lies in a store: what is not of a page is not read.

    Args:
        count: How many there are.
        read: Gives some of them, by how many and how many come before.
    """

    def __init__(self, count: int, read: Callable[[int, int], Sequence[_Row]]) -> None:
        self._count, self._read = count, read

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, part: slice, /) -> Sequence[_Row]:
        first, end, _ = part.indices(self._count)
        return self._read(end - first, first) if end > first else ()


def page_of(
    rows: Listed[_Row], limit: int, cursor: str | None, asked: object, shown: Callable[[_Row], _Item]
) -> Page[Any]:
    """A page of a list that is at hand.

    Args:
        rows: All of it, in order.
        limit: Items at most.
        cursor: Where it begins.
        asked: What tells this list from others.
        shown: What an item is made by.

    Raises:
        SettingsError: The cursor is of another list.
    """
    start = position_of(cursor, asked)
    some = rows[start : start + limit]
    end = start + len(some)
    following = cursor_of(asked, end) if end < len(rows) else None
    return Page[Any](items=[shown(row) for row in some], next_cursor=following, total=len(rows))


def _mark(asked: object) -> str:
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]
