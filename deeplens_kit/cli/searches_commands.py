"""Commands for searches that were saved, and for what was searched for.

Takes names, gives what the ledger holds of them, and asks a saved one again; must not rank anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.search_answer import answer_search
from deeplens_kit.cli.search_options import Facets, Html
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

__all__ = ["clear_history", "history", "list_all", "remove", "run", "show"]

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a saved search.", show_default=False)]
_Of = Annotated[
    str | None,
    typer.Option("--of", metavar="WHO", help="Who saved it; by default you, else the only other one of this name."),
]
_MINUTES = "%Y-%m-%d %H:%M"
# Of a location and a path there, which systems allow 4,096 bytes; what is longer is a picture written as text.
_LONGEST_PLACE = 8192


def list_all(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the saved searches."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.list_saved_searches(workspace)

    def sheet() -> Sheet:
        columns = (
            Column("name"),
            Column("of", fold=True),
            Column("asked", fold=True),
            Column("description", fold=True),
        )
        lines = [
            tuple(shown(row[name]) for name in ("name", "who", "asked", "description"))
            for row in found.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "No saved searches yet; `deeplens search --save NAME` keeps one.")

    give(Answer("searches list", found, sheet, {"searches": found.height}), as_json=as_json, csv=csv)


def show(context: typer.Context, name: _Name, of: _Of = None, as_json: Json = False, csv: Csv = None) -> None:
    """Show a saved search in full: what is asked, who saved it and when."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        saved = workspace.ledger.saved_search(name, of)
        row = pipeline.list_saved_searches(workspace).filter(name=saved.name, who=saved.who)
    query = {**saved.query, "terms": [_without_bytes(term) for term in saved.query.get("terms", ())]}
    said = row.row(0, named=True)
    lines = [
        shown(saved.name),
        f"  asks: {shown(said['asked'])}",
        *([f"  for: {shown(saved.description)}"] if saved.description else []),
        f"  saved by: {shown(saved.who)}, {saved.at.strftime(_MINUTES)} UTC",
    ]
    give(Answer("searches show", row, None, {"query": query}, lines), as_json=as_json, csv=csv)


def run(
    context: typer.Context,
    name: _Name,
    of: _Of = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Pictures at most, instead of as saved.")] = None,
    offset: Annotated[
        int | None, typer.Option("--offset", min=0, help="Pictures left out before the first, instead of as saved.")
    ] = None,
    facets: Facets = False,
    html: Html = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Ask a saved search again, of the pictures that are indexed now."""
    check_outputs(csv, html=html)
    with opened(context, csv, html) as workspace:
        from dataclasses import replace

        from deeplens_kit import pipeline

        query = pipeline.saved_query(workspace, name, of)
        query = replace(
            query,
            limit=query.limit if limit is None else limit,
            offset=query.offset if offset is None else offset,
            facets=facets or query.facets,
        )
        answer_search(workspace, query, command="searches run", as_json=as_json, csv=csv, html=html, facets=facets)


def remove(context: typer.Context, name: _Name, of: _Of = None) -> None:
    """Forget a saved search."""
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        pipeline.remove_saved_search(workspace, name, of)
    typer.echo(f"Removed the saved search {shown(name)}.")


def history(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Searches at most, the latest first.")] = 20,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List what was searched for by the command and the workbench, the latest first."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.search_history(workspace, limit)
        kept = workspace.settings.search.history_entries
    nothing = "Nothing was searched for yet." if kept else "No history is kept: search.history_entries is 0."
    give(Answer("searches history", found, lambda: _history(found, nothing)), as_json=as_json, csv=csv)


def clear_history(context: typer.Context) -> None:
    """Forget what was searched for, by everybody who uses the workspace; saved searches stay."""
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        number = pipeline.clear_search_history(workspace)
    typer.echo(f"Forgot {plural(number, 'search', 'searches')}; saved searches stay.")


def _history(found: pl.DataFrame, nothing: str) -> Sheet:
    columns = (Column("at (UTC)"), Column("who"), Column("asked", fold=True), Column("found", "right"))
    lines = [
        (row["at"].strftime(_MINUTES), shown(row["who"]), shown(row["asked"]), f"{row['results']:,}")
        for row in found.iter_rows(named=True)
    ]
    return Sheet(columns, lines, nothing)


def _without_bytes(term: object) -> object:
    """A term to be looked at: a picture that is kept with it, as bytes or as text, by its size."""
    image = term.get("image") if isinstance(term, dict) else None
    if not isinstance(term, dict) or not isinstance(image, dict):
        return term
    letters = len(str(image.get("bytes") or image.get("text") or ""))
    if "bytes" not in image and letters <= _LONGEST_PLACE:
        return term
    return {**term, "image": {"bytes": f"{letters * 3 // 4:,} bytes"}}
