"""From version 4 to 5: what files say about themselves and hold beside their picture, and what exactly became of each.

Takes a function that opens a table, or makes it; adds what is not there yet and must not change anything else. What is
new is null until the pictures are analysed again, which their older `decode_spec` brings about. Outcomes are
told apart by the codes of the failures, which were finer already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["migrate"]

_KEY = {b"lance-schema:unenforced-primary-key": b"true"}
_BY_CODE = {"too_large": "too_large", "empty": "empty", "changed_while_read": "changed_while_read"}
_AT_ONCE = 1000


def migrate(open_table: Callable[..., Any]) -> None:
    """Add the table `metadata`, the new columns of `pictures` and `failures`, and the finer outcomes of `objects`."""
    import pyarrow as pa

    metadata = [
        pa.field("digest", pa.large_string(), nullable=False, metadata=_KEY),
        pa.field("tags", pa.large_string(), nullable=False),
        pa.field("maker_note", pa.large_binary()),
        pa.field("problems", pa.large_string(), nullable=False),
        pa.field("run_id", pa.large_string(), nullable=False),
    ]
    open_table("metadata", pa.schema(metadata))
    pictures = [
        pa.field("icc_name", pa.large_string()),
        pa.field("dated_at", pa.timestamp("us")),
        pa.field("taken_at_utc", pa.timestamp("us", "UTC")),
        pa.field("taken_at_origin", pa.large_string()),
        pa.field("auxiliary", pa.large_string()),
    ]
    _add(open_table("pictures"), pictures)
    _add(open_table("failures"), [pa.field("decode_spec", pa.large_string())])
    _tell_outcomes_apart(open_table)


def _add(table: Any, fields: list[Any]) -> None:
    missing = [field for field in fields if field.name not in table.schema.names]
    if missing:
        table.add_columns(missing)


def _tell_outcomes_apart(open_table: Callable[..., Any]) -> None:
    """`skipped` becomes `too_large`, and `unreadable` what the code of the failure says, where that has a name now."""
    failures = open_table("failures").to_table(["object_id", "code"]).to_pylist()
    objects = open_table("objects")
    objects.update({"outcome": "'too_large'"}, where="outcome = 'skipped'")
    for code, outcome in _BY_CODE.items():
        ids = [row["object_id"] for row in failures if row["code"] == code]
        for first in range(0, len(ids), _AT_ONCE):
            names = ", ".join("'" + name.replace("'", "''") + "'" for name in ids[first : first + _AT_ONCE])
            objects.update({"outcome": f"'{outcome}'"}, where=f"outcome = 'unreadable' AND object_id IN ({names})")
