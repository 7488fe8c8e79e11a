"""The tables of what is remembered of people's searches; must not compute anything."""

from __future__ import annotations

from deeplens_kit.schemas.base import Column, TableSchema
from deeplens_kit.schemas.kinds import FLOAT, INT, TEXT, TIME

__all__ = ["SAVED_SEARCHES", "SEARCH_HISTORY"]

SAVED_SEARCHES = TableSchema(
    "saved_searches",
    (
        Column("name", TEXT, "unique"),
        Column("asked", TEXT, "the question in words"),
        Column("by", TEXT, "what makes a picture a result: copies, likeness or parts"),
        Column("description", TEXT, "what it is for; may be empty"),
        Column("who", TEXT, "who saved it last, as user@host"),
        Column("at", TIME, "when, UTC"),
    ),
    key=("name",),
)

SEARCH_HISTORY = TableSchema(
    "search_history",
    (
        Column("at", TIME, "when, UTC"),
        Column("who", TEXT, "as user@host"),
        Column("asked", TEXT, "the question in words; pictures by name, never their bytes"),
        Column("by", TEXT, "what made a picture a result"),
        Column("results", INT, "how many were found; at least so many where the search ended early"),
        Column("seconds", FLOAT, "how long it took"),
    ),
)
