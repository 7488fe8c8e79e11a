"""`deeplens export`: everything that is known of one location, as files that need no DeepLens.

Takes a location and a place, gives what was written; must not write over anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import folder_of, opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.reporting.words import format_bytes, plural

if TYPE_CHECKING:
    import polars as pl

__all__ = ["export"]


def export(
    context: typer.Context,
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Name of the location.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help="A new or empty folder, or a URL as `deeplens locations kinds` shows them.",
            show_default=False,
        ),
    ],
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of its kind of storage; credentials as references."),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Write everything that is known of a location as Parquet, with a manifest and the meaning of each column."""
    check_outputs(csv)
    with opened(context, csv, folder_of(to)) as workspace:
        from deeplens_kit.pipeline import portability
        from deeplens_kit.storage import given_options

        done = portability.export_location(workspace, location, to, given_options(to, option or ()))
    size = int(done.files["size_bytes"].sum())
    summary = {"location": done.location, "url": done.url, "files": done.files.height, "bytes": size}
    lines = [
        f"Exported what is known of {shown(done.location)}: {plural(done.files.height, 'file')}, {format_bytes(size)}, "
        f"at {shown(done.url)}.",
        "Each file came back as it was sent; `manifest.json` has the SHA-256 of each, `README.md` says what each "
        "column means. Facts about people and places are in it without a mask; the pictures themselves are not.",
    ]
    give(Answer("export", done.files, lambda: _sheet(done.files), summary, lines), as_json=as_json, csv=csv)


def _sheet(files: pl.DataFrame) -> Sheet:
    import polars as pl

    sums = files.drop_nulls("table").group_by("table", maintain_order=True).agg(pl.col("rows", "size_bytes").sum())
    lines = [(table, f"{rows:,}", format_bytes(size)) for table, rows, size in sums.iter_rows()]
    return Sheet((Column("table"), Column("rows", "right"), Column("size", "right")), lines, "Nothing is known of it.")
