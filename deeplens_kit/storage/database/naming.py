"""Paths for rows of a table, and the rows that paths stand for.

Takes names and keys, gives paths that no two rows share, reversibly; must not ask a database. A row is called by its
name; a later row of the same name, and one whose name would not do, has its key put in: `a.jpg`, `a [key 7].jpg`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

__all__ = ["RowName", "called", "path_with_key", "row_name"]

# Of letters and digits only, so that what is put in before it can be told from what belongs to it.
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,12}\Z")
_WITH_KEY = re.compile(r"(.*) \[key ([^\]/]*)\](\.[A-Za-z0-9]{1,12})?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RowName:
    """What a path says of its row.

    Attributes:
        name: Of the row.
        key: Its key as text; None for the first row of that name.
    """

    name: str
    key: str | None = None


def called(name: str) -> bool:
    """Whether a row may go by its name alone: not where that is empty, names a folder, or looks like one with a key."""
    return bool(name) and name[-1] != "/" and (" [key " not in name or _WITH_KEY.fullmatch(name) is None)


def path_with_key(name: str, key: str) -> str:
    """The path of a row that does not go by its name alone."""
    suffix = _SUFFIX.search(name)
    stem, ending = (name[: suffix.start()], suffix[0]) if suffix else (name, "")
    return f"{stem} [key {quote(key, safe='', errors='surrogateescape')}]{ending}"


def row_name(path: str) -> RowName:
    """What a path says: the inverse of both ways to call a row."""
    match = _WITH_KEY.fullmatch(path)
    if match is None:
        return RowName(path)
    return RowName(match[1] + (match[3] or ""), unquote(match[2], errors="surrogateescape"))
