"""Spans and counters behind an API that costs nothing to speak of while nobody collects.

Takes names of stages around the work they do, from every thread, and gives the time and count of each; must not
import the logging, so that the stages that are timed stay cheap to import.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

__all__ = ["StageClock", "StageTimes", "add_cpu", "collect_stage_times", "count", "span"]


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What a stage took: times it ran, CPU seconds of its own threads, seconds on the wall summed over threads.

    Time of a span inside another counts for the inner one alone, so stages can be added up. CPU seconds are
    those of the calling thread, and of the other process that it waited for (`add_cpu`): work that a library gives to
    threads of its own is not in them.
    """

    count: int
    cpu_seconds: float
    wall_seconds: float

    def __add__(self, other: StageTimes) -> StageTimes:
        return StageTimes(
            self.count + other.count, self.cpu_seconds + other.cpu_seconds, self.wall_seconds + other.wall_seconds
        )


_NOTHING = StageTimes(0, 0.0, 0.0)


class StageClock:
    """Sums spans and counts of all threads of this process while it is collecting."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[tuple[str, str], StageTimes] = {}
        self._counters: dict[str, int] = {}

    def times(self) -> dict[str, StageTimes]:
        """Return the times by stage, sorted by name."""
        summed: dict[str, StageTimes] = {}
        for (stage, _thread), times in sorted(self.times_by_thread().items()):
            summed[stage] = summed.get(stage, _NOTHING) + times
        return summed

    def times_by_thread(self) -> dict[tuple[str, str], StageTimes]:
        """Return the times by (stage, name of the thread)."""
        with self._lock:
            return dict(self._times)

    def counters(self) -> dict[str, int]:
        """Return the counters by name."""
        with self._lock:
            return dict(self._counters)

    def merge(self, times: Mapping[str, StageTimes], counters: Mapping[str, int], *, source: str) -> None:
        """Add what another process collected; `source` stands for its threads in `times_by_thread`."""
        for stage, item in times.items():
            self.add(stage, source, item)
        for name, number in counters.items():
            self.add_count(name, number)

    def add(self, stage: str, thread: str, times: StageTimes) -> None:
        """Add one measurement."""
        with self._lock:
            self._times[stage, thread] = self._times.get((stage, thread), _NOTHING) + times

    def add_count(self, name: str, number: int) -> None:
        """Add to a counter."""
        with self._lock:
            self._counters[name] = self._counters.get(name, 0) + number


class _Span:
    __slots__ = ("_clocks", "_cpu", "_elsewhere_cpu", "_inner_cpu", "_inner_wall", "_outer", "_stage", "_wall")

    def __init__(self, stage: str, clocks: tuple[StageClock, ...]) -> None:
        self._stage, self._clocks = stage, clocks
        self._inner_cpu = self._inner_wall = self._elsewhere_cpu = 0.0

    def __enter__(self) -> None:
        self._outer: _Span | None = getattr(_open_spans, "top", None)
        _open_spans.top = self
        self._wall, self._cpu = time.perf_counter(), time.thread_time()

    def __exit__(self, *_error: object) -> None:
        cpu = time.thread_time() - self._cpu + self._elsewhere_cpu
        wall = time.perf_counter() - self._wall
        _open_spans.top = self._outer
        if self._outer is not None:
            self._outer._inner_cpu += cpu
            self._outer._elsewhere_cpu += self._elsewhere_cpu
            self._outer._inner_wall += wall
        own = StageTimes(1, cpu - self._inner_cpu, wall - self._inner_wall)
        for clock in self._clocks:
            clock.add(self._stage, threading.current_thread().name, own)


class _NoSpan:
    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


_NO_SPAN = _NoSpan()
_open_spans: Any = threading.local()
_clocks: tuple[StageClock, ...] = ()
_clocks_lock = threading.Lock()


def span(stage: str) -> _Span | _NoSpan:
    """Time a stage: `with span("decode"): ...`. Costs nothing to speak of while nobody collects."""
    clocks = _clocks
    return _Span(stage, clocks) if clocks else _NO_SPAN


def add_cpu(seconds: float) -> None:
    """Count CPU seconds of another process for the stage that this thread is in, where somebody collects."""
    innermost: _Span | None = getattr(_open_spans, "top", None)
    if innermost is not None:
        innermost._elsewhere_cpu += seconds


def count(name: str, number: int = 1) -> None:
    """Add to a counter, where somebody collects."""
    for clock in _clocks:
        clock.add_count(name, number)


@contextlib.contextmanager
def collect_stage_times() -> Iterator[StageClock]:
    """Collect spans and counts of every thread until the block ends; blocks may nest and overlap."""
    global _clocks
    clock = StageClock()
    with _clocks_lock:
        _clocks = (*_clocks, clock)
    try:
        yield clock
    finally:
        with _clocks_lock:
            _clocks = tuple(item for item in _clocks if item is not clock)
