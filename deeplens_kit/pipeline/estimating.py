"""What an index run would read, how long that would take and what it would cost, before anything is read.

Takes an open workspace, lists its locations and gives a row for each; must not read an object or write a row. What
matching reads again to compare pictures closely is not in it, because nobody knows it before the pictures are read.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from deeplens_kit.errors import CredentialMissingError, Interrupted, LocationError
from deeplens_kit.features import available
from deeplens_kit.ledger import Location, Run, RunState
from deeplens_kit.pipeline.adding_features import additions, stored
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.graph import GRAPH_INPUTS
from deeplens_kit.pipeline.identifying import KnownContents
from deeplens_kit.pipeline.price_file import workspace_prices
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.read_tasks import complete_pictures, read_tasks
from deeplens_kit.pipeline.reading import ReadTask
from deeplens_kit.pipeline.scan import ROW_COLUMNS, scan
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings import LocationPrices, cost_of_reading
from deeplens_kit.savings.costs import exact
from deeplens_kit.schemas import Outcome

__all__ = ["LocationEstimate", "estimate"]

_ENOUGH_BYTES = 2**20  # a run that read less tells nothing of how fast a location is


@dataclass(frozen=True, slots=True)
class LocationEstimate:
    """What indexing one location would take; counts are objects unless they say otherwise.

    Attributes:
        location: Its name.
        found: Objects listed.
        known: Of them those whose content needs no reading: unchanged, or known by a checksum that the storage lists.
        to_read: Those that would be read.
        read_bytes: Bytes of those.
        over_network: Whether these bytes leave a storage behind a network.
        list_requests: Requests that listing takes, by the price book's page size.
        head_requests: Objects that would be asked about one by one.
        seconds: By how fast earlier runs read here; None where there was none.
        money: Of requests and egress; None where the price book does not say.
        currency: Of the money.
        unstated: Keys that the price book lacks for that.
        problem: Why the location cannot be listed; empty where it can.
    """

    location: str
    found: int = 0
    known: int = 0
    to_read: int = 0
    read_bytes: int = 0
    over_network: bool = False
    list_requests: int = 0
    head_requests: int = 0
    seconds: float | None = None
    money: Decimal | None = None
    currency: str | None = None
    unstated: tuple[str, ...] = ()
    problem: str = ""


def estimate(
    workspace: Workspace,
    names: Sequence[str] | None = None,
    *,
    retry_failed: bool | Collection[str] = False,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
) -> list[LocationEstimate]:
    """Say what `index` would read; nothing is read and nothing written.

    Equal checksums at several locations count once: the first that is read tells what the others hold.

    Args:
        workspace: An open workspace.
        names: Names of locations; None or empty for all active ones.
        retry_failed: As for `index`.
        progress: Told how the listing goes.
        stop: Set it to end early.

    Returns:
        A row per location; one that cannot be listed has a `problem`.

    Raises:
        UnknownNameError: A location that does not exist.
        SettingsError: The price book cannot be read.
        Interrupted: `stop` was set.
    """
    stop = stop or threading.Event()
    ledger = workspace.ledger
    locations = [ledger.location(name) for name in names] if names else ledger.locations()
    retry = (None if retry_failed else frozenset()) if isinstance(retry_failed, bool) else frozenset(retry_failed)
    prices = workspace_prices(workspace)
    pictures = workspace.catalog.pictures(columns=[*GRAPH_INPUTS, "md5", "size_bytes"])
    toolbox = Toolbox(
        tuple(available(workspace.settings.features).extractors.values()),
        workspace.settings.decode,
        workspace.thumbnails,
        workspace.settings.index.niceness,
    )
    complete = complete_pictures(pictures, toolbox)
    contents = KnownContents(pictures.filter(pl.col("digest").is_in(complete.implode())))
    foreseen: set[tuple[str, int]] = set()
    rows = []
    for location in locations:
        if stop.is_set():
            raise Interrupted("Stopped; nothing was read or written.")
        try:
            lacking = complete.len() < pictures.height
            tasks, found = _listed(
                workspace, location, complete, retry, progress, toolbox, pictures if lacking else None
            )
        except (LocationError, CredentialMissingError) as error:
            rows.append(LocationEstimate(location.name, problem=str(error)))
            continue
        of = prices.of(location.name) if prices else None
        rows.append(_row(workspace, location, tasks, found, contents, foreseen, of))
    return rows


def _listed(
    workspace: Workspace,
    location: Location,
    complete: pl.Series,
    retry: frozenset[str] | None,
    progress: ProgressListener | None,
    toolbox: Toolbox,
    lacking: pl.DataFrame | None,
) -> tuple[list[ReadTask], int]:
    """The tasks of a run at a location, and the objects that it lists.

    Of the pictures `lacking` some may lack a feature; None where none does.
    """
    meter = ProgressMeter(progress, location.name, "scan", None)
    held = workspace.catalog.objects(location.location_id, columns=[*ROW_COLUMNS, "digest"])
    with contextlib.closing(workspace.kind_of(location)) as storage:
        found = scan(
            storage,
            held,
            skip=workspace.own_paths(),
            exclude=workspace.settings.index.exclude,
            accept_gone=True,  # nothing is taken out by an estimate
        )
    meter.advance(found.found)
    meter.finish()
    failures = workspace.catalog.failures(location.location_id)
    if lacking is not None:
        indexed = found.unchanged.filter(pl.col("outcome") == Outcome.INDEXED)["digest"]
        wanted = additions(workspace, lacking, toolbox, indexed)
        complete = pl.concat([complete, pl.Series("digest", stored(workspace.thumbnails, wanted), pl.String)])
    tasks = read_tasks(found, complete, failures, workspace.settings.decode, retry, lacking=lacking is not None)
    return tasks, found.found


def _row(
    workspace: Workspace,
    location: Location,
    tasks: list[ReadTask],
    found: int,
    contents: KnownContents,
    foreseen: set[tuple[str, int]],
    prices: LocationPrices | None,
) -> LocationEstimate:
    _, first, _ = contents.split(tasks)
    read = [task for task in first if (task.stat.checksum or "", task.stat.size_bytes) not in foreseen]
    # An MD5 of several parts, or under encryption, turns out to be none only when the object is read: then equal
    # ones are read as well, and the estimate was too low by them.
    foreseen.update((task.stat.checksum, task.stat.size_bytes) for task in read if task.stat.checksum)
    limit = workspace.settings.decode.max_bytes
    read = [task for task in read if 0 < task.stat.size_bytes <= limit]
    read_bytes = sum(task.stat.size_bytes for task in read)
    heads = sum(contents.worth_asking(task) for task in read)
    money, unstated = _money(read, found, heads, prices)
    return LocationEstimate(
        location.name,
        found=found,
        known=found - len(read),
        to_read=len(read),
        read_bytes=read_bytes,
        over_network=workspace.kind_of(location).over_network,
        list_requests=cost_of_reading(prices, objects=0, read_bytes=0, listing_objects=found).list_requests,
        head_requests=heads,
        seconds=_seconds(workspace, location, read_bytes),
        money=money,
        currency=prices.currency if prices else None,
        unstated=unstated,
    )


def _money(
    tasks: Sequence[ReadTask], found: int, heads: int, prices: LocationPrices | None
) -> tuple[Decimal | None, tuple[str, ...]]:
    """The cost of one class of storage after the other; the listing is paid for once."""
    if prices is None:
        return None, ()
    by_class: dict[str | None, list[int]] = {None: []}
    for task in tasks:
        by_class.setdefault(task.stat.storage_class, []).append(task.stat.size_bytes)
    costs = [
        cost_of_reading(
            prices,
            objects=len(sizes),
            read_bytes=sum(sizes),
            head_requests=heads if storage_class is None else 0,
            listing_objects=found if storage_class is None else None,
            storage_class=storage_class,
        )
        for storage_class, sizes in by_class.items()
    ]
    unstated = tuple(dict.fromkeys(key for cost in costs for key in cost.unstated))
    if unstated:
        return None, unstated
    with exact():
        return sum((cost.money for cost in costs if cost.money is not None), Decimal(0)), ()


def _seconds(workspace: Workspace, location: Location, read_bytes: int) -> float | None:
    """By the last run here that read enough; an estimate of wall time with the workers that it had."""
    if not read_bytes:
        return 0.0
    for run in sorted(workspace.ledger.runs(), key=lambda item: item.started_at, reverse=True):
        rate = _rate(run) if run.location_id == location.location_id else None
        if rate:
            return read_bytes / rate
    return None


def _rate(run: Run) -> float | None:
    if run.kind != "index" or run.state == RunState.RUNNING:
        return None
    read, seconds = run.figures.get("read_bytes", 0), run.figures.get("seconds", 0)
    return read / seconds if read >= _ENOUGH_BYTES and seconds else None
