"""The lease on a location: one run at a time, kept alive by a heartbeat.

Takes the ledger's engine and gives a lease that others respect while its heartbeat is fresh and its process lives;
must not hold a transaction open. Taking is one conditional statement, so that of two processes exactly one wins on
either database. The holder learns of a loss (it was suspended, or cut off) before its next commit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import ColumnElement, CursorResult, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import DeepLensError, LeaseHeldError, WorkspaceError
from deeplens_kit.ledger.holder import is_alive, shown_holder
from deeplens_kit.ledger.inserting import insert_into
from deeplens_kit.ledger.models import LeaseRow
from deeplens_kit.ledger.values import Location
from deeplens_kit.telemetry import get_logger

__all__ = ["BEATS_PER_STALE", "Lease", "take"]

# Heartbeats within the time after which a lease counts as abandoned: five may fail before it is lost.
BEATS_PER_STALE = 6

_log = get_logger(__name__)


def _seconds() -> float:
    """A clock that goes on while the machine sleeps, where there is one: others do not sleep with it."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def take(session: Session, location: Location, holder: str, run_id: str, stale_seconds: float, now: datetime) -> None:
    """Take the lease on a location within the session's transaction.

    Raises:
        LeaseHeldError: A live process has it.
    """
    key = LeaseRow.location_id == location.location_id
    seen = session.scalar(select(LeaseRow).where(key))
    free = LeaseRow.heartbeat_at < now - timedelta(seconds=stale_seconds)
    if seen is not None and is_alive(seen.holder) is False:
        free = or_(free, and_(LeaseRow.run_id == seen.run_id, LeaseRow.holder == seen.holder))
    values = {"holder": holder, "run_id": run_id, "acquired_at": now, "heartbeat_at": now}
    statement = insert_into(session, LeaseRow).values(location_id=location.location_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["location_id"], set_=values, where=free))
    session.expire_all()
    found = session.scalars(select(LeaseRow).where(key)).one()
    if (found.run_id, found.holder) != (run_id, holder):
        raise LeaseHeldError(location.name, shown_holder(found.holder), (now - found.acquired_at).total_seconds())


class Lease:
    """A lease that is held, renewed while its block runs and given back at its end; made by `Ledger.lease`.

    Attributes:
        location: What it is on.
        holder: Who holds it.
        run_id: For which run.
        lost: Set when another process took it over, or it could not be renewed in time.
    """

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[tuple[Session, datetime]]],
        location: Location,
        holder: str,
        run_id: str,
        stale_seconds: float,
    ) -> None:
        self.location, self.holder, self.run_id = location, holder, run_id
        self.lost = threading.Event()
        self._transaction = transaction
        self._stale_seconds = stale_seconds
        self._interval_seconds = stale_seconds / BEATS_PER_STALE
        self._renewed = _seconds()
        self._renewing = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{location.location_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def check(self) -> None:
        """Raise unless the lease is still ours; to be called before each commit.

        Raises:
            LeaseHeldError: Another process has taken it over.
            WorkspaceError: It was lost in another way: the ledger could not be reached, or the row is gone.
        """
        # Nobody takes over a lease renewed so recently, so it need not be asked about.
        if not self.lost.is_set() and _seconds() - self._renewed > self._interval_seconds:
            self._renew()
        if not self.lost.is_set():
            return
        with self._transaction() as (session, now):
            found = session.get(LeaseRow, self.location.location_id)
            if found is not None and not self._is_ours(found):
                age = (now - found.acquired_at).total_seconds()
                raise LeaseHeldError(self.location.name, shown_holder(found.holder), age)
        raise WorkspaceError(
            f"The lease on location {self.location.name!r} could not be kept for {self._stale_seconds:.0f} s; "
            "nothing more is written. Run again."
        )

    def _release(self) -> None:
        """Stop the heartbeat and give the lease back, if it is still ours."""
        self._stopped.set()
        self._thread.join()
        try:
            with self._transaction() as (session, _now):
                session.execute(delete(LeaseRow).where(self._ours()))
        except DeepLensError as error:
            # The work is done or has its own error; the lease goes stale by itself.
            _log.warning("lease not given back", location=self.location.name, error=str(error))

    def _beat(self) -> None:
        while not self._stopped.wait(self._interval_seconds) and not self.lost.is_set():
            try:
                self._renew()
            except DeepLensError as error:
                _log.warning("heartbeat failed", location=self.location.name, error=str(error))

    def _renew(self) -> None:
        with self._renewing:
            # Taken before the statement: what counts is the time that the row shows at the earliest.
            began = _seconds()
            try:
                with self._transaction() as (session, now):
                    result = session.execute(update(LeaseRow).where(self._ours()).values(heartbeat_at=now))
                    kept = isinstance(result, CursorResult) and result.rowcount == 1
            except DeepLensError:
                if _seconds() - self._renewed > self._stale_seconds:
                    self.lost.set()
                raise
            if kept:
                self._renewed = began
            else:
                self.lost.set()

    def _ours(self) -> ColumnElement[bool]:
        return and_(
            LeaseRow.location_id == self.location.location_id,
            LeaseRow.run_id == self.run_id,
            LeaseRow.holder == self.holder,
        )

    def _is_ours(self, row: LeaseRow) -> bool:
        return (row.run_id, row.holder) == (self.run_id, self.holder)
