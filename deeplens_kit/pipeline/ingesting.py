"""Pictures taken in: each is looked at, stored at a location that is opened for it, indexed at once, and held against
the pictures that are there.

Takes an open workspace, files, links or streams, and a location; gives a row for each. One that cannot be taken in is
a row and never the end of its batch; what is there already is refused unless it is wanted again; nothing is replaced.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

from deeplens_kit.errors import DeepLensError, LeaseHeldError, LocationReadOnlyError
from deeplens_kit.features import available, check_runtime
from deeplens_kit.ledger import Lease
from deeplens_kit.pipeline.analysis import Toolbox
from deeplens_kit.pipeline.ingest_known import copies_of
from deeplens_kit.pipeline.ingest_lease import WAIT_SECONDS, ingest_run
from deeplens_kit.pipeline.ingest_names import PathTemplate
from deeplens_kit.pipeline.ingest_one import IngestOptions, Ingestor, IngestRow, IngestState, IngestTarget, Looked
from deeplens_kit.pipeline.ingest_sources import Given
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.scanner import Scanner
from deeplens_kit.pipeline.stage_telling import settle_told, telling
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.pipeline.writing import BatchWriter
from deeplens_kit.settings import WorkspaceSettings
from deeplens_kit.telemetry import get_logger

__all__ = ["IngestReport", "ingest"]

_log = get_logger(__name__)

# Copies told of for each picture: more say no more than that it is a copy.
_COPIES_TOLD = 5
_MOST_ASKED = 200


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a batch.

    Attributes:
        location: Name of the location.
        rows: A row for each thing, in the order in which they were given; fewer where the run was stopped.
        waiting_for: Who indexes the location, so that what was stored is not in the catalog yet; empty where it is.
    """

    location: str
    rows: tuple[IngestRow, ...]
    waiting_for: str = ""

    def count(self, state: IngestState) -> int:
        """How many ended so."""
        return sum(row.state == state for row in self.rows)


def ingest(
    workspace: Workspace,
    what: Sequence[Given],
    to: str,
    options: IngestOptions | None = None,
    *,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> IngestReport:
    """Store pictures at a location, and index them.

    Args:
        workspace: An open workspace.
        what: Paths of files, links (http, https), and open streams.
        to: Name of a location that is opened for creating.
        options: How.
        progress: Told how it goes, in this thread.
        stop: Set it to end after the picture that is being taken in.
        wait_seconds: How long to wait for another run at the location; then pictures are stored and left to the next
            index run.

    Raises:
        UnknownNameError: There is no such location, or no such field of a template.
        SettingsError: The template, a name or text of the note, or the address of the scanner cannot be used.
        LocationReadOnlyError: The location takes no new files.
        LeaseHeldError: The lease was lost on the way; `reports` holds the rows so far, as for the next.
        WorkspaceError: The catalog or the ledger cannot be written.
    """
    check_runtime()
    options, stop = options or IngestOptions(), stop or threading.Event()
    location = workspace.ledger.location(to)
    storage = workspace.kind_of(location)
    if not storage.takes_writing:
        raise LocationReadOnlyError(
            location.name, f"Location {location.name!r} is of a kind that can only be read and takes no new files."
        )
    if not storage.may_create:
        raise LocationReadOnlyError(
            location.name,
            f"Location {location.name!r} takes no new files: it is opened to read only. Open it "
            f"with `deeplens locations set {location.name} --option permissions=create`.",
        )
    workspace.ledger.check_note(options.note)
    scanner = workspace.settings.ingest.scanner
    target = IngestTarget(location, storage, PathTemplate(options.template), Scanner(scanner) if scanner else None)
    rows: list[IngestRow] = []
    with ingest_run(workspace, location, lambda: _figures(rows, len(what)), stop, wait_seconds=wait_seconds) as held:
        meter = ProgressMeter(progress, location.name, "ingest", len(what))
        if isinstance(held, LeaseHeldError):
            ingestor = Ingestor(workspace, target, options, _toolbox(workspace, options, whole=False), None, set())
            rows += _all_of(ingestor, what, stop, meter, options.workers)
        else:
            _take_all(workspace, target, options, what, held, rows, stop, meter)
        meter.finish()
    waiting = held.holder if isinstance(held, LeaseHeldError) else ""
    rows = _with_copies(workspace, rows)
    report = IngestReport(location.name, tuple(rows), waiting)
    _log.info("ingested", location=location.name, **_figures(rows, len(what)))
    return report


def _take_all(
    workspace: Workspace,
    target: IngestTarget,
    options: IngestOptions,
    what: Sequence[Given],
    held: tuple[Lease, str],
    rows: list[IngestRow],
    stop: threading.Event,
    meter: ProgressMeter,
) -> None:
    """Take a batch in under the lease of the location."""
    lease, run_id = held
    known: set[str] = set()
    writer = BatchWriter(
        workspace.catalog,
        target.location.location_id,
        run_id,
        known,
        frozenset(),
        {},
        {},
        _batched(workspace.settings, options.batch_size),
        lease.check,
        telling(workspace, target.location, run_id),
    )
    settle_told(workspace, target.location)
    ingestor = Ingestor(workspace, target, options, _toolbox(workspace, options), writer, known)
    try:
        try:
            for row in _all_of(ingestor, what, stop, meter, options.workers):
                rows.append(row)
        finally:
            # Also after an error: what is stored is whole, so it is kept.
            writer.commit()
    except DeepLensError as error:
        error.reports = (*rows, ingestor.begun) if ingestor.begun is not None else tuple(rows)
        raise
    if writer.indexed:
        workspace.catalog.compact()


def _all_of(
    ingestor: Ingestor, what: Sequence[Given], stop: threading.Event, meter: ProgressMeter, workers: int
) -> Iterable[IngestRow]:
    """A row for each thing, in their order, however many are looked at at the same time."""
    taken = (
        _one_by_one(ingestor, what, stop) if workers == 1 else _ahead(ingestor, what, stop, default_workers(workers))
    )
    for row in taken:
        meter.advance(failures=row.state in (IngestState.REFUSED, IngestState.FAILED))
        yield row


def _one_by_one(ingestor: Ingestor, what: Sequence[Given], stop: threading.Event) -> Iterator[IngestRow]:
    for given in what:
        if stop.is_set():
            return
        yield ingestor.take(given)


def _ahead(ingestor: Ingestor, what: Sequence[Given], stop: threading.Event, workers: int) -> Iterator[IngestRow]:
    """Read and analyse the next ones in threads while one is stored; each is stored in its turn."""
    waiting: deque[tuple[Given, Future[Looked]]] = deque()
    things = iter(what)
    with ThreadPoolExecutor(workers, thread_name_prefix="ingest") as pool:
        try:
            while not stop.is_set():
                for given in islice(things, workers - len(waiting)):
                    waiting.append((given, pool.submit(ingestor.look, given, ahead=True)))
                if not waiting:
                    return
                given, looked = waiting.popleft()
                yield ingestor.take(given, looked.result)
        finally:
            for _, looked in waiting:
                looked.cancel()


def _toolbox(workspace: Workspace, options: IngestOptions, *, whole: bool = True) -> Toolbox:
    """What the pictures are looked at with; without features where nothing keeps them, or nobody wants them now."""
    settings = workspace.settings
    extractors = tuple(available(settings.features).extractors.values()) if whole and options.features else ()
    thumbnails = workspace.thumbnails if whole and options.thumbnails else None
    return Toolbox(extractors, settings.decode, thumbnails, settings.index.niceness)


def _batched(settings: WorkspaceSettings, size: int | None) -> WorkspaceSettings:
    """The settings with so many pictures in a commit."""
    return settings if size is None else replace(settings, index=replace(settings.index, commit_pictures=size))


def _with_copies(workspace: Workspace, rows: list[IngestRow]) -> list[IngestRow]:
    """Say of each new picture what it is a copy of, those that came before it in the batch among it."""
    new = [row.digest for row in rows if row.state == IngestState.STORED and row.indexed and row.digest]
    if not new:
        return rows
    # Once the whole batch is in the catalog: then the pictures of all are read once.
    copies = copies_of(workspace, list(dict.fromkeys(new)), min(_COPIES_TOLD + len(new), _MOST_ASKED))
    later = set(new)
    told = []
    for row in rows:
        later.discard(row.digest or "")
        if row.state == IngestState.STORED:
            found = [place for place in copies.get(row.digest or "", []) if place.digest not in later]
            matches = (*row.matches, *found[:_COPIES_TOLD])
            said = f"You have this picture already: {matches[0].words}" if matches else ""
            row = replace(row, matches=matches, message=f"{row.message} {said}".strip())
        told.append(row)
    return told


def _figures(rows: Sequence[IngestRow], given: int) -> dict[str, object]:
    counts = Counter(str(row.state) for row in rows)
    sizes = sum(row.size_bytes or 0 for row in rows if row.state == IngestState.STORED)
    told: dict[str, object] = {str(state): counts[str(state)] for state in IngestState}
    return told | {"stored_bytes": sizes, "not_begun": given - len(rows)}
