"""Estimates of index runs as a frame; takes them from the pipeline, must not compute one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import LocationEstimate

__all__ = ["estimates_frame"]


def estimates_frame(rows: Sequence[LocationEstimate]) -> pl.DataFrame:
    """A row per location, in their order; money is exact, as text."""
    import polars as pl

    from deeplens_kit.savings.costs import exact_text

    columns: dict[str, pl.DataType] = {
        "location": pl.String(),
        **dict.fromkeys(("found", "known", "to_read", "read_bytes"), pl.Int64()),
        "over_network": pl.Boolean(),
        **dict.fromkeys(("list_requests", "head_requests"), pl.Int64()),
        "seconds": pl.Float64(),
        **dict.fromkeys(("money", "currency", "unstated", "problem"), pl.String()),
    }
    # Money is text: no digit of it is lost.
    told = [
        asdict(row)
        | {"money": None if row.money is None else exact_text(row.money), "unstated": ", ".join(row.unstated)}
        for row in rows
    ]
    return pl.DataFrame(told, schema=columns)
