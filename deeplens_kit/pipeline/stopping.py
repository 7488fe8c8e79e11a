"""Signals in steps: stop cleanly, abort, leave.

Takes the signals of the process, gives an event that long work looks at; must not print: what is said on each signal
is the caller's.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_on_signals"]


@contextmanager
def stop_on_signals(
    signals: Sequence[signal.Signals], say: Callable[[int], None], *, leave_with: int | None = None
) -> Iterator[threading.Event]:
    """Give an event that the first signal sets; the second raises KeyboardInterrupt.

    Args:
        signals: Signals to take while the work goes on; the handlers before are put back after it.
        say: Called in the handler with 1 for the first signal, 2 for the second, so it must not wait for anything.
        leave_with: The third signal ends the process with this code; None lets it raise again, as in a notebook,
            whose process holds more than this work.

    Outside the main thread no signal arrives, and the event is set by nobody.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    received = 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if received == 1:
            say(received)
            stop.set()
        elif received == 2 or leave_with is None:
            say(2)
            raise KeyboardInterrupt
        else:
            os._exit(leave_with)

    before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
