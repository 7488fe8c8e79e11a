"""Ctrl-C in three steps: stop cleanly, abort, leave.

Takes the signals of the process, gives an event that long work looks at; must not lose what was committed.
"""

from __future__ import annotations

import signal
import threading
from contextlib import AbstractContextManager

from deeplens_kit.errors import Interrupted
from deeplens_kit.pipeline import stopping
from deeplens_kit.views.index_progress import say_signal, say_signal_of_schedules, say_signal_of_steps

__all__ = ["stop_on_signals"]


def stop_on_signals(*, steps: bool = False, schedules: bool = False) -> AbstractContextManager[threading.Event]:
    """Give an event that the first SIGINT or SIGTERM sets; the second raises, the third leaves at once.

    Args:
        steps: Whether the work changes files step by step, which is said in other words.
        schedules: The same for runs that are due.
    """
    say = say_signal_of_schedules if schedules else say_signal_of_steps if steps else say_signal
    return stopping.stop_on_signals((signal.SIGINT, signal.SIGTERM), say, leave_with=Interrupted.exit_code)
