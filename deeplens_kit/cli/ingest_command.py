"""The command that takes pictures in: stores them at a location that is opened for it, and indexes them at once.

Takes files, links and standard input, gives a row for each; replaces nothing. What is there already is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.notes_commands import Category, CollectionName, Description, Source, Tags
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.errors import DeepLensError, Interrupted, ObjectError, SettingsError
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.telemetry.redaction import redact
from deeplens_kit.views.index_progress import progress_listener

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import IngestReport, IngestRow

__all__ = ["ingest"]

# As `pipeline.ingest_names.TEMPLATE`, which help need not load (a test compares them).
_TEMPLATE = "{collection}/{yyyy}/{mm}/{digest}.{ext}"
_SHOWN_DIGITS = 12


def ingest(
    context: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(metavar="FILE|URL|-...", help="Files, links (http, https), - for a pipe.", show_default=False),
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="LOCATION", help="A location opened for creating.", show_default=False)
    ],
    collection: CollectionName = None,
    template: Annotated[
        str,
        typer.Option(
            metavar="TEMPLATE",
            help="Where they go: {collection}, {yyyy}, {mm}, {dd}, {digest}, {digest2}, {name}, {ext}.",
        ),
    ] = _TEMPLATE,
    tags: Tags = None,
    description: Description = None,
    category: Category = None,
    source: Source = None,
    even_if_known: Annotated[
        bool, typer.Option("--even-if-known", help="Store also what is there already, byte for byte.")
    ] = False,
    allow_private_links: Annotated[
        bool, typer.Option("--allow-private-links", help="Follow links also to addresses that are not public.")
    ] = False,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What to call what comes through a pipe.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Store pictures at a location, index them at once, and say which are there already. Nothing is replaced."""
    check_outputs(csv)
    if what.count("-") > 1:
        raise SettingsError("Standard input can be read once; give - once.")
    quiet = as_json or invocation(context).json_logs
    failed: DeepLensError | None = None
    with opened(context, csv) as workspace, stop_on_signals() as stop:
        from deeplens_kit import pipeline
        from deeplens_kit.ledger import NoteChange

        options = pipeline.IngestOptions(
            template=template,
            note=NoteChange(collection, tuple(tags or ()), (), description, category, source),
            even_if_known=even_if_known,
            allow_private=allow_private_links,
            name=name,
        )
        given: list[str | BinaryIO] = [sys.stdin.buffer if text == "-" else text for text in what]
        with progress_listener(quiet=quiet) as listener:
            try:
                report = pipeline.ingest(workspace, given, to, options, progress=listener, stop=stop)
            except DeepLensError as error:
                # What was stored before is there: whoever is not told where would store it again.
                rows = tuple(row for row in error.reports if isinstance(row, pipeline.IngestRow))
                if not rows:
                    raise
                failed, report = error, pipeline.IngestReport(to, rows)
    counts = {str(state): report.count(state) for state in pipeline.IngestState}
    summary: dict[str, object] = {**counts, "location": report.location, "not_begun": len(what) - len(report.rows)}
    if failed is not None:
        summary["error"] = {"code": failed.code, "message": redact(str(failed))}
    answer = Answer(
        "ingest",
        _frame(report),
        lambda: _sheet(report),
        summary,
        list(_closing(report, counts, ended=failed is not None)),
        {"matches": _matches(report.rows)},
    )
    give(answer, as_json=as_json, csv=csv)
    if failed is not None:
        raise failed
    if summary["not_begun"]:
        raise Interrupted("Interrupted; what was stored is kept.")
    if not_taken := counts["refused"] + counts["failed"]:
        raise ObjectError(f"{not_taken} of {plural(len(what), 'item')} could not be taken in; see the rows.")


def _frame(report: IngestReport) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, type[pl.DataType]] = {
        "given": pl.String, "state": pl.String, "code": pl.String, "message": pl.String, "location": pl.String,
        "path": pl.String, "digest": pl.String, "size_bytes": pl.Int64, "indexed": pl.Boolean, "tier": pl.String,
        "matches": pl.Int64,
    }  # fmt: skip
    rows = [
        (
            row.given,
            str(row.state),
            row.code or None,
            row.message or None,
            report.location if row.path is not None else None,
            row.path,
            row.digest,
            row.size_bytes,
            row.indexed,
            str(row.matches[0].tier) if row.matches else None,
            len(row.matches),
        )
        for row in report.rows
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _matches(rows: Sequence[IngestRow]) -> pl.DataFrame:
    import polars as pl

    schema: dict[str, type[pl.DataType]] = {
        "given": pl.String, "digest": pl.String, "location": pl.String, "path": pl.String,
        "match_digest": pl.String, "tier": pl.String, "score": pl.Float32,
    }  # fmt: skip
    found = [
        (row.given, row.digest, item.location, item.path, item.digest, str(item.tier), item.score)
        for row in rows
        for item in row.matches
    ]
    return pl.DataFrame(found, schema=schema, orient="row")


def _sheet(report: IngestReport) -> Sheet:
    columns = (
        Column("given", fold=True), Column("became"), Column("picture"), Column("size", "right"),
        Column("where", fold=True), Column("", fold=True),
    )  # fmt: skip
    lines = [
        (
            shown(row.given),
            str(row.state),
            (row.digest or "-")[:_SHOWN_DIGITS],
            "-" if row.size_bytes is None else format_bytes(row.size_bytes),
            "-" if row.path is None else place(report.location, row.path),
            row.message,
        )
        for row in report.rows
    ]
    return Sheet(columns, lines, "Nothing to take in.")


def _closing(report: IngestReport, counts: dict[str, int], *, ended: bool) -> list[str]:
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    lines = [f"{plural(len(report.rows), 'item')}: {said}."] if report.rows else []
    if ended:
        if any(row.path is not None and not row.indexed for row in report.rows):
            lines.append("What was stored and is not indexed is taken up by the next `deeplens index`.")
    elif report.waiting_for:
        lines.append(
            f"{shown(report.location)} is being indexed by {shown(report.waiting_for)}: what was stored there is taken "
            "up by the next `deeplens index`."
        )
    elif counts["stored"]:
        lines.append("Stored and indexed. Pairs and groups take them in with the next `deeplens index`.")
    return lines
