"""What the system lets a decoder process use: memory, no writing of files, no core dumps, and an alarm clock.

Takes limits, sets them for the process that calls; must not be called in any other process than a decoder's.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

__all__ = ["confine", "data_bytes", "job_limits"]

_GRACE_SECONDS = 5
"""The parent ends a process that is late. The alarm ends one whose parent is gone, so it comes later."""


def confine(niceness: int) -> None:
    """What holds for the whole life of a decoder: it writes no file, dumps no core, and Ctrl-C is for its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if niceness:
        os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))
        # Linux weighs sessions against each other, sched(7), and a decoder is one of its own: its niceness alone would
        # not reach the programs of others.
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(niceness))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


@contextlib.contextmanager
def job_limits(max_memory_bytes: int, max_seconds: float, own_bytes: int) -> Iterator[None]:
    """Limits while one job runs.

    Args:
        max_memory_bytes: What it may take besides `own_bytes`; beyond that an allocation fails.
        max_seconds: After this, and a little more, the process ends.
        own_bytes: What the process took before its first job.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = own_bytes + max_memory_bytes
    # A user, a service or a batch system may allow less than we do.
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    signal.alarm(math.ceil(max_seconds) + _GRACE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def data_bytes() -> int:
    """Memory of its own that this process has asked for; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Linux, proc_pid_statm(5): the sixth number is data and stack, in pages.
        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    return 0
