"""Connections of a library that may be used by one thread at a time, lent one by one.

Takes a function that makes one, gives connections; must not know what they connect to. One over which an error came is
closed and not lent again, because what it would answer next is not certain, and so are those that wait; unless the
error is a plain answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["ConnectionPool"]

_Connection = TypeVar("_Connection")


class ConnectionPool(Generic[_Connection]):
    """As many connections as threads ask at once; the last one given back is lent first.

    Args:
        connect: Makes one.
        close: Closes one; what it raises is passed over.
        is_answer: Whether an error is an answer of the storage ("no such file") after which the connection goes on.
        is_usable: Whether one that is given back can be lent again.
    """

    def __init__(
        self,
        connect: Callable[[], _Connection],
        close: Callable[[_Connection], object],
        is_answer: Callable[[BaseException], bool] = lambda error: False,
        is_usable: Callable[[_Connection], bool] = lambda connection: True,
    ) -> None:
        self._connect, self._close = connect, close
        self._is_answer, self._is_usable = is_answer, is_usable
        self._lock = threading.Lock()
        self._free: list[_Connection] = []

    @contextmanager
    def lent(self) -> Iterator[_Connection]:
        """One connection; given back where nothing went wrong, closed otherwise."""
        with self._lock:
            connection = self._free.pop() if self._free else None
        if connection is None:
            connection = self._connect()
        try:
            yield connection
        except BaseException as error:
            if self._is_answer(error):
                self._give_back(connection)
            else:
                self._end(connection)
                # What ended one most likely ended the others, and each would cost a retry.
                self.close()
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close those that nobody has."""
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            self._end(connection)

    def _give_back(self, connection: _Connection) -> None:
        if not self._is_usable(connection):
            self._end(connection)
            return
        with self._lock:
            self._free.append(connection)

    def _end(self, connection: _Connection) -> None:
        with contextlib.suppress(Exception):  # it is of no use any more, whatever it says
            self._close(connection)
