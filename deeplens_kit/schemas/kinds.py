"""The types of columns that tables share, by short names; must not name a column."""

from __future__ import annotations

import polars as pl

__all__ = ["AFFINE", "BITS64", "BOX", "FLAG", "FLOAT", "INT", "SHORT", "TEXT", "TIME"]

TEXT, INT, FLOAT, FLAG = pl.String(), pl.Int64(), pl.Float32(), pl.Boolean()
SHORT, BITS64, TIME = pl.Int32(), pl.UInt64(), pl.Datetime("us", "UTC")
BOX = pl.Array(pl.Float32(), 4)
AFFINE = pl.Array(pl.Float64(), 6)
