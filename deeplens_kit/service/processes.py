"""The processes beside the server's own: workers of the API and of jobs, kept alive until the server stops.

Takes commands, keeps a process of each; one that dies is started anew, sooner or later by how often it died. Must not
know what they do. A process has the other end of its standard input from us: when we are gone, however we went, it is
closed and the process ends.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deeplens_kit.errors import DeepLensError
from deeplens_kit.telemetry import get_logger

__all__ = ["ChildSpec", "Children"]

_log = get_logger(__name__)

READY = "ready"
"""What a process says on standard output when it does what it is for."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
# One that lived so long had a reason of its own to die.
_SOUND_SECONDS = 10.0
_MOST_FAILED_STARTS = 3
_KILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A process to keep.

    Attributes:
        name: What to call it, as "API worker 1".
        command: What to start.
        descriptors: File descriptors that it inherits.
    """

    name: str
    command: tuple[str, ...]
    descriptors: tuple[int, ...] = ()


class _Child:
    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[str] | None = None
        self.ready = threading.Event()
        self.failed_starts = 0
        self.down_since: float | None = time.monotonic()
        self.thread: threading.Thread | None = None


class Children:
    """Keeps processes until the block ends; use as a context manager.

    Args:
        specs: Which.
        stop_seconds: How long they have to end in good order.
    """

    def __init__(self, specs: Sequence[ChildSpec], stop_seconds: float) -> None:
        self._children = [_Child(spec) for spec in specs]
        self._stop_seconds = stop_seconds
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Children:
        for child in self._children:
            child.thread = threading.Thread(target=self._keep, args=(child,), name=child.spec.name, daemon=True)
            child.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def wait_ready(self, wanted: Callable[[str], bool] = lambda _name: True) -> None:
        """Wait until processes do what they are for.

        Args:
            wanted: Which, by name.

        Raises:
            DeepLensError: One of them cannot be started.
        """
        for child in self._children:
            while wanted(child.spec.name) and not child.ready.wait(0.1):
                if child.failed_starts >= _MOST_FAILED_STARTS:
                    raise DeepLensError(f"The {child.spec.name} cannot be started; the log above says why.")
                if self._stopping.is_set():
                    return

    def check(self, wanted: Callable[[str], bool], patience_seconds: float) -> str:
        """How many live; for `/health/ready`.

        Raises:
            DeepLensError: One has been down for longer than the patience.
        """
        children = [child for child in self._children if wanted(child.spec.name)]
        now = time.monotonic()
        for child in children:
            if child.down_since is not None and now - child.down_since > patience_seconds:
                raise DeepLensError(f"The {child.spec.name} does not run.")
        return f"{sum(child.down_since is None for child in children)} of {len(children)} run"

    def pids(self) -> dict[str, int]:
        """The process ids of those that run, by name."""
        with self._lock:
            return {child.spec.name: child.process.pid for child in self._children if child.process is not None}

    def stop(self) -> None:
        """End them all in good order, and those that do not end by force."""
        self._stopping.set()
        with self._lock:
            running = [child.process for child in self._children if child.process is not None]
            for process in running:
                process.terminate()
        deadline = time.monotonic() + self._stop_seconds
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.warning("a process did not end in time and is killed", pid=process.pid)
                process.kill()
        for child in self._children:
            if child.thread is not None:
                child.thread.join(_KILL_SECONDS)

    def _keep(self, child: _Child) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._run(child)
            if self._stopping.is_set():
                return
            was_ready = child.ready.is_set()
            child.ready.clear()
            child.failed_starts = 0 if was_ready else child.failed_starts + 1
            if time.monotonic() - started > _SOUND_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            _log.warning("a process ended and is started anew", process=child.spec.name, exit_code=code, seconds=pause)
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _run(self, child: _Child) -> int | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            try:
                process = child.process = subprocess.Popen(
                    child.spec.command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    pass_fds=child.spec.descriptors,
                    # Ctrl-C is for us; they are told by us.
                    start_new_session=True,
                )
            except OSError as error:
                # A machine without room for one more process has it again later.
                _log.error("a process cannot be started", process=child.spec.name, reason=str(error))
                return None
        assert process.stdout is not None and process.stdin is not None
        with process.stdout, process.stdin:
            for line in process.stdout:
                if line.strip() == READY:
                    child.down_since = None
                    child.ready.set()
            code = process.wait()
        child.down_since = time.monotonic()
        with self._lock:
            child.process = None
        return code
