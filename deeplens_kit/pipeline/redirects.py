"""Where pictures were and where they are now: from what an application did, or from a file of a person.

Takes an open workspace and the id of an application or a CSV file, gives redirects by address; must not touch a file of
a location.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from itertools import product
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from polars.exceptions import PolarsError

from deeplens_kit.actions import Redirect
from deeplens_kit.errors import ObjectError, ObjectGoneError, SettingsError
from deeplens_kit.pipeline.certifying import certificate
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Outcome
from deeplens_kit.storage import LocationKind
from deeplens_kit.storage.paths import decode_path

__all__ = ["addresses_of", "redirects_of", "standing_redirects"]

_FILE = "file://"
_NAMED = ["location", "path", "location_now", "path_now"]
_ADDRESSES = ("old", "new")


def redirects_of(workspace: Workspace, source: str | Path) -> list[Redirect]:
    """Redirects by address to files that are there; a place that several addresses lead to has one for each.

    Args:
        workspace: An open workspace.
        source: The id of an application, or how it begins; or a CSV file that ends in `.csv`, with the columns
            location, path, location_now and path_now, or old and new (absolute paths or URLs).

    Raises:
        UnknownNameError: There is no such application or location.
        SettingsError: The file cannot be read, or has other columns.
        LocationUnavailableError: A file that the catalog does not know cannot be looked for.
    """
    return standing_redirects(workspace, source)[0]


def standing_redirects(workspace: Workspace, source: str | Path) -> tuple[list[Redirect], pl.DataFrame]:
    """Redirects as `redirects_of`, and those that lead to files that went since.

    These have the columns location, path, location_now and path_now. Of addresses that a person gave without locations
    nothing is looked at. Arguments and errors as `redirects_of`.
    """
    if Path(source).suffix.lower() == ".csv":
        rows = _read(Path(source))
    else:
        rows = certificate(workspace, str(source)).redirects
    if set(_NAMED) <= set(rows.columns):
        gone = _gone(workspace, rows.select(_NAMED).drop_nulls())
        there = rows.select(_NAMED).drop_nulls().join(gone, on=_NAMED, how="anti", maintain_order="left")
        return list(_by_place(workspace, there)), gone
    found = []
    for old, new in rows.select(_ADDRESSES).drop_nulls().iter_rows():
        for address in (old, new):
            if not address.startswith("/") and "://" not in address:
                raise SettingsError(f"{address!r} in {str(source)!r} is neither an absolute path nor a URL.")
        found.append(Redirect(_bare(old), _bare(new)))
    return found, pl.DataFrame(schema=dict.fromkeys(_NAMED, pl.String))


def addresses_of(kind: LocationKind, path: str) -> list[str]:
    """The addresses of a file: by its location as it is, and as people named it."""
    native = decode_path(path)
    roots = [decode_path(kind.place), f"{_bare(kind.url).rstrip('/')}/"]
    return [root + native for root in dict.fromkeys(roots) if root.startswith("/") or "://" in root]


def _gone(workspace: Workspace, rows: pl.DataFrame) -> pl.DataFrame:
    """Those that lead to no file any more: what the catalog does not know is asked of its storage."""
    objects = workspace.catalog.objects(columns=["location_id", "path", "outcome"])
    known = objects.filter(pl.col("outcome") != Outcome.GONE).join(workspace.location_names(), on="location_id")
    unknown = rows.join(
        known.select(location_now="location", path_now="path"), on=["location_now", "path_now"], how="anti"
    )
    gone = []
    for (name,), places in unknown.select("location_now", "path_now").unique().group_by("location_now"):
        with closing(workspace.kind_of(workspace.ledger.location(str(name)))) as kind:
            gone += [(name, path) for path in places["path_now"] if not _is_there(kind, path)]
    schema = {"location_now": pl.String, "path_now": pl.String}
    return unknown.join(pl.DataFrame(gone, schema=schema, orient="row"), on=list(schema), how="semi")


def _is_there(kind: LocationKind, path: str) -> bool:
    try:
        kind.stat(path)
    except ObjectGoneError:
        return False
    except ObjectError:
        return True  # whatever keeps it from being looked at has its name
    return True


def _by_place(workspace: Workspace, rows: pl.DataFrame) -> Iterable[Redirect]:
    kinds: dict[str, LocationKind] = {}
    try:
        for name in pl.concat([rows["location"], rows["location_now"]]).drop_nulls().unique():
            kinds[name] = workspace.kind_of(workspace.ledger.location(name))
        for location, path, location_now, path_now in rows.select(_NAMED).drop_nulls().iter_rows():
            old, new = addresses_of(kinds[location], path), addresses_of(kinds[location_now], path_now)
            if len(old) == len(new):
                yield from map(Redirect, old, new)
            else:
                yield from (Redirect(*pair) for pair in product(old, new[-1:]))
    finally:
        for kind in kinds.values():
            kind.close()


def _read(file: Path) -> pl.DataFrame:
    try:
        rows = pl.read_csv(file, infer_schema=False)
    except (OSError, PolarsError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise SettingsError(f"The map {str(file)!r} cannot be read: {reason}.") from error
    if not set(_NAMED) <= set(rows.columns) and not set(_ADDRESSES) <= set(rows.columns):
        raise SettingsError(
            f"The map {str(file)!r} has the columns {', '.join(rows.columns)}; it needs {', '.join(_NAMED)}, as "
            "`deeplens certificate --redirects` writes them, or old and new."
        )
    return rows


def _bare(address: str) -> str:
    """An address as redirects have it: of a file of this machine its path."""
    return unquote(address.removeprefix(_FILE), errors="surrogateescape") if address.startswith(_FILE) else address
