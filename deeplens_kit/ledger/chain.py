"""Lines that are chained: each holds a SHA-256 over what it says and over the digest of the line before it.

Takes what a line says as JSON can hold it and gives digests; must not read or write. The form that is digested never
changes: a chain outlives releases.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["BEGINNING", "instant", "line_digest", "plain"]

BEGINNING = "0" * 64
"""What stands in the place of a digest before the first line."""


def line_digest(before: str, content: Mapping[str, object]) -> str:
    """The digest of a line.

    Args:
        before: The digest of the line before it; `BEGINNING` for the first.
        content: What it says, as it comes back from the database.

    Returns:
        64 hexadecimal digits.
    """
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(f"{before}\n{text}".encode("ascii")).hexdigest()


def plain(value: Mapping[str, object]) -> dict[str, Any]:
    """A value as it comes back from a JSON column: lists for tuples, texts for all keys."""
    stored: dict[str, Any] = json.loads(json.dumps(value))
    return stored


def instant(at: datetime) -> str:
    """A time as it is digested: in UTC, to the microsecond, which is what both databases keep."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
