"""From score to probability: rising, near the truth, and refused where labels are too few."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.errors import TooFewLabelsError, UnknownNameError
from deeplens_kit.evidence import calibrate


def labels(count: int, seed: int = 0) -> tuple[pl.Series, pl.Series, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.random(count)
    truth = 1 / (1 + np.exp(-12 * (scores - 0.6)))
    verdicts = np.where(random.random(count) < truth, "same", "different")
    return pl.Series(scores), pl.Series(verdicts), truth


@pytest.mark.parametrize(("count", "method", "error"), [(120, "logistic", 0.06), (4000, "isotonic", 0.03)])
def test_probabilities_are_near_the_truth(count: int, method: str, error: float) -> None:
    scores, verdicts, truth = labels(count)
    fitted = calibrate(scores, verdicts)
    assert (fitted.method, fitted.labels) == (method, count)
    assert np.abs(fitted.probability(scores).to_numpy() - truth).mean() < error


@settings(max_examples=30)
@given(st.integers(40, 700), st.integers(0, 50))
def test_probabilities_rise_with_the_score_and_are_never_certain(count: int, seed: int) -> None:
    scores, verdicts, _ = labels(count, seed)
    grid = pl.Series(np.linspace(-0.5, 1.5, 301))
    found = calibrate(scores, verdicts).probability(grid).to_numpy()
    assert (np.diff(found) >= 0).all()
    assert found.min() > 0 and found.max() < 1


def test_unsure_labels_are_left_out_and_the_order_does_not_matter() -> None:
    scores, verdicts, _ = labels(900)
    fitted = calibrate(scores, verdicts)
    order = np.random.default_rng(0).permutation(900)
    more = pl.concat([scores[order], pl.Series([0.9] * 50)]), pl.concat([verdicts[order], pl.Series(["unsure"] * 50)])
    again = calibrate(*more)
    assert again.labels == 900
    assert np.allclose(again.probabilities, fitted.probabilities)


def test_a_label_of_weight_two_is_two_labels() -> None:
    scores, verdicts, _ = labels(200)
    twice = calibrate(scores, verdicts, pl.Series([2.0] * 200)).probabilities
    assert np.allclose(twice, calibrate(pl.concat([scores, scores]), pl.concat([verdicts, verdicts])).probabilities)


def test_a_score_that_falls_where_pictures_are_alike_tells_nothing() -> None:
    scores, verdicts, _ = labels(200)
    fitted = calibrate(1 - scores, verdicts)
    found = fitted.probability(pl.Series([0.0, 0.5, 1.0]))
    assert found.n_unique() == 1
    assert found[0] == pytest.approx((verdicts == "same").mean(), abs=0.02)


def test_a_missing_score_has_no_probability() -> None:
    scores, verdicts, _ = labels(100)
    found = calibrate(scores, verdicts).probability(pl.Series([0.5, None], dtype=pl.Float32))
    assert found.is_null().to_list() == [False, True]


@pytest.mark.parametrize("words", [["same"] * 25 + ["different"] * 4, ["same"] * 60 + ["different"] * 4])
def test_too_few_labels_are_refused(words: list[str]) -> None:
    scores = pl.Series(np.linspace(0, 1, len(words)))
    with pytest.raises(
        TooFewLabelsError, match=rf"{words.count('same')} labels `same` and 4 `different`; .* 30 in all"
    ):
        calibrate(scores, pl.Series(words))
    with pytest.raises(UnknownNameError, match="'perhaps'"):
        calibrate(scores, pl.Series([*words[1:], "perhaps"]))
