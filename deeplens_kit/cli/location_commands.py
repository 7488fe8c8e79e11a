"""Commands for locations: add, list, check, rename, activate, deactivate.

Takes arguments, gives answers; must not list or read a location's files.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, display_url, shown
from deeplens_kit.errors import LocationUnavailableError, SettingsError

if TYPE_CHECKING:
    from deeplens_kit.ledger import Location
    from deeplens_kit.pipeline import Workspace

__all__ = ["NO_LOCATIONS", "activate", "add", "check", "deactivate", "list_all", "no_active_location", "rename"]

# Options that hold several values, one --option each.
_GLOBS = ("include", "exclude")

NO_LOCATIONS = "No locations yet; add one with `deeplens locations add NAME FOLDER`."
_NONE_ACTIVE = "Every location is deactivated; `deeplens locations activate NAME` takes one in again."

_Name = Annotated[str, typer.Argument(help="The location.", show_default=False)]


def no_active_location(workspace: Workspace) -> str:
    """Why no location is indexed: there is none, or none is active."""
    return _NONE_ACTIVE if workspace.ledger.locations(inactive=True) else NO_LOCATIONS


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
    check_outputs(csv)
    options = _options(option or [])
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        location = pipeline.add_location(workspace, name, url, options, unreachable=anyway)
    lines = [f"Added {shown(location.name)}: {display_url(location.url)}", "Next: deeplens index"]
    give(_one("locations add", location, lines), as_json=as_json, csv=csv)


def list_all(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """List the locations of the workspace, those that are deactivated too."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        frame = pipeline.list_locations(workspace)

    def show() -> Sheet:
        lines = [
            (
                shown(row["location"]),
                display_url(row["url"]),
                "" if row["options"] == "{}" else row["options"],
                "" if row["active"] else "deactivated",
            )
            for row in frame.iter_rows(named=True)
        ]
        headings = (Column("location"), Column("url", fold=True), Column("options", fold=True), Column(""))
        return Sheet(headings, lines, NO_LOCATIONS)

    give(Answer("locations list", frame, show), as_json=as_json, csv=csv)


def rename(
    context: typer.Context,
    name: _Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="Its new name.", show_default=False)],
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Give a location another name; nothing is read again."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        location = workspace.ledger.rename_location(name, new_name)
    line = f"{shown(name)} is called {shown(location.name)} now: {display_url(location.url)}"
    give(_one("locations rename", location, [line]), as_json=as_json, csv=csv)


def activate(context: typer.Context, name: _Name, as_json: Json = False, csv: Csv = None) -> None:
    """Take a deactivated location in again."""
    _set_active(context, name, True, as_json, csv)


def deactivate(context: typer.Context, name: _Name, as_json: Json = False, csv: Csv = None) -> None:
    """Leave a location out: it is kept, but not indexed, and its files are in no group."""
    _set_active(context, name, False, as_json, csv)


def _set_active(context: typer.Context, name: str, active: bool, as_json: bool, csv: Path | None) -> None:
    check_outputs(csv)
    with opened(context, csv) as workspace:
        location = workspace.ledger.set_location_active(name, active)
    if active:
        command = "locations activate"
        lines = [f"{shown(name)} is indexed again, and its files may be in groups.", "Next: deeplens index"]
    else:
        command = "locations deactivate"
        lines = [
            f"{shown(name)} is kept, but not indexed any more, and its files are in no group.",
            f"Take it in again: deeplens locations activate {shlex.quote(shown(name))}",
        ]
    give(_one(command, location, lines), as_json=as_json, csv=csv)


def _one(command: str, location: Location, lines: list[str]) -> Answer:
    import polars as pl

    row = {
        "location": location.name,
        "url": location.url,
        "active": location.active,
        "location_id": location.location_id,
    }
    return Answer(command, pl.DataFrame([row]), None, closing=lines)


def check(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Locations; all of them by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Ask each location whether it can be used; ends with code 4 when one cannot."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
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
