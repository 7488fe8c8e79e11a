"""Watch locations: look again by the clock and after changes, match what is new, say which of it is known already.

Takes an open workspace and an event that ends it, gives what came of each round to a listener; must not print, and
changes no file of a user. A location that cannot be used, or that another run works on, is told of and tried again: it
ends nothing. One look goes on at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from deeplens_kit.decode import close_decoders
from deeplens_kit.errors import (
    DeepLensError,
    Interrupted,
    LeaseHeldError,
    LocationError,
    SettingsError,
)
from deeplens_kit.pipeline.folder_events import ChangeSource, NoEvents
from deeplens_kit.pipeline.graph import MatchReport, match
from deeplens_kit.pipeline.index_report import IndexReport
from deeplens_kit.pipeline.indexing import index
from deeplens_kit.pipeline.new_duplicates import Arrivals, NewDuplicates
from deeplens_kit.pipeline.notify import Delivery, Notifier
from deeplens_kit.pipeline.rounds import Rounds
from deeplens_kit.pipeline.throttle import Throttle, held_back
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage.local import LocalLocation
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["WatchEvent", "WatchProblem", "WatchRound", "WatchStarted", "watch"]

_log = get_logger(__name__)

# Where nothing is due (no location is active), so often it is looked whether there is something now.
_IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class WatchStarted:
    """What is watched, and how.

    Attributes:
        locations: Names.
        followed: Of these, folders of which the system tells changes.
        not_followed: Folders of which it does not, with the reason as the end of a sentence.
        interval_seconds: From one look at a location to the next.
    """

    locations: tuple[str, ...]
    followed: tuple[str, ...]
    not_followed: tuple[tuple[str, str], ...]
    interval_seconds: float


@dataclass(frozen=True, slots=True)
class WatchProblem:
    """What did not go well in a round.

    Attributes:
        location: Name; empty where it was the matching.
        code: Of the error.
        message: In one line, without secrets.
        retry_seconds: Until it is tried again; None where that is the end.
        error: The error itself.
    """

    location: str
    code: str
    message: str
    retry_seconds: float | None
    error: Exception


@dataclass(frozen=True, slots=True)
class WatchRound:
    """What came of one round.

    Attributes:
        number: From 1.
        reports: Of the locations that were looked at.
        problems: What did not go well.
        match: What matching found; None where the pairs stood.
        found: New files, and the copies among them.
        seconds: It took.
    """

    number: int
    reports: tuple[IndexReport, ...]
    problems: tuple[WatchProblem, ...]
    match: MatchReport | None
    found: NewDuplicates
    seconds: float


WatchEvent: TypeAlias = WatchStarted | WatchRound | Delivery
"""What a listener is told."""


def watch(
    workspace: Workspace,
    names: Sequence[str] | None = None,
    *,
    tell: Callable[[WatchEvent], object],
    stop: threading.Event,
    once: bool = False,
    interval_seconds: float | None = None,
    changes: ChangeSource | None = None,
    notifier: Notifier | None = None,
    throttle: Throttle | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Watch locations until `stop` is set.

    Args:
        workspace: An open workspace.
        names: Names of locations; None or empty for all active ones, also those that are added meanwhile.
        tell: Told what is watched, then of every round and every message, in this thread.
        stop: Set it to end: what was read is committed.
        once: End after one round.
        interval_seconds: Between two looks at a location, at least 1; None for the setting.
        changes: Tells of changes in local folders; None for the clock alone. The caller closes it.
        notifier: Tells people of new copies.
        throttle: What a run may take of the machine; None for the settings.
        clock: Seconds, monotonic; the time that `changes` waits passes on it.

    Raises:
        UnknownNameError: A location that does not exist.
        SettingsError: An interval of less than a second, or the settings cannot be used.
    """
    interval = workspace.settings.watch.interval_seconds if interval_seconds is None else interval_seconds
    if not interval >= 1:
        raise SettingsError(f"An interval of {interval:g} seconds is too short; it must be at least 1 second.")
    for name in names or ():
        workspace.ledger.location(name)
    watching = _Watching(workspace, tuple(names or ()), changes or NoEvents(), notifier, throttle, stop, clock, tell)
    watching.run(interval, once=once)


class _Watching:
    """The state of a watch from one round to the next."""

    def __init__(
        self,
        workspace: Workspace,
        names: tuple[str, ...],
        changes: ChangeSource,
        notifier: Notifier | None,
        throttle: Throttle | None,
        stop: threading.Event,
        clock: Callable[[], float],
        tell: Callable[[WatchEvent], object],
    ) -> None:
        self._workspace, self._names, self._changes = workspace, names, changes
        self._notifier, self._throttle, self._stop = notifier, throttle or Throttle(), stop
        self._clock, self._tell = clock, tell
        self._arrivals = Arrivals(workspace)
        self._away: set[str] = set()
        self._refused: tuple[tuple[str, str], ...] = ()
        self._rounds_made = 0

    def run(self, interval: float, *, once: bool) -> None:
        """Round after round; what waits to be told is tried once more at the end."""
        rounds = Rounds(interval)
        # The folders are followed before the first look, so that no change falls between the two.
        rounds.keep(self._names or [item.name for item in self._workspace.ledger.locations()], self._clock())
        followed, refused = self._follow(rounds)
        self._refused = refused
        self._tell(WatchStarted(rounds.names, followed, refused, interval))
        while not self._stop.is_set():
            due = rounds.due(self._clock())
            if due:
                self._round(rounds, due)
            self._deliver(last=once)
            if once:
                return
            self._wait(rounds)
        self._deliver(last=True)

    def _follow(self, rounds: Rounds, anew: Sequence[str] = ()) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        folders: dict[str, Path] = {}
        for name in rounds.names:
            try:
                kind = self._workspace.kind_of(self._workspace.ledger.location(name))
            except DeepLensError:
                continue  # the look at it says why
            if isinstance(kind, LocalLocation):
                folders[name] = kind.root
        refused = {} if isinstance(self._changes, NoEvents) else self._changes.follow(folders, anew=anew)
        followed = () if isinstance(self._changes, NoEvents) else tuple(sorted(folders.keys() - refused.keys()))
        return followed, tuple(sorted(refused.items()))

    def _round(self, rounds: Rounds, due: Sequence[str]) -> None:
        """Look at each location that is due, match, and hold what is new against what was known."""
        began = self._clock()
        self._rounds_made += 1
        reports: list[IndexReport] = []
        problems: list[WatchProblem] = []
        for name in due:
            if self._stop.is_set():
                return
            started = self._clock()
            rounds.begun(name)
            try:
                reports += index(self._workspace, [name], stop=self._stop, and_match=False, throttle=self._throttle)
                rounds.done(name, self._clock(), took_seconds=self._clock() - started)
            except Interrupted:
                return
            except Exception as error:  # noqa: BLE001 - a watch outlives what goes wrong; it is told of
                problems.append(_problem(name, error, rounds.failed(name, self._clock())))
        found, matched = NewDuplicates(), None
        try:
            with held_back(self._workspace, self._throttle) as (held, workers):
                matched = match(held, workers=workers, stop=self._stop)
            arrived = self._arrivals.since_last(whole=matched is None or not matched.pending)
            self._record(arrived)
            found = arrived
        except Interrupted:
            return
        except Exception as error:  # noqa: BLE001 - as above: what is new stays new for the next round
            retry = min((rounds.failed(name, self._clock()) for name in due), default=None)
            problems.append(_problem("", error, retry))
        if any(report.read_files for report in reports):
            close_decoders()  # nobody may need them for hours
        self._mend(rounds, [report.location for report in reports], problems)
        seconds = self._clock() - began
        self._tell(WatchRound(self._rounds_made, tuple(reports), tuple(problems), matched, found, seconds))

    def _record(self, arrived: NewDuplicates) -> None:
        """In one transaction: these files are known, and this is to be told of them. A kill loses neither."""
        content = self._arrivals.to_record()
        if self._notifier is not None:
            self._notifier.add(arrived, self._clock(), content=content)
        elif content is not None:
            self._workspace.ledger.record_watched(content, ())
        self._arrivals.settle()

    def _mend(self, rounds: Rounds, seen: Sequence[str], problems: Sequence[WatchProblem]) -> None:
        """Follow anew what was away; take up what was added or left out meanwhile."""
        back = self._away.intersection(seen)
        self._away = (self._away - back) | {item.location for item in problems if isinstance(item.error, LocationError)}
        try:
            if not self._names:
                rounds.keep([item.name for item in self._workspace.ledger.locations()], self._clock())
            _, refused = self._follow(rounds, anew=sorted(back))
            for name, reason in refused:
                if name not in self._away and (name, reason) not in self._refused:
                    _log.warning("changes are not seen as they happen", location=name, reason=reason)
            self._refused = refused
        except DeepLensError as error:
            _log.warning("locations not read anew", reason=redact(str(error)))

    def _deliver(self, *, last: bool) -> None:
        if self._notifier is not None:
            for delivery in self._notifier.deliver(self._clock(), last=last):
                self._tell(delivery)

    def _wait(self, rounds: Rounds) -> None:
        now = self._clock()
        ends = [rounds.seconds_left(now), self._notifier.seconds_left(now) if self._notifier is not None else None]
        seconds = min((end for end in ends if end is not None), default=_IDLE_SECONDS)
        if not rounds.names:
            seconds = min(seconds, _IDLE_SECONDS)
        for name in self._changes.wait(seconds, self._stop):
            rounds.changed(name, self._clock())
        if not rounds.names:
            self._mend(rounds, (), ())


def _problem(location: str, error: Exception, retry_seconds: float | None) -> WatchProblem:
    if isinstance(error, DeepLensError):
        code, message = error.code, redact(str(error))
    else:
        code, message = "unexpected", redact(f"unexpected error: {type(error).__name__}: {error}")
        _log.error("round failed unexpectedly", location=location, exc_info=True)
    if not isinstance(error, LeaseHeldError):
        _log.info("location left until the next round", location=location, reason=message)
    return WatchProblem(location, code, " ".join(message.split()), retry_seconds, error)
