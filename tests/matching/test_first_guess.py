"""The first guess by arrays is the very one that a rule makes of a frame."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from deeplens_kit.matching import STRICT, Clause, Rule
from deeplens_kit.matching.first_guess import NOT_MEASURED, UNKNOWN, FirstEvidence, first_guess
from deeplens_kit.matching.rules import tiers_and_scores
from deeplens_kit.schemas import Tier

_PAIRS = 4_000
_LOOSE = Rule(
    "loose",
    1,
    plain=(Clause(pdq_max=31), Clause(phash_max=4, sscd_small_min=0.6), Clause(sscd_min=0.8)),
    unmeasured=(Clause(sscd_small_min=0.9),),
    page_like=(),
    other_shots=None,
    verified=(Clause(likelihood_min=0.5),),
)
_ODD = Rule(
    "odd", 1, plain=(Clause(likelihood_min=0.1),), unmeasured=(), page_like=(Clause(phash_max=0),),
    other_shots=Clause(sscd_small_min=0.7),
)  # fmt: skip


def evidence(seed: int) -> FirstEvidence:
    """Values on and beside all bounds, each missing now and then."""
    random = np.random.default_rng(seed)

    def bits(most: int) -> NDArray[np.int32]:
        values = random.integers(0, most, _PAIRS, dtype=np.int32)
        return np.where(random.random(_PAIRS) < 0.2, NOT_MEASURED, values).astype(np.int32)

    def cosines() -> NDArray[np.float32]:
        values = random.choice(np.array([0.6, 0.7, 0.8, 0.9, 0.59999996, -1, 1], np.float32), _PAIRS)
        values = np.where(random.random(_PAIRS) < 0.5, random.uniform(-1, 1, _PAIRS), values)
        return np.where(random.random(_PAIRS) < 0.2, np.nan, values).astype(np.float32)

    return FirstEvidence(
        bits(12), bits(70), cosines(), cosines(), random.choice(np.array([UNKNOWN, 0, 1], np.int8), _PAIRS),
        random.random(_PAIRS) < 0.1, random.random(_PAIRS) < 0.2,
    )  # fmt: skip


def frame(told: FirstEvidence) -> pl.DataFrame:
    """The same as rules take it."""
    return pl.DataFrame(
        {
            "phash_distance": pl.Series(told.phash_distance).replace(NOT_MEASURED, None),
            "pdq_distance": pl.Series(told.pdq_distance).replace(NOT_MEASURED, None),
            "sscd_small": pl.Series(told.sscd_small).fill_nan(None),
            "sscd": pl.Series(told.sscd).fill_nan(None),
            "page_like": pl.Series(told.page_like).replace(int(UNKNOWN), None).cast(pl.Boolean),
            "low_information": told.low_information,
            "other_shots": told.other_shots,
        }
    ).with_columns(likelihood=pl.lit(None, pl.Float64), hub=pl.lit(value=False))


@pytest.mark.parametrize("rule", [STRICT, _LOOSE, _ODD], ids=lambda rule: rule.name)
def test_tiers_and_scores_are_those_of_the_rule(rule: Rule) -> None:
    told = evidence(7)
    wanted = tiers_and_scores(frame(told), rule)
    is_copy, scores = first_guess(told, rule)
    assert is_copy.tolist() == (wanted["tier"] == str(Tier.COPY)).to_list()
    assert scores.dtype == np.float32
    # Two libraries' exponentials may differ in their last bit of 53, of which 24 are kept.
    np.testing.assert_allclose(scores, wanted["score"].to_numpy(), rtol=2e-7, atol=1e-9)
    if rule is not _ODD:
        assert 0 < is_copy.sum() < _PAIRS


def test_of_no_pairs_nothing_is_said() -> None:
    none = evidence(1)
    empty = FirstEvidence(*(getattr(none, name)[:0] for name in FirstEvidence.__slots__))
    is_copy, scores = first_guess(empty, STRICT)
    assert len(is_copy) == len(scores) == 0
