"""The part of the ledger that keeps decisions.

Takes frames of pairs and gives frames; must not know what a decision does to groups. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from deeplens_kit.ledger import decisions as decision_rows
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import DecisionAct
from deeplens_kit.schemas import DecisionKind

__all__ = ["DecisionRecords"]


class DecisionRecords(Transactions):
    """What people decided on pictures and pairs of them."""

    def record_decisions(self, decisions: pl.DataFrame) -> DecisionAct:
        """Record decisions that are made together.

        One that holds already is not recorded again; `keep_both` and `alternates` of a pair hold in both orders. Of
        decisions on the same pair that say different things the latest holds, and the others are withdrawn. An equal
        pair of digests is about the files of equal bytes that hold one picture.

        Args:
            decisions: Columns kind and member_digest, and of DECISIONS keeper_digest (null for never_propose), who
                (this person by default), at (now by default) and why, where there are such.

        Raises:
            SettingsError: A digest, kind, reason or column is not allowed; nothing is recorded.
        """
        with self._writing() as (session, now):
            return decision_rows.record(session, decisions, current_person(), now)

    def decisions(
        self,
        *,
        withdrawn: bool = False,
        kind: DecisionKind | str | None = None,
        digests: Iterable[str] | None = None,
    ) -> pl.DataFrame:
        """DECISIONS, the earliest first.

        Args:
            withdrawn: Also those that do not hold any more.
            kind: Of this kind alone.
            digests: On a pair in which one of these is, or on one of these.
        """
        with self._reading() as session:
            return decision_rows.listed(
                session,
                withdrawn=withdrawn,
                kind=None if kind is None else DecisionKind(kind),
                digests=None if digests is None else frozenset(digests),
            )

    def withdraw_decisions(self, decision_ids: Iterable[int] = (), act_ids: Iterable[str] = ()) -> list[int]:
        """Withdraw decisions by their ids, and all that were made in the acts; the ids of those that held until now.

        Raises:
            UnknownNameError: There is no such decision or act; none is withdrawn.
        """
        with self._writing() as (session, now):
            return decision_rows.withdraw(session, decision_ids, act_ids, current_person(), now)

    def decisions_version(self) -> tuple[int, int]:
        """Equal values mean that no decision was made or withdrawn in between; milliseconds."""
        with self._reading() as session:
            return decision_rows.version(session)
