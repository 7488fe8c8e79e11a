"""Exact values as programs read them: frames with plain texts, and one JSON document made of them.

Takes frames and a summary, gives frames and pieces of JSON; must not round what people read or choose rows. Paths are
written so that they can be used and told apart: a byte that is not UTF-8 is `\\xNN` and a backslash is doubled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

__all__ = ["json_document", "plain_rows"]

# Scores are float32: six digits after the point say all that they hold.
_SCORE_DIGITS = 6
# Of the sides of a region: a tenth of a pixel of a picture of 1,000.
_SIDE_DIGITS = 4
# Of a map from picture to picture: a thousandth of a pixel of a picture of 10,000.
_MAP_DIGITS = 7


def json_document(
    command: str,
    rows: pl.DataFrame,
    lists: Mapping[str, pl.DataFrame],
    summary: Mapping[str, object],
    more: Mapping[str, object] | None = None,
) -> Iterator[str]:
    """One document, a row to a line; in pieces, because a million pairs are a gigabyte of objects.

    Args:
        command: What the rows answer, for example "duplicates".
        rows: Exact values, one row per thing.
        lists: More frames, by name.
        summary: What the rows add up to.
        more: Further values by name, after the summary.
    """
    yield '{\n"command": ' + _dumps(command)
    for name, frame in {"rows": rows, **lists}.items():
        yield f',\n"{name}": ['
        separator = "\n"
        for row in plain_rows(frame).iter_rows(named=True):
            yield separator + _dumps(row)
            separator = ",\n"
        yield "\n]"
    for name, value in {"summary": dict(summary), **(more or {})}.items():
        yield f',\n"{name}": ' + _dumps(value)
    yield "\n}\n"


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_iso)


def _iso(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def plain_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Values as programs want them: short decimals, and names that are valid text."""
    import polars as pl

    from deeplens_kit.schemas.kinds import AFFINE, BOX
    from deeplens_kit.storage.paths import ESCAPE, display_path

    texts = [name for name in rows.columns if rows.schema[name] == pl.String() and not name.startswith("object_id")]
    paths = [name for name in texts if name.startswith(("path", "keeper_path", "other_path"))]
    # A backslash is doubled in every path, so that `\\xff` is always a byte and two files never look alike.
    exact = [
        pl.col(name)
        .str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all(f"{ESCAPE}00", "\\ufdd0", literal=True)
        .str.replace_all(ESCAPE, "\\x", literal=True)
        for name in paths
    ]
    undecodable = [name for name in texts if name not in paths and rows[name].str.contains(ESCAPE, literal=True).any()]
    shown = [
        pl.when(pl.col(name).str.contains(ESCAPE, literal=True))
        .then(pl.col(name).map_elements(display_path, return_dtype=pl.String))
        .otherwise(pl.col(name))
        for name in undecodable
    ]
    scores = [
        pl.col(name).cast(pl.Float64).round(_SCORE_DIGITS) for name in rows.columns if rows.schema[name] == pl.Float32()
    ]
    boxes = [_listed(name, 4, _SIDE_DIGITS) for name in rows.columns if rows.schema[name] == BOX]
    maps = [_listed(name, 6, _MAP_DIGITS) for name in rows.columns if rows.schema[name] == AFFINE]
    return rows.with_columns(*exact, *shown, *scores, *boxes, *maps)


def _listed(name: str, count: int, digits: int) -> pl.Expr:
    """A region as "left,top,right,bottom", a map as its two rows of three; null where there is none."""
    import polars as pl

    numbers = [pl.col(name).arr.get(at).cast(pl.Float64).round(digits).cast(pl.String) for at in range(count)]
    return pl.concat_str(numbers, separator=",").alias(name)
