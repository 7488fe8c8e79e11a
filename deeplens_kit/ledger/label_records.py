"""The part of the ledger that keeps labels, and the draws of pairs that asked for them.

Takes frames of pairs and gives frames; must not draw or estimate. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from deeplens_kit.ledger import labels as label_rows
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.values import LabelCounts, LabelSample
from deeplens_kit.schemas import Verdict

__all__ = ["LabelRecords"]


class LabelRecords(Transactions):
    """What people say of pairs."""

    def record_labels(self, labels: pl.DataFrame) -> LabelCounts:
        """Put labels in the place of those that the same persons gave of the same pairs.

        Args:
            labels: Columns digest_a, digest_b (in either order) and verdict, and of LABELS those that there are: `who`
                is this person and `labelled_at` is now where missing or null. Of several labels of a person on a pair
                the latest counts, and one that is earlier than what stands, or than its withdrawal, changes nothing.

        Raises:
            SettingsError: A digest, verdict, note or column is not allowed; nothing is recorded.
        """
        with self._writing() as (session, now):
            return label_rows.record(session, labels, current_person(), now)

    def labels(
        self,
        *,
        who: str | None = None,
        verdict: Verdict | str | None = None,
        sample_id: str | None = None,
        digests: Iterable[str] | None = None,
    ) -> pl.DataFrame:
        """LABELS by pair and person.

        Args:
            who: Of this person alone.
            verdict: Of this verdict alone.
            sample_id: Of this draw alone.
            digests: Of pairs in which one of these is.
        """
        with self._reading() as session:
            return label_rows.listed(
                session,
                digests=None if digests is None else frozenset(digests),
                persons=None if who is None else frozenset({who}),
                verdict=None if verdict is None else Verdict(verdict),
                sample_id=sample_id,
            )

    def withdraw_label(self, digest_a: str, digest_b: str, who: str | None = None) -> pl.DataFrame:
        """Take a label back: it counts no more, and stays in the audit trail with who withdrew it and when.

        Args:
            digest_a: Of the pair, in either order.
            digest_b: The other one.
            who: Whose label; None for this person's.

        Returns:
            LABELS of what stood until now.

        Raises:
            SettingsError: There is no such label; UnknownNameError where this person gave none.
        """
        with self._writing() as (session, now):
            return label_rows.withdraw(session, (digest_a, digest_b), who, current_person(), now)

    def withdrawn_labels(self) -> pl.DataFrame:
        """LABELS that were withdrawn, with withdrawn_at and withdrawn_by, the earliest first."""
        with self._reading() as session:
            return label_rows.withdrawn(session)

    def add_label_sample(
        self, kind: str, seed: int, document: Mapping[str, object], pairs: pl.DataFrame
    ) -> LabelSample:
        """Keep a draw of pairs that people are asked to label.

        Args:
            kind: How it was drawn; at most 50 letters.
            seed: Of the draw; 64 bits with a sign.
            document: What it was drawn from, as JSON can hold it: thresholds, strata with their sizes.
            pairs: Columns digest_a, digest_b (in either order) and stratum, in the order in which they are asked for.

        Raises:
            SettingsError: A digest or stratum is not allowed, or the document is too large.
        """
        with self._writing() as (session, now):
            return label_rows.add_sample(session, kind, seed, document, pairs, current_person(), now)

    def label_samples(self, kind: str | None = None) -> list[LabelSample]:
        """Draws, the latest first; of one kind, or all."""
        with self._reading() as session:
            return label_rows.samples(session, kind)

    def label_sample(self, sample_id: str) -> LabelSample:
        """The draw of an id; UnknownNameError where there is none."""
        with self._reading() as session:
            return label_rows.sample(session, sample_id)

    def label_items(self, sample_id: str) -> pl.DataFrame:
        """LABEL_ITEMS of a draw, in its order; UnknownNameError where there is none of the id."""
        with self._reading() as session:
            return label_rows.items(session, sample_id)
