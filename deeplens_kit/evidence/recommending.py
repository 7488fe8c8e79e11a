"""The threshold that can be defended: the loosest at which the labels show that the promise is kept.

Takes a removal curve and a promise, gives a level, or what can be shown in its place and how many labels are missing.
Levels are tested one after another and the first that fails ends it (fixed-sequence testing: Bauer 1991; Learn then
Test: Angelopoulos et al. 2021), so that each test may use all of the error although the threshold is chosen after the
labels were seen. Where the sequence begins depends on how many pairs and labels there are, never on verdicts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError, TooFewLabelsError
from deeplens_kit.evidence.bounds import Cells
from deeplens_kit.evidence.curve import RemovalCurve, all_right
from deeplens_kit.evidence.intervals import Interval, error_of, share_at_least
from deeplens_kit.evidence.intervals import precision as precision_of
from deeplens_kit.evidence.sampling import allocation
from deeplens_kit.evidence.survey import Survey

__all__ = ["MOST_LABELS", "Recommendation", "first_level", "passed_levels", "recommend"]

MOST_LABELS = 20_000
"""Labels in all up to which it is worked out how many more are needed; nobody gives more."""

# A level with this many times the pairs is much larger; inclusive. It is worth being able to bear a wrong label, and
# not worth skipping much that could be shown.
_MUCH_LARGER = 1.25
# 1 - 7 / 700 is .99, whatever floats make of it.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What threshold the labels support.

    Attributes:
        asked: The promise: least share of the proposed pairs that are the same picture.
        confidence: Chance, at least, that what is said here is so.
        level: The recommended level; None where the promise cannot be shown at any.
        threshold: Of the level.
        pairs: Pairs of which removals are proposed there.
        frees_bytes: Bytes that they would free.
        interval: Precision at the level, as if it had been chosen beforehand.
        shown_level: Where something can be shown: the level itself, or the one that was tested first.
        shown_threshold: Of that level.
        shown_precision: Lower bound of precision there: what can be shown.
        more_labels: Further labels of the sample, all `same`, by which the promise would be shown at `more_level`,
            those of pairs that were passed over among them; None where no number up to 20,000 in all would, or nothing
            looser is left.
        more_budget: Of a sample that holds them, in all; None without them.
        more_level: The next looser level that is not shown, or the one that would be shown with the fewest labels.
        said: All of this in words.
    """

    asked: float
    confidence: float
    level: int | None
    threshold: float | None
    pairs: int | None
    frees_bytes: int | None
    interval: Interval | None
    shown_level: int
    shown_threshold: float
    shown_precision: float
    more_labels: int | None
    more_budget: int | None
    more_level: int | None
    said: str


def recommend(curve: RemovalCurve, precision: float = 0.99) -> Recommendation:
    """The level that keeps the promise and frees most bytes; of equal ones the strictest.

    Args:
        curve: Its confidence is that of the promise, one-sided.
        precision: The promise, above 0 and at most 1.

    Raises:
        SettingsError: The promise is no such number.
        TooFewLabelsError: No removal is proposed at any level.
    """
    if not 0 < precision <= 1:
        raise SettingsError(f"The precision is {precision}; it must be above 0 and at most 1, for example 0.99.")
    start = first_level(curve, precision)
    passed = passed_levels(curve, precision)
    rows = curve.rows
    level = max(passed, key=lambda each: (rows["frees_bytes"][each], -each)) if passed else None
    shown = start if level is None else level
    more_level, more, budget = _more_labels(curve, precision, passed)
    found = Recommendation(
        precision,
        curve.confidence,
        level,
        None if level is None else rows["threshold"][level],
        None if level is None else rows["pairs"][level],
        None if level is None else rows["frees_bytes"][level],
        None if level is None else precision_of(curve.survey, level, curve.confidence),
        shown,
        rows["threshold"][shown],
        rows["lower"][shown],
        more,
        budget,
        more_level,
        "",
    )
    return _with_words(found, curve)


def passed_levels(curve: RemovalCurve, precision: float) -> list[int]:
    """Levels at which the promise is shown; all of them keep it but for the error of the curve's confidence.

    Args:
        curve: The labels.
        precision: The promise, above 0 and at most 1.

    Raises:
        TooFewLabelsError: No removal is proposed at any level.
    """
    return _passed(_cells(curve.survey), precision, error_of(curve.confidence))


def first_level(curve: RemovalCurve, precision: float) -> int:
    """The level that is tested first: by numbers of pairs and labels alone.

    It is the strictest at which the promise could be shown, or one that is not much larger and could bear a wrong
    label; where it could be shown at none, the one at which most could be.

    Raises:
        TooFewLabelsError: No removal is proposed at any level.
    """
    return _first(_cells(curve.survey), precision, error_of(curve.confidence))


def _cells(survey: Survey, later: NDArray[np.int64] | None = None) -> list[Cells]:
    return [survey.cells(survey.proposed(level), later) for level in range(len(survey.levels))]


def _passed(cells: list[Cells], precision: float, error: float) -> list[int]:
    passed = []
    for level in range(_first(cells, precision, error), len(cells)):
        # From the first level on, towards looser ones, those at which labels could show the promise at all.
        if not cells[level].total or not _keeps(all_right(cells[level]), precision, error):
            continue
        if not _keeps(cells[level], precision, error):
            break
        passed.append(level)
    return passed


def _first(cells: list[Cells], precision: float, error: float) -> int:
    proposing = [level for level, each in enumerate(cells) if each.total]
    if not proposing:
        raise TooFewLabelsError("No removal is proposed at any of the thresholds, so there is nothing to recommend.")
    right = [all_right(each) for each in cells]
    for level in proposing:
        if _keeps(right[level], precision, error):
            most = right[level].total * _MUCH_LARGER
            near = (each for each in proposing if each >= level and right[each].total <= most)
            return next((each for each in near if _keeps(_one_wrong(right[each]), precision, error)), level)
    return max(proposing, key=lambda level: (share_at_least(right[level], error), -level))


def _keeps(cells: Cells, precision: float, error: float) -> bool:
    return share_at_least(cells, error) >= precision - _ROUNDING


def _one_wrong(right: Cells) -> Cells:
    """All right but for one, in the stratum where it tells of most pairs."""
    wrong = right.wrong.copy()
    if right.labelled.any():
        wrong[int(np.where(right.labelled > 0, right.sizes / np.maximum(right.drawn, 1), -1).argmax())] = 1
    return dataclasses.replace(right, wrong=wrong)


def _more_labels(curve: RemovalCurve, precision: float, passed: list[int]) -> tuple[int | None, int | None, int | None]:
    """The level that further labels would show, how many of them, all `same`, and the budget of their sample."""
    rows, error = curve.rows, error_of(curve.confidence)
    target = None
    if passed:
        most = max(rows["frees_bytes"][level] for level in passed)
        target = next((at for at in range(passed[-1] + 1, rows.height) if rows["frees_bytes"][at] > most), None)
        if target is None:
            return None, None, None
    # A larger sample holds what was passed over, so that it is labelled too.
    survey, open_pairs = curve.survey.answered(), curve.survey.passed_over.height
    now, sizes = survey.drawn(), survey.strata.sizes
    order = allocation(survey.strata.weights, sizes, min(MOST_LABELS, int(sizes.sum())))

    def drawn(budget: int) -> NDArray[np.int64]:
        return np.maximum(now, np.bincount(order[:budget], minlength=len(now)))

    def shown(budget: int) -> list[int]:
        levels = _passed(_cells(survey, drawn(budget)), precision, error)
        return levels if target is None or target in levels else []

    if not shown(len(order)):
        return target, None, None
    least = _least(len(order), lambda budget: bool(shown(budget)))
    level = max(shown(least), key=lambda each: (rows["frees_bytes"][each], -each)) if target is None else target
    wanted = drawn(least)
    # Of each stratum as many as its share of the sample has to be.
    budget = _least(len(order), lambda each: bool((np.bincount(order[:each], minlength=len(now)) >= wanted).all()))
    return level, int((wanted - now).sum()) + open_pairs, budget


def _least(most: int, holds: Callable[[int], bool]) -> int:
    """The least number up to `most` for which something holds that holds for all greater ones."""
    below, above = 0, most
    while below < above:
        middle = (below + above) // 2
        if holds(middle):
            above = middle
        else:
            below = middle + 1
    return above


def _with_words(found: Recommendation, curve: RemovalCurve) -> Recommendation:
    sure = f"with {_percent(curve.confidence)} confidence"
    if found.level is None:
        labelled = curve.rows["labelled"][found.shown_level]
        said = (
            f"{_percent(found.asked)} cannot be shown: at {found.shown_threshold:g} {labelled:,} of "
            f"{curve.rows['pairs'][found.shown_level]:,} proposed pairs are labelled, which shows at least "
            f"{_percent(found.shown_precision)}, {sure}."
        )
    else:
        said = (
            f"At {found.threshold:g} at least {_percent(found.asked)} of the {found.pairs:,} proposed pairs are the "
            f"same picture, {sure}; they free {found.frees_bytes:,} bytes."
        )
    if found.more_labels is not None and found.more_level is not None:
        where = curve.rows["threshold"][found.more_level]
        said += f" {found.more_labels:,} more labels, all `same`, would show it at {where:g}."
    elif found.level is None:
        said += f" No number of further labels would show it (up to {MOST_LABELS:,} were tried)."
    return dataclasses.replace(found, said=said)


def _percent(share: float) -> str:
    """Cut, not rounded: a bound of .98996 is not 99 %."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:g} %"
