"""What the system tells of changes in local folders, by the name of the location.

Takes folders, gives the names of those in which something changed; must not say what changed or read a file. The
system's word is a hint: what it does not tell (a share changed from elsewhere) a scan by the clock finds.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from deeplens_kit.errors import ExtraMissingError
from deeplens_kit.telemetry import get_logger

__all__ = ["ChangeSource", "FolderEvents", "NoEvents", "pause"]

_log = get_logger(__name__)

_POLL_SECONDS = 0.2
# Of `watchfiles`, in milliseconds: changes that follow one another so closely come together.
_STEP_MS, _DEBOUNCE_MS, _ROUND_MS = 100, 1_000, 400
_READY_SECONDS = 10.0


class ChangeSource(Protocol):
    """Tells in which locations something changed, while it waits."""

    def follow(self, folders: Mapping[str, Path], *, anew: Collection[str] = ()) -> Mapping[str, str]:
        """Follow these folders and no others.

        Args:
            folders: By name of the location.
            anew: Of them, those whose folder was away and is to be followed anew.

        Returns:
            Those that cannot be followed, with the reason as the end of a sentence.
        """
        ...

    def wait(self, seconds: float, stop: threading.Event) -> set[str]:
        """The names of what changed since the last call; waits for a change, at most so long, or until `stop`."""
        ...

    def close(self) -> None:
        """Follow nothing any more."""
        ...


class NoEvents:
    """A source that tells of nothing."""

    def follow(self, folders: Mapping[str, Path], *, anew: Collection[str] = ()) -> Mapping[str, str]:
        """Follow nothing."""
        return {}

    def wait(self, seconds: float, stop: threading.Event) -> set[str]:
        """Wait, and tell of nothing."""
        pause(seconds, stop)
        return set()

    def close(self) -> None:
        """Nothing is held open."""


class FolderEvents:
    """What the system tells of (inotify and its like), by the library `watchfiles`: a thread for each folder.

    Args:
        skip: Files and folders whose changes are passed over: those of the workspace, which a run itself writes.

    Raises:
        ExtraMissingError: `watchfiles` is not installed.
    """

    def __init__(self, skip: Sequence[Path]) -> None:
        try:
            import watchfiles  # noqa: F401 - asked here so that nobody finds out in a thread
        except ImportError as error:
            raise ExtraMissingError("Seeing changes of files as they happen", "watch") from error
        self._skip = tuple(os.path.realpath(path) for path in skip)
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._followed: dict[str, _Follower] = {}

    def follow(self, folders: Mapping[str, Path], *, anew: Collection[str] = ()) -> Mapping[str, str]:
        """See `ChangeSource`; what changes after it has returned is told."""
        for name, follower in list(self._followed.items()):
            stays = folders.get(name) == follower.folder and name not in anew and follower.stands()
            if not stays:
                del self._followed[name]
                follower.end()
        fresh = [_Follower(name, folders[name], self._skip, self._told) for name in folders.keys() - self._followed]
        for follower in fresh:
            follower.start()
        deadline = time.monotonic() + _READY_SECONDS
        for follower in fresh:
            follower.wait_until_ready(deadline)
        self._followed |= {follower.name: follower for follower in fresh if follower.reason is None}
        return {follower.name: follower.reason for follower in fresh if follower.reason is not None}

    def wait(self, seconds: float, stop: threading.Event) -> set[str]:
        """See `ChangeSource`."""
        end = time.monotonic() + seconds
        told: set[str] = set()
        while not stop.is_set():
            left = end - time.monotonic()
            try:
                # In short turns: the event is set by a handler of signals, which must not meet a lock that is held.
                told.add(self._told.get(timeout=max(0.0, 0.0 if told else min(left, _POLL_SECONDS))))
            except queue.Empty:
                if told or left <= 0:
                    break
        return told

    def close(self) -> None:
        """End the threads."""
        for follower in self._followed.values():
            follower.end()
        self._followed.clear()


class _Follower(threading.Thread):
    """Follows one folder until it is ended or the folder cannot be followed any more."""

    def __init__(self, name: str, folder: Path, skip: Iterable[str], told: queue.SimpleQueue[str]) -> None:
        super().__init__(name=name, daemon=True)
        self.folder = folder
        self.reason: str | None = None
        self._skip, self._told = tuple(skip), told
        self._ready, self._ended = threading.Event(), threading.Event()
        self._late = False
        self._identity = _identity(folder)

    def run(self) -> None:
        import watchfiles

        try:
            os.scandir(
                self.folder
            ).close()  # the library takes a folder that is not there for one where nothing happens
            for changes in watchfiles.watch(
                self.folder,
                watch_filter=self._matters,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=self._ended,
                rust_timeout=_ROUND_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                self._ready.set()
                if changes or self._late:
                    self._late = False
                    self._told.put(self.name)
        except Exception as error:  # noqa: BLE001 - the edge of a thread; the clock stands in for it
            self.reason = self.reason or _reason(error)
            _log.info("folder not followed", location=self.name, reason=self.reason)
        finally:
            self._ready.set()

    def stands(self) -> bool:
        """Whether it follows the folder that stands there now: a disk may have been pulled out and put back."""
        return self.is_alive() and self._identity == _identity(self.folder)

    def wait_until_ready(self, deadline: float) -> None:
        """Wait until changes are told; a folder so large that it takes longer is told of as changed once it is."""
        if not self._ready.wait(max(0.0, deadline - time.monotonic())):
            self._late = True
            _log.info("folder is being prepared", location=self.name)

    def end(self) -> None:
        """End it; it has ended when this returns, unless it is still being prepared."""
        self._ended.set()
        self.join(timeout=_READY_SECONDS)

    def _matters(self, _change: object, path: str) -> bool:
        real = os.path.realpath(path)
        return not any(real == own or real.startswith(own + os.sep) for own in self._skip)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        state = folder.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _reason(error: Exception) -> str:
    text = (getattr(error, "strerror", None) or str(error)).partition("\n")[0].rstrip(". ")
    if "limit" in text.lower() or "no space left" in text.lower():
        return "the system allows no more folders to be followed: raise fs.inotify.max_user_watches"
    return text or type(error).__name__


def pause(seconds: float, stop: threading.Event) -> None:
    """Wait, unless `stop` is set meanwhile; a handler of signals may set it at any moment."""
    end = time.monotonic() + seconds
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _POLL_SECONDS))
