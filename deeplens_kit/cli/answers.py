"""Answers: the same rows as a table for people, as JSON, or as CSV.

Takes a frame of exact values with a summary and how to show it; gives JSON or a table on standard output, CSV in a
file. Nothing but the JSON document goes to standard output with --json. Paths are written so that they can be used and
told apart: as they are, quoted where CSV asks for it, but a byte that is not UTF-8 is `\\xNN` and a backslash is
doubled. Columns of ids hold what the catalog holds.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.invocation import STANDARD_OUTPUT
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.exact_values import json_document, plain_rows
from deeplens_kit.reporting.files import CSV_ENDINGS, PAGE_ENDINGS, check_target, write_atomically
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.cli.tables import Sheet

__all__ = ["Answer", "Csv", "Json", "check_outputs", "give"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document with exact values.")]
Csv = Annotated[
    Path | None,
    typer.Option(
        "--csv", metavar="FILE", help="Write the rows to a CSV file with exact values; - for standard output."
    ),
]

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
        lists: More frames for JSON, by name.
    """

    command: str
    rows: pl.DataFrame
    show: Callable[[], Sheet] | None
    summary: Mapping[str, object] = field(default_factory=dict)
    closing: Sequence[str] = ()
    lists: Mapping[str, pl.DataFrame] = field(default_factory=dict)


def check_outputs(csv: Path | None, *, html: Path | None = None) -> None:
    """Refuse files that cannot be written before work is spent on what goes into them."""
    if csv is not None and csv != STANDARD_OUTPUT:
        check_target(csv, CSV_ENDINGS)
    if html == STANDARD_OUTPUT:
        raise SettingsError("--html needs a file: name one that ends in .html.")
    if html is not None:
        check_target(html, PAGE_ENDINGS)


def give(answer: Answer, *, as_json: bool, csv: Path | None, in_file: bool = False) -> None:
    """Give an answer as it was asked for.

    Args:
        answer: What to give.
        as_json: Print JSON.
        csv: Write CSV there.
        in_file: The rows went to another file already, so that the table is not wanted.
    """
    from deeplens_kit.cli.tables import print_lines, print_sheet

    if csv == STANDARD_OUTPUT:
        if as_json:
            raise SettingsError("--json and --csv - both ask for standard output; choose one, or name a file.")
        sys.stdout.flush()
        for piece in _csv(answer.rows):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
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
    for piece in json_document(answer.command, answer.rows, answer.lists, answer.summary):
        sys.stdout.write(piece)
    sys.stdout.flush()


def _csv(rows: pl.DataFrame) -> Iterator[bytes]:
    import polars as pl

    # A camera's clock has no zone, and polars writes all times of a frame in one form.
    clock = [pl.col(name).dt.to_string("iso:strict") for name, kind in rows.schema.items() if kind == pl.Datetime("us")]
    # A cell holds one text.
    lists = [pl.col(name).list.join(", ") for name, kind in rows.schema.items() if kind == pl.List(pl.String())]
    plain = plain_rows(rows).with_columns(clock + lists)
    for piece in _pieces(plain):
        stream = io.BytesIO()
        piece.write_csv(stream, include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z")
        yield stream.getvalue()


def _pieces(rows: pl.DataFrame) -> Iterable[pl.DataFrame]:
    import polars as pl

    # The header goes first by itself, so that an answer without rows has one too.
    yield pl.DataFrame([rows.columns], schema=[f"column_{at}" for at in range(rows.width)], orient="row")
    yield from rows.iter_slices(_CHUNK_ROWS)
