"""Commands for legal holds: what must stay as it is, whatever a plan says.

Takes what a hold covers, gives what the ledger holds; must not touch a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import Hold
    from deeplens_kit.pipeline import Workspace

__all__ = ["add", "list_all", "release"]

_MINUTES = "%Y-%m-%d %H:%M"
_DIGITS = 12


def add(
    context: typer.Context,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason.", show_default=False)],
    location: Annotated[str | None, typer.Option("--location", metavar="NAME", help="Only at this location.")] = None,
    glob: Annotated[
        str, typer.Option("--glob", metavar="GLOB", help="Only these paths, as a location's option include has them.")
    ] = "",
    digest: Annotated[
        str, typer.Option("--digest", metavar="DIGEST", help="Only this picture, wherever it lies.")
    ] = "",
    collection: Annotated[str, typer.Option("--collection", metavar="NAME", help="Only of this collection.")] = "",
    as_json: Json = False,
) -> None:
    """Hold what answers to all that is named: it is never acted on until the hold is released."""
    with opened(context) as workspace:
        made = workspace.ledger.add_hold(location=location, glob=glob, digest=digest, collection=collection, why=why)
        names = _names(workspace)
    lines = [f"Hold {made.hold_id}: {_covers(made, names)} stays as it is, whatever a plan says."]
    give(Answer("holds add", _frame([made], names), None, {"holds": 1}, lines), as_json=as_json, csv=None)


def list_all(
    context: typer.Context,
    released: Annotated[bool, typer.Option("--released", help="Also those that were released.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the holds, the earliest first."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        found = workspace.ledger.holds(released)
        names = _names(workspace)
    closing = [f"{plural(len(found), 'hold')}."] if found else []
    answer = Answer("holds list", _frame(found, names), lambda: _sheet(found, names), {"holds": len(found)}, closing)
    give(answer, as_json=as_json, csv=csv)


def release(
    context: typer.Context,
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="Its id, as `holds list` shows it.", show_default=False)],
) -> None:
    """Release a hold; it stays in the list of released ones."""
    with opened(context) as workspace:
        ended = workspace.ledger.release_hold(hold)
        names = _names(workspace)
    at = ended.released_at.strftime(_MINUTES) if ended.released_at is not None else ""
    typer.echo(f"Released {ended.hold_id}: {_covers(ended, names)}, by {shown(ended.released_by or '')}, {at} UTC.")


def _names(workspace: Workspace) -> Mapping[str, str]:
    return {item.location_id: item.name for item in workspace.ledger.locations(inactive=True)}


def _covers(hold: Hold, names: Mapping[str, str]) -> str:
    """What a hold is on, in words."""
    parts = [
        f"location {names[hold.location_id]}" if hold.location_id else "",
        f"paths {hold.glob}" if hold.glob else "",
        f"picture {hold.digest[:_DIGITS]}…" if hold.digest else "",
        f"collection {hold.collection}" if hold.collection else "",
    ]
    return shown(", ".join(part for part in parts if part))


def _frame(found: Sequence[Hold], names: Mapping[str, str]) -> pl.DataFrame:
    import polars as pl

    time = pl.Datetime("us", "UTC")
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "hold_id": pl.String,
        "location": pl.String,
        "glob": pl.String,
        "digest": pl.String,
        "collection": pl.String,
        "why": pl.String,
        "who": pl.String,
        "at": time,
        "released_at": time,
        "released_by": pl.String,
    }
    rows = [
        (
            item.hold_id,
            names[item.location_id] if item.location_id else None,
            item.glob,
            item.digest,
            item.collection,
            item.why,
            item.who,
            item.at,
            item.released_at,
            item.released_by,
        )
        for item in found
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sheet(found: Sequence[Hold], names: Mapping[str, str]) -> Sheet:
    columns = (
        Column("hold"),
        Column("covers", fold=True),
        Column("why", fold=True),
        Column("who"),
        Column("at (UTC)"),
        Column("released (UTC)"),
    )
    lines = [
        (
            item.hold_id,
            _covers(item, names),
            shown(item.why),
            shown(item.who),
            item.at.strftime(_MINUTES),
            item.released_at.strftime(_MINUTES) if item.released_at is not None else "",
        )
        for item in found
    ]
    return Sheet(columns, lines, "No holds; `deeplens holds add --location NAME --why TEXT` makes one.")
