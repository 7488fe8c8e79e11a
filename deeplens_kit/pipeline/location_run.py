"""One run at one location: scan, read and analyse what is new, commit, take out what is gone.

Takes an open workspace and a location, gives a report; must not change a file of the user. Every row is written under
the lease of the location.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TypeAlias

import polars as pl

from deeplens_kit.errors import DeepLensError, Interrupted
from deeplens_kit.features import available
from deeplens_kit.ledger import ImageStage, Lease, Location
from deeplens_kit.pipeline.adding_features import add_features, additions
from deeplens_kit.pipeline.analysis import Analysed, AnalysisFailure, Toolbox, analyse
from deeplens_kit.pipeline.execution import Flow, run_flow
from deeplens_kit.pipeline.graph import GRAPH_INPUTS
from deeplens_kit.pipeline.identifying import KnownContents, promising_first
from deeplens_kit.pipeline.index_report import IndexReport, RunOptions
from deeplens_kit.pipeline.kept_out import load_kept_out
from deeplens_kit.pipeline.known_failures import known_failures
from deeplens_kit.pipeline.listing_rows import record_problems, relink
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.read_tasks import complete_pictures, read_tasks
from deeplens_kit.pipeline.reading import (
    Content,
    DigestClaims,
    LeftForLater,
    ObjectRead,
    ObjectReader,
    ReadFailure,
    ReadTask,
)
from deeplens_kit.pipeline.scan import ROW_COLUMNS, ScanResult, scan
from deeplens_kit.pipeline.stage_telling import GONE, settle_told, telling
from deeplens_kit.pipeline.throttle import RateLimit, step_back
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.pipeline.writing import BatchWriter
from deeplens_kit.schemas import Outcome
from deeplens_kit.storage import LocationKind, ObjectStat
from deeplens_kit.telemetry import bound_context, get_logger, span

__all__ = ["index_location"]

_log = get_logger(__name__)
FlowResult: TypeAlias = ObjectRead | ReadFailure | LeftForLater | Analysed
"""What comes of a task, or of the contents of several."""

_SCAN_COLUMNS = [*ROW_COLUMNS, "digest"]
_FOLDERS_REPORTED = 100


def index_location(
    workspace: Workspace,
    location: Location,
    options: RunOptions,
    progress: ProgressListener | None,
    stop: threading.Event,
) -> tuple[IndexReport, pl.DataFrame | None]:
    """Index one location under its lease; whatever happens, the end of the run is recorded in the ledger.

    Returns:
        The report, and GRAPH_INPUTS of all pictures where the run changed no row: matching need not read them again.

    Raises:
        LocationError: It cannot be listed, or lists nothing of what it held.
        LeaseHeldError: Another run works on it.
        StoreFullError: A disk is full; what was committed is kept.
    """
    ledger, settings = workspace.ledger, workspace.settings.index
    # One object for listing and reading: it remembers which disk it listed, and stops when another stands there.
    storage = workspace.kind_of(location)
    with (
        ledger.leased_run("index", location, asdict(settings), stale_seconds=settings.lease_stale_seconds) as (
            lease,
            recorded,
        ),
        bound_context(run_id=recorded.run_id),
    ):
        run = _Run(workspace, location, recorded.run_id, storage, lease, options, progress, stop)
        try:
            run.carry_out()
        except BaseException as error:
            state = "interrupted" if isinstance(error, KeyboardInterrupt | Interrupted) else "failed"
            message = str(error) if isinstance(error, DeepLensError) else type(error).__name__
            ledger.finish_run(recorded.run_id, state, _figures(run.report(state)), message=message)
            raise
        finally:
            storage.close()
        report = run.report("interrupted" if stop.is_set() else "finished")
        ledger.finish_run(recorded.run_id, report.state, _figures(report))
        _log.info("indexed", **_figures(report))
        return report, run.untouched


class _Run:
    """The steps of one run at one location, and what has come of them so far."""

    def __init__(
        self,
        workspace: Workspace,
        location: Location,
        run_id: str,
        storage: LocationKind,
        lease: Lease,
        options: RunOptions,
        progress: ProgressListener | None,
        stop: threading.Event,
    ) -> None:
        self._workspace, self._location, self._run_id, self._lease = workspace, location, run_id, lease
        self._options, self._progress, self._stop = options, progress, stop
        self._storage = storage
        self._began = time.monotonic()
        self._kept_out = load_kept_out(workspace.directory)
        self._found: ScanResult | None = None
        self._writer: BatchWriter | None = None
        self._missing: Mapping[str, str] = {}
        self._from_thumbnails = 0
        self.untouched: pl.DataFrame | None = None

    def carry_out(self) -> None:
        """List, compare, read and analyse, commit, take out what is gone."""
        workspace, location = self._workspace, self._location
        tell = telling(workspace, location, self._run_id)
        settle_told(workspace, location)
        found = self._found = self._scan()
        self._lease.check()
        record_problems(workspace, location, found, self._run_id)
        relink(workspace, location, found, self._run_id)
        tools = available(workspace.settings.features)
        self._missing = dict(tools.missing)
        toolbox = Toolbox(
            tuple(tools.extractors.values()),
            workspace.settings.decode,
            workspace.thumbnails,
            workspace.settings.index.niceness,
        )
        pictures = workspace.catalog.pictures(columns=GRAPH_INPUTS)
        complete = complete_pictures(pictures, toolbox)
        if complete.len() < pictures.height:
            complete = pl.concat([complete, self._add_features(found, pictures, toolbox)])
        failures = workspace.catalog.failures(location.location_id)
        tasks = read_tasks(
            found,
            complete,
            failures,
            workspace.settings.decode,
            self._options.retry,
            lacking=complete.len() < pictures.height,
            kept_out=self._kept_out.version,
        )
        # A re-scan that reads nothing need not make a hundred thousand Python texts.
        known = frozenset(complete) if tasks else frozenset()
        writer = self._writer = BatchWriter(
            workspace.catalog,
            location.location_id,
            self._run_id,
            known,
            frozenset(failures["object_id"]),
            self._failing_contents(pictures) if tasks else {},
            self._measured() if tasks else {},
            workspace.settings,
            self._lease.check,
            tell,
            kept_out=self._kept_out,
        )
        try:
            self._settle(tasks, complete, toolbox, writer)
        finally:
            # Also after an error: what is settled is whole, so it is kept.
            writer.commit()
        written = bool(tasks or self._from_thumbnails)
        if not self._stop.is_set():
            assert writer.waiting == 0, f"{writer.waiting} objects wait for pictures that nobody analyses"
            self._lease.check()
            with tell([ImageStage(object_id, GONE) for object_id in found.gone]):
                _take_out(workspace, found, written=written)
        if not (written or found.gone):
            self.untouched = pictures

    def _add_features(self, found: ScanResult, pictures: pl.DataFrame, toolbox: Toolbox) -> pl.Series:
        """Give pictures of unchanged objects the features that their thumbnails suffice for; digests of these."""
        indexed = found.unchanged.filter(pl.col("outcome") == Outcome.INDEXED)["digest"]
        wanted = additions(self._workspace, pictures, toolbox, indexed)
        if not wanted:
            return pictures["digest"].clear()
        meter = ProgressMeter(
            self._progress, self._location.name, "features", sum(len(item.digests) for item in wanted)
        )
        added = add_features(
            self._workspace,
            wanted,
            workers=self._options.workers,
            run_id=self._run_id,
            before_commit=self._lease.check,
            meter=meter,
            stop=self._stop,
        )
        meter.finish()
        self._from_thumbnails = added.len()
        return added

    def _measured(self) -> dict[str, dict[str, object]]:
        """What matching measured of pictures, by digest: analysing them again changes none of it."""
        measured = self._workspace.catalog.pictures(columns=["digest", "effective_pixels", "samples"])
        some = measured.filter(~pl.all_horizontal(pl.exclude("digest").is_null()))
        return {str(row.pop("digest")): row for row in some.iter_rows(named=True)}

    def _scan(self) -> ScanResult:
        workspace, location = self._workspace, self._location
        meter = ProgressMeter(self._progress, location.name, "scan", None)
        held = workspace.catalog.objects(location.location_id, columns=_SCAN_COLUMNS)
        with span("scan"):
            found = scan(
                self._storage,
                held,
                skip=workspace.own_paths(),
                exclude=workspace.settings.index.exclude,
                accept_gone=self._options.accept_gone,
            )
        workspace.spending.listed(location.location_id, found.found)
        meter.advance(found.found)
        meter.finish()
        return found

    def _failing_contents(self, pictures: pl.DataFrame) -> dict[str, AnalysisFailure]:
        """Contents that are not tried in this run, by digest."""
        if self._options.retry is None:
            return {}
        workspace = self._workspace
        return known_failures(
            workspace.catalog.failures(),
            workspace.settings.decode,
            asked=self._options.retry,
            indexed=pictures["digest"],
        )

    def _settle(self, tasks: list[ReadTask], complete: pl.Series, toolbox: Toolbox, writer: BatchWriter) -> None:
        """Identify what can be without reading it, read the rest; equal checksums wait until one of them was read."""
        if not tasks:
            return
        found = self._found
        assert found is not None, "a run reads after it has scanned"
        catalog = self._workspace.catalog
        held = catalog.pictures(columns=["digest", "md5", "size_bytes"])
        # Only where the storage lists checksums are those of a million pictures of any use.
        listed = any(task.stat.checksum for task in tasks)
        contents = KnownContents(held.filter(pl.col("digest").is_in(complete.implode())) if listed else held.clear())
        if self._workspace.spending.is_limited:
            tasks = promising_first(tasks, held["size_bytes"], pl.concat([found.new, found.changed]))
        if self._storage.readers == 1:
            # What can only be read forwards is read in its own order, which is that of its listing.
            place = {path: number for number, path in enumerate(found.paths)}
            tasks = sorted(tasks, key=lambda task: place[task.path])
        meter = ProgressMeter(self._progress, self._location.name, "index", len(tasks))
        claims = DigestClaims(writer.known | writer.failed.keys())
        known, first, waiting = contents.split(tasks)
        self._take(known, writer, meter)
        self._take(self._read(first, contents, claims, toolbox), writer, meter)
        if waiting and not self._stop.is_set():
            known, again, others = contents.split(waiting)
            self._take(known, writer, meter)
            self._take(self._read(again + others, contents, claims, toolbox), writer, meter)
        meter.finish()

    def _take(self, results: Iterable[FlowResult], writer: BatchWriter, meter: ProgressMeter) -> None:
        for result in results:
            failed, read = writer.failures, writer.read_bytes
            settled = writer.add(result)
            meter.advance(settled, failures=writer.failures - failed, bytes_read=writer.read_bytes - read)

    def _read(
        self, tasks: Sequence[ReadTask], contents: KnownContents, claims: DigestClaims, toolbox: Toolbox
    ) -> Iterator[FlowResult]:
        """Read tasks and analyse what they hold; every digest that we compute identifies later ones."""
        if not tasks:
            return
        settings, storage, spending = self._workspace.settings, self._storage, self._workspace.spending
        location_id = self._location.location_id

        def without_reading(task: ReadTask) -> ObjectRead | None:
            if not contents.worth_asking(task) or not spending.ask(location_id):
                return None
            return contents.identified(task, storage.checksum(task.path))

        rates = [RateLimit(limit) for limit in (settings.index.max_read_bytes_per_second, storage.max_bytes_per_second)]
        aborted = threading.Event()

        def allowed(state: ObjectStat) -> bool:
            """Ask the budget, then wait for the turn to read: what is not read keeps nobody waiting."""
            if not spending.take(location_id, state.size_bytes, state.storage_class):
                return False
            for rate in rates:
                rate.wait(state.size_bytes, lambda: self._stop.is_set() or aborted.is_set())
            return True

        reader = ObjectReader(
            storage,
            claims,
            toolbox.decode.max_bytes,
            allowed=allowed,
            without_reading=without_reading,
            kept_out=self._kept_out,
        )
        flow: Flow[ReadTask, Content, FlowResult] = Flow(
            read=reader.read,
            size_of=lambda task: task.stat.size_bytes,
            work=lambda batch: [analyse(batch, toolbox)],
            # What is waited for over a network overlaps with decoding.
            readers=storage.readers or self._options.workers,
            workers=self._options.workers,
            batch_size=settings.features.batch_size,
            budget_bytes=settings.index.max_waiting_bytes,
            begin=lambda: step_back(settings.index.niceness),
        )
        for result in run_flow(flow, tasks, self._stop, aborted):
            if isinstance(result, ObjectRead) and result.md5:
                contents.add(result.digest, result.md5, result.task.stat.size_bytes)
            yield result

    def report(self, state: str) -> IndexReport:
        """What has come of the run so far."""
        report = IndexReport(
            location=self._location.name,
            run_id=self._run_id,
            state=state,
            missing_features=self._missing,
            from_thumbnails=self._from_thumbnails,
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
                found_bytes=found.sizes_bytes["found"],
                unchanged_bytes=found.sizes_bytes["unchanged"],
                gone_bytes=found.sizes_bytes["gone"],
                problems=len(found.problems),
                skipped={str(reason): count for reason, count in found.skipped.items()},
                skipped_folders=tuple(
                    (folder.path, str(folder.reason)) for folder in found.skipped_folders[:_FOLDERS_REPORTED]
                ),
            )
        if (writer := self._writer) is not None:
            report = replace(
                report,
                read_files=writer.read_files,
                read_bytes=writer.read_bytes,
                indexed=writer.indexed,
                pictures=writer.pictures,
                failures=writer.failures,
                identified=writer.identified,
                left=writer.left,
                left_bytes=writer.left_bytes,
            )
        return report


def _take_out(workspace: Workspace, found: ScanResult, *, written: bool) -> None:
    """Remove rows of what is gone, after the new rows stand: a moved file is never decoded twice."""
    catalog = workspace.catalog
    if found.gone:
        catalog.remove_objects(found.gone)
    if found.gone or written:
        catalog.sweep()
        catalog.compact()


def _figures(report: IndexReport) -> dict[str, object]:
    return {name: value for name, value in asdict(report).items() if name != "run_id"}
