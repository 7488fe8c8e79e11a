"""Features of some known pictures: those that they lack are computed, and nothing else is read.

Takes an open workspace and digests, reads one file of each picture that lacks a feature, gives counts; must not list a
location or find pairs. An index run does the same for all pictures of its locations.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from deeplens_kit.errors import Interrupted, LocationError, ObjectError
from deeplens_kit.features import available
from deeplens_kit.ledger import Location
from deeplens_kit.pipeline.act_ground import leased
from deeplens_kit.pipeline.analysis import Toolbox, analyse
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.read_tasks import complete_pictures
from deeplens_kit.pipeline.reading import Content, ObjectRead, ReadTask
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.pipeline.writing import BatchWriter
from deeplens_kit.schemas import LISTING, Outcome
from deeplens_kit.storage import ObjectStat, digest_content

__all__ = ["extract_features"]

_MEASURED = ["effective_pixels", "samples"]
_STATE = [name for name in LISTING.names if name != "path"]


def extract_features(
    workspace: Workspace,
    digests: Sequence[str],
    locations: Collection[str] = (),
    *,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
) -> dict[str, Any]:
    """Compute the enabled features that pictures lack.

    Args:
        workspace: An open workspace.
        digests: The pictures.
        locations: Names; files elsewhere are not read. Empty for all that are active.
        progress: Told how it goes.
        stop: Set it to end after the picture that is being read; what was computed is kept.

    Returns:
        pictures (known ones among these), complete (had all), computed, and failed with digest and reason.

    Raises:
        LeaseHeldError: Another run works at a location.
        Interrupted: `stop` was set.
    """
    settings, stop = workspace.settings, stop or threading.Event()
    extractors = tuple(available(settings.features).extractors.values())
    toolbox = Toolbox(extractors, settings.decode, workspace.thumbnails, settings.index.niceness)
    pictures = workspace.catalog.pictures(digests, columns=["digest", "features", "decode_spec", *_MEASURED])
    complete = complete_pictures(pictures, toolbox)
    lacking = pictures.filter(~pl.col("digest").is_in(complete.implode()))
    meter = ProgressMeter(progress, "", "features", lacking.height)
    failed: dict[str, str] = {}
    computed = 0
    homes = {item.location_id: item for item in workspace.ledger.locations() if not locations or item.name in locations}
    objects = workspace.catalog.objects_of(lacking["digest"].to_list())
    objects = objects.filter((pl.col("outcome") == Outcome.INDEXED) & pl.col("location_id").is_in(list(homes)))
    once = objects.sort("location_id", "path").unique("digest", keep="first", maintain_order=True)
    for (location_id,), rows in once.group_by("location_id", maintain_order=True):
        computed += _at(workspace, homes[str(location_id)], rows, lacking, toolbox, failed, meter, stop)
    meter.finish()
    if stop.is_set():
        raise Interrupted("Stopped; what was computed is kept.")
    for digest in set(lacking["digest"]) - set(once["digest"]):
        failed[digest] = "No file that holds it lies at these locations."
    return {
        "pictures": pictures.height,
        "complete": complete.len(),
        "computed": computed,
        "failed": [{"digest": digest, "message": why} for digest, why in sorted(failed.items())],
    }


def _at(
    workspace: Workspace,
    location: Location,
    rows: pl.DataFrame,
    pictures: pl.DataFrame,
    toolbox: Toolbox,
    failed: dict[str, str],
    meter: ProgressMeter,
    stop: threading.Event,
) -> int:
    """Read and analyse the files at one location; gives how many pictures have their features now."""
    measured = {row["digest"]: {name: row[name] for name in _MEASURED} for row in pictures.iter_rows(named=True)}
    done = 0
    with leased(workspace, "extract", [location.location_id]) as leases:
        writer = BatchWriter(
            workspace.catalog,
            location.location_id,
            leases.run_id,
            frozenset(),
            frozenset(),
            {},
            measured,
            workspace.settings,
            leases.check,
        )
        storage = workspace.kind_of(location)
        try:
            for row in rows.iter_rows(named=True):
                if stop.is_set():
                    break
                why = _one(storage.read, row, toolbox, writer)
                if why:
                    failed[row["digest"]] = why
                done += not why
                meter.advance(failures=bool(why))
        finally:
            writer.commit()
            storage.close()
    return done


def _one(read: Any, row: dict[str, Any], toolbox: Toolbox, writer: BatchWriter) -> str:
    """Give one picture its features; why not, where that cannot be done."""
    stat = ObjectStat(*(row[name] for name in _STATE))
    try:
        data = read(row["path"], expected=stat, max_bytes=toolbox.decode.max_bytes)
    except (ObjectError, LocationError) as error:
        return str(error)
    digests = digest_content(data)
    if digests.sha256 != row["digest"]:
        return "The file holds something else by now; the next scan finds it."
    analysed = analyse([Content(data, digests)], toolbox)
    for failure in analysed.failures:
        return failure.message
    writer.add(analysed)
    writer.add(ObjectRead(ReadTask(row["path"], stat, indexed=True), digests.sha256, digests.md5))
    return ""
