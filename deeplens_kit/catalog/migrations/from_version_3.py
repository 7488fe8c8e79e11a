"""From version 3 to 4: pairs keep how one picture lies on the other.

Takes a function that opens a table; adds the column where it is not there yet and must not change others. It is null
until the pairs are matched again: what looked at them before did not keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["migrate"]


def migrate(open_table: Callable[[str], Any]) -> None:
    """Add `pairs.transform` (null)."""
    import pyarrow as pa

    pairs = open_table("pairs")
    if "transform" not in pairs.schema.names:
        pairs.add_columns([pa.field("transform", pa.list_(pa.float64(), 6))])
