"""`deeplens certificate`: what an application did and proved, what is free now, and where each picture is.

Takes the id of an application, gives what its journal says; touches no file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.reporting.exact_values import plain_rows
from deeplens_kit.reporting.files import check_target, write_atomically

if TYPE_CHECKING:
    import polars as pl

__all__ = ["certificate"]

_REDIRECT_ENDINGS = (".csv", ".json")


def certificate(
    context: typer.Context,
    application: Annotated[
        str,
        typer.Argument(metavar="APPLICATION", help="The id of an application, or how it begins.", show_default=False),
    ],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one page that needs nothing else.")
    ] = None,
    redirects: Annotated[
        Path | None,
        typer.Option(
            "--redirects", metavar="FILE", help="Write where each picture is that was moved away; .csv or .json."
        ),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Show what an application did: each file with the copy that stays, what was skipped, and what emptying freed."""
    check_outputs(csv, html=html)
    if redirects is not None:
        check_target(redirects, _REDIRECT_ENDINGS)
    with opened(context, csv, html, redirects) as workspace:
        from deeplens_kit.pipeline.certifying import certificate as certified
        from deeplens_kit.reporting.certificate_words import certificate_lines

        made = certified(workspace, application)
        lines = certificate_lines(made)
        if html is not None:
            from deeplens_kit.reporting.certificate_page import render_certificate

            write_atomically(html, render_certificate(made, workspace.directory.name))
        if redirects is not None:
            write_atomically(redirects, [_redirects(made.redirects, redirects.suffix)])
    for file in (html, redirects):
        if file is not None:
            typer.echo(f"Wrote {file}", err=True)
    lists = {"skipped": made.skipped, "emptied": made.emptied, "redirects": made.redirects}
    whole = {name: value for name, value in made.to_json().items() if name not in ("files", "skipped", "emptied")}
    give(Answer("certificate", made.files, None, whole, lines, lists), as_json=as_json, csv=csv)


def _redirects(found: pl.DataFrame, ending: str) -> bytes:
    import json

    rows = plain_rows(found.select("location", "path", "action", "location_now", "path_now", "digest", "digest_now"))
    if ending == ".json":
        return (json.dumps({"redirects": rows.to_dicts()}, indent=1, ensure_ascii=False) + "\n").encode()
    return rows.write_csv().encode()
