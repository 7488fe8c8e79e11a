"""Writes of several threads gathered into one transaction, for what is written before and after every act.

Takes acts on a session and runs them; must not know what they write. A transaction costs a flush of the disk, whatever
it holds: who comes while one is under way waits for it and shares the next. Without others a write is a transaction of
its own, at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy.orm import Session

__all__ = ["GatheredWrites"]

_Result = TypeVar("_Result")
_Transaction = Callable[[], AbstractContextManager[tuple[Session, datetime]]]


class _Ticket:
    """One act that waits."""

    def __init__(self, act: Callable[[Session, datetime], Any]) -> None:
        self.act = act
        self.result: Any = None
        self.error: BaseException | None = None
        self.settled = False
        self.woken = threading.Event()


class GatheredWrites:
    """Runs acts of any number of threads; each returns when what it wrote is durable.

    Args:
        transaction: Opens a transaction that writes, with its time, and commits it at its end.
    """

    def __init__(self, transaction: _Transaction) -> None:
        self._transaction = transaction
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._busy = False

    def run(self, act: Callable[[Session, datetime], _Result]) -> _Result:
        """Run an act in a transaction, perhaps with those of others; it may be run again where another's failed.

        Raises:
            Whatever the act raises, and then nothing of it is written; or what the commit raises.
        """
        ticket = _Ticket(act)
        with self._lock:
            self._waiting.append(ticket)
            leads = not self._busy
            self._busy = True
        try:
            if not leads:
                ticket.woken.wait()
            if not ticket.settled:
                self._lead()
        except BaseException:
            self._leave(ticket, leads)
            raise
        if ticket.error is not None:
            raise ticket.error
        return cast(_Result, ticket.result)

    def _lead(self) -> None:
        """Commit what waits, this thread's own among it, then let one of those that came since lead."""
        with self._lock:
            batch, self._waiting = self._waiting, []
        try:
            self._commit(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
            for ticket in batch:
                ticket.woken.set()
            if following is not None:
                following.woken.set()

    def _leave(self, ticket: _Ticket, leads: bool) -> None:
        """Interrupted: take back what nobody runs yet, and let another lead where this thread was to."""
        with self._lock:
            if ticket not in self._waiting:
                return
            self._waiting.remove(ticket)
            if leads or ticket.woken.is_set():
                following = self._waiting[0] if self._waiting else None
                self._busy = following is not None
                if following is not None:
                    following.woken.set()

    def _commit(self, batch: list[_Ticket]) -> None:
        if len(batch) > 1 and self._together(batch):
            return
        for ticket in batch:
            try:
                with self._transaction() as (session, now):
                    ticket.result = ticket.act(session, now)
            except BaseException as error:  # noqa: BLE001 - raised again where the act came from
                ticket.error = error
            ticket.settled = True

    def _together(self, batch: list[_Ticket]) -> bool:
        """Run all acts in one transaction; False where one failed and nothing was written."""
        ran = False
        try:
            with self._transaction() as (session, now):
                for ticket in batch:
                    ticket.result = ticket.act(session, now)
                ran = True
        except BaseException as error:  # noqa: BLE001 - raised again where the acts came from
            if not ran and isinstance(error, Exception):
                return False
            # In the commit nobody can tell what was written: nobody's act may be run again.
            for ticket in batch:
                ticket.error = error
        for ticket in batch:
            ticket.settled = True
        return True
