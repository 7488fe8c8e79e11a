"""How many steps a second: waiting for the turn of a step at its location.

Takes a rate, waits; must not know what a step does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]

_POLL_SECONDS = 0.1


class Pace:
    """Lets so many steps a second begin at each location; safe to share between threads.

    Args:
        steps_per_second: 0 for no limit.
        clock: Seconds, monotonic.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        steps_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = steps_per_second, clock, sleep
        self._lock = threading.Lock()
        self._free_at: dict[str, float] = {}

    def wait(self, location_id: str, steps: int, ends: Callable[[], bool]) -> None:
        """Wait for the turn of some steps; returns early where all ends."""
        if not self._rate:
            return
        with self._lock:
            begins = max(self._clock(), self._free_at.get(location_id, 0.0))
            self._free_at[location_id] = begins + steps / self._rate
        while begins > (now := self._clock()) and not ends():
            self._sleep(min(begins - now, _POLL_SECONDS))
