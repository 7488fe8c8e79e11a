"""Faults that strike while steps are applied, resumed or undone: at the n-th occasion, in a chosen way.

Takes opened locations and a journal and lends them out with the fault in them: before and after each call, each line of
the journal and each boundary. Must not change what it lets through.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any
from unittest import mock

from benchmarks.fault_proxy import FaultProxy, NetworkFault
from benchmarks.fault_proxy import Way as NetworkWay
from deeplens_kit.errors import LocationUnavailableError, ObjectUnreadableError, StoreFullError
from deeplens_kit.ledger import engine as ledger_engine
from deeplens_kit.storage import LocationKind

__all__ = ["CALLS", "FaultWay", "Killed", "Strike"]

CALLS = (
    *("stat", "read", "open", "about", "identity"),
    *("create", "copy", "move", "remove", "replace", "set_times", "link", "link_to", "remove_link"),
)
"""Calls of a location that acting makes; each is an occasion before and after it."""

_MAKING = frozenset({"create", "copy", "move", "replace", "link", "link_to"})
"""Those that take space."""


class FaultWay(StrEnum):
    """What goes wrong. `SIGKILL`: a process of its own, ended by the system; `KILLED`: what no handler catches."""

    KILLED = "killed"
    SIGKILL = "sigkill"
    ERROR = "storage error"
    FULL = "disk full"
    CUT = "network cut"
    CLOCK = "clock jump"


class Killed(BaseException):
    """The process ends here."""


class _Clock(datetime):
    """The time of this machine, and how far it jumped."""

    jumped = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.jumped


class Strike:
    """One fault for one phase of one run, or none.

    Args:
        way: How it strikes; None for a phase without a fault.
        at: At which occasion, from 0; of a network after so many bytes of answers.
        chance: The rest of it.
        proxy: Before the server, for a network.
    """

    def __init__(self, way: FaultWay | None, at: int, chance: random.Random, proxy: FaultProxy | None = None) -> None:
        self.way, self._at, self._proxy = way, at, proxy
        self.seen, self.struck, self.name = 0, False, ""
        self._lasting = way in (FaultWay.KILLED, FaultWay.FULL) or chance.random() < 0.3
        self._ledger_is_full = chance.random() < 0.4
        self._answer_is_lost = chance.random() < 0.5
        self._unreachable = chance.random() < 0.5
        self._network = chance.choice([NetworkWay.RESET, NetworkWay.TRUNCATED, NetworkWay.BUSY, NetworkWay.TIMEOUT])
        self._jump = timedelta(hours=chance.choice([-72, -5, -1, 1, 5, 72]))
        self._lock = threading.Lock()

    @contextmanager
    def armed(self, kinds: Mapping[str, LocationKind]) -> Iterator[None]:
        """Have it strike while the block runs."""
        with ExitStack() as stack:
            if self.way in (FaultWay.KILLED, FaultWay.ERROR, FaultWay.FULL):
                for kind in kinds.values():
                    stack.enter_context(self._in_calls(kind))
            if self.way is FaultWay.CLOCK:
                stack.enter_context(mock.patch.object(ledger_engine, "datetime", _Clock))
                stack.callback(setattr, _Clock, "jumped", timedelta())
            sent = 0
            if self.way is FaultWay.CUT and self._proxy is not None:
                sent = self._proxy.sent_bytes
                self._proxy.arm(NetworkFault(self._network, self._at))
            try:
                yield
            finally:
                if self.way is FaultWay.CUT and self._proxy is not None:
                    self.struck = self._proxy.disarm()
                    self.seen = self._proxy.sent_bytes - sent

    def now(self) -> datetime:
        """UTC, by the clock as it goes."""
        return _Clock.now(UTC) if self.way is FaultWay.CLOCK else datetime.now(UTC)

    def boundary(self, name: str) -> None:
        """As `Ground.boundary`."""
        if self.way is FaultWay.KILLED and self._due(name):
            raise Killed
        if self.way is FaultWay.CLOCK and self._due(name):
            _Clock.jumped = self._jump

    def of_journal(self, journal: Any) -> Any:
        """The journal, whose disk may fill up."""
        return _FaultyJournal(journal, self) if self.way is FaultWay.FULL and self._ledger_is_full else journal

    def before_line(self) -> None:
        """A line is about to be written."""
        if self._due("line"):
            raise StoreFullError("The ledger cannot be written: the disk is full (made so).")

    def _in_calls(self, kind: LocationKind) -> Any:
        @contextmanager
        def patched() -> Iterator[None]:
            for name in CALLS:
                setattr(kind, name, self._around(kind, name, getattr(kind, name)))
            try:
                yield
            finally:
                for name in CALLS:
                    delattr(kind, name)

        return patched()

    def _around(self, kind: LocationKind, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*values: Any, **named: Any) -> Any:
            self._before(kind, name)
            answer = call(*values, **named)
            self._after(kind, name)
            return answer

        return called

    def _before(self, kind: LocationKind, name: str) -> None:
        if self.way is FaultWay.KILLED and self._due(f"before {name}"):
            raise Killed
        if self.way is FaultWay.FULL and not self._ledger_is_full and name in _MAKING and self._due(name):
            raise StoreFullError("The storage has no space left (made so).")
        if self.way is FaultWay.ERROR and not self._answer_is_lost and self._due(name):
            raise self._error(kind)

    def _after(self, kind: LocationKind, name: str) -> None:
        if self.way is FaultWay.KILLED and self._due(f"after {name}"):
            raise Killed
        if self.way is FaultWay.ERROR and self._answer_is_lost and self._due(name):
            raise self._error(kind)

    def _error(self, kind: LocationKind) -> Exception:
        if self._unreachable:
            return LocationUnavailableError(kind.name, "The storage cannot be reached (made so).")
        return ObjectUnreadableError("Input or output error (made so).")

    def _due(self, name: str) -> bool:
        with self._lock:
            self.seen += 1
            due = self.seen > self._at if self._lasting else self.seen == self._at + 1
            if due and not self.struck:
                self.struck, self.name = True, name
            return due


class _FaultyJournal:
    def __init__(self, journal: Any, strike: Strike) -> None:
        self._journal, self._strike = journal, strike

    def append_journal(self, *values: Any, **named: Any) -> Any:
        self._strike.before_line()
        return self._journal.append_journal(*values, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)
