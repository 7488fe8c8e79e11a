"""The first guess of a rule, for a few pairs at once: tier and score as `rules` gives them, without a frame.

Takes distances, cosines and what is known of the pictures as arrays, gives whether each pair is a copy and its score.
A search judges some hundred pairs, for which making a frame takes longer than judging. Pairs that somebody looked at
closely are not judged here; for all others `rules.tiers_and_scores` is the oracle, and a test holds both together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.rules import Clause, Rule

__all__ = ["NOT_MEASURED", "UNKNOWN", "FirstEvidence", "first_guess"]

NOT_MEASURED = np.iinfo(np.int32).max
"""In a column of bits: a picture lacks the hash. Above every bound, so that it meets none."""

UNKNOWN = np.int8(-1)
"""In `page_like`: nobody measured it."""


@dataclass(frozen=True, slots=True, eq=False)
class FirstEvidence:
    """What is known of pairs that nothing looked at closely, one value for each pair.

    Attributes:
        phash_distance: int32, bits of 64, or NOT_MEASURED.
        pdq_distance: int32, bits of 256, or NOT_MEASURED.
        sscd_small: float32, cosine, NaN where it was not measured.
        sscd: float32, the same.
        page_like: int8, 1 where a picture of the two is page-like, 0 where neither is, UNKNOWN.
        low_information: bool, one holds too little to be told from others.
        other_shots: bool, both cameras noted a time and the times differ.
    """

    phash_distance: NDArray[np.int32]
    pdq_distance: NDArray[np.int32]
    sscd_small: NDArray[np.float32]
    sscd: NDArray[np.float32]
    page_like: NDArray[np.int8]
    low_information: NDArray[np.bool_]
    other_shots: NDArray[np.bool_]

    @property
    def cosine(self) -> NDArray[np.float32]:
        """The higher of the two cosines that was measured, else NaN."""
        return np.asarray(np.fmax(self.sscd_small, self.sscd))


def first_guess(evidence: FirstEvidence, rule: Rule) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Whether each pair is a copy at first sight, and its score, 0 to 0.999, as `rules.tiers_and_scores` has them."""
    other_shots_hold = np.ones(len(evidence.pdq_distance), bool)
    if rule.other_shots is not None:
        other_shots_hold = ~evidence.other_shots | _holds(rule.other_shots, evidence)
    alike = np.where(
        evidence.page_like == UNKNOWN,
        _any_holds(rule.unmeasured, evidence),
        np.where(evidence.page_like == 1, _any_holds(rule.page_like, evidence), _any_holds(rule.plain, evidence)),
    )
    is_copy = alike & other_shots_hold & ~evidence.low_information
    belief = _belief(evidence, rule)
    return is_copy, np.where(is_copy, 0.5 + 0.499 * belief, 0.499 * belief).astype(np.float32)


def _any_holds(clauses: tuple[Clause, ...], evidence: FirstEvidence) -> NDArray[np.bool_]:
    held = np.zeros(len(evidence.pdq_distance), bool)
    for clause in clauses:
        held |= _holds(clause, evidence)
    return held


def _holds(clause: Clause, evidence: FirstEvidence) -> NDArray[np.bool_]:
    """Whether every bound is met; what was not measured meets none."""
    held = np.ones(len(evidence.pdq_distance), bool)
    if clause.likelihood_min is not None:
        # Only a close look gives a likelihood.
        return np.zeros_like(held)
    for bound, bits in ((clause.phash_max, evidence.phash_distance), (clause.pdq_max, evidence.pdq_distance)):
        if bound is not None:
            held &= bits <= int(bound)
    for least, cosines in ((clause.sscd_small_min, evidence.sscd_small), (clause.sscd_min, evidence.sscd)):
        if least is not None:
            held &= cosines >= np.float32(least)
    return held


def _belief(evidence: FirstEvidence, rule: Rule) -> NDArray[np.float64]:
    """0..1 from all the evidence, before the tier is looked at."""
    curve = rule.curve
    cosine = evidence.cosine.astype(np.float64)
    sscd = np.nan_to_num(_logistic((cosine - curve.sscd_middle) / curve.sscd_width), nan=0.0)
    sscd = sscd * np.where(evidence.page_like == 1, curve.page_weight, 1.0)
    pdq = _logistic((curve.pdq_middle - evidence.pdq_distance) / curve.pdq_width)
    phash = curve.phash_weight * _logistic((curve.phash_middle - evidence.phash_distance) / curve.phash_width)
    hashes = np.where(
        evidence.pdq_distance != NOT_MEASURED, pdq, np.where(evidence.phash_distance != NOT_MEASURED, phash, 0.0)
    )
    together = 1.0 - (1.0 - hashes) * (1.0 - sscd)
    return np.asarray(together * np.where(evidence.low_information, curve.low_weight, 1.0))


def _logistic(value: NDArray[np.floating]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-value)))
