"""Progress of long work, as values that any front can show.

Takes counts, gives snapshots with rate and time left; must not print. A listener is called from one thread only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["ProgressListener", "ProgressMeter", "ProgressSnapshot"]

# Twice a second is smooth to the eye and costs nothing.
_UPDATE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ProgressSnapshot:
    """Where a piece of work stands.

    Attributes:
        location: Name of the location, empty for work over all of them.
        stage: What is being done: "scan", "features", "index", "match", "verify", "samples", "resolution", "detail",
            "convert", "ingest", "check", "apply", "undo" or "empty".
        done: Items finished, failed ones included.
        total: Items in all, None while it is not known.
        bytes_done: Bytes read so far.
        rate_per_second: Items per second since the stage began.
        seconds_left: Estimate from the rate, None while there is none.
        failures: Items that failed so far.
        skipped: Items that were left alone so far, with a reason.
    """

    location: str
    stage: str
    done: int
    total: int | None
    bytes_done: int
    rate_per_second: float
    seconds_left: float | None
    failures: int
    skipped: int = 0


class ProgressListener(Protocol):
    """Whatever shows progress: a terminal, a notebook, a log."""

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Show `snapshot`; called a few times a second and once when the stage ends."""


class ProgressMeter:
    """Counts one stage's work and tells the listener now and then."""

    def __init__(
        self,
        listener: ProgressListener | None,
        location: str,
        stage: str,
        total: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener, self._location, self._stage, self._total = listener, location, stage, total
        self._clock = clock
        self._began = self._told = clock()
        self.done = self.failures = self.bytes_done = self.skipped = 0
        self._tell()

    def advance(self, items: int = 1, *, failures: int = 0, bytes_read: int = 0, skipped: int = 0) -> None:
        """Count finished items; tells the listener when it is time again."""
        self.done += items
        self.skipped += skipped
        self.failures += failures
        self.bytes_done += bytes_read
        if self._clock() - self._told >= _UPDATE_SECONDS:
            self._tell()

    def finish(self) -> None:
        """Tell the last state."""
        self._tell()

    def _tell(self) -> None:
        if self._listener is None:
            return
        self._told = self._clock()
        elapsed = self._told - self._began
        rate = self.done / elapsed if elapsed > 0 else 0.0
        left = (self._total - self.done) / rate if self._total is not None and rate > 0 else None
        self._listener.update(
            ProgressSnapshot(
                self._location,
                self._stage,
                self.done,
                self._total,
                self.bytes_done,
                rate,
                left,
                self.failures,
                self.skipped,
            )
        )
