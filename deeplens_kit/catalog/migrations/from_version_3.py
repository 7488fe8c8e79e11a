"""From version 3 to 4: pairs keep how one picture lies on the other, and how far they differ once turned alike.

Takes a function that opens a table; adds the columns where they are not there yet and must not change others. They are
null until the pairs are matched again: what looked at them before did not keep them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["migrate"]


def migrate(open_table: Callable[[str], Any]) -> None:
    """Add `pairs.transform` and `pairs.view_pdq` (null)."""
    import pyarrow as pa

    pairs = open_table("pairs")
    wanted = [pa.field("transform", pa.list_(pa.float64(), 6)), pa.field("view_pdq", pa.int32())]
    missing = [field for field in wanted if field.name not in pairs.schema.names]
    if missing:
        pairs.add_columns(missing)
