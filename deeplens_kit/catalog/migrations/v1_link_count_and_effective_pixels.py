"""From version 1 to 2: objects count their hard links, pictures the pixels that carry detail.

Takes a function that opens a table; adds the columns that are not there yet and must not change others. Links
count as 1 until the next scan lists the location, effective pixels are null until they are measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["migrate"]


def migrate(open_table: Callable[[str], Any]) -> None:
    """Add `objects.link_count` (Int32, 1) and `pictures.effective_pixels` (Int64, null)."""
    import pyarrow as pa

    objects = open_table("objects")
    if "link_count" not in objects.schema.names:
        objects.add_columns({"link_count": "cast(1 as int)"})
    pictures = open_table("pictures")
    if "effective_pixels" not in pictures.schema.names:
        pictures.add_columns([pa.field("effective_pixels", pa.int64())])
