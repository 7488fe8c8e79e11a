"""The bytes of pictures, read again from the objects that hold them, and work on many of them in threads.

Takes an open workspace and digests; gives the bytes that have that very SHA-256, or the results of a function of
them. Must not write anything. A picture none of whose objects can be read is passed over with a line in the log.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import polars as pl

from deeplens_kit.errors import CredentialMissingError, LocationError, ObjectError
from deeplens_kit.pipeline.execution import Flow, run_flow
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.throttle import RateLimit, step_back
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.storage import LocationKind
from deeplens_kit.telemetry import get_logger, span

__all__ = ["HeldPicture", "PictureBytes", "each_picture"]

_log = get_logger(__name__)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class HeldPicture:
    """A picture and the objects that hold it, each as location_id, path and storage class; one is enough."""

    digest: str
    size_bytes: int
    places: tuple[tuple[str, str, str | None], ...]


class PictureBytes:
    """The bytes of the pictures that a workspace holds now; safe to share between threads.

    Args:
        workspace: An open workspace. What objects there are is looked up once, when it is first asked for.
        stop: Once set, nobody waits any more for the turn to read.
    """

    def __init__(self, workspace: Workspace, stop: threading.Event | None = None) -> None:
        self._workspace, self._stop = workspace, stop or threading.Event()
        self._max_bytes = workspace.settings.decode.max_bytes
        self._rate = RateLimit(workspace.settings.index.max_read_bytes_per_second)
        self._lock = threading.Lock()
        self._kinds: dict[str, LocationKind] = {
            item.location_id: workspace.kind_of(item) for item in workspace.ledger.locations(inactive=True)
        }
        # Connections are given back when nobody reads through this any more.
        weakref.finalize(self, _close, tuple(self._kinds.values()))

    def read(self, digest: str) -> bytes | None:
        """The bytes of a picture; None where no object that holds it can be read or it has other bytes by now."""
        held = self._held(digest)
        return self.read_held(held) if held else None

    def held(self, digests: Sequence[str]) -> list[HeldPicture]:
        """Where the pictures are, in the order of `digests`; those that no object holds are passed over."""
        return [held for held in map(self._held, digests) if held]

    def read_held(self, held: HeldPicture) -> bytes | None:
        """As `read`."""
        unpaid = False
        for location_id, path, storage_class in held.places:
            if not self._workspace.spending.take(location_id, held.size_bytes, storage_class):
                unpaid = True
                continue
            self._rate.wait(held.size_bytes, self._stop.is_set)
            try:
                data = self._kinds[location_id].read(path, expected=None, max_bytes=self._max_bytes)
            except (ObjectError, LocationError, CredentialMissingError):
                continue
            if hashlib.sha256(data).hexdigest() == held.digest:
                return data
        if not unpaid:  # else the run says how much its budget left
            _log.warning("no object of the picture can be read", digest=held.digest)
        return None

    def _held(self, digest: str) -> HeldPicture | None:
        with self._lock:
            objects = self._objects
        first, last = (objects["digest"].search_sorted(digest, side) for side in ("left", "right"))
        if first == last:
            return None
        rows = objects[int(first) : int(last)]
        places = rows.select("location_id", "path", "storage_class").iter_rows()
        return HeldPicture(digest, rows["size_bytes"][0], tuple(places))

    @cached_property
    def _objects(self) -> pl.DataFrame:
        objects = self._workspace.catalog.objects(
            columns=["digest", "location_id", "path", "size_bytes", "storage_class"]
        )
        known = pl.col("digest").is_not_null() & pl.col("location_id").is_in(list(self._kinds))
        # What lies on this machine before what is waited and paid for.
        remote = [name for name, kind in self._kinds.items() if kind.over_network]
        far = pl.col("location_id").is_in(remote)
        return objects.filter(known).sort("digest", far, "location_id", "path")


def _close(kinds: Sequence[LocationKind]) -> None:
    for kind in kinds:
        kind.close()


def each_picture(
    workspace: Workspace,
    digests: Sequence[str],
    work: Callable[[bytes], _Result],
    *,
    stage: str,
    workers: int | None,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> Iterator[tuple[str, _Result]]:
    """Apply a function to the bytes of pictures, in threads; yields digest and result in no order.

    Args:
        workspace: An open workspace.
        digests: The pictures, each once.
        work: Runs in several threads; an ObjectError that it raises passes the picture over.
        stage: Names the work in progress, spans and logs.
        workers: Threads; None for the setting.
        progress: Told how it goes.
        stop: Once set, no further picture is begun.
    """
    source = PictureBytes(workspace, stop)
    tasks = source.held(digests)
    niceness = workspace.settings.index.niceness
    count = default_workers(workspace.settings.index.workers if workers is None else workers)

    def read(held: HeldPicture) -> tuple[Sequence[tuple[str, _Result] | None], tuple[str, bytes] | None]:
        data = source.read_held(held)
        # Without bytes there is nothing to work on: the end of the task is told all the same.
        return ([None], None) if data is None else ([], (held.digest, data))

    def worked(contents: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, _Result] | None]:
        results: list[tuple[str, _Result] | None] = []
        for digest, data in contents:
            try:
                with span(stage):
                    results.append((digest, work(data)))
            except ObjectError as error:
                _log.warning("not measured", what=stage, digest=digest, code=error.code)
                results.append(None)
        return results

    meter = ProgressMeter(progress, "", stage, len(tasks))
    flow: Flow[HeldPicture, tuple[str, bytes], tuple[str, _Result] | None] = Flow(
        read=read,
        size_of=lambda held: held.size_bytes,
        work=worked,
        readers=count,
        workers=count,
        batch_size=1,
        budget_bytes=workspace.settings.index.max_waiting_bytes,
        begin=lambda: step_back(niceness),
    )
    for result in run_flow(flow, tasks, stop):
        meter.advance()
        if result is not None:
            yield result
    meter.finish()
