"""Holding a run back, so that whatever else the machine does stays usable: priority, memory, reading.

Takes what somebody asked for, gives settings and waits; must not know what is read or computed.
"""

from __future__ import annotations

import contextlib
import copy
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from deeplens_kit.decode import close_decoders
from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.settings import WorkspaceSettings

__all__ = ["RateLimit", "Throttle", "held_back", "step_back"]

# What the run itself takes beside its decoders and what it holds: interpreter, models, catalog (measured: 420 MiB).
_OWN_BYTES = 512 * 2**20
_DECODER_OWN_BYTES = 96 * 2**20  # an interpreter with decoders, before it has a picture
# A photograph of 24 megapixels with what its reduction needs; with less a decoder is of little use.
_LEAST_DECODER_BYTES = 192 * 2**20
_POLL_SECONDS = 0.1
_HELD_SHARE = 4  # of what is left for decoders: files read and not yet decoded, or pictures under comparison
_LEAST_BYTES = _OWN_BYTES + (_DECODER_OWN_BYTES + _LEAST_DECODER_BYTES) * _HELD_SHARE // (_HELD_SHARE - 1)


@dataclass(frozen=True, slots=True)
class Throttle:
    """What a run may take of the machine; None leaves each to the settings of the workspace.

    Attributes:
        niceness: How far it steps back for other processes, 0..19.
        max_memory_bytes: Its decoders and itself together; 0 for no ceiling.
        max_read_bytes_per_second: Of files at the locations; 0 for no limit.
        workers: Threads, and as many decoders; 0 for all cores.
    """

    niceness: int | None = None
    max_memory_bytes: int | None = None
    max_read_bytes_per_second: int | None = None
    workers: int | None = None


class RateLimit:
    """Lets so many bytes a second through, whoever asks; safe to share between threads.

    Args:
        bytes_per_second: 0 lets everything through.
        clock: Seconds, monotonic.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        bytes_per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = bytes_per_second, clock, sleep
        self._lock = threading.Lock()
        self._free_at = 0.0

    def wait(self, size_bytes: int, stopped: Callable[[], bool]) -> None:
        """Wait for the turn of a file; returns early where nobody waits for it any more.

        Whoever reads pays after the fact: the file after a large one waits until it is paid for, so that a file of any
        size gets through, and the average holds from the second file on.
        """
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            begins = max(now, self._free_at)
            self._free_at = begins + size_bytes / self._rate
        while begins > (now := self._clock()) and not stopped():
            self._sleep(min(begins - now, _POLL_SECONDS))


@contextlib.contextmanager
def held_back(workspace: Workspace, throttle: Throttle) -> Iterator[tuple[Workspace, int]]:
    """The workspace with the settings that a throttle comes to, and the number of workers.

    The workspace that is given stays as it is: a search that goes on beside the run keeps its limits.

    Raises:
        SettingsError: The ceiling of memory is below what one decoder needs, or a value is out of range.
    """
    held = copy.copy(workspace)
    held.settings, workers = _throttled(workspace.settings, throttle)
    if held.settings.index.max_memory_bytes:
        close_decoders()  # those of earlier work would count too
    try:
        yield held, workers
    finally:
        if held.settings.index.max_memory_bytes:
            close_decoders()


def step_back(niceness: int) -> None:
    """Lower the priority of the thread that calls, where the system can do that for one thread (Linux)."""
    if niceness and hasattr(os, "setpriority"):
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))


def _throttled(settings: WorkspaceSettings, throttle: Throttle) -> tuple[WorkspaceSettings, int]:
    asked = {name: getattr(throttle, name) for name in ("niceness", "max_memory_bytes", "max_read_bytes_per_second")}
    index = replace(settings.index, **{name: value for name, value in asked.items() if value is not None})
    workers = default_workers(index.workers if throttle.workers is None else throttle.workers)
    if not index.max_memory_bytes:
        return replace(settings, index=index), workers
    if index.max_memory_bytes < _LEAST_BYTES:
        raise SettingsError(
            f"A memory limit of {index.max_memory_bytes:,} bytes is too little; a run needs {_LEAST_BYTES:,} at least."
        )
    # What the decoders take and what waits for them may come together.
    held = (index.max_memory_bytes - _OWN_BYTES) // _HELD_SHARE
    left = index.max_memory_bytes - _OWN_BYTES - held
    workers = max(1, min(workers, left // (_DECODER_OWN_BYTES + _LEAST_DECODER_BYTES)))
    each = left // workers - _DECODER_OWN_BYTES
    return (
        replace(
            settings,
            index=replace(index, max_waiting_bytes=min(index.max_waiting_bytes, held)),
            decode=replace(settings.decode, max_memory_bytes=min(settings.decode.max_memory_bytes, each)),
            match=replace(settings.match, held_look_bytes=min(settings.match.held_look_bytes, held)),
        ),
        workers,
    )
