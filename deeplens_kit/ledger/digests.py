"""Digests as people's judgements are stored by: checked before they are written, and asked for in portions.

Takes frames and sessions' selects; must not know what is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl
from sqlalchemy import ColumnElement, or_
from sqlalchemy.orm import InstrumentedAttribute

from deeplens_kit.errors import SettingsError

__all__ = ["DIGEST", "MOST_ASKED", "check_digests", "touching"]

MOST_ASKED = 1_000
"""More digests than this in a condition are slower than reading all rows, and SQLite takes no more than 32,766."""

DIGEST = re.compile(r"[0-9a-f]{64}")
"""What a digest is."""


def check_digests(frame: pl.DataFrame, columns: Iterable[str]) -> None:
    """Refuse what is no digest.

    Raises:
        SettingsError: A value is not 64 lower-case hexadecimal digits.
    """
    for name in columns:
        wrong = frame[name].filter(~frame[name].str.contains(f"^{DIGEST.pattern}$").fill_null(False))
        if len(wrong):
            raise SettingsError(f"{name} is {wrong[0]!r}; a digest has 64 hexadecimal digits, in lower case.")


def touching(
    digests: frozenset[str] | None, *columns: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
) -> list[ColumnElement[bool]]:
    """Conditions that a row has one of the digests in one of the columns; none where reading all rows is faster."""
    if digests is None or len(digests) > MOST_ASKED:
        return []
    wanted = sorted(digests)
    return [or_(*(column.in_(wanted) for column in columns))]
