"""The part of the ledger that keeps what was done by plans: applications, their journals, and the quarantine.

Takes and gives frozen values; must not touch a user's file. Every method is one transaction, durable when it returns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deeplens_kit.ledger import applications as application_rows
from deeplens_kit.ledger import job_events, saved_sums
from deeplens_kit.ledger import journal as journal_rows
from deeplens_kit.ledger import locations as location_rows
from deeplens_kit.ledger import quarantine as quarantine_rows
from deeplens_kit.ledger.act_values import (
    Application,
    ApplicationState,
    JournalEntry,
    QuarantinedFile,
    QuarantineState,
)
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.gathering import GatheredWrites
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.job_values import ImageStage
from deeplens_kit.ledger.saved_sums import SavedSums
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import Location
from deeplens_kit.ledger.working import current_job

__all__ = ["ApplicationRecords"]


class ApplicationRecords(Transactions):
    """What was done by plans; see `Transactions`."""

    def __init__(self, engine: Engine, place: str) -> None:
        super().__init__(engine, place)
        self._gathered = GatheredWrites(self._writing)

    def start_application(
        self, plan_id: str, steps_digest: str, settings: Mapping[str, object], *, other_approver: bool = False
    ) -> Application:
        """Begin to apply a plan; of several processes that ask, one may.

        Args:
            plan_id: The plan.
            steps_digest: SHA-256 of the steps that are at hand.
            settings: By which it is applied, as JSON can hold them.
            other_approver: Whether somebody else than its author must have approved it.

        Raises:
            UnknownNameError: There is no such plan.
            PlanNotApprovedError: Nobody who may approved it with these steps, or somebody refused it.
            PlanStateError: It was applied, or is.
        """
        with self._writing() as (session, now):
            who = current_person()
            return application_rows.start(
                session, plan_id, steps_digest, settings, who, now, other_approver=other_approver
            )

    def application(self, application_id: str) -> Application:
        """The application of an id, or of the beginning of one; raises as `plan`."""
        with self._reading() as session:
            return application_rows.frozen(application_rows.find(session, application_id))

    def applications(self, plan_id: str | None = None) -> list[Application]:
        """Applications, the latest first; of one plan, or all."""
        with self._reading() as session:
            return application_rows.listed(session, plan_id)

    def set_application(
        self,
        application_id: str,
        state: ApplicationState | str,
        figures: Mapping[str, object] | None = None,
        message: str = "",
    ) -> Application:
        """Say how an application stands now; its plan is applied when it is finished, and undone when it is undone.

        Args:
            application_id: The application.
            state: How it stands.
            figures: Counts and bytes, as JSON can hold them; as before where None.
            message: Why it ended early.

        Raises:
            UnknownNameError: There is no such application.
            PlanStateError: It has ended in a way from which it does not come to that.
        """
        with self._writing() as (session, now):
            who = current_person()
            return application_rows.set_state(session, application_id, state, figures, message, who, now)

    def append_journal(
        self,
        application_id: str,
        entries: Sequence[JournalEntry],
        *,
        held: Sequence[QuarantinedFile] = (),
        changed: Mapping[str, QuarantineState] | None = None,
        audit: str = "",
        stages: Sequence[ImageStage] = (),
    ) -> list[JournalEntry]:
        """Write lines to the journal of an application, and what they mean for the quarantine: all or nothing.

        When it returns they outlive the loss of power. Several lines at once cost hardly more than one, and threads
        that call at the same time share one transaction.

        Args:
            application_id: The whole id.
            entries: The lines in their order, without sequence and time. An operation comes once in a step: it is
                open while its last line is BEGUN.
            held: Files that are in quarantine now.
            changed: What became of files that were, by their ids.
            audit: An action under which the audit trail tells of it; nothing there by default.
            stages: To what stages the lines bring files.

        Returns:
            The lines with sequence and time.

        Raises:
            UnknownNameError: There is no such application, or no such file in quarantine; nothing is written.
            PlanStateError: A step would begin in an application that is finished or undone, or is being undone.
        """
        # Of this thread: another one may do the writing.
        who, job_id = current_person(), current_job()

        def act(session: Session, now: datetime) -> list[JournalEntry]:
            given = journal_rows.append(session, application_id, entries, now)
            quarantine_rows.hold(session, held)
            quarantine_rows.change(session, changed or {})
            if audit:
                details = {"application_id": application_id, "lines": len(given)}
                details |= {"held": len(held)} if held else {}
                details |= {"changed": len(changed)} if changed else {}
                _tell(session, who, audit, details, now)
            job_events.add(session, job_id, stages, now)
            return given

        return self._gathered.run(act)

    def journal(self, application_id: str, *, after: int = -1) -> Iterator[JournalEntry]:
        """The journal of an application, in its order, a page in memory at a time.

        Args:
            application_id: The whole id.
            after: Lines of a higher sequence alone.
        """
        while True:
            with self._reading() as session:
                found = journal_rows.page(session, application_id, after)
            if not found:
                return
            yield from (line for line, _digest in found)
            after = found[-1][0].sequence

    def open_operations(self, application_id: str) -> list[JournalEntry]:
        """The operations that began and of which nobody wrote how they ended, in the order in which they began."""
        with self._reading() as session:
            return journal_rows.opened(session, application_id)

    def journal_head(self, application_id: str) -> tuple[int, str]:
        """How many lines a journal has, and the digest of the last one, which stands for all of them.

        Args:
            application_id: As for `application`.
        """
        with self._reading() as session:
            row = application_rows.find(session, application_id)
            return row.journal_lines, row.journal_digest

    def quarantined(
        self,
        *,
        application_id: str | None = None,
        location: Location | str | None = None,
        states: Collection[QuarantineState] | None = (QuarantineState.HELD,),
        expired_before: datetime | None = None,
    ) -> list[QuarantinedFile]:
        """Files in quarantine, by the time at which they were moved.

        Args:
            application_id: Moved by this application alone.
            location: At this location alone (or its id or name).
            states: Of these states alone; None for all.
            expired_before: Alone those that expired before this time.
        """
        with self._reading() as session:
            location_id = None
            if location is not None:
                name = location if isinstance(location, str) else location.location_id
                location_id = location_rows.find_any(session, name).location_id
            return quarantine_rows.listed(
                session,
                application_id=application_id,
                location_id=location_id,
                states=states,
                expired_before=expired_before,
            )

    def quarantined_file(self, item_id: str) -> QuarantinedFile:
        """The file in quarantine of an id, whatever became of it; UnknownNameError where there is none."""
        with self._reading() as session:
            return quarantine_rows.find(session, item_id)

    def saved_between(self, since: datetime | None = None, until: datetime | None = None) -> SavedSums:
        """What applied plans did within a time; added up by the database.

        Args:
            since: Exclusive, aware; None for from the beginning.
            until: Inclusive, aware; None for up to now.
        """
        with self._reading() as session:
            return saved_sums.added_up(session, since, until)

    def moved_away_since(self, since: datetime) -> list[tuple[str, str]]:
        """Location id and path of each file that went to quarantine after a time (aware) and did not come back."""
        with self._reading() as session:
            return saved_sums.moved_away(session, since)


# `append_journal` has an argument of that name.
_tell = audit
