"""The process that does jobs: takes them from the ledger, shows that they live, says how they ended.

Takes the folder of a workspace and how many jobs of each resource to do at a time; runs until it is stopped. The rows
of the ledger are the queue: it asks for one every second while there is nothing to do. When it ends in good order it
gives back what it was at; when it is killed, its leases run out and another worker goes on.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

from deeplens_kit.errors import DeepLensError, JobLostError
from deeplens_kit.ledger import Job, JobState, Resource, current_holder
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs.kinds import kind_of
from deeplens_kit.service.jobs.pruning import prune
from deeplens_kit.service.jobs.running import JobRun, StopReason, carry_out
from deeplens_kit.telemetry import get_logger

__all__ = ["Worker", "run_worker"]

_log = get_logger(__name__)

_BEATS_PER_LEASE = 6
_POLL_SECONDS = 1.0
_TELL_SECONDS = 1.0
_PRUNE_SECONDS = 3_600.0
# A job ends the step or batch that it is at.
_END_SECONDS = 60.0


class _Working:
    """A job that is being done, and when it was told of last."""

    def __init__(self, run: JobRun, thread: threading.Thread) -> None:
        self.run, self.thread = run, thread
        self.beaten_at = self.looked_at = time.monotonic()
        self.number = 0


class Worker:
    """Does jobs of one workspace, some at a time.

    Args:
        workspace: An open workspace.
        places: How many of each resource at a time; those that are not named as the settings say.
        stop: Ends it: what it is at is given back.
        lease_seconds: A job without heartbeat for longer than this is another worker's; None for the setting.
        poll_seconds: Between two looks while there is nothing to do.
    """

    def __init__(
        self,
        workspace: Workspace,
        places: Mapping[Resource, int] | None = None,
        *,
        stop: threading.Event | None = None,
        lease_seconds: float | None = None,
        poll_seconds: float = _POLL_SECONDS,
    ) -> None:
        settings = workspace.settings.jobs
        own = {Resource.CPU: settings.cpu, Resource.GPU: settings.gpu, Resource.IO: settings.io}
        self._workspace, self._places = workspace, own | dict(places or {})
        self._stop = stop or threading.Event()
        self._lease_seconds = settings.lease_seconds if lease_seconds is None else lease_seconds
        self._poll_seconds = poll_seconds
        self._holder = current_holder()
        self._working: dict[str, _Working] = {}
        self._woken = threading.Event()
        self._pruned_at = -_PRUNE_SECONDS

    def run(self, *, until_idle: bool = False) -> None:
        """Do jobs until `stop` is set; `until_idle`: or until there is nothing that is due."""
        try:
            while not self._stop.is_set():
                self._look_after()
                taken = self._take()
                if taken is None and not self._working and until_idle:
                    return
                if taken is None:
                    self._wait(self._poll_seconds)
        finally:
            self._end()

    def wake(self) -> None:
        """Have it look now; from any thread."""
        self._woken.set()

    def _take(self) -> Job | None:
        """Take a job that there is room for, and begin it."""
        at_work = [item.run.job.resource for item in self._working.values()]
        free = [resource for resource, places in self._places.items() if at_work.count(resource) < places]
        try:
            job = self._workspace.ledger.claim_job(self._holder, free, self._lease_seconds)
        except DeepLensError as error:
            # A ledger that is away for a while comes back.
            _log.error("no job taken", reason=str(error))
            return None
        if job is not None:
            run = JobRun(job)
            thread = threading.Thread(target=self._do, args=(run,), name=f"job-{job.job_id}", daemon=True)
            self._working[job.job_id] = _Working(run, thread)
            thread.start()
        return job

    def _do(self, run: JobRun) -> None:
        def work(run: JobRun) -> Mapping[str, object]:
            kind = kind_of(run.job.kind)
            return kind.run(self._workspace, kind.parse(run.job.parameters), run)

        try:
            ended = carry_out(self._workspace.ledger, run, work)
            if ended is not None and ended.state is JobState.DONE:
                # Not before: a job whose end is not written is done again, and needs what was kept for it.
                kind = kind_of(ended.kind)
                kind.forget(self._workspace, kind.parse(ended.parameters), ended.job_id)
        except BaseException:  # noqa: BLE001 - the edge of a thread: what is not told here is told nowhere
            _log.exception("job not ended", job=run.job.job_id)
        finally:
            self.wake()

    def _look_after(self) -> None:
        """Beat, and forget those that ended."""
        for job_id, item in list(self._working.items()):
            if not item.thread.is_alive():
                del self._working[job_id]
            else:
                self._beat(item)
        if time.monotonic() - self._pruned_at > _PRUNE_SECONDS:
            self._pruned_at = time.monotonic()
            try:
                prune(self._workspace)
            except (DeepLensError, OSError) as error:
                _log.warning("what is old was not forgotten", reason=str(error))

    def _beat(self, item: _Working) -> None:
        progress, number = item.run.told()
        began = time.monotonic()
        waited, beat = began - item.beaten_at, self._lease_seconds / _BEATS_PER_LEASE
        if waited < (min(_TELL_SECONDS, beat) if number != item.number else beat):
            self._hear(item, began)
            return
        try:
            wanted = self._workspace.ledger.beat_job(item.run.job, progress, lease_seconds=self._lease_seconds)
        except JobLostError:
            item.run.end(StopReason.LOST)
        except DeepLensError as error:
            _log.warning("heartbeat failed", job=item.run.job.job_id, reason=str(error))
            if waited > self._lease_seconds:
                item.run.end(StopReason.LOST)
        else:
            item.beaten_at, item.number = began, number
            if not wanted:
                item.run.end(StopReason.CANCELLED)

    def _hear(self, item: _Working, now: float) -> None:
        """Look whether somebody wants a job to end, which writes nothing."""
        if now - item.looked_at < _TELL_SECONDS or item.run.stop.is_set():
            return
        item.looked_at = now
        with suppress(DeepLensError):
            if self._workspace.ledger.job(item.run.job.job_id).cancel_asked:
                item.run.end(StopReason.CANCELLED)

    def _wait(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()

    def _end(self) -> None:
        """Have every job end, and wait for it."""
        for item in self._working.values():
            item.run.end(StopReason.ENDING)
        until = time.monotonic() + _END_SECONDS
        while self._working and time.monotonic() < until:
            self._wait(0.2)
            self._look_after()
        for job_id in self._working:
            _log.warning("job left: it did not end in time; its lease runs out", job=job_id)


def run_worker(
    directory: Path,
    places: Mapping[Resource, int] | None = None,
    *,
    until_idle: bool = False,
    with_parent: bool = False,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Do jobs of a workspace until SIGINT or SIGTERM.

    Args:
        directory: Its folder.
        places: How many of each resource at a time; those that are not named as the settings say.
        until_idle: End when there is nothing that is due.
        with_parent: End when standard input is closed: whoever started this process is gone.
        on_ready: Told when it is about to take jobs.
    """
    stop = threading.Event()
    with Workspace.open(directory) as workspace:
        worker = Worker(workspace, places, stop=stop)

        def end(*_: object) -> None:
            stop.set()
            worker.wake()

        before = {number: signal.signal(number, _handler(end)) for number in (signal.SIGINT, signal.SIGTERM)}
        if with_parent:
            threading.Thread(target=_watch_parent, args=(end,), name="parent", daemon=True).start()
        try:
            on_ready()
            worker.run(until_idle=until_idle)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _handler(end: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        end()

    return handle


def _watch_parent(end: Callable[[], None]) -> None:
    # Not through `sys.stdin`: its lock, held here for ever, is in the way of the interpreter when it ends.
    while os.read(0, 4096):
        pass
    end()
