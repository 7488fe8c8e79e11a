"""The part of the ledger that keeps the audit trail.

Takes actions and details, gives frozen values; must not change or remove a line. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import audit as audit_rows
from deeplens_kit.ledger import audit_check
from deeplens_kit.ledger.act_values import AuditVerdict
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import AuditEntry

__all__ = ["AuditRecords"]

_LONGEST_ACTION = 50


class AuditRecords(Transactions):
    """Who changed what."""

    def record_audit(self, action: str, details: Mapping[str, object]) -> None:
        """Tell of something that this person did elsewhere than in the ledger.

        Args:
            action: For example "quarantine.emptied"; at most 50 letters.
            details: As JSON can hold them, without secrets.

        Raises:
            SettingsError: The action is not allowed.
        """
        if not action or len(action) > _LONGEST_ACTION:
            raise SettingsError(f"{action!r} cannot name an action; use 1 to {_LONGEST_ACTION} letters.")
        with self._writing() as (session, now):
            audit_rows.audit(session, current_person(), action, details, now)

    def audit_trail(
        self,
        *,
        who: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[AuditEntry]:
        """Every change, the oldest first.

        Args:
            who: Of this person alone, as "user@host".
            action: This action alone; the beginning of it up to a dot stands for all that begin so.
            since: From this time on.
            before: Only lines before this one, by its sequence: for the next page of older ones.
            limit: The latest so many.
        """
        with self._reading() as session:
            return audit_rows.trail(session, who=who, action=action, since=since, before=before, limit=limit)

    def audit_head(self) -> tuple[int, str]:
        """How many lines the trail has and the digest of the last; whoever keeps it elsewhere can prove the trail.

        Raises:
            AuditBrokenError: Nobody knows any more.
        """
        with self._reading() as session:
            return audit_rows.head(session)

    def verify_audit(self, head: str = "") -> AuditVerdict:
        """Look whether a line of the audit trail or of a journal was altered, removed, put in or moved.

        Some 40,000 lines a second.

        Args:
            head: The digest of a line as it was written down before, at most: it must still be in the trail.
        """
        with self._snapshot() as session:
            return audit_check.check(session, head=head)
