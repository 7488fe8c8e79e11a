"""From a score to the probability that a pair is the same picture, fitted to labels.

Takes scores and verdicts, gives a rising function. Given the score, what was picked for labelling does not depend on
the verdict, so that labels near a boundary may enter as well as those of a sample. Must not decide: bounds of precision
come from samples, never from this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import TooFewLabelsError, UnknownNameError

__all__ = ["Calibration", "calibrate"]

# Labels, and labels of the rarer verdict, that a fit needs; inclusive. With fewer it would be the shape of chance.
_FEWEST, _FEWEST_OF_EACH = 30, 5
# From so many on steps follow the labels better than an S-shaped curve does (Niculescu-Mizil and Caruana 2005).
_FOR_STEPS, _FOR_STEPS_OF_EACH = 500, 50
_NEWTON_STEPS, _SETTLED = 100, 1e-9
_VERDICTS = ("same", "different", "unsure")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A fitted, rising function of the score.

    Attributes:
        method: "isotonic" (steps) or "logistic" (an S-shaped curve).
        labels: Labels that it was fitted to.
        scores: float64 (k,), rising, where probabilities are known; between them it is linear.
        probabilities: float64 (k,), rising, within 0 and 1 and never either.
    """

    method: Literal["isotonic", "logistic"]
    labels: int
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def probability(self, scores: pl.Series) -> pl.Series:
        """Probability of "same picture" for each score, 0 to 1; rising with the score. Null where the score is."""
        values = np.interp(scores.cast(pl.Float64).to_numpy(), self.scores, self.probabilities)
        return pl.Series("probability", values).set(scores.is_null(), None)


def calibrate(scores: pl.Series, verdicts: pl.Series, weights: pl.Series | None = None) -> Calibration:
    """Fit a rising function to labels: steps where there are many, otherwise an S-shaped curve.

    Args:
        scores: 0 to 1, one a label, without nulls.
        verdicts: same, different or unsure; `unsure` is left out.
        weights: Above 0, how many pairs each label stands for; None for one each.

    Raises:
        TooFewLabelsError: There are fewer than 30 clear labels, or fewer than 5 of one verdict.
        UnknownNameError: A verdict is none.
    """
    strange = verdicts.filter(~verdicts.is_in(_VERDICTS))
    if len(strange):
        raise UnknownNameError("verdict", strange[0], _VERDICTS)
    clear = (verdicts != "unsure").to_numpy()
    values = scores.cast(pl.Float64).to_numpy()[clear]
    right = (verdicts == "same").to_numpy()[clear]
    weighed = np.ones(len(values)) if weights is None else weights.cast(pl.Float64).to_numpy()[clear]
    rarer = int(min(right.sum(), (~right).sum()))
    if len(values) < _FEWEST or rarer < _FEWEST_OF_EACH:
        raise TooFewLabelsError(
            f"There are {int(right.sum())} labels `same` and {int((~right).sum())} `different`; a calibration needs "
            f"{_FEWEST} in all and {_FEWEST_OF_EACH} of each: label more, best near the threshold."
        )
    if len(values) >= _FOR_STEPS and rarer >= _FOR_STEPS_OF_EACH:
        return _steps(values, right, weighed)
    return _curve(values, right, weighed)


def _steps(values: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]) -> Calibration:
    """Isotonic regression; labels of one score are one point."""
    from scipy.optimize import isotonic_regression

    scores, place = np.unique(values, return_inverse=True)
    held = np.bincount(place, weights)
    fitted = isotonic_regression(np.bincount(place, weights * right) / held, weights=held).x
    edge = 1 / (len(values) + 2)
    return Calibration("isotonic", len(values), scores, np.clip(fitted, edge, 1 - edge))


def _curve(values: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]) -> Calibration:
    """Logistic regression by Newton's method, with targets that stay within 0 and 1 (Platt 1999)."""
    many, few = float(weights[right].sum()), float(weights[~right].sum())
    target = np.where(right, (many + 1) / (many + 2), 1 / (few + 2))
    centre, width = float(values.mean()), float(values.std()) or 1.0
    columns = np.column_stack([np.ones(len(values)), (values - centre) / width])
    found = np.array([np.log((many + 1) / (few + 1)), 0.0])
    for _ in range(_NEWTON_STEPS):
        fitted = _logistic(columns @ found)
        slope = columns.T @ (weights * (target - fitted))
        bend = (columns * (weights * fitted * (1 - fitted))[:, None]).T @ columns + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        # A long step is shortened: far out the curve is flat, and Newton's step would leave it.
        found += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < _SETTLED:
            break
    if found[1] < 0:
        found = np.array([np.log(float(weights @ target) / float(weights @ (1 - target))), 0.0])
    grid = np.linspace(min(0.0, values.min()), max(1.0, values.max()), 1001)
    return Calibration("logistic", len(values), grid, _logistic(found[0] + found[1] * (grid - centre) / width))


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(values, -30.0, 30.0)
    return 1 / (1 + np.exp(-clipped))
