"""Index locations: scan, read and analyse what is new, commit, take out what is gone, match.

Takes an open workspace and names of locations, gives a report per location. Must not change a file of the user.
Stopping at any moment (an interrupt, a kill, a full disk) loses at most the uncommitted batch; the next run goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime

import polars as pl

from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.decode import DECODE_SPEC
from deeplens_kit.errors import DeepLensError, Interrupted
from deeplens_kit.features import available
from deeplens_kit.ledger import Lease, Location
from deeplens_kit.pipeline.analysis import Analysed, Toolbox, analyse
from deeplens_kit.pipeline.execution import Flow, run_flow
from deeplens_kit.pipeline.graph import match
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.reading import Content, DigestClaims, ObjectRead, ObjectReader, ReadFailure, ReadTask
from deeplens_kit.pipeline.scan import ROW_COLUMNS, ScanResult, scan
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.pipeline.writing import BatchWriter
from deeplens_kit.schemas import FAILURES, LISTING, OBJECTS, PICTURES, Outcome
from deeplens_kit.storage import ObjectStat
from deeplens_kit.telemetry import bound_context, get_logger, span

__all__ = ["IndexReport", "index"]

_log = get_logger(__name__)
_SCAN_COLUMNS = [*ROW_COLUMNS, "digest"]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run did at one location; counts are objects unless they say otherwise.

    Attributes:
        location: Name of the location.
        run_id: The run, as on every row that it wrote.
        state: "finished", "interrupted" or "failed".
        found: Objects listed.
        new: Not in the catalog before.
        changed: With another change token than before.
        unchanged: With the same; not read, unless a feature is missing.
        gone: No longer there; their rows are removed.
        read_files: Objects whose bytes were read.
        read_bytes: Bytes read.
        indexed: Read objects that are pictures.
        pictures: Distinct pictures analysed.
        failures: Read objects that are not, with a row each in `failures`.
        skipped: What the listing left out, by reason.
        problems: Folders that could not be listed.
        missing_features: Features that could not be computed, with the reason.
        seconds: Wall time.
    """

    location: str
    run_id: str
    state: str = "finished"
    found: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    gone: int = 0
    read_files: int = 0
    read_bytes: int = 0
    indexed: int = 0
    pictures: int = 0
    failures: int = 0
    problems: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    missing_features: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def index(
    workspace: Workspace,
    names: Sequence[str] | None = None,
    *,
    workers: int | None = None,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    and_match: bool = True,
) -> list[IndexReport]:
    """Index the locations named, or all of them, and bring the neighbour graph up to date.

    Args:
        workspace: An open workspace.
        names: Names of locations; None or empty for all active ones.
        workers: Threads that decode and extract; None for the setting, 0 for all cores.
        progress: Told how it goes, in this thread.
        stop: Set it to end cleanly: what was read is committed, and Interrupted is raised.
        and_match: Find pairs afterwards.

    Returns:
        A report per location, in the order of `names`.

    Raises:
        UnknownNameError: A location that does not exist.
        LocationError: A location cannot be listed, or lists empty where it held objects; nothing is marked gone.
        LeaseHeldError: Another run works on a location.
        Interrupted: `stop` was set.
    """
    stop = stop or threading.Event()
    locations = [workspace.ledger.location(name) for name in names] if names else workspace.ledger.locations()
    count = default_workers(workspace.settings.index.workers if workers is None else workers)
    reports = []
    for location in locations:
        reports.append(_index_location(workspace, location, count, progress, stop))
        if stop.is_set():
            raise Interrupted("Stopped; what was read is kept. Run `deeplens index` again to go on.")
    if and_match:
        match(workspace, workers=count, progress=progress, stop=stop)
    return reports


def _index_location(
    workspace: Workspace,
    location: Location,
    workers: int,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> IndexReport:
    """One run under a lease: whatever happens in it, its end is recorded in the ledger."""
    ledger, settings = workspace.ledger, workspace.settings.index
    with (
        ledger.leased_run("index", location, asdict(settings), stale_seconds=settings.lease_stale_seconds) as (
            lease,
            recorded,
        ),
        bound_context(run_id=recorded.run_id),
    ):
        run = _Run(workspace, location, recorded.run_id, lease, workers, progress, stop)
        try:
            run.carry_out()
        except BaseException as error:
            state = "interrupted" if isinstance(error, KeyboardInterrupt | Interrupted) else "failed"
            message = str(error) if isinstance(error, DeepLensError) else type(error).__name__
            ledger.finish_run(recorded.run_id, state, _figures(run.report(state)), message=message)
            raise
        report = run.report("interrupted" if stop.is_set() else "finished")
        ledger.finish_run(recorded.run_id, report.state, _figures(report))
        _log.info("indexed", **_figures(report))
        return report


class _Run:
    """The steps of one run at one location, and what has come of them so far."""

    def __init__(
        self,
        workspace: Workspace,
        location: Location,
        run_id: str,
        lease: Lease,
        workers: int,
        progress: ProgressListener | None,
        stop: threading.Event,
    ) -> None:
        self._workspace, self._location, self._run_id, self._lease = workspace, location, run_id, lease
        self._workers, self._progress, self._stop = workers, progress, stop
        self._began = time.monotonic()
        self._found: ScanResult | None = None
        self._writer: BatchWriter | None = None
        self._missing: Mapping[str, str] = {}

    def carry_out(self) -> None:
        """List, compare, read and analyse, commit, take out what is gone."""
        workspace, location = self._workspace, self._location
        held = workspace.catalog.objects(location.location_id, columns=_SCAN_COLUMNS)
        found = self._found = _scan(workspace, location, held, self._progress)
        _record_problems(workspace, location, found, self._run_id)
        _relink(workspace, location, found, self._run_id)
        tools = available(workspace.settings.features)
        self._missing = dict(tools.missing)
        toolbox = Toolbox(tuple(tools.extractors.values()), workspace.settings.decode, workspace.thumbnails)
        pictures = workspace.catalog.pictures(columns=["digest", "features", "decode_spec"])
        complete = _complete(pictures, toolbox)
        tasks = _tasks(found, complete, lacking=complete.len() < pictures.height)
        # A re-scan that reads nothing need not make a hundred thousand Python texts.
        known = frozenset(complete) if tasks else frozenset()
        failing = frozenset(workspace.catalog.failures(location.location_id)["object_id"])
        writer = self._writer = BatchWriter(
            workspace.catalog,
            location.location_id,
            self._run_id,
            known,
            failing,
            workspace.settings.index,
            self._lease.check,
        )
        try:
            self._analyse(tasks, toolbox, writer)
        finally:
            # Also after an error: what is settled is whole, so it is kept.
            writer.commit()
        if not self._stop.is_set():
            _take_out(workspace, found)

    def _analyse(self, tasks: Sequence[ReadTask], toolbox: Toolbox, writer: BatchWriter) -> None:
        if not tasks:
            return
        storage = self._workspace.kind_of(self._location)
        reader = ObjectReader(storage, DigestClaims(writer.known), toolbox.decode.max_bytes)
        flow: Flow[ReadTask, Content, ObjectRead | ReadFailure | Analysed] = Flow(
            read=reader.read,
            size_of=lambda task: task.stat.size_bytes,
            work=lambda contents: [analyse(contents, toolbox)],
            readers=self._workers,
            workers=self._workers,
            batch_size=self._workspace.settings.features.batch_size,
        )
        meter = ProgressMeter(self._progress, self._location.name, "index", len(tasks))
        for result in run_flow(flow, tasks, self._stop):
            failed, read = writer.failures, writer.read_bytes
            settled = writer.add(result)
            meter.advance(settled, failures=writer.failures - failed, bytes_read=writer.read_bytes - read)
        meter.finish()

    def report(self, state: str) -> IndexReport:
        """What has come of the run so far."""
        report = IndexReport(
            location=self._location.name,
            run_id=self._run_id,
            state=state,
            missing_features=self._missing,
            seconds=time.monotonic() - self._began,
        )
        if (found := self._found) is not None:
            report = replace(
                report,
                found=found.found,
                new=found.new.height,
                changed=found.changed.height,
                unchanged=found.unchanged.height,
                gone=len(found.gone),
                problems=len(found.problems),
                skipped={str(reason): count for reason, count in found.skipped.items()},
            )
        if (writer := self._writer) is not None:
            report = replace(
                report,
                read_files=writer.read_files,
                read_bytes=writer.read_bytes,
                indexed=writer.indexed,
                pictures=writer.pictures,
                failures=writer.failures,
            )
        return report


def _scan(
    workspace: Workspace, location: Location, held: pl.DataFrame, progress: ProgressListener | None
) -> ScanResult:
    meter = ProgressMeter(progress, location.name, "scan", None)
    with span("scan"):
        found = scan(
            workspace.kind_of(location), held, skip=workspace.own_paths(), exclude=workspace.settings.index.exclude
        )
    meter.advance(found.found)
    meter.finish()
    return found


def _relink(workspace: Workspace, location: Location, found: ScanResult, run_id: str) -> None:
    """Objects whose hard links changed get their rows anew; their content is the same, so none is read."""
    if found.relinked.is_empty():
        return
    links = found.relinked.select("path", "link_id", "link_count")
    rows = workspace.catalog.objects(location.location_id).drop("link_id", "link_count").join(links, on="path")
    objects = OBJECTS.check(rows.with_columns(run_id=pl.lit(run_id)))
    workspace.catalog.write_batch(CatalogBatch(objects, PICTURES.empty(), FAILURES.empty(), [], {}))


def _record_problems(workspace: Workspace, location: Location, found: ScanResult, run_id: str) -> None:
    """Folders that cannot be listed are rows in `failures`, until they can."""
    now = datetime.now(UTC)
    rows = [
        {
            "object_id": f"{location.location_id}/{problem.path}",
            "location_id": location.location_id,
            "path": problem.path,
            "size_bytes": None,
            "digest": None,
            "stage": "list",
            "code": problem.code,
            "message": problem.message,
            "failed_at": now,
            "run_id": run_id,
        }
        for problem in found.problems
    ]
    before = workspace.catalog.failures(location.location_id).filter(pl.col("stage") == "list")["object_id"]
    cleared = sorted(set(before) - {str(row["object_id"]) for row in rows})
    if rows or cleared:
        failures = pl.DataFrame(rows, schema=FAILURES.polars)
        workspace.catalog.write_batch(CatalogBatch(OBJECTS.empty(), PICTURES.empty(), failures, cleared, {}))


def _complete(pictures: pl.DataFrame, toolbox: Toolbox) -> pl.Series:
    """Digests that need no analysis: decoded by the present path, with every feature that can be computed."""
    wanted = {item.spec.key for item in toolbox.extractors}
    whole = [keys for keys in pictures["features"].unique() if wanted <= set(keys.split(","))]
    present = pictures.filter(pl.col("features").is_in(whole) & (pl.col("decode_spec") == DECODE_SPEC))
    return present["digest"]


def _tasks(found: ScanResult, complete: pl.Series, *, lacking: bool) -> list[ReadTask]:
    """What to read: new and changed objects, and one object of each picture that lacks a feature."""
    frames = [found.new, found.changed]
    if lacking:
        incomplete = found.unchanged.filter(
            (pl.col("outcome") == Outcome.INDEXED) & ~pl.col("digest").is_in(complete.implode())
        )
        frames.append(incomplete.sort("path").unique("digest", keep="first", maintain_order=True))
    columns = ["path", *[name for name in LISTING.names if name != "path"]]
    chosen = pl.concat([frame.select(columns) for frame in frames])
    return [ReadTask(path, ObjectStat(*state)) for path, *state in chosen.iter_rows()]


def _take_out(workspace: Workspace, found: ScanResult) -> None:
    """Remove rows of what is gone, after the new rows stand: a moved file is never decoded twice."""
    catalog = workspace.catalog
    if found.gone:
        catalog.remove_objects(found.gone)
    if found.gone or found.changed.height or found.new.height:
        catalog.sweep()
        catalog.compact()


def _figures(report: IndexReport) -> dict[str, object]:
    return {name: value for name, value in asdict(report).items() if name != "run_id"}
