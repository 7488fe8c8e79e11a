"""Ctrl-C in three steps: stop cleanly, abort, leave.

Takes the signals of the process, gives an event that long work looks at; must not lose what was committed.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from deeplens_kit.errors import Interrupted

__all__ = ["stop_on_signals"]

_FIRST = b"\nStopping: what was read is being committed. Press Ctrl-C again to abort.\n"
_SECOND = b"\nAborting. What was committed is kept.\n"
_STDERR = 2


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; the second raises, the third leaves at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    received = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if received == 1:
            # Written past Python's buffers: the signal may have come in the middle of a write to them.
            os.write(_STDERR, _FIRST)
            stop.set()
        elif received == 2:
            os.write(_STDERR, _SECOND)
            raise KeyboardInterrupt
        else:
            os._exit(Interrupted.exit_code)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
