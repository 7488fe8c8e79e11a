"""Who holds a lease or runs a job: a process, named so that others can tell whether it still lives.

Takes nothing but the system's process table and gives a text such as "ana@studio pid 4711 (3f2a…)"; must not
signal a process. A process id alone proves nothing: ids are used again, and containers count their own. So the
name holds the start-up of the kernel, the process-id namespace and the start time of the process.
"""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

__all__ = ["acting_as", "current_holder", "current_person", "is_alive", "shown_holder"]

_PROC = Path("/proc")
_HOLDER = re.compile(r"^(?P<shown>.*) pid (?P<pid>\d+) \((?P<scope>\S+) (?P<start>\d+)\)$", re.DOTALL)
# In /proc/PID/stat after the name in brackets: state is the first field, start time the twentieth (proc(5): 3, 22).
_STATE, _START = 0, 19


_ACTING: ContextVar[str] = ContextVar("deeplens_acting", default="")


@contextmanager
def acting_as(person: str) -> Iterator[None]:
    """Have what is done in the block, in this thread or task, be done by somebody: by whom a server acts.

    Args:
        person: As `current_person` then says.
    """
    token = _ACTING.set(person)
    try:
        yield
    finally:
        _ACTING.reset(token)


def current_person() -> str:
    """Who acts: whoever a server acts for, else who runs this process, as "user@host"."""
    return _ACTING.get() or _running_person()


def _running_person() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under an id without a name.
        user = f"uid{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}"


def current_holder() -> str:
    """This process, as "user@host pid N", followed by what tells it from all others."""
    pid = os.getpid()
    stat = _stat(pid)
    proof = f" ({_scope()} {stat[1]})" if stat is not None and _scope() else ""
    return f"{_running_person()} pid {pid}{proof}"


def shown_holder(holder: str) -> str:
    """A holder as people should read it: "user@host pid N"."""
    match = _HOLDER.match(holder)
    return f"{match['shown']} pid {match['pid']}" if match else holder


def is_alive(holder: str) -> bool | None:
    """Whether the process that a holder names still runs.

    Returns:
        None where it cannot be known: another machine, another container, or a name of another form.
    """
    match = _HOLDER.match(holder)
    if match is None or match["scope"] != _scope():
        return None
    stat = _stat(int(match["pid"]))
    # A zombie is dead: only its parent has not asked yet.
    return stat is not None and stat[0] not in "ZX" and stat[1] == match["start"]


@lru_cache(maxsize=1)
def _scope() -> str:
    """Names the set of processes in which a process id means something; empty where that cannot be told."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        # The namespace of this process may not be the one that /proc shows; ids are looked up in the latter.
        namespace = os.stat(_PROC / "self/ns/pid").st_ino  # noqa: PTH116
    except OSError:
        return ""
    return f"{boot}/{namespace}"


def _stat(pid: int) -> tuple[str, str] | None:
    """State and start time of a process in clock ticks since the kernel started; None where there is none."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in brackets may itself hold brackets and spaces.
    fields = text.rpartition(")")[2].split()
    return fields[_STATE], fields[_START]
