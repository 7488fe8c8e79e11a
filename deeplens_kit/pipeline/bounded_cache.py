"""Values in memory that many threads share, the least recently used given up first.

Takes keys and how a value is made, gives values; must not know what they are. A value that several threads ask for at
once is made by one of them, and what is kept never takes more than a number of bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["BoundedCache"]

_Value = TypeVar("_Value")


class BoundedCache(Generic[_Value]):
    """Values by key.

    Args:
        limit_bytes: The most that is kept, inclusive; a value that is larger by itself is given and not kept.
        size_of: Bytes of a value.
    """

    def __init__(self, limit_bytes: int, size_of: Callable[[_Value], int]) -> None:
        self._limit, self._size_of = limit_bytes, size_of
        self._kept: OrderedDict[str, tuple[_Value, int]] = OrderedDict()
        self._held_bytes = 0
        self._making: set[str] = set()
        self._changed = threading.Condition()

    @property
    def held_bytes(self) -> int:
        """Bytes of what is kept now."""
        with self._changed:
            return self._held_bytes

    def held(self, key: str) -> _Value | None:
        """The value of a key where it is kept; nothing is made and nobody waited for."""
        with self._changed:
            found = self._kept.get(key)
            return None if found is None else found[0]

    def get(self, key: str, make: Callable[[], _Value]) -> _Value:
        """The value of a key; made where it is not kept, while other threads that want it wait.

        What `make` raises is raised here; a thread that waited then makes the value itself.
        """
        with self._changed:
            while key in self._making:
                self._changed.wait()
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found[0]
            self._making.add(key)
        made: tuple[_Value, int] | None = None
        try:
            value = make()
            made = value, self._size_of(value)
            return value
        finally:
            with self._changed:
                self._making.discard(key)
                if made is not None and made[1] <= self._limit:
                    self._keep(key, made)
                self._changed.notify_all()

    def _keep(self, key: str, made: tuple[_Value, int]) -> None:
        self._kept[key] = made
        self._held_bytes += made[1]
        while self._held_bytes > self._limit:
            _, (_, size) = self._kept.popitem(last=False)
            self._held_bytes -= size
