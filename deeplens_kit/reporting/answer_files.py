"""Results of a search as a file for other programs.

Takes an answer and which results are wanted, gives bytes; must not write them. Every place of a picture is told, also
those at locations that were not asked for.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.reporting.spreadsheet import csv_table

if TYPE_CHECKING:
    from deeplens_kit.pipeline.searching import SearchAnswer

__all__ = ["ANSWER_ENDINGS", "answer_file"]

ANSWER_ENDINGS = (".csv", ".json")

_OF_RESULT = ("rank", "digest", "score", "tier", "why", "width_px", "height_px", "format", "taken_at", "camera")
_OF_PLACE = ("location", "path", "size_bytes", "modified_at", "object_id")


def answer_file(answer: SearchAnswer, digests: Collection[str], ending: str) -> bytes:
    """Results with what was measured and every place that keeps them, as they are ranked.

    Args:
        answer: What was found.
        digests: The results that are wanted.
        ending: One of `ANSWER_ENDINGS`: a row for each place, or an object for each result with its places.
    """
    chosen = pl.Series("digest", list(digests), pl.String).implode()
    results = answer.results.filter(pl.col("digest").is_in(chosen)).select(_OF_RESULT)
    places = answer.places.filter(pl.col("digest").is_in(chosen)).select("digest", *_OF_PLACE)
    if ending == ".csv":
        return csv_table(results.join(places, on="digest", how="left", maintain_order="left"))
    held: dict[str, list[dict[str, Any]]] = {}
    for row in places.iter_rows(named=True):
        held.setdefault(row.pop("digest"), []).append(row)
    rows = [{**row, "places": held.get(row["digest"], [])} for row in results.iter_rows(named=True)]
    text = json.dumps({"found": answer.found, "results": rows}, default=str, ensure_ascii=False, indent=1)
    return text.encode()
