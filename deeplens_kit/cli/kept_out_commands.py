"""`deeplens kept-out list` and `withdraw`: pictures that were forgotten and must not come back.

Takes what names a picture, gives since when how many are kept out; nothing else is known of them.
"""

from __future__ import annotations

from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.reporting.words import plural

__all__ = ["list_all", "withdraw"]

_MINUTES = "%Y-%m-%d %H:%M"


def list_all(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the pictures that are kept out: since when, and who asked for it. What they show nobody can tell."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        import polars as pl

        from deeplens_kit.pipeline import forgetting

        found = forgetting.kept_out_entries(workspace)
    schema = {"entry_id": pl.String(), "at": pl.Datetime("us", "UTC"), "who": pl.String()}
    rows = pl.DataFrame([(item.entry_id, item.at, item.who) for item in found], schema=schema, orient="row")

    def sheet() -> Sheet:
        lines = [(item.entry_id, item.at.strftime(_MINUTES), shown(item.who)) for item in found]
        empty = "Nothing is kept out; `deeplens forget WHAT --keep-out --really` forgets a picture for good."
        return Sheet((Column("entry"), Column("since (UTC)"), Column("by")), lines, empty)

    closing = [f"{plural(len(found), 'picture is', 'pictures are')} kept out."] if found else []
    give(Answer("kept-out list", rows, sheet, {"pictures": len(found)}, closing), as_json=as_json, csv=csv)


def withdraw(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="The id of the entry, the digest of the picture, or a file with its content.",
            show_default=False,
        ),
    ],
) -> None:
    """Keep a picture out no longer."""
    with opened(context) as workspace:
        from deeplens_kit.pipeline import forgetting

        entry = forgetting.withdraw_kept_out(workspace, what)
    typer.echo(f"Entry {entry.entry_id} is withdrawn; `deeplens index` takes the picture in where it still lies.")
