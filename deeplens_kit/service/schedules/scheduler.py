"""The loop that runs schedules when they are due, for as long as it is let.

Takes an open workspace and a file, tells what comes of each run; must not keep what is due anywhere but in the file and
the ledger. APScheduler wakes us at the next time and runs what is due in threads, each of which waits for a process of
its own. It sleeps by a clock that stands still while the machine does: we wake it besides, and reckon anew from the
clock on the wall, so that a change of the clock or a night's sleep costs no more than the time between two looks.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from deeplens_kit.errors import DeepLensError, ExtraMissingError, ReportRunningError
from deeplens_kit.ledger import ReportRun, ReportRunState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.schedules.events import FileRead, RunEnded, SchedulerEvent
from deeplens_kit.service.schedules.notices import send_waiting
from deeplens_kit.service.schedules.performing import record_failure, tell_failure
from deeplens_kit.service.schedules.schedule_file import read_schedules
from deeplens_kit.service.schedules.turns import Turn, next_turn, retry_at
from deeplens_kit.service.schedules.values import Schedule
from deeplens_kit.service.schedules.worker import WorkRequest, WorkResult, run_in_process
from deeplens_kit.telemetry import get_logger

__all__ = ["Scheduler", "runs_of_latest_time"]

_log = get_logger(__name__)

_LOOK_SECONDS = 20.0
"""Between two looks at the file, at runs whose process is gone, and at what waits to be told."""

_STEP_SECONDS = 0.2
# After these an address that took nothing is tried again; doubled each time.
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 60.0, 3600.0
_MOST_THREADS = 256
# More than there are tries at one time.
_LATEST = 20


class Scheduler:
    """Runs the schedules of a file.

    Args:
        workspace: An open workspace.
        file: The file of schedules; read again when it changes.
        tell: Told of everything that comes of it; from any thread, one at a time.
        stop: Ends it: what runs is ended too, and is taken up by the next one.
        parallel: How many may run at once.
        work: Runs one; in a process of its own by default.
        now: The clock on the wall.
        look_seconds: Between two looks.
    """

    def __init__(
        self,
        workspace: Workspace,
        file: Path,
        *,
        tell: Callable[[SchedulerEvent], None],
        stop: threading.Event,
        parallel: int = 1,
        work: Callable[[WorkRequest, threading.Event], WorkResult] = run_in_process,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._workspace, self._file, self._stop, self._work, self._now = workspace, file, stop, work, now
        self._look_seconds = look_seconds
        self._tell_one, self._telling = tell, threading.Lock()
        self._places = threading.Semaphore(parallel)
        self._lock = threading.RLock()
        self._schedules: dict[str, Schedule] = {}
        self._since: dict[str, datetime] = {}
        self._running: set[str] = set()
        self._refused: dict[str, tuple[int, float]] = {}
        self._read: tuple[int, ...] | None = None
        self._clock: Any = None
        self._woken = threading.Event()

    def run(self) -> None:
        """Run what is due until `stop` is set.

        Raises:
            SettingsError: The file cannot be read, or says what is not allowed.
            ExtraMissingError: APScheduler is not installed.
        """
        with self._ticking() as clock:
            self._clock = clock
            self._take_up_file(first=True)
            while not self._stop.is_set():
                self.look()
                self._wait()

    def run_due(self) -> int:
        """Run what is due now, one after the other, and end; gives how many runs failed for good."""
        self._take_up_file(first=True)
        self._settle()
        failed = 0
        for name in list(self._schedules):
            if not self._stop.is_set() and (run := self._turn(name)) is not None:
                failed += run.state is not ReportRunState.FINISHED
        self._send()
        return failed

    def wake(self) -> None:
        """Have it look now; also after `stop` was set."""
        self._woken.set()

    def look(self) -> None:
        """Look at the file, at runs whose process is gone, and at the clock; send what waits."""
        try:
            self._take_up_file()
            self._settle()
            for name in list(self._schedules):
                self._set_alarm(name)
            self._clock.wakeup()
            self._send()
        except DeepLensError as error:
            # A ledger that is away for a while comes back; the next look tries again.
            _log.error("schedules not looked at", reason=str(error))

    # --- The clock -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _ticking(self) -> Iterator[Any]:
        try:
            from apscheduler.executors.pool import ThreadPoolExecutor
            from apscheduler.schedulers.background import BackgroundScheduler
        except ModuleNotFoundError as error:
            raise ExtraMissingError("Running schedules", "workbench") from error
        clock = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(_MOST_THREADS)},
            # Late is no reason to leave it out: the ledger says whether it is due.
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        clock.start()
        try:
            yield clock
        finally:
            self._stop.set()
            clock.shutdown(wait=True)

    def _wait(self) -> None:
        """Until the next look, somebody wakes us, or it ends: a signal sets `stop` and nothing else."""
        end = time.monotonic() + self._look_seconds
        while not self._stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._woken.wait(min(_STEP_SECONDS, left)):
                break
        self._woken.clear()

    def _set_alarm(self, name: str) -> None:
        """Have the clock run a schedule at its next turn, in place of what it had for it."""
        with self._lock:
            if name in self._running or self._stop.is_set():
                return
            turn = self._next(name)
            if turn is not None:
                # By a date, once: what comes after it depends on what came of it.
                self._clock.add_job(
                    self._turn, "date", run_date=turn.at, args=[name], id=name, name=name, replace_existing=True
                )
            else:
                self._silence(name)

    def _silence(self, name: str) -> None:
        """Take a schedule's alarm away, where it has one: it may go off, and be gone, at this very moment."""
        if self._clock is not None:
            with contextlib.suppress(LookupError):
                self._clock.remove_job(name)

    def _next(self, name: str) -> Turn | None:
        schedule = self._schedules.get(name)
        if schedule is None:
            return None
        return next_turn(schedule, runs_of_latest_time(self._workspace, name), self._since.get(name), self._now())

    # --- The file ------------------------------------------------------------------------------------------

    def _take_up_file(self, *, first: bool = False) -> None:
        state: tuple[int, ...] = ()
        with contextlib.suppress(OSError):
            found = self._file.stat()
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
        if state == self._read and not first:
            return
        self._read = state
        try:
            schedules = {item.name: item for item in read_schedules(self._file)}
        except DeepLensError as error:
            if first:
                raise
            self._tell(FileRead(self._file, len(self._schedules), (), str(error), again=True))
            return
        with self._lock:
            self._note_changes(schedules, datetime.fromtimestamp(state[0] / 1e9, UTC), first=first)
            for name in set(self._schedules) - set(schedules):
                self._silence(name)
            self._schedules = schedules
        self._tell(FileRead(self._file, len(schedules), self._coming(), again=not first))

    def _note_changes(self, schedules: dict[str, Schedule], changed_at: datetime, *, first: bool) -> None:
        """Since when each schedule is as it is: times before that are not missed."""
        for name, schedule in schedules.items():
            before = self._schedules.get(name)
            if first:
                if not runs_of_latest_time(self._workspace, name):
                    self._since[name] = min(changed_at, self._now())
            elif before is None or (before.cron, before.zone, before.paused) != (
                schedule.cron, schedule.zone, schedule.paused,
            ):  # fmt: skip
                self._since[name] = self._now()

    def _coming(self) -> tuple[tuple[str, datetime], ...]:
        turns = [(name, self._next(name)) for name in self._schedules]
        coming = [(name, turn.at.astimezone(ZoneInfo(self._schedules[name].zone))) for name, turn in turns if turn]
        return tuple(sorted(coming, key=lambda item: item[1].astimezone(UTC)))

    # --- Runs ----------------------------------------------------------------------------------------------

    def _turn(self, name: str) -> ReportRun | None:
        """Run a schedule if it is due; gives what came of it."""
        with self._lock:
            if name in self._running:
                return None
            self._running.add(name)
        run = None
        try:
            with self._places:
                # Only now: it may have waited, and another process may have run it.
                turn, schedule = self._next(name), self._schedules.get(name)
                if turn is None or schedule is None or turn.at > self._now() or self._stop.is_set():
                    return None
                run = self._ended(schedule, turn, self._work(self._request(schedule, turn), self._stop))
        except Exception as error:  # noqa: BLE001 - the edge of a thread: what is not told here is told nowhere
            if isinstance(error, DeepLensError):
                _log.error("schedule not run", schedule=name, reason=str(error))
            else:
                _log.exception("schedule not run", schedule=name)
            # Left to the next look: it is due still, and to be woken at once would go round without a rest.
            return None
        finally:
            with self._lock:
                self._running.discard(name)
        # The look that follows sets the next alarm and sends what is to be told.
        self.wake()
        return run

    def _request(self, schedule: Schedule, turn: Turn) -> WorkRequest:
        last = self._is_last(schedule, turn)
        return WorkRequest(self._workspace.directory, schedule, turn.due_at, turn.attempt, last)

    def _is_last(self, schedule: Schedule, turn: Turn) -> bool:
        """Whether it is known beforehand that nobody tries again: without a clock we end before the next try."""
        return self._clock is None or turn.attempt > schedule.retries

    def _ended(self, schedule: Schedule, turn: Turn, result: WorkResult) -> ReportRun | None:
        """What came of a run, told; None where there was nothing to do, or it goes on with the next scheduler."""
        ledger = self._workspace.ledger
        ledger.settle_report_runs(self._workspace.settings.index.lease_stale_seconds)
        latest = ledger.report_runs(schedule=schedule.name, due=True, limit=_LATEST)
        run = next((item for item in latest if (item.due_at, item.attempt) == (turn.due_at, turn.attempt)), None)
        if result.needless and (run is None or run.state is not ReportRunState.FAILED):
            return None
        if run is None and not self._stop.is_set():
            with contextlib.suppress(ReportRunningError):
                problem = f"It did not begin: {result.how}."
                run = record_failure(self._workspace, schedule, turn.due_at, turn.attempt, problem)
                self._tell_people(schedule, run)
        elif (
            run is not None
            and not self._stop.is_set()
            and (
                run.state is ReportRunState.INTERRUPTED
                # The last try tells of itself.
                or (run.state is ReportRunState.FAILED and not self._is_last(schedule, turn))
            )
        ):
            self._tell_people(schedule, run)
        if run is not None:
            self._tell_ended(schedule, run)
        return run

    def _settle(self) -> None:
        """Tell of runs whose process is gone; they are taken up by their next turn."""
        for run in self._workspace.ledger.settle_report_runs(self._workspace.settings.index.lease_stale_seconds):
            schedule = self._schedules.get(run.schedule)
            # The thread of one that is at work here tells of it.
            if schedule is not None and run.schedule not in self._running:
                self._tell_people(schedule, run)
                self._tell_ended(schedule, run)

    def _tell_ended(self, schedule: Schedule, run: ReportRun) -> None:
        again = retry_at(schedule, run) if run.due_at is not None and not self._stop.is_set() else None
        zone = ZoneInfo(schedule.zone)
        self._tell(RunEnded(run, schedule.retries + 1, again.astimezone(zone) if again is not None else None))

    def _tell_people(self, schedule: Schedule, run: ReportRun) -> None:
        """Where it is not tried again."""
        if run.due_at is None or retry_at(schedule, run) is None:
            tell_failure(self._workspace, schedule, run, run.message)

    def _send(self) -> None:
        """Send what waits, to those who are not to be left alone for a while."""
        for target in {target for schedule in self._schedules.values() for target in schedule.notify}:
            failures, not_before = self._refused.get(target, (0, 0.0))
            if self._stop.is_set() or time.monotonic() < not_before:
                continue
            for told in send_waiting(self._workspace.ledger, [target], stop=self._stop):
                if told.reason:
                    wait = min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(failures, 20))
                    self._refused[target] = failures + 1, time.monotonic() + wait
                else:
                    self._refused.pop(target, None)
                self._tell(told)

    def _tell(self, event: SchedulerEvent) -> None:
        with self._telling:
            self._tell_one(event)


def runs_of_latest_time(workspace: Workspace, name: str) -> list[ReportRun]:
    """The runs of a schedule that `next_turn` needs: those of its latest times, and what runs."""
    ledger = workspace.ledger
    latest = ledger.report_runs(schedule=name, due=True, limit=_LATEST)
    open_states = (ReportRunState.RUNNING, ReportRunState.FINISHED)
    return latest + [run for run in ledger.report_runs(schedule=name, states=open_states, limit=2) if run.is_open]
