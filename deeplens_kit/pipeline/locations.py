"""Locations of a workspace: add one, list them.

Takes an open workspace, gives locations as the ledger keeps them; must not list or read a location's files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl

from deeplens_kit.ledger import Location
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import open_location

__all__ = ["add_location", "list_locations"]

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
) -> Location:
    """Add a folder under a name. It is read, never written.

    Args:
        workspace: An open workspace.
        name: What to call it.
        url: A folder or a URL; kept as a whole URL, so that it means the same from every folder.
        options: Of its kind of storage.
        unreachable: Add it though it cannot be reached now.

    Raises:
        LocationUnavailableError: It cannot be reached.
        SettingsError: The name, the URL or an option is not allowed, or a credential stands in clear.
    """
    kind = open_location("", name, url, options or {})
    if not unreachable:
        kind.check()
    return workspace.ledger.add_location(name, kind.url, options)


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
