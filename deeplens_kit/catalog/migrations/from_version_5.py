"""From version 5 to 6: objects keep the checksum that their storage lists, and how it stores them.

Takes a function that opens a table; adds the columns where they are not there yet and must not change others. They are
null until the objects are listed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["migrate"]


def migrate(open_table: Callable[[str], Any]) -> None:
    """Add `objects.checksum` and `objects.storage_class` (null)."""
    import pyarrow as pa

    objects = open_table("objects")
    wanted = [pa.field("checksum", pa.large_string()), pa.field("storage_class", pa.large_string())]
    missing = [field for field in wanted if field.name not in objects.schema.names]
    if missing:
        objects.add_columns(missing)
