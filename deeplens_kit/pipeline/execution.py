"""Two stages of threads between a list of tasks and one consumer, with bounded memory.

Takes tasks, a function that reads one and a function that works on a batch; gives results to the calling thread
as they come. Must not know what is read or computed. Threads are enough: reading, digests, decoding and the models
release the GIL (isolation of hostile files in processes is another matter).
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["ByteBudget", "Flow", "run_flow"]

_Task = TypeVar("_Task")
_Content = TypeVar("_Content")
_Result = TypeVar("_Result")

_POLL_SECONDS = 0.2
# Results are rows and vectors of a few kilobytes: so many may wait while a batch is being committed.
_RESULTS_WAITING = 4096


class ByteBudget:
    """How many bytes may be held between reading and working; one item above the limit passes alone.

    Args:
        limit_bytes: The most that is held at a time.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit, self._held = limit_bytes, 0
        self._changed = threading.Condition()

    def acquire(self, size_bytes: int, stopped: Callable[[], bool]) -> bool:
        """Wait for room; False when `stopped()` became true meanwhile."""
        with self._changed:
            while self._held and self._held + size_bytes > self._limit:
                if stopped():
                    return False
                self._changed.wait(_POLL_SECONDS)
            self._held += size_bytes
            return True

    def release(self, size_bytes: int) -> None:
        """Give room back."""
        with self._changed:
            self._held -= size_bytes
            self._changed.notify_all()


def _begin_at_once() -> None:
    """Nothing has to be done first."""


@dataclass(frozen=True, slots=True)
class Flow(Generic[_Task, _Content, _Result]):
    """What a run of threads does.

    Attributes:
        read: Reads one task: results at once (say, a failure), and a content to work on or None.
        size_of: Bytes that a task will hold while it waits, for the budget.
        work: Works on a batch of contents, at most `batch_size` of them.
        readers: Threads that read.
        workers: Threads that work.
        batch_size: Contents per call of `work`.
        budget_bytes: Bytes held between reading and working.
        begin: Called first by each thread.
    """

    read: Callable[[_Task], tuple[Sequence[_Result], _Content | None]]
    size_of: Callable[[_Task], int]
    work: Callable[[Sequence[_Content]], Sequence[_Result]]
    readers: int
    workers: int
    batch_size: int
    budget_bytes: int
    begin: Callable[[], None] = _begin_at_once


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


class _End:
    """The last item of a queue."""


_END = _End()


def run_flow(
    flow: Flow[_Task, _Content, _Result],
    tasks: Iterable[_Task],
    stop: threading.Event,
    aborted: threading.Event | None = None,
) -> Iterator[_Result]:
    """Yield results as they come, in no order, until all tasks are done or `stop` is set.

    Once `stop` is set no further task is begun; what was read is still worked on and yielded. An exception in a
    thread stops the flow and is raised here. The generator joins its threads before it ends, also when it is closed
    early; `aborted` is set before, for those that wait for something else than the flow.
    """
    run = _Run(flow, tasks, stop, aborted or threading.Event())
    try:
        yield from run.results()
    finally:
        run.abort()


class _Run(Generic[_Task, _Content, _Result]):
    def __init__(
        self,
        flow: Flow[_Task, _Content, _Result],
        tasks: Iterable[_Task],
        stop: threading.Event,
        aborted: threading.Event,
    ) -> None:
        self._flow, self._tasks, self._stop, self._aborted = flow, iter(tasks), stop, aborted
        self._lock = threading.Lock()
        self._budget = ByteBudget(flow.budget_bytes)
        self._contents: queue.Queue[tuple[_Content, int] | _End] = queue.Queue(2 * flow.batch_size * flow.workers)
        self._results: queue.Queue[_Result | _Failed | _End] = queue.Queue(_RESULTS_WAITING)
        self._readers_left, self._workers_left = flow.readers, flow.workers
        self._threads = [self._thread(self._read_all, self._reader_ended, f"read-{n}") for n in range(flow.readers)]
        self._threads += [self._thread(self._work_all, self._worker_ended, f"work-{n}") for n in range(flow.workers)]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[_Result]:
        while True:
            item = self._results.get()
            if isinstance(item, _End):
                return
            if isinstance(item, _Failed):
                raise item.error
            yield item

    def abort(self) -> None:
        """End the threads; the queues are emptied so that none waits on a full one."""
        self._aborted.set()
        while any(thread.is_alive() for thread in self._threads):
            for waiting in (self._contents, self._results):
                while True:
                    try:
                        waiting.get_nowait()
                    except queue.Empty:
                        break
            for thread in self._threads:
                thread.join(_POLL_SECONDS / len(self._threads))

    def _stopped(self) -> bool:
        return self._stop.is_set() or self._aborted.is_set()

    def _thread(self, target: Callable[[], None], ended: Callable[[], None], name: str) -> threading.Thread:
        # Each thread runs in a copy of the context, so that log lines keep their run and correlation ids.
        context = contextvars.copy_context()
        return threading.Thread(
            target=context.run, args=(self._guarded, target, ended), name=f"deeplens-{name}", daemon=True
        )

    def _guarded(self, target: Callable[[], None], ended: Callable[[], None]) -> None:
        try:
            self._flow.begin()
            target()
        except BaseException as error:  # noqa: BLE001 - the edge of a thread: raised again by the consumer
            self._results.put(_Failed(error))
        finally:
            # After the failure, never before: what comes after the end is not read any more.
            ended()

    def _reader_ended(self) -> None:
        with self._lock:
            self._readers_left -= 1
            last = self._readers_left == 0
        if last:
            for _ in range(self._flow.workers):
                self._contents.put(_END)

    def _worker_ended(self) -> None:
        with self._lock:
            self._workers_left -= 1
            last = self._workers_left == 0
        if last:
            self._results.put(_END)

    def _read_all(self) -> None:
        while not self._stopped():
            with self._lock:
                task = next(self._tasks, _END)
            if isinstance(task, _End):
                return
            size = self._flow.size_of(task)
            if not self._budget.acquire(size, self._stopped):
                return
            results, content = self._flow.read(task)
            for result in results:
                self._results.put(result)
            if content is None:
                self._budget.release(size)
            else:
                self._contents.put((content, size))

    def _work_all(self) -> None:
        ended = False
        while not ended and not self._aborted.is_set():
            batch, sizes, ended = self._next_batch()
            if batch:
                results = self._flow.work(batch)
                del batch
                self._budget.release(sizes)
                for result in results:
                    self._results.put(result)

    def _next_batch(self) -> tuple[list[_Content], int, bool]:
        """The first content is waited for, the rest of a batch is whatever has been read by then."""
        batch: list[_Content] = []
        sizes = 0
        while len(batch) < self._flow.batch_size:
            try:
                item = self._contents.get_nowait() if batch else self._contents.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if batch or self._aborted.is_set():
                    break
                continue
            if isinstance(item, _End):
                return batch, sizes, True
            batch.append(item[0])
            sizes += item[1]
        return batch, sizes, False
