"""From version 1 to 2: objects count their hard links, pictures their tone, colour and the pixels that carry detail.

Takes a function that opens a table; adds the columns that are not there yet and must not change others. Links
count as 1 until the next scan lists the location; what pictures lack is null until it is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["migrate"]


def migrate(open_table: Callable[[str], Any]) -> None:
    """Add `objects.link_count` (1), and what version 2 measures of `pictures` (null)."""
    import pyarrow as pa

    objects = open_table("objects")
    if "link_count" not in objects.schema.names:
        objects.add_columns({"link_count": "cast(1 as int)"})
    pictures = open_table("pictures")
    new = [
        pa.field("dominant_tone", pa.float32()),
        pa.field("colourfulness", pa.float32()),
        pa.field("effective_pixels", pa.int64()),
    ]
    missing = [field for field in new if field.name not in pictures.schema.names]
    if missing:
        pictures.add_columns(missing)
