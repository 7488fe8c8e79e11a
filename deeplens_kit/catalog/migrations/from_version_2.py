"""From version 2 to 3: pairs keep what verification saw, pictures the digest of their native samples.

Takes a function that opens a table; adds the columns that are not there yet and must not change others. The pairs
stand as they are, found by no named signal and verified by nothing, until they are matched again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["migrate"]


def migrate(open_table: Callable[[str], Any]) -> None:
    """Add `pictures.samples` (null), `pairs.found_by` (empty), `pairs.hub` (false) and the evidence (null)."""
    import pyarrow as pa

    pictures = open_table("pictures")
    if "samples" not in pictures.schema.names:
        pictures.add_columns([pa.field("samples", pa.large_string())])
    pairs = open_table("pairs")
    if "found_by" not in pairs.schema.names:
        pairs.add_columns({"found_by": "arrow_cast('', 'LargeUtf8')", "hub": "false"})
    box = pa.list_(pa.float32(), 4)
    evidence = [
        pa.field("sscd_normalised", pa.float32()),
        pa.field("sscd_region", pa.float32()),
        pa.field("verification", pa.large_string()),
        pa.field("inliers", pa.int32()),
        pa.field("inlier_share", pa.float32()),
        pa.field("difference", pa.float32()),
        pa.field("agreement", pa.float32()),
        pa.field("agreement_low", pa.float32()),
        pa.field("correlation", pa.float32()),
        pa.field("cells", pa.int32()),
        pa.field("wobble_px", pa.float32()),
        pa.field("foreign", pa.float32()),
        pa.field("covered_a", pa.float32()),
        pa.field("covered_b", pa.float32()),
        pa.field("resolution", pa.float32()),
        pa.field("mirrored", pa.bool_()),
        pa.field("turn_degrees", pa.float32()),
        pa.field("region_a", box),
        pa.field("region_b", box),
    ]
    missing = [field for field in evidence if field.name not in open_table("pairs").schema.names]
    if missing:
        open_table("pairs").add_columns(missing)
