"""Locations of a workspace: add one, list them.

Takes an open workspace, gives locations as the ledger keeps them; must not list or read a location's files.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping

import polars as pl

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import Location, refuse_secrets
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import LocationKind, Permission, open_location, option_names

__all__ = ["add_location", "change_location", "list_locations"]

_COLUMNS = pl.Schema(
    {
        "location": pl.String(),
        "kind": pl.String(),
        "url": pl.String(),
        "options": pl.String(),
        "active": pl.Boolean(),
        "created_at": pl.Datetime("us", "UTC"),
        "location_id": pl.String(),
    }
)


def add_location(
    workspace: Workspace,
    name: str,
    url: str,
    options: Mapping[str, object] | None = None,
    *,
    unreachable: bool = False,
    active: bool = True,
) -> Location:
    """Add a place under a name. It is read, never written, unless its option `permissions` says otherwise.

    Args:
        workspace: An open workspace.
        name: What to call it.
        url: A folder or a URL; kept as a whole URL, so that it means the same from every folder.
        options: Of its kind of storage.
        unreachable: Add it though it cannot be reached now.
        active: Whether runs over all locations take it in.

    Raises:
        LocationUnavailableError: It cannot be reached.
        SettingsError: The name, the URL or an option is not allowed, or a credential stands in clear.
    """
    # Before it is used: a credential that is refused afterwards was sent already.
    refuse_secrets(name, url if "://" in url else "", options or {})
    kind = open_location("", name, url, options or {})
    _refuse_writing(kind, name, options or {})
    if not unreachable:
        with contextlib.closing(kind):
            kind.check()
    return workspace.ledger.add_location(name, kind.url, options, active=active)


def change_location(
    workspace: Workspace,
    name: str,
    given: Mapping[str, object],
    *,
    without: Collection[str] = (),
    active: bool | None = None,
    new_name: str = "",
) -> Location:
    """Change options of a location; the others stay as they are. All of it is done, or nothing.

    Args:
        workspace: An open workspace.
        name: The location.
        given: Options to set.
        without: Names of options that go back to their default.
        active: Whether runs over all locations take it in; None for as it is.
        new_name: What to call it from now on; empty for as it is.

    Raises:
        UnknownNameError: A location or option that does not exist.
        SettingsError: An option or name is not allowed, or a credential stands in clear.
    """
    location = workspace.ledger.location(name)
    known = option_names(location.url)
    for key in without:
        if key not in known:
            raise UnknownNameError("location option", key, known)
    options = {key: value for key, value in location.options.items() if key not in without} | dict(given)
    kind = open_location(location.location_id, name, location.url, options)
    _refuse_writing(kind, name, options)
    return workspace.ledger.set_location_options(name, options, active=active, new_name=new_name)


def _refuse_writing(kind: LocationKind, name: str, options: Mapping[str, object]) -> None:
    if options.get("permissions", Permission.READ) != Permission.READ and not kind.takes_writing:
        raise SettingsError(
            f"Location {name!r} is of a kind that can only be read; leave its option 'permissions' at read."
        )


def list_locations(workspace: Workspace) -> pl.DataFrame:
    """Every location by name, those deactivated too.

    Returns:
        Columns location, kind (the scheme of its URL), url, options (JSON), active, created_at, location_id.
    """
    rows = [
        (
            item.name,
            # An address without a scheme is a folder of this machine, as in `open_location`.
            item.url.partition("://")[0] if "://" in item.url else "file",
            item.url,
            json.dumps(dict(item.options)),
            item.active,
            item.created_at,
            item.location_id,
        )
        for item in workspace.ledger.locations(inactive=True)
    ]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")
