"""What each person prefers, and what they said of a search's results, as values without a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Rating", "RatingVerdict"]


class RatingVerdict(StrEnum):
    """What somebody says of a result.

    Attributes:
        SAME: It is the picture that was asked for.
        DIFFERENT: It is another picture.
        FITS: It is what was asked for, where that was no single picture.
        MISFITS: It is not.
    """

    SAME = "same"
    DIFFERENT = "different"
    FITS = "fits"
    MISFITS = "misfits"


@dataclass(frozen=True, slots=True)
class Rating:
    """A verdict on a result of a search.

    Attributes:
        rating_id: Unique in the ledger.
        who: Whose.
        asked_key: SHA-256 that tells the question from all others.
        asked_digest: The picture asked for; None where the question was not one picture.
        query: The question, as JSON, without bytes or secrets.
        digest: The result.
        verdict: On it.
        score: That it had, 0..1.
        is_labelled: It is a label on the pair too.
        note: In their words.
        at: When, UTC.
    """

    rating_id: int
    who: str
    asked_key: str
    asked_digest: str | None
    query: Mapping[str, object]
    digest: str
    verdict: RatingVerdict
    score: float
    is_labelled: bool
    note: str
    at: datetime
