"""Commands for locations: add, list, check, set, rename, activate, deactivate, and the kinds that there are.

Takes arguments, gives answers; must not list or read a location's files.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, display_url, shown
from deeplens_kit.errors import LocationUnavailableError, UnknownNameError
from deeplens_kit.reporting.words import format_bytes

if TYPE_CHECKING:
    from deeplens_kit.ledger import Location
    from deeplens_kit.pipeline import Workspace

__all__ = [
    "NO_LOCATIONS",
    "activate",
    "add",
    "change",
    "check",
    "deactivate",
    "list_all",
    "list_kinds",
    "no_active_location",
    "rename",
]

NO_LOCATIONS = "No locations yet; add one with `deeplens locations add NAME FOLDER`."
_SKEW_SECONDS = 5  # less is the way of the answer
_NONE_ACTIVE = "Every location is deactivated; `deeplens locations activate NAME` takes one in again."
_NONE_USABLE = "No location could be indexed; the errors say why."

_Name = Annotated[str, typer.Argument(help="The location.", show_default=False)]
_Option = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="An option of its kind; may come several times, as exclude=*.tmp may."),
]


def no_active_location(workspace: Workspace) -> str:
    """Why no location was indexed: there is none, none is active, or none could be used."""
    if workspace.ledger.locations():
        return _NONE_USABLE
    return _NONE_ACTIVE if workspace.ledger.locations(inactive=True) else NO_LOCATIONS


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.", show_default=False)],
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="A folder, or a URL as `deeplens locations kinds` shows them.", show_default=False
        ),
    ],
    option: _Option = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Add it though it cannot be reached now.")] = False,
    inactive: Annotated[bool, typer.Option("--inactive", help="Keep it, but leave it out of runs for now.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Add a place under a name. It is read, never written, unless you open it with an option."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.storage import given_options

        options = given_options(url, option or ())
        location = pipeline.add_location(workspace, name, url, options, unreachable=anyway, active=not inactive)
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


def change(
    context: typer.Context,
    name: _Name,
    option: _Option = None,
    default: Annotated[
        list[str] | None,
        typer.Option("--default", metavar="KEY", help="Give an option its default again; may come several times."),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Change options of a location; what is not named stays. `--option permissions=create` opens it for new files."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.storage import given_options

        given = given_options(workspace.ledger.location(name).url, option or ())
        location = pipeline.change_location(workspace, name, given, without=default or ())
    options = ", ".join(f"{key}={value}" for key, value in sorted(location.options.items())) or "only defaults"
    give(_one("locations set", location, [f"{shown(name)} has these options now: {options}"]), as_json=as_json, csv=csv)


def list_kinds(
    name: Annotated[str | None, typer.Argument(metavar="[KIND]", help="A kind, with all of its options.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Show the kinds of places that can be locations; with the name of one, its options."""
    check_outputs(csv)
    import polars as pl

    from deeplens_kit.storage import describe_kinds

    described = {kind.scheme: kind for kind in describe_kinds()}
    if name is not None and name not in described:
        raise UnknownNameError("kind of location", name, described)
    chosen = [described[name]] if name else list(described.values())
    rows = [
        {"kind": kind.scheme, "url": kind.url, "title": kind.title, **asdict(option)}
        for kind in chosen
        for option in kind.options
    ]
    frame = pl.DataFrame(rows).rename({"name": "option"})

    def show() -> Sheet:
        if name is None:
            headings = (Column("kind"), Column("url", fold=True), Column("what it is", fold=True))
            return Sheet(headings, [(kind.scheme, kind.url, kind.title) for kind in chosen], "")
        lines = [(item.name, item.takes, item.default, item.meaning) for item in described[name].options]
        columns = (Column("option"), Column("takes", fold=True), Column("default"), Column("meaning", fold=True))
        return Sheet(columns, lines, "")

    closing = ["Options of one: deeplens locations kinds KIND"] if name is None else []
    give(Answer("locations kinds", frame, show, closing=closing), as_json=as_json, csv=csv)


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
            (shown(row["location"]), row["state"], _may(row), row["message"] or _told(row))
            for row in frame.iter_rows(named=True)
        ]
        headings = (Column("location"), Column("state"), Column("may"), Column("", fold=True))
        return Sheet(headings, lines, NO_LOCATIONS)

    summary = {"locations": frame.height, "unusable": bad.height}
    give(Answer("locations check", frame, show, summary=summary), as_json=as_json, csv=csv)
    if bad.height:
        first = bad.row(0, named=True)
        raise LocationUnavailableError(
            first["location"], f"{bad.height} of {frame.height} locations cannot be used: {', '.join(bad['location'])}."
        )


def _may(row: Mapping[str, Any]) -> str:
    """What a location lets us do, in words; what was not tried is not said."""
    if row["state"] != "ok":
        return ""
    said = ["list", *(["read"] if row["may_read"] else []), *(["write"] if row["may_write"] else [])]
    denied = [f"not {what}" for what in ("read", "write") if row[f"may_{what}"] is False]
    return ", ".join(said + denied)


def _told(row: Mapping[str, Any]) -> str:
    """The address, and what the storage tells of itself."""
    said = [display_url(row["url"])]
    if row["free_bytes"] is not None and row["capacity_bytes"]:
        said.append(f"{format_bytes(row['free_bytes'])} of {format_bytes(row['capacity_bytes'])} free")
    if abs(row["clock_skew_seconds"] or 0) > _SKEW_SECONDS:
        said.append(f"its clock is {row['clock_skew_seconds']:+.0f} s from ours")
    return "; ".join([*said, *([row["remarks"]] if row["remarks"] else [])])
