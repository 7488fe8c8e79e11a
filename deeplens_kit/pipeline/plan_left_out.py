"""What a plan leaves out, summed up for its document: by reason and location, with a few of the files.

Takes LEFT_OUT and names of locations, gives lines as JSON can hold them; must not judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from deeplens_kit.storage.paths import display_path

__all__ = ["left_out_lines"]

_EXAMPLES = 5


def left_out_lines(left_out: pl.DataFrame, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """One line for each reason and location: code, location, objects, bytes, message and a few paths.

    Args:
        left_out: LEFT_OUT.
        names: Names of locations by id.
    """
    sums = left_out.group_by("code", "message", "location_id").agg(
        objects=pl.len(), bytes=pl.col("size_bytes").sum(), examples=pl.col("path").sort().head(_EXAMPLES)
    )
    lines = [
        {
            "code": row["code"],
            "location": names.get(row["location_id"], row["location_id"]),
            "objects": row["objects"],
            "bytes": row["bytes"],
            "message": row["message"],
            "examples": [display_path(path) for path in row["examples"]],
        }
        for row in sums.iter_rows(named=True)
    ]
    return sorted(lines, key=lambda line: (-line["objects"], line["code"], line["location"]))
