"""The part of the ledger that keeps legal holds.

Takes and gives frozen values; must not know which objects a hold covers. Every method is one transaction.
"""

from __future__ import annotations

from deeplens_kit.ledger import holds as hold_rows
from deeplens_kit.ledger.act_values import Hold
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import Location

__all__ = ["HoldRecords"]


class HoldRecords(Transactions):
    """What must stay as it is, whatever a plan says."""

    def add_hold(
        self,
        *,
        location: Location | str | None = None,
        glob: str = "",
        digest: str = "",
        collection: str = "",
        why: str,
    ) -> Hold:
        """Hold what answers to all that is named, from now on.

        Args:
            location: Objects at this location (or its id or name) alone.
            glob: Objects of these paths alone, as the option `include` of a location has it.
            digest: Objects that hold this picture alone.
            collection: Objects of this collection alone.
            why: The reason.

        Raises:
            SettingsError: It would cover nothing or anything, or has no reason.
            UnknownNameError: There is no such location or collection.
        """
        name = location.location_id if isinstance(location, Location) else location
        with self._writing() as (session, now):
            return hold_rows.add(session, name, glob, digest, collection, why, current_person(), now)

    def holds(self, released: bool = False) -> list[Hold]:
        """Holds, the earliest first: those that hold, or also those that were released."""
        with self._reading() as session:
            return hold_rows.listed(session, released=released)

    def release_hold(self, hold_id: str) -> Hold:
        """Release a hold, which stays on record; UnknownNameError where there is none."""
        with self._writing() as (session, now):
            return hold_rows.release(session, hold_id, current_person(), now)
