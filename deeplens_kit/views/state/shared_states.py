"""Heavy things that those who look at one workspace share: each made once, off the event loop, and freed when unused.

Takes a name, what a thing is made from and how to make it; gives the thing, the same to all who ask; must not hold it
longer than somebody looks at it, and some minutes after. The map of a million pictures weighs a gigabyte: ten pages of
it do not weigh ten.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ["KEPT_SECONDS", "QUICK_SECONDS", "Shared", "SharedStates"]

_Value = TypeVar("_Value")

KEPT_SECONDS = 600.0
"""How long a thing that nobody looks at is kept: who goes from one page to another and back finds it."""

QUICK_SECONDS = 3.0
"""What took no longer is made anew for a new visitor once it is outdated; what took longer, when somebody asks for it
(inclusive)."""


@dataclass(frozen=True, slots=True)
class Shared(Generic[_Value]):
    """A thing that is shared.

    Attributes:
        value: The thing.
        outdated: What it was made from has changed since.
        made_at: When it was made, in seconds since 1970.
    """

    value: _Value
    outdated: bool
    made_at: float


@dataclass(slots=True)
class _Entry:
    """What there is under a name.

    Attributes:
        state: What it was made from.
        making: It is being made, for whoever asks.
        kept: Keeps it for a while; what people look at is kept by their pages.
        found: Finds it for as long as anything keeps it.
        seconds: What making it took.
        made_at: When it was made.
        timer: Lets go of it.
    """

    state: object = None
    making: Future[Any] | None = None
    kept: Any = None
    found: Callable[[], Any] = field(default=lambda: None)
    seconds: float = 0.0
    made_at: float = 0.0
    timer: threading.Timer | None = None


class SharedStates:
    """Things by name; may be asked from any thread.

    Args:
        kept_seconds: How long a thing that nobody looks at is kept.
        quick_seconds: See `QUICK_SECONDS`.
    """

    def __init__(self, kept_seconds: float = KEPT_SECONDS, quick_seconds: float = QUICK_SECONDS) -> None:
        self._kept_seconds, self._quick_seconds = kept_seconds, quick_seconds
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()
        # One after the other: each fills the memory and all cores.
        self._one_at_a_time = threading.Lock()

    async def get(self, name: str, state: object, make: Callable[[], _Value], *, anew: bool = False) -> Shared[_Value]:
        """The thing of a name, made where there is none.

        Args:
            name: Of it; one name is one kind of thing.
            state: What it is made from, to be compared. Where it has changed and making it was slow, the one that is
                there is given and called outdated.
            make: Makes it, on a thread of its own; gives something that weak references can name.
            anew: Make it anew where it is outdated, however long that takes.
        """
        entry, making = self._begin(name, state, make, anew)
        value = await asyncio.shield(asyncio.wrap_future(making))
        with self._lock:
            return Shared(value, entry.state != state, entry.made_at)

    def holds(self, name: str) -> bool:
        """Whether a thing of this name is there now."""
        with self._lock:
            entry = self._entries.get(name)
            return entry is not None and entry.found() is not None

    def let_go(self) -> None:
        """Keep nothing that nobody looks at."""
        with self._lock:
            for entry in self._entries.values():
                self._drop(entry)

    def _begin(self, name: str, state: object, make: Callable[[], Any], anew: bool) -> tuple[_Entry, Future[Any]]:
        """The thing, or its making, which is begun here where nobody has."""
        with self._lock:
            entry = self._entries.setdefault(name, _Entry())
            value = entry.found()
            if value is not None and (entry.state == state or (not anew and entry.seconds > self._quick_seconds)):
                self._keep(entry, value)
                there: Future[Any] = Future()
                there.set_result(value)
                return entry, there
            if entry.making is None:
                entry.making = Future()
                # A daemon: a server that is stopped does not wait for a map that nobody will see.
                threading.Thread(
                    target=self._make, args=(entry, state, make), name=f"shared {name}", daemon=True
                ).start()
            return entry, entry.making

    def _make(self, entry: _Entry, state: object, make: Callable[[], Any]) -> None:
        making = entry.making
        assert making is not None, "nobody asked"
        try:
            with self._one_at_a_time:
                started = time.monotonic()
                value = make()
        except BaseException as error:  # noqa: BLE001 - whoever asked is told
            with self._lock:
                entry.making = None
            making.set_exception(error)
            return
        with self._lock:
            entry.state, entry.seconds, entry.made_at = state, time.monotonic() - started, time.time()
            entry.making, entry.found = None, weakref.ref(value)
            self._keep(entry, value)
        making.set_result(value)

    def _keep(self, entry: _Entry, value: object) -> None:
        self._drop(entry)
        entry.kept = value
        entry.timer = threading.Timer(self._kept_seconds, self._let_go_of, [entry])
        entry.timer.daemon = True
        entry.timer.start()

    def _let_go_of(self, entry: _Entry) -> None:
        with self._lock:
            if entry.timer is threading.current_thread():
                self._drop(entry)

    @staticmethod
    def _drop(entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        entry.kept = entry.timer = None
