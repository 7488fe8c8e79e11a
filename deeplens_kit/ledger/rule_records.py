"""The part of the ledger that keeps rules.

Takes names and rules as JSON, gives frozen values; must not know what a rule says. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

from deeplens_kit.ledger import rules as rule_rows
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import SavedRule

__all__ = ["RuleRecords"]


class RuleRecords(Transactions):
    """Rules that people saved."""

    def save_rule(self, name: str, document: Mapping[str, object], note: str = "") -> SavedRule:
        """Save a rule: its first version, or the next one where its bounds changed.

        Args:
            name: Of the rule, in all its versions.
            document: Its bounds, as JSON can hold them, without name and version.
            note: Why it is saved; put in the place of the latest version's where no bound changed.

        Raises:
            SettingsError: The name or note is not allowed, or the rule is too large.
        """
        with self._writing() as (session, now):
            return rule_rows.save(session, name, document, note, current_person(), now)

    def rules(self, *, retired: bool = False, versions: bool = False) -> list[SavedRule]:
        """Rules by name: the latest version of those in use, or also retired ones, or all versions."""
        with self._reading() as session:
            return rule_rows.listed(session, retired=retired, versions=versions)

    def rule(self, name: str, version: int | None = None) -> SavedRule:
        """A version of a rule, retired or not; the latest by default. UnknownNameError where there is none."""
        with self._reading() as session:
            return rule_rows.find(session, name, version)

    def retire_rule(self, name: str) -> SavedRule:
        """Take a rule out of use; nothing is deleted. UnknownNameError where there is none."""
        with self._writing() as (session, now):
            return rule_rows.retire(session, name, current_person(), now)
