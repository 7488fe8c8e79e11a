"""The curve "bytes saved against precision": what each threshold would free, and what the labels say of it.

Takes a survey, gives a row a level. One column of bounds holds for all levels at once, because a threshold is chosen
after the labels were seen: the ends of the strata of proposals share the error (Bonferroni), and every other level
follows from one of them by what it has more or less. Must not recommend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.evidence.bounds import Cells, wrong_bounds
from deeplens_kit.evidence.intervals import error_of, precision_of, recall_of, share_at_least
from deeplens_kit.evidence.survey import Survey
from deeplens_kit.evidence.tables import CURVE

__all__ = ["RemovalCurve", "all_right", "removal_curve"]


@dataclass(frozen=True, slots=True, eq=False)
class RemovalCurve:
    """What each threshold would free, with bounds of its precision.

    Attributes:
        rows: CURVE, strictest level first.
        confidence: Of each bound, and of the simultaneous ones together.
        survey: What it was made of.
    """

    rows: pl.DataFrame
    confidence: float
    survey: Survey


def removal_curve(survey: Survey, confidence: float = 0.95, *, recalls: bool = True) -> RemovalCurve:
    """The curve.

    Args:
        survey: The sample.
        confidence: Above 0, below 1.
        recalls: Estimate recall as well.

    Raises:
        SettingsError: The confidence is not between 0 and 1.
    """
    error = error_of(confidence)
    together = simultaneous_bounds(survey, error)
    rows = []
    for level, threshold in enumerate(survey.levels):
        inside, outside = survey.split(survey.proposed(level))
        alone = precision_of(inside, confidence)
        found = recall_of(inside, outside, confidence) if recalls else None
        rows.append(
            {
                "level": level,
                "threshold": threshold,
                "pairs": alone.pairs,
                "frees_bytes": survey.frees_bytes(level),
                "labelled": alone.labelled,
                "wrong": alone.wrong,
                "unsure": alone.unsure,
                "precision": alone.estimate,
                "low": alone.low,
                "high": alone.high,
                "lower": alone.lower,
                "simultaneous": float(together[level]),
                "best_possible": share_at_least(all_right(inside), error),
                "recall": found and found.estimate,
                "recall_low": found and found.low,
                "recall_high": found and found.high,
            }
        )
    return RemovalCurve(CURVE.check(pl.DataFrame(rows, schema=CURVE.polars)), confidence, survey)


def simultaneous_bounds(survey: Survey, error: float) -> NDArray[np.float64]:
    """float64 (levels,): lower bounds of precision, all of which hold but for `error` in all.

    Args:
        survey: The sample.
        error: Above 0, below 1.
    """
    anchors = sorted(set(survey.strata.ends))
    doubted = np.ones(survey.candidates.height, bool)
    doubted[survey.rows[survey.verdict == 0]] = False
    chosen = [survey.proposed(level) for level in range(len(survey.levels))]
    pairs = np.array([part.sum() for part in chosen])
    # Without a bound, all that is not known to be right may be wrong.
    most = np.array([(part & doubted).sum() for part in chosen])
    for anchor in anchors:
        _, wrong = wrong_bounds(survey.cells(chosen[anchor]), 0.0, error / len(anchors))
        beyond = doubted & ~chosen[anchor]
        most = np.minimum(most, wrong + np.array([(part & beyond).sum() for part in chosen]))
    return np.where(pairs > 0, 1 - most / np.maximum(pairs, 1), 1.0)


def all_right(cells: Cells) -> Cells:
    """The cells as they would be, were all labels `same`."""
    # Two arrays: who marks one label as wrong must not make it unsure as well.
    wrong, unsure = np.zeros_like(cells.wrong), np.zeros_like(cells.unsure)
    return Cells(cells.pairs, cells.sizes, cells.drawn, cells.labelled, wrong, unsure)
