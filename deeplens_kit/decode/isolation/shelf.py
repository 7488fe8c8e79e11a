"""The decoder processes that nobody uses at the moment, kept for whoever needs one next.

Takes processes back and gives them out; must not ask them anything. One shelf for this process: an index run, a search
and a dashboard share it, so that none waits for an interpreter to start.
"""

from __future__ import annotations

import atexit
import os
import threading
import time

from deeplens_kit.decode.isolation.process import DecoderEndedError, DecoderProcess
from deeplens_kit.errors import DecoderUnavailableError

__all__ = ["close_decoders", "put_back", "take"]

_MOST_JOBS = 5000
"""After so many a decoder is replaced: what leaks a little in one of a dozen libraries must not add up."""
_MOST_GROWTH_BYTES = 192 * 2**20
"""The same, where it grew by more than this since its first picture."""
_MOST_IDLE = max(8, 2 * (os.cpu_count() or 1))
_IDLE_SECONDS = 60.0  # each takes as much memory as a small program
_MOST_STARTS = 5  # whoever ends processes while they start will not do so five times running by chance

_lock = threading.Lock()
_idle: list[DecoderProcess] = []
_watch: threading.Timer | None = None


def take(niceness: int, *, fresh: bool) -> DecoderProcess:
    """A decoder for one job.

    Args:
        niceness: As it must have it.
        fresh: One that has not decoded anything yet.

    Raises:
        DecoderUnavailableError: None can be started.
    """
    while not fresh:
        with _lock:
            found = next((item for item in reversed(_idle) if item.niceness == niceness), None)
            if found is not None:
                _idle.remove(found)
        if found is None:
            break
        if found.alive:
            return found
        found.end()
    for _ in range(_MOST_STARTS):
        try:
            return DecoderProcess(niceness)
        except DecoderEndedError as error:
            ended = error
    raise DecoderUnavailableError(f"A decoder does not start: {ended.words}, {_MOST_STARTS} times.") from ended


def put_back(process: DecoderProcess) -> None:
    """Keep a decoder for the next job, or end it where it has done enough."""
    ended = []
    if process.jobs >= _MOST_JOBS or process.grown_bytes > _MOST_GROWTH_BYTES:
        ended.append(process)
    else:
        process.idle_since = time.monotonic()
        with _lock:
            _idle.append(process)
            if len(_idle) > _MOST_IDLE:
                # The one that was wanted least: of another priority than this, else the one that waits longest.
                least = next((item for item in _idle if item.niceness != process.niceness), _idle[0])
                _idle.remove(least)
                ended.append(least)
            _watch_idle()
    for item in ended:
        item.end()


def close_decoders() -> None:
    """End the decoders that nobody uses; the next job starts a new one."""
    global _watch
    with _lock:
        ended, _idle[:] = list(_idle), []
        if _watch is not None:
            _watch.cancel()
            _watch = None
    for process in ended:
        process.end()


def _watch_idle() -> None:
    """See to it that somebody ends decoders that wait too long; called with the lock held."""
    global _watch
    if _watch is None:
        _watch = threading.Timer(_IDLE_SECONDS, _end_idle)
        _watch.daemon, _watch.name = True, "idle-decoders"
        _watch.start()


def _end_idle() -> None:
    global _watch
    with _lock:
        _watch = None
        oldest = time.monotonic() - _IDLE_SECONDS
        ended = [item for item in _idle if item.idle_since <= oldest]
        _idle[:] = [item for item in _idle if item.idle_since > oldest]
        if _idle:
            _watch_idle()
    for item in ended:
        item.end()


def _forget() -> None:
    """In a fork of this process: the decoders belong to the parent."""
    global _lock, _watch
    _lock, _watch = threading.Lock(), None
    _idle.clear()


atexit.register(close_decoders)
os.register_at_fork(after_in_child=_forget)
