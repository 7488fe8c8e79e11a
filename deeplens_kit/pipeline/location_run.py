"""One run at one location: scan, read and analyse what is new, commit, take out what is gone.

Takes an open workspace and a location, gives a report; must not change a file of the user. Every row is written under
the lease of the location.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import polars as pl

from deeplens_kit.decode import DECODE_SPEC
from deeplens_kit.errors import DeepLensError, Interrupted
from deeplens_kit.features import available
from deeplens_kit.ledger import Lease, Location
from deeplens_kit.pipeline.analysis import Analysed, AnalysisFailure, Toolbox, analyse
from deeplens_kit.pipeline.execution import Flow, run_flow
from deeplens_kit.pipeline.graph import GRAPH_INPUTS
from deeplens_kit.pipeline.known_failures import known_failures, settled
from deeplens_kit.pipeline.listing_rows import record_problems, relink
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.reading import Content, DigestClaims, ObjectRead, ObjectReader, ReadFailure, ReadTask
from deeplens_kit.pipeline.scan import ROW_COLUMNS, ScanResult, scan
from deeplens_kit.pipeline.throttle import RateLimit, step_back
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.pipeline.writing import BatchWriter
from deeplens_kit.schemas import LISTING, Outcome
from deeplens_kit.storage import LocationKind, ObjectStat
from deeplens_kit.telemetry import bound_context, get_logger, span

__all__ = ["IndexReport", "RunOptions", "index_location"]

_log = get_logger(__name__)
_SCAN_COLUMNS = [*ROW_COLUMNS, "digest"]
# Failures of the moment rather than of the content: their files are read again by every run.
_PASSING_CODES = ("unreadable", "permission", "gone", "placeholder", "changed_while_read")
_FOLDERS_REPORTED = 100


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run goes.

    Attributes:
        workers: Threads that read, and as many that decode and extract; at least 1.
        accept_gone: Take a location at its word that lists nothing of what it held.
        retry: Codes of failures whose files are read again though they did not change, those included that are not
            tried again by themselves; None for all codes.
    """

    workers: int
    accept_gone: bool = False
    retry: frozenset[str] | None = frozenset()


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
        found_bytes: Bytes of the objects listed.
        unchanged_bytes: Of those of them that are unchanged.
        gone_bytes: Of those no longer there, as they were.
        read_files: Objects whose bytes were read.
        read_bytes: Bytes read.
        indexed: Read objects that are pictures.
        pictures: Distinct pictures analysed.
        failures: Read objects that are not, with a row each in `failures`.
        skipped: What the listing left out, by reason.
        skipped_folders: Folders left out whole, at most 100 of them, each with the reason.
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
    found_bytes: int = 0
    unchanged_bytes: int = 0
    gone_bytes: int = 0
    read_files: int = 0
    read_bytes: int = 0
    indexed: int = 0
    pictures: int = 0
    failures: int = 0
    problems: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    skipped_folders: tuple[tuple[str, str], ...] = ()
    missing_features: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


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
        self._found: ScanResult | None = None
        self._writer: BatchWriter | None = None
        self._missing: Mapping[str, str] = {}
        self.untouched: pl.DataFrame | None = None

    def carry_out(self) -> None:
        """List, compare, read and analyse, commit, take out what is gone."""
        workspace, location = self._workspace, self._location
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
        complete = _complete(pictures, toolbox)
        failures = workspace.catalog.failures(location.location_id)
        tasks = _tasks(found, complete, lacking=complete.len() < pictures.height)
        tasks += self._retries(found, failures, complete)
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
        )
        try:
            self._analyse(tasks, toolbox, writer)
        finally:
            # Also after an error: what is settled is whole, so it is kept.
            writer.commit()
        if not self._stop.is_set():
            assert writer.waiting == 0, f"{writer.waiting} objects wait for pictures that nobody analyses"
            self._lease.check()
            _take_out(workspace, found, written=bool(tasks))
        if not (tasks or found.gone):
            self.untouched = pictures

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
        meter.advance(found.found)
        meter.finish()
        return found

    def _retries(self, found: ScanResult, failures: pl.DataFrame, complete: pl.Series) -> list[ReadTask]:
        """Unchanged files whose failure may have passed, and those that somebody asked for.

        What passes are lost connections, permissions that were mended, formats that an earlier version did not read,
        limits that were raised, and failures of bytes that were read elsewhere since.
        """
        stage, code, retry = pl.col("stage"), pl.col("code"), self._options.retry
        if retry is not None:
            passing = (stage == "read") & code.is_in(_PASSING_CODES)
            depends = ((stage == "decode") | (code == "too_large")) & ~settled(
                failures, self._workspace.settings.decode
            )
            read_since = pl.col("digest").is_in(complete.implode())
            failures = failures.filter(passing | depends | read_since | code.is_in(list(retry)))
        again = found.unchanged.join(failures.select("path"), on="path", how="semi").sort("path")
        return _read_tasks(again.filter(pl.col("outcome") != Outcome.INDEXED))

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

    def _analyse(self, tasks: Sequence[ReadTask], toolbox: Toolbox, writer: BatchWriter) -> None:
        if not tasks:
            return
        settings = self._workspace.settings
        claims = DigestClaims(writer.known | writer.failed.keys())
        reader = ObjectReader(self._storage, claims, toolbox.decode.max_bytes)
        rate = RateLimit(settings.index.max_read_bytes_per_second)
        flow: Flow[ReadTask, Content, ObjectRead | ReadFailure | Analysed] = Flow(
            read=reader.read,
            size_of=lambda task: task.stat.size_bytes,
            work=lambda contents: [analyse(contents, toolbox)],
            readers=self._options.workers,
            workers=self._options.workers,
            batch_size=settings.features.batch_size,
            budget_bytes=settings.index.max_waiting_bytes,
            begin=lambda: step_back(settings.index.niceness),
            wait_turn=rate.wait,
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
            )
        return report


def _complete(pictures: pl.DataFrame, toolbox: Toolbox) -> pl.Series:
    """Digests that need no analysis: decoded by the present path, with every feature that can be computed."""
    wanted = {item.spec.key for item in toolbox.extractors}
    whole = [keys for keys in pictures["features"].unique() if wanted <= set(keys.split(","))]
    present = pictures.filter(pl.col("features").is_in(whole) & (pl.col("decode_spec") == DECODE_SPEC))
    return present["digest"]


def _tasks(found: ScanResult, complete: pl.Series, *, lacking: bool) -> list[ReadTask]:
    """What to read: new and changed objects, and one object of each picture that lacks a feature."""
    tasks = _read_tasks(found.new) + _read_tasks(found.changed)
    if lacking:
        incomplete = found.unchanged.filter(
            (pl.col("outcome") == Outcome.INDEXED) & ~pl.col("digest").is_in(complete.implode())
        )
        once = incomplete.sort("path").unique("digest", keep="first", maintain_order=True)
        tasks += _read_tasks(once, indexed=True)
    return tasks


def _read_tasks(listed: pl.DataFrame, *, indexed: bool = False) -> list[ReadTask]:
    columns = ["path", *[name for name in LISTING.names if name != "path"]]
    return [ReadTask(path, ObjectStat(*state), indexed) for path, *state in listed.select(columns).iter_rows()]


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
