"""The part of the ledger that keeps what is proposed and done with files, and what is never said of them any more.

Takes and gives frozen values; must not touch a file. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deeplens_kit.ledger import forgetting
from deeplens_kit.ledger.application_records import ApplicationRecords
from deeplens_kit.ledger.faults import translated
from deeplens_kit.ledger.hold_records import HoldRecords
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.plan_records import PlanRecords
from deeplens_kit.ledger.traces import Trace, find_traces, purge_deleted
from deeplens_kit.ledger.workflow_records import WorkflowRecords

__all__ = ["ActRecords"]


class ActRecords(PlanRecords, ApplicationRecords, HoldRecords, WorkflowRecords):
    """Plans, what was done by them, holds, workflows, and the forgetting of pictures."""

    def forget_digest(self, digest: str, why: str = "") -> Mapping[str, int]:
        """Take what people said of a picture out for good; a picture of which nothing was said is no error.

        Labels, the pairs of draws, notes, searches and undelivered events with it are deleted. Decisions are withdrawn
        and blanked; rows of the quarantine lose paths and what was kept of the original. The audit trail, journals and
        plans stay as they are, with the digest: they prove what was done, and hold nothing that was said of a picture.
        The trail tells of the forgetting. Backups that were made before still hold it all.

        Args:
            digest: SHA-256 of its bytes.
            why: The reason, for the trail.

        Returns:
            How many rows of each kind: labels, label_sample_items, decisions, notes, searches, events, quarantine.

        Raises:
            SettingsError: It is no digest, or as `require_forgettable`; nothing is forgotten.
        """
        with self._writing() as (session, now):
            return forgetting.forget(session, digest, current_person(), now, why)

    def require_forgettable(self, digest: str) -> None:
        """Refuse as `forget_digest` would, and change nothing.

        Args:
            digest: SHA-256 of its bytes.

        Raises:
            SettingsError: It is under a hold of its own; a file in quarantine, or one that is missing there, is it or
                stands by it; or an operation on it began and has no end.
        """
        with self._reading() as session:
            forgetting.require_forgettable(session, digest)

    def traces(self, digest: str) -> Sequence[Trace]:
        """Where the ledger still names a picture, column by column.

        Args:
            digest: SHA-256 of its bytes.
        """
        with self._reading() as session:
            return find_traces(session.connection(), digest)

    def purge(self) -> None:
        """Leave nothing of deleted rows in the files of the database: SQLite is written anew, tables of PostgreSQL are.

        Raises:
            StoreFullError: No space for that.
            WorkspaceError: Another process works on it.
        """
        with translated("write to", self._place):
            purge_deleted(self._engine)
