"""Answers kept in the memory of this process.

Takes keys and bytes, gives bytes or nothing; must not outlive the process.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from deeplens_kit.search.result_cache.base import CacheLimits, ResultCache

__all__ = ["MemoryCache"]


class MemoryCache(ResultCache):
    """Bytes by key in this process.

    Args:
        limits: How much, how long.
        clock: Seconds that only go up.
    """

    def __init__(self, limits: CacheLimits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._kept: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """See `ResultCache.get`."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if self._clock() >= found[1]:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: str, value: bytes) -> None:
        """See `ResultCache.put`."""
        with self._lock:
            self._drop(key)
            if len(value) > self._limits.max_bytes:
                return
            self._kept[key] = (value, self._clock() + self._limits.seconds)
            self._held_bytes += len(value)
            while len(self._kept) > self._limits.max_entries or self._held_bytes > self._limits.max_bytes:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        """See `ResultCache.clear`."""
        with self._lock:
            self._kept.clear()
            self._held_bytes = 0

    def _drop(self, key: str) -> None:
        value, _ = self._kept.pop(key, (b"", 0.0))
        self._held_bytes -= len(value)
