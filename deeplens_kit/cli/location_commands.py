"""Commands for locations: add, list, check.

Takes arguments, gives answers; must not list or read a location's files.
"""

from __future__ import annotations

from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, display_url, shown
from deeplens_kit.errors import LocationUnavailableError, SettingsError

__all__ = ["NO_LOCATIONS", "add", "check", "list_all"]

# Options that hold several values, one --option each.
_GLOBS = ("include", "exclude")

NO_LOCATIONS = "No locations yet; add one with `deeplens locations add NAME FOLDER`."


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.", show_default=False)],
    url: Annotated[str, typer.Argument(metavar="URL", help="A folder, or a file:// URL.", show_default=False)],
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of the storage: include, exclude (globs), hidden (true)."),
    ] = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Add it though it cannot be reached now.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Add a folder under a name. It is read, never written."""
    import polars as pl

    check_outputs(csv)
    options = _options(option or [])
    with opened(context) as workspace:
        from deeplens_kit.storage import open_location

        kind = open_location("", name, url, options)
        if not anyway:
            kind.check()
        # The normalised URL holds the whole path: the next command may be called from another folder.
        location = workspace.ledger.add_location(name, kind.url, options)
    row = {"location": location.name, "url": location.url, "location_id": location.location_id}
    lines = [f"Added {shown(location.name)}: {display_url(location.url)}", "Next: deeplens index"]
    answer = Answer("locations add", pl.DataFrame([row]), None, closing=lines)
    give(answer, as_json=as_json, csv=csv)


def list_all(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the locations of the workspace."""
    import json

    import polars as pl

    check_outputs(csv)
    with opened(context) as workspace:
        locations = workspace.ledger.locations(inactive=True)
    rows = [
        (item.name, item.url, json.dumps(dict(item.options)), item.active, item.created_at, item.location_id)
        for item in locations
    ]
    schema = pl.Schema(
        {
            "location": pl.String(),
            "url": pl.String(),
            "options": pl.String(),
            "active": pl.Boolean(),
            "created_at": pl.Datetime("us", "UTC"),
            "location_id": pl.String(),
        }
    )
    frame = pl.DataFrame(rows, schema=schema, orient="row")

    def show() -> Sheet:
        lines = [
            (
                shown(item.name),
                display_url(item.url),
                "" if not item.options else json.dumps(dict(item.options)),
                "" if item.active else "not indexed by default",
            )
            for item in locations
        ]
        headings = (Column("location"), Column("url", fold=True), Column("options", fold=True), Column(""))
        return Sheet(headings, lines, NO_LOCATIONS)

    give(Answer("locations list", frame, show), as_json=as_json, csv=csv)


def check(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Locations; all of them by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Ask each location whether it can be used; ends with code 4 when one cannot."""
    check_outputs(csv)
    with opened(context) as workspace:
        from deeplens_kit.pipeline import check_locations

        frame = check_locations(workspace, names or None)
    bad = frame.filter(frame["state"] != "ok")

    def show() -> Sheet:
        lines = [
            (shown(row["location"]), row["state"], row["message"] or display_url(row["url"]))
            for row in frame.iter_rows(named=True)
        ]
        return Sheet((Column("location"), Column("state"), Column("", fold=True)), lines, NO_LOCATIONS)

    summary = {"locations": frame.height, "unusable": bad.height}
    give(Answer("locations check", frame, show, summary=summary), as_json=as_json, csv=csv)
    if bad.height:
        first = bad.row(0, named=True)
        raise LocationUnavailableError(
            first["location"], f"{bad.height} of {frame.height} locations cannot be used: {', '.join(bad['location'])}."
        )


def _options(given: list[str]) -> dict[str, object]:
    """Options as `key=value`: globs gather in a list, true and false are truth values."""
    options: dict[str, object] = {}
    for item in given:
        key, equals, text = item.partition("=")
        if not equals or not key:
            raise SettingsError(f"--option {item!r} is not allowed; write KEY=VALUE, for example exclude=*.tmp.")
        if key in _GLOBS:
            options[key] = [*options.get(key, ()), text]  # type: ignore[misc]
        else:
            options[key] = {"true": True, "false": False}.get(text, text)
    return options
