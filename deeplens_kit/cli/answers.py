"""Answers: the same rows as a table for people, as JSON, or as CSV.

Takes a frame of exact values with a summary and how to show it; gives JSON or a table on standard output, CSV in a
file. Nothing but the JSON document goes to standard output with --json. Names are written as they are, quoted where
CSV asks for it, so they can be used; a name with bytes that are not UTF-8 is written as it is shown (`\\xNN`).
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.reporting.files import check_target, write_atomically
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.cli.tables import Sheet

__all__ = ["Answer", "Csv", "Json", "check_outputs", "give"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document with exact values.")]
Csv = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write the rows to a CSV file with exact values.")
]

# Scores are float32: six digits after the point say all that they hold.
_SCORE_DIGITS = 6
_CHUNK_ROWS = 10_000


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes:
        command: The command in words, for example "duplicates".
        rows: Exact values, one row per thing.
        show: Draws the rows for people; called only when nobody asked for JSON or a file. None where
            the closing lines say it all.
        summary: What the rows add up to, for JSON.
        closing: Lines for people below the table, also where the rows went to a file.
    """

    command: str
    rows: pl.DataFrame
    show: Callable[[], Sheet] | None
    summary: Mapping[str, object] = field(default_factory=dict)
    closing: Sequence[str] = ()


def check_outputs(*targets: Path | None) -> None:
    """Refuse files that cannot be written before work is spent on what goes into them."""
    for target in targets:
        if target is not None:
            check_target(target)


def give(answer: Answer, *, as_json: bool, csv: Path | None, in_file: bool = False) -> None:
    """Give an answer as it was asked for.

    Args:
        answer: What to give.
        as_json: Print JSON.
        csv: Write CSV there.
        in_file: The rows went to another file already, so that the table is not wanted.
    """
    from deeplens_kit.cli.tables import print_lines, print_sheet

    if csv is not None:
        write_atomically(csv, _csv(answer.rows))
        typer.echo(f"Wrote {plural(answer.rows.height, 'row')} to {csv}", err=True)
    if as_json:
        _print_json(answer)
        return
    if csv is None and not in_file and answer.show is not None:
        print_sheet(answer.show())
    print_lines(answer.closing)


def _print_json(answer: Answer) -> None:
    """One document, a row to a line; written row by row, because a million pairs are a gigabyte of objects."""
    write = sys.stdout.write
    write('{\n"command": ' + _dumps(answer.command) + ',\n"rows": [')
    separator = "\n"
    for row in _plain(answer.rows).iter_rows(named=True):
        write(separator + _dumps(row))
        separator = ",\n"
    write('\n],\n"summary": ' + _dumps(dict(answer.summary)) + "\n}\n")
    sys.stdout.flush()


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=_iso)


def _iso(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _csv(rows: pl.DataFrame) -> Iterator[bytes]:
    plain = _plain(rows)
    for piece in _pieces(plain):
        stream = io.BytesIO()
        piece.write_csv(stream, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
        yield stream.getvalue()


def _pieces(rows: pl.DataFrame) -> Iterable[pl.DataFrame]:
    import polars as pl

    # The header goes first by itself, so that an answer without rows has one too.
    yield pl.DataFrame([rows.columns], schema=[f"column_{at}" for at in range(rows.width)], orient="row")
    yield from rows.iter_slices(_CHUNK_ROWS)


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    """Values as programs want them: short decimals, and names that are valid text."""
    import polars as pl

    from deeplens_kit.storage.paths import ESCAPE, display_path

    undecodable = [
        name
        for name in rows.columns
        if rows.schema[name] == pl.String() and rows[name].str.contains(ESCAPE, literal=True).any()
    ]
    shown = [
        pl.when(pl.col(name).str.contains(ESCAPE, literal=True))
        .then(pl.col(name).map_elements(display_path, return_dtype=pl.String))
        .otherwise(pl.col(name))
        for name in undecodable
    ]
    scores = [
        pl.col(name).cast(pl.Float64).round(_SCORE_DIGITS) for name in rows.columns if rows.schema[name] == pl.Float32()
    ]
    return rows.with_columns(*shown, *scores)
