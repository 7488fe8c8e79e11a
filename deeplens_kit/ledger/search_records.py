"""The part of the ledger that remembers searches: those that people saved, and what was searched for.

Takes names and queries as JSON, gives frozen values; must not know how a query is answered. Every method is one
transaction.
"""

from __future__ import annotations

from collections.abc import Mapping

from deeplens_kit.ledger import searches as search_rows
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import SavedSearch, SearchRecord

__all__ = ["SearchRecords"]


class SearchRecords(Transactions):
    """What is known of people's searches."""

    def save_search(
        self, name: str, query: Mapping[str, object], description: str = "", *, replace: bool = False
    ) -> SavedSearch:
        """Keep a search under a name.

        Args:
            name: Unique among those of this person.
            query: The question, as JSON can hold it.
            description: What it is for.
            replace: Put it in the place of one of this person's that has the name.

        Raises:
            SettingsError: This person has one of the name, it is not allowed, or the query is too large.
        """
        with self._writing() as (session, now):
            return search_rows.save(session, name, query, description, current_person(), now, replace=replace)

    def saved_searches(self) -> list[SavedSearch]:
        """Every saved search, of all persons, by name."""
        with self._reading() as session:
            return search_rows.saved(session)

    def saved_search(self, name: str, of: str | None = None) -> SavedSearch:
        """The saved search of a name: this person's own, else the only one of others.

        Args:
            name: Under which it was saved.
            of: Whose it is, where that is to be said.

        Raises:
            UnknownNameError: There is none.
            SettingsError: Several others have one of the name.
        """
        with self._reading() as session:
            return search_rows.frozen(search_rows.find(session, name, of, current_person()))

    def remove_saved_search(self, name: str, of: str | None = None) -> None:
        """Forget a saved search: one's own, or that of whoever is named.

        Raises:
            UnknownNameError: There is none.
            SettingsError: Only others have one of the name, and nobody is named.
        """
        with self._writing() as (session, now):
            search_rows.remove(session, name, of, current_person(), now)

    def record_search(
        self, query: Mapping[str, object], *, by: str, results: int, seconds: float, most: int
    ) -> SearchRecord:
        """Note that something was searched for.

        Args:
            query: The question, as JSON can hold it and without bytes or secrets.
            by: What made a picture a result.
            results: How many were found.
            seconds: How long it took.
            most: Searches that are remembered; the oldest beyond are forgotten.
        """
        with self._writing() as (session, now):
            return search_rows.record(session, query, by, results, seconds, current_person(), now, most)

    def search_history(self, limit: int | None = None, who: str | None = None) -> list[SearchRecord]:
        """What was searched for, the latest first; all of it, or so many, by everybody, or by one person."""
        with self._reading() as session:
            return search_rows.history(session, limit, who)

    def clear_search_history(self, who: str | None = None) -> int:
        """Forget what was searched for, by everybody or by one person; how many searches. Saved ones stay."""
        with self._writing() as (session, now):
            return search_rows.clear(session, current_person(), now, who)
