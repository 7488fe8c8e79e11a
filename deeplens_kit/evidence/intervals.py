"""Precision of what is proposed and recall among the candidates, each with an interval that the sample supports.

Takes a survey and a level, gives an estimate and exact bounds. Must not choose a level: an interval holds for one that
was chosen without looking at the labels; see `curve` for one that was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deeplens_kit.errors import SettingsError
from deeplens_kit.evidence.bounds import Cells, wrong_bounds
from deeplens_kit.evidence.survey import Survey

__all__ = ["Interval", "error_of", "precision", "precision_of", "recall", "recall_of", "share_at_least"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A share with what the sample leaves believable.

    Attributes:
        estimate: 0 to 1; None where a part of the population was not sampled.
        low: Lower end of the two-sided interval.
        high: Upper end of it.
        lower: One-sided lower bound at the same confidence: "at least so much".
        confidence: Chance, at least, that the interval of a sample holds the truth; that of `lower` as well.
        pairs: Pairs in question.
        labelled: Of these, pairs of the sample, passed-over ones among them.
        wrong: Of these, different pictures.
        unsure: Of these, without a clear verdict: against the promise below, for it above.
    """

    estimate: float | None
    low: float
    high: float
    lower: float
    confidence: float
    pairs: int
    labelled: int
    wrong: int
    unsure: int


def precision(survey: Survey, level: int, confidence: float = 0.95) -> Interval:
    """The share of the pairs proposed at a level that are the same picture.

    It counts pairs of pictures, not files. Unsure ones are wrong in the estimate and below, and right above.

    Args:
        survey: The sample.
        level: From 0, the strictest.
        confidence: Above 0, below 1.

    Raises:
        SettingsError: The confidence is not between 0 and 1.
    """
    return precision_of(survey.cells(survey.proposed(level)), confidence)


def precision_of(cells: Cells, confidence: float) -> Interval:
    """The share of a part that is the same picture; see `precision`."""
    error = error_of(confidence)
    fewest, most = wrong_bounds(cells, error / 2, error / 2)
    return Interval(
        cells.share_right(),
        _share_right(cells, most),
        _share_right(cells, fewest),
        share_at_least(cells, error),
        confidence,
        cells.total,
        *(int(values.sum()) for values in (cells.labelled, cells.wrong, cells.unsure)),
    )


def recall(survey: Survey, level: int, confidence: float = 0.95) -> Interval:
    """Of all candidates that are the same picture, the share that is proposed at a level.

    What no candidate pair was found for is not in it. Half of the error goes to the pairs that are proposed, and half
    to the others, so that the interval is somewhat wider than it had to be.

    Args:
        survey: The sample.
        level: From 0, the strictest.
        confidence: Above 0, below 1.

    Returns:
        Pairs, labels and wrong ones are those of all candidates.

    Raises:
        SettingsError: The confidence is not between 0 and 1.
    """
    return recall_of(*survey.split(survey.proposed(level)), confidence)


def recall_of(inside: Cells, outside: Cells, confidence: float) -> Interval:
    """Of all that is the same picture, the share that lies inside; see `recall`."""
    error = error_of(confidence)
    low, high = _recall_bounds(inside, outside, error / 2)
    lower, _ = _recall_bounds(inside, outside, error)
    shares = inside.share_right() if inside.total else 0.0, outside.share_right() if outside.total else 0.0
    estimate = None
    if shares[0] is not None and shares[1] is not None:
        found, missed = shares[0] * inside.total, shares[1] * outside.total
        estimate = found / (found + missed) if found + missed else None
    return Interval(
        estimate,
        low,
        high,
        lower,
        confidence,
        inside.total + outside.total,
        *(int(getattr(inside, name).sum() + getattr(outside, name).sum()) for name in ("labelled", "wrong", "unsure")),
    )


def share_at_least(cells: Cells, error: float) -> float:
    """One-sided lower bound of the share of right pairs; 1 of none, because nothing is wrong then."""
    return _share_right(cells, wrong_bounds(cells, 0.0, error)[1])


def error_of(confidence: float) -> float:
    """One minus the confidence.

    Raises:
        SettingsError: It is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise SettingsError(f"The confidence is {confidence}; it must be above 0 and below 1, for example 0.95.")
    # Rounded, because 1 - .95 is a little more than .05, and what is known of one is not known of the other.
    return float(np.round(1 - confidence, 12))


def _recall_bounds(inside: Cells, outside: Cells, error: float) -> tuple[float, float]:
    inside_wrong, outside_wrong = (wrong_bounds(cells, error / 2, error / 2) for cells in (inside, outside))
    found_least, found_most = inside.total - inside_wrong[1], inside.total - inside_wrong[0]
    missed_least, missed_most = outside.total - outside_wrong[1], outside.total - outside_wrong[0]
    low = found_least / (found_least + missed_most) if found_least + missed_most else 0.0
    high = found_most / (found_most + missed_least) if found_most + missed_least else 1.0
    return low, high


def _share_right(cells: Cells, wrong: int) -> float:
    return 1 - wrong / cells.total if cells.total else 1.0
