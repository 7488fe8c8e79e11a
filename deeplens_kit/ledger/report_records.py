"""The part of the ledger that keeps which reports were made, when, for whom, and their headline numbers.

Takes and gives frozen values; must not make a report or know what its numbers mean. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from deeplens_kit.ledger import outbox as outbox_rows
from deeplens_kit.ledger import report_runs as rows
from deeplens_kit.ledger.holder import current_holder, current_person
from deeplens_kit.ledger.report_values import ReportRun, ReportRunState
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import OutboxEvent

__all__ = ["ReportRunRecords"]

# A run on another machine without heartbeat for longer than this is taken as gone; as of a lease.
_STALE_SECONDS = 60.0


class ReportRunRecords(Transactions):
    """Reports that were made, by hand and by schedule."""

    def begin_report_run(
        self,
        report: str,
        parameters: Mapping[str, str],
        *,
        out: str = "",
        schedule: str = "",
        due_at: datetime | None = None,
        attempt: int = 1,
        stale_seconds: float = _STALE_SECONDS,
    ) -> ReportRun:
        """Record that a report is being made by this process; runs whose process is gone are marked as interrupted.

        Args:
            report: Its name.
            parameters: As they were given: later runs with the same are compared with this one.
            out: Where its page will be, a path or URL.
            schedule: The schedule that it is a run of; of several processes that ask for one, one may. Empty by hand.
            due_at: The time of the schedule that it makes good; aware.
            attempt: 1 for the first try at this time.
            stale_seconds: A run on another machine without heartbeat for longer than this is taken as gone.

        Raises:
            ReportRunningError: The schedule runs already, or was run for this time or a later one.
        """
        with self._writing() as (session, now):
            holder, who = current_holder(), current_person()
            return rows.begin(
                session, report, parameters, out, schedule, due_at, attempt, holder, who, stale_seconds, now
            )

    def beat_report_run(self, run_id: str) -> bool:
        """Show that a run lives; False where it does not count any more: it ended, or was taken for dead."""
        with self._writing() as (session, now):
            return rows.beat(session, run_id, now)

    def end_report_run(
        self,
        run_id: str,
        state: ReportRunState | str,
        figures: Mapping[str, object] | None = None,
        message: str = "",
        *,
        events: Iterable[OutboxEvent] = (),
    ) -> ReportRun:
        """Record how a run ended. One of a schedule that finished is still to be delivered, and may yet fail.

        Args:
            run_id: The run.
            state: "finished", "failed" or "interrupted".
            figures: Its headline numbers, as JSON can hold them.
            message: What came of it, in a sentence.
            events: What is to be told of it, written in the same transaction.

        Raises:
            SettingsError: The state is no end.
            UnknownNameError: There is no such run.
            ReportError: It ended already, or another process took it for dead.
        """
        with self._writing() as (session, now):
            outbox_rows.put(session, events, now)
            return rows.end(session, run_id, state, figures or {}, message, now)

    def deliver_report_run(
        self, run_id: str, out: str = "", message: str = "", *, events: Iterable[OutboxEvent] = ()
    ) -> ReportRun:
        """Record that what a schedule's run made lies where it should; with that the run is over.

        Args:
            run_id: The run; it finished.
            out: Where its page is; empty leaves what was said when it began.
            message: What came of it; empty leaves it.
            events: What is to be told of it, written in the same transaction.

        Raises:
            UnknownNameError: There is no such run.
            ReportError: It did not finish, is over, or another process took it for dead.
        """
        with self._writing() as (session, now):
            outbox_rows.put(session, events, now)
            return rows.deliver(session, run_id, out, message, now)

    def settle_report_runs(self, stale_seconds: float = _STALE_SECONDS) -> list[ReportRun]:
        """Mark runs as interrupted whose process is gone; gives them."""
        with self._writing() as (session, now):
            return rows.settle_dead(session, stale_seconds, now)

    def report_runs(
        self,
        report: str | None = None,
        *,
        but: str | None = None,
        schedule: str | None = None,
        scheduled: bool = False,
        states: Collection[ReportRunState] | None = None,
        due: bool = False,
        parameters: Mapping[str, str] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[ReportRun]:
        """Runs of reports, the latest first.

        Args:
            report: Only of this report.
            but: Not those of this report.
            schedule: Only of this schedule; empty for those by hand.
            scheduled: Only those of a schedule, whichever.
            states: Only those that stand so.
            due: Only those that make a time of a schedule good.
            parameters: Only those that had just these.
            limit: At most so many.
            offset: Left out before the first.
        """
        wanted = rows.RunsWanted(report, but, schedule, scheduled, states, due, parameters)
        with self._reading() as session:
            return rows.listed(session, wanted, limit, offset)

    def count_report_runs(
        self,
        report: str | None = None,
        *,
        but: str | None = None,
        schedule: str | None = None,
        scheduled: bool = False,
        states: Collection[ReportRunState] | None = None,
    ) -> int:
        """How many runs there are; arguments as of `report_runs`."""
        wanted = rows.RunsWanted(report, but, schedule, scheduled, states)
        with self._reading() as session:
            return rows.count(session, wanted)

    def report_run(self, run_id: str) -> ReportRun | None:
        """A run by its id; None where there is none."""
        with self._reading() as session:
            return rows.one(session, run_id)

    def last_report_run(
        self, report: str, *, parameters: Mapping[str, str] | None = None, before: datetime | None = None
    ) -> ReportRun | None:
        """The latest run of a report that finished; None where there is none.

        Args:
            report: Its name.
            parameters: Only one that had just these.
            before: Only one that started earlier; aware.
        """
        with self._reading() as session:
            return rows.last(session, report, parameters, before)
