"""Calibrations: rising, the same is 1, and 0.5 is one unrelated pair in 1,000 whatever the values are like."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom

from deeplens_kit.search.calibration import LEAST_VALUES, Calibration, Modality, fitted, generic
from deeplens_kit.search.default_calibrations import default_calibration

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def cosines(dimensions: int, lean: float) -> Draw:
    """As of random vectors, which are even about 0, or lean towards one side as those of many models do."""

    def draw(random: np.random.Generator, count: int) -> NDArray[np.float64]:
        half = (dimensions - 1) / 2
        return 2 * random.beta(half * (1 + lean), half * (1 - lean), count) - 1

    return draw


def bits(length: int, orientations: int) -> Draw:
    """Shares of equal bits in the best of some orientations."""

    def draw(random: np.random.Generator, count: int) -> NDArray[np.float64]:
        # The best of them by its distribution, which is cheaper than to draw them all.
        reached = binom.cdf(np.arange(length + 1), length, 0.5) ** orientations
        return np.searchsorted(reached, random.random(count)) / length

    return draw


def distances(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Negative distances of vectors without a number below 0, many of which are much alike."""
    return -np.sqrt(2 - 2 * random.beta(3, 2, count))


KINDS: dict[str, tuple[Draw, float]] = {
    "cosines of copies": (cosines(256, 0.0), 1.0),
    "cosines of meanings": (cosines(64, 0.5), 1.0),
    "64 bits": (bits(64, 8), 1.0),
    "256 bits": (bits(256, 8), 1.0),
    "distances": (distances, 0.0),
}


@cache
def calibration(kind: str, count: int = 20_000, seed: int = 1) -> Calibration:
    draw, same = KINDS[kind]
    made = fitted(draw(np.random.default_rng(seed), count), same, origin="drawn", pictures=count)
    assert made is not None
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [20_000])
def test_one_unrelated_pair_in_a_thousand_has_a_half(kind: str, count: int) -> None:
    """On pairs that it was not fitted on. Of a hash no value may be just so rare: the next is taken."""
    made = calibration(kind, count)
    values = KINDS[kind][0](np.random.default_rng(2), 200_000)
    reaching = values[made.similarity(values) >= 0.5]
    claimed = 10.0 ** -made.rarity(np.array([reaching.min()]))[0]
    assert 0.5e-3 < claimed <= 1e-3 or "bits" in kind
    assert claimed / 2 <= len(reaching) / len(values) <= claimed * 2


@settings(max_examples=30)
@given(
    st.lists(st.floats(-1.0, 0.999), min_size=200, max_size=300),
    st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=20),
)
def test_greater_values_are_never_less_alike(sample: list[float], values: list[float]) -> None:
    made = fitted(np.array(sample), 1.0, origin="drawn", pictures=20)
    if made is None:
        assert max(sample) - min(sample) < 1e-5
        return
    found = made.similarity(np.sort(values))
    assert (np.diff(found) >= 0).all()
    assert ((found >= 0) & (found <= 1)).all()
    assert made.similarity(np.array([made.same]))[0] == 1.0
    assert made.similarity(np.array([-1.0, min(sample) - 1.0])).tolist()[1] == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_rarer_than_anything_measured_is_still_told_apart(kind: str) -> None:
    made = calibration(kind)
    values = made.same - np.array([0.2, 0.1, 0.05, 0.01, 0.001, 0.0])
    assert (np.diff(made.similarity(values).astype(np.float32)) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("similarity", [0.0, 0.25, 0.5, 0.75, 0.9])
def test_the_value_of_a_similarity_has_it(kind: str, similarity: float) -> None:
    made = calibration(kind)
    assert made.similarity(np.array([made.value_at(similarity)]))[0] == pytest.approx(similarity, abs=1e-9)
    assert made.spread > 0


def test_pictures_that_a_feature_cannot_tell_apart_do_not_count() -> None:
    values = cosines(64, 0.0)(np.random.default_rng(4), 20_000)
    made = fitted(values, 1.0, origin="", pictures=9)
    assert made == fitted(np.concatenate([values, np.ones(5000), [np.nan]]), 1.0, origin="", pictures=9)


def test_a_few_copies_among_the_unrelated_do_little() -> None:
    values = cosines(64, 0.0)(np.random.default_rng(5), 20_000)
    made = fitted(values, 1.0, origin="", pictures=9)
    spoilt = fitted(np.concatenate([values, np.full(10, 0.97)]), 1.0, origin="", pictures=9)
    assert made is not None
    assert spoilt is not None
    assert spoilt.value_at(0.8) == pytest.approx(made.value_at(0.8), abs=0.06)


@pytest.mark.parametrize("values", [np.zeros(1000), np.linspace(0, 0.5, LEAST_VALUES - 1), np.ones(1000), []])
def test_values_that_say_too_little_give_none(values: NDArray[np.float64]) -> None:
    assert fitted(np.asarray(values, np.float64), 1.0, origin="", pictures=1) is None


def test_nothing_known_is_a_calibration_too() -> None:
    for same in (1.0, 0.0):
        made = generic(same)
        found = made.similarity(same - np.array([1.5, 1.0, 0.1, 0.0]))
        assert found.tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0])


def test_a_calibration_comes_back_from_text_as_it_was() -> None:
    made = calibration("64 bits")
    assert Calibration.of(json.loads(made.to_json())) == made
    assert replace(made, power=made.power + 1e-9).calibration_id != made.calibration_id


@pytest.mark.parametrize(
    "spoil",
    [
        {"power": 0.0}, {"power": None}, {"same": -1.0}, {"values": [1.0, 0.5], "rarities": [0.0, 1.0]},
        {"values": []}, {"values": ["x"]}, {"rarities": [float("nan")]},
    ],
)  # fmt: skip
def test_what_is_no_calibration_is_refused(spoil: dict[str, object]) -> None:
    given_text = json.loads(calibration("64 bits").to_json()) | spoil
    with pytest.raises(ValueError, match=r"no calibration|do not rise|has no end|could not convert"):
        Calibration.of(given_text)


def test_the_built_in_features_have_one_without_a_library() -> None:
    for key in ("pdq", "phash", "dhash", "ahash"):
        made = default_calibration(key, Modality.PICTURE)
        assert made is not None
        assert 0.5 < made.value_at(0.5) < 1.0
    assert default_calibration("pdq", Modality.WORDS) is None
