"""The part of the ledger that keeps plans.

Takes steps as bytes and gives frozen values; must not know what a step says. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from deeplens_kit.ledger import plans as plan_rows
from deeplens_kit.ledger.act_values import PlanRecord, PlanState
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions

__all__ = ["PlanRecords"]


class PlanRecords(Transactions):
    """What is proposed, and what people said of it."""

    def save_plan(
        self,
        kind: str,
        document: Mapping[str, object],
        parts: Sequence[bytes],
        steps_digest: str,
        steps: int,
        *,
        replaces: str = "",
    ) -> PlanRecord:
        """Save a plan, as a draft of this person.

        Args:
            kind: duplicates, retention, references ...; at most 50 letters.
            document: What it was made from and its totals, as JSON can hold it.
            parts: Its steps, as many parts as it takes; kept as they are.
            steps_digest: SHA-256 of its steps.
            steps: How many.
            replaces: The plan that it was refreshed or trimmed from, which is superseded where it was not applied.

        Raises:
            UnknownNameError: There is no plan that it could replace.
            PlanStateError: That one is being applied.
        """
        with self._writing() as (session, now):
            who = current_person()
            return plan_rows.save(session, kind, document, parts, steps_digest, steps, replaces, who, now)

    def plan(self, plan_id: str) -> PlanRecord:
        """The plan of an id, or of the beginning of one.

        Raises:
            UnknownNameError: There is none; the nearest id is suggested.
            SettingsError: Several begin so.
        """
        with self._reading() as session:
            return plan_rows.frozen(session, plan_rows.find(session, plan_id))

    def plans(
        self,
        states: Collection[PlanState] | None = None,
        *,
        kind: str | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[PlanRecord]:
        """Plans, the latest first.

        Args:
            states: Only those that stand so; None for every plan.
            kind: Only those of this kind.
            until: Only those made by then, inclusive; aware.
            limit: At most so many.
            offset: Left out before the first.
        """
        with self._reading() as session:
            return plan_rows.listed(session, states, kind, until, limit, offset)

    def count_plans(self, states: Collection[PlanState] | None = None) -> int:
        """How many plans there are, or stand so."""
        with self._reading() as session:
            return plan_rows.count(session, states)

    def plan_part(self, plan_id: str, position: int) -> bytes:
        """One part of a plan's steps as it was saved, from 0; it must be there. Raises as `plan`."""
        with self._reading() as session:
            return plan_rows.part(session, plan_id, position)

    def plan_parts(self, plan_id: str) -> Iterator[bytes]:
        """The parts of a plan's steps as they were saved, one in memory at a time; raises as `plan`."""
        with self._reading() as session:
            number = plan_rows.parts(session, plan_id)
        for position in range(number):
            with self._reading() as session:
                content = plan_rows.part(session, plan_id, position)
            yield content

    def approve_plan(
        self, plan_id: str, steps_digest: str, note: str = "", *, other_approver: bool = False
    ) -> PlanRecord:
        """Say yes to a plan with the steps that were looked at; several persons may.

        Raises:
            UnknownNameError: There is no such plan.
            PlanStaleError: It has other steps.
            PlanNotApprovedError: This person made it, and `other_approver` asks for somebody else.
            PlanStateError: It is neither a draft nor approved.
        """
        with self._writing() as (session, now):
            who = current_person()
            return plan_rows.approve(session, plan_id, steps_digest, note, who, now, other_approver=other_approver)

    def refuse_plan(self, plan_id: str, why: str) -> PlanRecord:
        """Say no to a plan, also to one that was approved; it is not applied any more.

        Raises:
            UnknownNameError: There is no such plan.
            PlanStateError: It is neither a draft nor approved.
        """
        with self._writing() as (session, now):
            return plan_rows.refuse(session, plan_id, why, current_person(), now)
