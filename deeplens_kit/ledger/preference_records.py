"""The part of the ledger that remembers what each person prefers, and how they rated what searches found.

Takes names, values and verdicts, gives frozen values; must not know what a preference means or make labels. Every
method is one transaction. Neither is told in the audit trail: nothing is decided by them, and a line for each turn of
a switch would hide what is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.digests import DIGEST
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.preference_models import PreferenceRow, RatingRow
from deeplens_kit.ledger.preference_values import Rating, RatingVerdict
from deeplens_kit.ledger.transactions import Transactions

__all__ = ["PreferenceRecords"]

_NAME = re.compile(r"[a-z][a-z0-9_.]{0,99}")
# As JSON: a preference is a choice, not a document.
_LONGEST_VALUE = 4_000
_MOST_PREFERENCES = 200


class PreferenceRecords(Transactions):
    """What is known of how people want to work."""

    def preferences(self) -> dict[str, object]:
        """What this person prefers, by name."""
        with self._reading() as session:
            mine = select(PreferenceRow).where(PreferenceRow.who == current_person())
            return {row.name: row.value for row in session.scalars(mine.order_by(PreferenceRow.name))}

    def prefer(self, name: str, value: object) -> None:
        """Remember what this person prefers; None forgets it.

        Args:
            name: Small letters, digits, dots and lines below, for example "search.limit".
            value: As JSON can hold it.

        Raises:
            SettingsError: The name or the value is not allowed, or there are too many.
        """
        if _NAME.fullmatch(name) is None:
            raise SettingsError(f"The preference {name!r} is no name: small letters, digits, '.' and '_' make one.")
        try:
            size = len(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"The preference {name!r} is {value!r}, which JSON cannot hold.") from error
        if size > _LONGEST_VALUE:
            raise SettingsError(f"The preference {name!r} takes {size:,} letters; at most {_LONGEST_VALUE:,} are kept.")
        who = current_person()
        with self._writing() as (session, now):
            row = session.get(PreferenceRow, (who, name))
            if value is None:
                if row is not None:
                    session.delete(row)
                return
            if row is None:
                names = list(session.scalars(select(PreferenceRow.name).where(PreferenceRow.who == who)))
                if len(names) >= _MOST_PREFERENCES:
                    raise SettingsError(f"{who} has {len(names)} preferences; at most {_MOST_PREFERENCES} are kept.")
                session.add(PreferenceRow(who=who, name=name, value=value, at=now))
            else:
                row.value, row.at = value, now

    def rate(
        self,
        asked_key: str,
        digest: str,
        verdict: RatingVerdict | str,
        *,
        query: Mapping[str, object],
        asked_digest: str | None = None,
        score: float = 0.0,
        is_labelled: bool = False,
        note: str = "",
    ) -> Rating:
        """Keep what this person says of a result, in the place of what they said of it for the same question before.

        Args:
            asked_key: SHA-256 that tells the question from all others.
            digest: The result.
            verdict: On it.
            query: The question, as JSON can hold it and without bytes or secrets.
            asked_digest: The picture asked for; None where the question was not one picture.
            score: That the result had, 0..1.
            is_labelled: It was made a label on the pair too.
            note: In their words.

        Raises:
            SettingsError: A digest is none; UnknownNameError for a verdict.
        """
        for text in filter(None, (asked_key, digest, asked_digest)):
            if DIGEST.fullmatch(text) is None:
                raise SettingsError(f"digest is {text!r}; a digest has 64 hexadecimal digits, in lower case.")
        if str(verdict) not in set(RatingVerdict):
            raise UnknownNameError("rating", str(verdict), map(str, RatingVerdict))
        who = current_person()
        with self._writing() as (session, now):
            row = _found(session, who, asked_key, digest)
            if row is None:
                row = RatingRow(who=who, asked_key=asked_key, digest=digest)
                session.add(row)
            row.asked_digest, row.query, row.verdict, row.score = asked_digest, dict(query), str(verdict), float(score)
            row.is_labelled, row.note, row.at = is_labelled, note, now
            session.flush()
            return _frozen(row)

    def withdraw_rating(self, asked_key: str, digest: str) -> Rating | None:
        """Forget what this person said of a result of a question; what it was, None for nothing."""
        with self._writing() as (session, _now):
            row = _found(session, current_person(), asked_key, digest)
            if row is None:
                return None
            was = _frozen(row)
            session.delete(row)
            return was

    def ratings(
        self, *, who: str | None = None, asked_key: str | None = None, labelled: bool | None = None
    ) -> tuple[Rating, ...]:
        """What people said of results, the latest first.

        Args:
            who: Of this person alone.
            asked_key: Of this question alone.
            labelled: Only those that are labels too, or only those that are not.
        """
        query = select(RatingRow).order_by(RatingRow.at.desc(), RatingRow.rating_id.desc())
        if who is not None:
            query = query.where(RatingRow.who == who)
        if asked_key is not None:
            query = query.where(RatingRow.asked_key == asked_key)
        if labelled is not None:
            query = query.where(RatingRow.is_labelled.is_(labelled))
        with self._reading() as session:
            return tuple(_frozen(row) for row in session.scalars(query))

    def rating_became_label(self, rating_id: int) -> None:
        """Note that a rating is a label now; one that is gone is passed over."""
        with self._writing() as (session, _now):
            row = session.get(RatingRow, rating_id)
            if row is not None:
                row.is_labelled = True

    def forget_preferences(self) -> int:
        """Forget all that this person prefers; how many there were."""
        who = current_person()
        with self._writing() as (session, _now):
            names = list(session.scalars(select(PreferenceRow.name).where(PreferenceRow.who == who)))
            session.execute(delete(PreferenceRow).where(PreferenceRow.who == who))
            return len(names)


def _found(session: Session, who: str, asked_key: str, digest: str) -> RatingRow | None:
    return session.scalar(
        select(RatingRow).where(RatingRow.who == who, RatingRow.asked_key == asked_key, RatingRow.digest == digest)
    )


def _frozen(row: RatingRow) -> Rating:
    return Rating(
        row.rating_id, row.who, row.asked_key, row.asked_digest, dict(row.query), row.digest,
        RatingVerdict(row.verdict), row.score, row.is_labelled, row.note, row.at,
    )  # fmt: skip
