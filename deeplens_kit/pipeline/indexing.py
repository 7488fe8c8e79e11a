"""Index locations one after the other, then match.

Takes an open workspace and names of locations, gives a report per location. Must not change a file of the user.
Stopping at any moment (an interrupt, a kill, a full disk) loses at most the uncommitted batch; the next run goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from deeplens_kit.errors import Interrupted, LeaseHeldError, LocationError, SettingsError
from deeplens_kit.features import check_runtime
from deeplens_kit.ledger import Location
from deeplens_kit.pipeline.graph import MatchReport, match
from deeplens_kit.pipeline.index_report import IndexReport, RunOptions
from deeplens_kit.pipeline.location_run import index_location
from deeplens_kit.pipeline.price_file import workspace_prices
from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.spending import Budget, Spending, budgeted
from deeplens_kit.pipeline.throttle import Throttle, held_back
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import get_logger

__all__ = ["index"]

_log = get_logger(__name__)


def index(
    workspace: Workspace,
    names: Sequence[str] | None = None,
    *,
    workers: int | None = None,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    and_match: bool = True,
    accept_gone: bool = False,
    retry_failed: bool | Collection[str] = False,
    throttle: Throttle | None = None,
    budget: Budget | None = None,
    matched: Callable[[MatchReport], object] | None = None,
) -> list[IndexReport]:
    """Index the locations named, or all active ones, and bring the neighbour graph up to date.

    A location that cannot be used does not keep the others from being indexed and matched; its error comes last.

    Args:
        workspace: An open workspace.
        names: Names of locations; None or empty for all active ones.
        workers: Threads that decode and extract; None for the setting, 0 for all cores.
        progress: Told how it goes, in this thread.
        stop: Set it to end cleanly: what was read is committed, and Interrupted is raised.
        and_match: Find pairs afterwards.
        accept_gone: Take a location at its word that lists nothing of what it held.
        retry_failed: Read files again that failed, though they did not change; all of them, or those that failed with
            one of these codes. What crashed a decoder or kept it too long is tried again only so.
        throttle: What the run may take of the machine; None for the settings.
        budget: What it may read over networks; what that does not reach is left for the next run.
        matched: Told what matching found, where there was something to match.

    Returns:
        A report per location, in the order in which they were indexed: what lies on this machine first, and last the
        storages whose listings tell what was read before.

    Raises:
        UnknownNameError: A location that does not exist.
        SettingsError: The environment mixes packages that exclude each other.
        LocationError: A location cannot be listed, or lists empty where it held objects; nothing is marked gone. The
            first such error; `reports` on it are those of the other locations, `others` their errors.
        LeaseHeldError: Another run works on a location; as above.
        Interrupted: `stop` was set; `reports` on it are those so far.
    """
    check_runtime()
    stop = stop or threading.Event()
    locations = [workspace.ledger.location(name) for name in names] if names else workspace.ledger.locations()
    retry = (None if retry_failed else frozenset()) if isinstance(retry_failed, bool) else frozenset(retry_failed)
    with held_back(workspace, replace(throttle or Throttle(), workers=workers)) as (held, count):
        if budget is not None:
            held.spending = _spending(held, budget, {item.name for item in locations})
        options = RunOptions(count, accept_gone=accept_gone, retry=retry)
        return _index(held, locations, options, progress, stop, matched, and_match=and_match)


def _spending(workspace: Workspace, budget: Budget, indexed: Collection[str]) -> Spending:
    """What a run with a budget may spend at the locations behind a network.

    Those that are not indexed count too: matching may read their pictures again.
    """
    book = workspace_prices(workspace)
    locations = workspace.ledger.locations(inactive=True)
    remote = [(item.location_id, item.name) for item in locations if workspace.kind_of(item).over_network]
    return budgeted(budget, remote, {name: book.of(name) for _, name in remote} if book else {}, indexed)


def _in_working_order(workspace: Workspace, locations: Sequence[Location]) -> list[Location]:
    """Cheap reading first: what it finds need not be read where a listing has checksums."""

    def costs(location: Location) -> tuple[bool, bool]:
        try:
            kind = workspace.kind_of(location)
        except SettingsError:
            return False, False  # told of when its turn comes
        return kind.over_network, kind.lists_checksums

    return sorted(locations, key=costs)


def _index(
    workspace: Workspace,
    locations: Sequence[Location],
    options: RunOptions,
    progress: ProgressListener | None,
    stop: threading.Event,
    matched: Callable[[MatchReport], object] | None,
    *,
    and_match: bool,
) -> list[IndexReport]:
    reports: list[IndexReport] = []
    failed: list[LocationError | LeaseHeldError | SettingsError] = []
    inputs = None
    for location in _in_working_order(workspace, locations):
        try:
            report, inputs = index_location(workspace, location, options, progress, stop)
            reports.append(report)
        except (LocationError, LeaseHeldError, SettingsError) as error:
            # Options that are not allowed any more, or a credential that is missing, are its own too.
            _log.info("location left out", location=location.name, reason=str(error))
            failed.append(error)
            inputs = None  # it may have committed rows before
        if stop.is_set():
            interrupted = Interrupted("Stopped; what was read is kept. Index again to go on.")
            interrupted.reports = tuple(reports)
            raise interrupted
    if and_match:
        try:
            found = match(workspace, workers=options.workers, progress=progress, stop=stop, inputs=inputs)
        except Interrupted as error:
            error.reports = tuple(reports)
            raise
        if matched is not None and found is not None:
            matched(found)
    if reports:
        from deeplens_kit.pipeline.rating import label_kept_ratings

        # What people said of pictures that were searched for before they were indexed.
        label_kept_ratings(workspace)
    if failed:
        failed[0].reports, failed[0].others = tuple(reports), tuple(failed[1:])
        raise failed[0]
    return reports
