"""What this process and those that it started take together: CPU seconds, and memory at its highest.

Takes nothing, gives figures; must not count a process twice. Decoding is done in processes of its own, so what one
process takes says little.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

__all__ = ["MemoryPeak", "cpu_seconds", "memory_peak"]

_INTERVAL_SECONDS = 0.1


def cpu_seconds() -> float:
    """CPU seconds of this process, of those that it started and that ended, and of those that run now."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    running = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        running += times.user + times.system
    return time.process_time() + ended.ru_utime + ended.ru_stime + running


@dataclass
class MemoryPeak:
    """The most memory that was seen at one time, and what it was in the end, in MiB.

    Attributes:
        together_mib: Of all processes, what they share counted once for each.
        own_mib: Of this process alone.
        samples: Seconds since the start and MiB of all, one pair every ten seconds.
    """

    together_mib: float = 0.0
    own_mib: float = 0.0
    samples: list[tuple[float, float]] | None = None


@contextmanager
def memory_peak() -> Iterator[MemoryPeak]:
    """Watch the memory of all processes ten times a second until the block ends."""
    peak, done = MemoryPeak(samples=[]), threading.Event()

    def watch() -> None:
        process, began, told = psutil.Process(), time.monotonic(), -10.0
        while True:
            own = process.memory_info().rss / 2**20
            together = own + sum(map(_resident_mib, process.children(recursive=True)))
            peak.own_mib, peak.together_mib = max(peak.own_mib, own), max(peak.together_mib, together)
            now = time.monotonic() - began
            if now - told >= 10 and peak.samples is not None:
                peak.samples.append((round(now, 1), round(together, 1)))
                told = now
            if done.wait(_INTERVAL_SECONDS):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _resident_mib(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss / 2**20)
    except psutil.NoSuchProcess:
        return 0.0
