"""The files of the active locations, each once however many locations list it, and the names that they have.

Takes an open workspace, gives frames with the names of locations and the places that they stand for; must not write,
and reads no object.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import polars as pl

from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import OBJECTS, Outcome

__all__ = ["active_files", "file_names", "indexed_files", "indexed_places", "placed_files"]

# What tells one file from another, and what else it takes to tell.
_FILE = ["link_id", "digest"]
_TELLING = ("location_id", "path", "outcome", "link_count", *_FILE)


def indexed_files(workspace: Workspace) -> pl.DataFrame:
    """Indexed objects of active locations, as `active_files` has them."""
    return active_files(workspace).filter(pl.col("outcome") == Outcome.INDEXED).drop("place")


def active_files(workspace: Workspace) -> pl.DataFrame:
    """Objects of active locations with `location` (name) and `place`, each file once however many locations list it.

    A file must never become a copy of itself. Locations overlap where one lies within another or is an alias of it:
    then two objects have one place. Where a file system is mounted twice, a file is met under more names than it has
    (`link_count`). One object stands for either. Hard links, which are as many as the file says, all stay.
    """
    objects, overlapping = _with_places(workspace, OBJECTS.names)
    return _each_once(_in_order(objects), overlapping=overlapping)


def indexed_places(workspace: Workspace, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of what `indexed_files` gives, in no particular order: half of the time goes into the order.

    Args:
        workspace: An open workspace.
        columns: Of OBJECTS, and `location`.
    """
    return placed_files(workspace, columns).filter(pl.col("outcome") == Outcome.INDEXED).select(columns)


def placed_files(workspace: Workspace, columns: Collection[str]) -> pl.DataFrame:
    """What `active_files` gives, with fewer columns and in no particular order.

    Args:
        workspace: An open workspace.
        columns: Of OBJECTS; `location`, `place` and those that tell one file from another are there in any case.
    """
    stored = [name for name in OBJECTS.names if name in {*columns, *_TELLING}]
    objects, overlapping = _with_places(workspace, stored)
    if overlapping or _met_twice(objects):
        objects = _each_once(_in_order(objects), overlapping=overlapping)
    return objects


def file_names(workspace: Workspace) -> pl.DataFrame:
    """Every name of every file of active locations: location, place, path, link_id, digest."""
    objects, _ = _with_places(workspace, ["location_id", "path", "link_id", "digest"])
    return objects.select("location", "place", "path", "link_id", "digest")


def _with_places(workspace: Workspace, columns: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """Objects of active locations with `location` and `place`, and whether places overlap."""
    places = pl.DataFrame(
        [(item.location_id, item.name, workspace.kind_of(item).place) for item in workspace.ledger.locations()],
        schema={"location_id": pl.String, "location": pl.String, "place": pl.String},
        orient="row",
    )
    objects = workspace.catalog.objects(columns=columns).join(places, on="location_id")
    return objects, _overlap(places["place"].to_list())


def _in_order(objects: pl.DataFrame) -> pl.DataFrame:
    # In the order of names, not of ids: these are random, and ties between equal objects end by the place. Of a file
    # that could be read through one location alone, that object stands for it.
    return objects.sort(pl.col("outcome") != Outcome.INDEXED, "location", "path")


def _each_once(objects: pl.DataFrame, *, overlapping: bool) -> pl.DataFrame:
    """The first object of every file."""
    if overlapping:
        objects = (
            objects.with_columns(file=pl.col("place") + pl.col("path"))
            .unique("file", keep="first", maintain_order=True)
            .drop("file")
        )
    twice = pl.col("link_id").is_not_null() & (pl.len().over(_FILE) > pl.col("link_count").max().over(_FILE))
    first = pl.int_range(pl.len()).over(_FILE) == 0
    return objects.filter(~twice | first)


def _met_twice(objects: pl.DataFrame) -> bool:
    """Whether any file has more objects than names: told by counts, without an order."""
    linked = objects.filter(pl.col("link_id").is_not_null())
    if linked.select(pl.struct(_FILE).hash().n_unique()).item() == linked.height:
        return False
    counts = linked.group_by(_FILE).agg(objects=pl.len(), names=pl.col("link_count").max())
    return bool(counts.select((pl.col("objects") > pl.col("names")).any()).item())


def _overlap(places: list[str]) -> bool:
    """Whether one place lies within another, or two are the same."""
    ordered = sorted(places)
    return any(later.startswith(earlier) for earlier, later in pairwise(ordered))
