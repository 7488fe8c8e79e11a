"""Selected pictures as a file for other programs.

Takes MAP_POINTS, gives bytes; must not write them. Where a picture lies on a map is left out: it says nothing.
"""

from __future__ import annotations

import io

import polars as pl

from deeplens_kit.reporting.spreadsheet import csv_table

__all__ = ["SELECTION_ENDINGS", "selection_file"]

SELECTION_ENDINGS = (".csv", ".parquet")


def selection_file(selected: pl.DataFrame, ending: str) -> bytes:
    """The pictures with what is known of them, in the order given.

    Args:
        selected: Rows of MAP_POINTS.
        ending: One of `SELECTION_ENDINGS`.
    """
    rows = selected.drop("x", "y")
    if ending == ".csv":
        return csv_table(rows)
    content = io.BytesIO()
    rows.write_parquet(content)
    return content.getvalue()
