"""Bounds hold what they promise in every small population, and are those of brute force."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from deeplens_kit.evidence.bounds import Cells, wrong_bounds
from deeplens_kit.evidence.tail_kernels import sum_at_most
from deeplens_kit.evidence.worst_case import WorstCase, stratum_bounds


def cells(sizes: Sequence[int], drawn: Sequence[int], wrong: Sequence[int]) -> Cells:
    nothing = np.zeros(len(sizes), np.int64)
    whole, sampled, found = (np.array(values, np.int64) for values in (sizes, drawn, wrong))
    return Cells.of(whole, sampled, whole, sampled, found, nothing)


@cache
def chance(size: int, wrong: int, drawn: int, found: int) -> float:
    return float(hypergeom.pmf(found, size, wrong, drawn))


def outcomes(drawn: Sequence[int]) -> Iterable[tuple[int, ...]]:
    return itertools.product(*(range(count + 1) for count in drawn))


def likelihood(sizes: Sequence[int], drawn: Sequence[int], lying: Sequence[int], found: Sequence[int]) -> float:
    return float(np.prod([chance(*each) for each in zip(sizes, lying, drawn, found, strict=True)]))


STRATA = st.lists(st.tuples(st.integers(2, 6), st.integers(1, 4)), min_size=1, max_size=3).map(
    lambda strata: ([size for size, _ in strata], [min(size, drawn) for size, drawn in strata])
)


@settings(max_examples=40)
@given(STRATA, st.data())
def test_the_worst_way_to_lie_is_that_of_brute_force(strata: tuple[list[int], list[int]], data: st.DataObject) -> None:
    sizes, drawn = strata
    total = data.draw(st.integers(0, sum(sizes)))
    cap, above = data.draw(st.integers(0, 4 * sum(drawn))), data.draw(st.booleans())
    scale = np.array(sizes) / drawn * 2
    steps = [[int(each * found + 0.5) for found in range(max(drawn) + 1)] for each in scale]
    best = 0.0
    for lying in itertools.product(*(range(size + 1) for size in sizes)):
        if sum(lying) != total:
            continue
        summed = sum(
            likelihood(sizes, drawn, lying, found)
            for found in outcomes(drawn)
            if (sum(steps[at][each] for at, each in enumerate(found)) > cap) == above
        )
        best = max(best, summed)
        if not above:
            assert sum_at_most(np.array(sizes), np.array(drawn), np.array(lying), scale, cap) == pytest.approx(summed)
    nothing = np.zeros(len(sizes), np.int64)
    found_best = WorstCase(np.array(sizes), np.array(drawn), scale, nothing, np.array(sizes)).chance(
        total, cap, above=above
    )
    assert found_best == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(("sizes", "drawn"), [([9], [4]), ([5, 7], [2, 4]), ([6, 6], [5, 1]), ([3, 4, 5], [1, 2, 2])])
@pytest.mark.parametrize("error", [0.05, 0.2])
def test_in_every_population_the_truth_is_held_as_often_as_promised(
    sizes: list[int], drawn: list[int], error: float
) -> None:
    """Over all populations and, of each, over all samples with their exact chances."""
    bounds = {found: wrong_bounds(cells(sizes, drawn, found), error / 2, error) for found in outcomes(drawn)}
    for lying in itertools.product(*(range(size + 1) for size in sizes)):
        below = above = 0.0
        for found, (fewest, most) in bounds.items():
            weight = likelihood(sizes, drawn, lying, found)
            below += weight * (sum(lying) < fewest)
            above += weight * (sum(lying) > most)
        assert below <= error / 2 + 1e-9
        assert above <= error + 1e-9


@settings(max_examples=50)
@given(st.integers(2, 400), st.data())
def test_one_stratum_has_the_plain_bounds(size: int, data: st.DataObject) -> None:
    drawn = data.draw(st.integers(1, size))
    found = data.draw(st.integers(0, drawn))
    fewest, most = wrong_bounds(cells([size], [drawn], [found]), 0.025, 0.05)
    believed = np.arange(found, size - drawn + found + 1)
    assert most == believed[hypergeom.cdf(found, size, believed, drawn) > 0.05].max()
    assert fewest == believed[hypergeom.sf(found - 1, size, believed, drawn) > 0.025].min()
    assert (fewest, most) == (
        stratum_bounds(size, drawn, found, 0.025)[0], stratum_bounds(size, drawn, found, 0.05)[1],
    )  # fmt: skip


def test_what_is_labelled_whole_is_known_and_what_is_not_sampled_may_be_anything() -> None:
    assert wrong_bounds(cells([10, 20], [10, 20], [1, 3]), 0.025, 0.025) == (4, 4)
    assert wrong_bounds(cells([10, 20], [10, 0], [1, 0]), 0.025, 0.025) == (1, 21)
    assert wrong_bounds(cells([10, 20], [4, 3], [1, 2]), 0.0, 0.0) == (3, 26)
    assert wrong_bounds(cells([], [], []), 0.025, 0.025) == (0, 0)


def test_four_hundred_right_labels_of_seven_hundred_show_99_percent_and_two_hundred_do_not() -> None:
    _, many = wrong_bounds(cells([700], [400], [0]), 0.0, 0.05)
    _, few = wrong_bounds(cells([700], [200], [0]), 0.0, 0.05)
    # (300/700)^4 and (500/700)^9 are the first below .05, about.
    assert (many, few) == (3, 8)
    assert 1 - many / 700 > 0.99 > 1 - few / 700
    _, with_one_wrong = wrong_bounds(cells([700], [400], [1]), 0.0, 0.05)
    assert 1 - with_one_wrong / 700 > 0.99


def test_unsure_counts_against_the_promise_and_for_the_doubt() -> None:
    whole, sampled, none = np.array([100]), np.array([40]), np.array([0])
    doubtful = Cells.of(whole, sampled, whole, sampled, none, np.array([3]))
    clear, wrong = cells([100], [40], [0]), cells([100], [40], [3])
    assert wrong_bounds(doubtful, 0.025, 0.025) == (
        wrong_bounds(clear, 0.025, 0.025)[0], wrong_bounds(wrong, 0.025, 0.025)[1],
    )  # fmt: skip
    assert wrong_bounds(doubtful, 0.025, 0.025, unsure_wrong=True) == wrong_bounds(wrong, 0.025, 0.025)
    assert wrong_bounds(doubtful, 0.025, 0.025, unsure_wrong=False) == wrong_bounds(clear, 0.025, 0.025)


SAMPLES = st.lists(
    st.tuples(st.integers(20, 300), st.floats(0.05, 0.9), st.floats(0, 0.5)), min_size=1, max_size=4
).map(
    lambda strata: [
        (size, max(1, round(size * rate)), int(max(1, round(size * rate)) * share)) for size, rate, share in strata
    ]
)


@settings(max_examples=40)
@given(SAMPLES, st.data())
def test_bounds_follow_what_is_found_and_how_sure_one_wants_to_be(
    strata: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    sizes, drawn, found = (list(column) for column in zip(*strata, strict=True))
    fewest, most = wrong_bounds(cells(sizes, drawn, found), 0.025, 0.025)
    assert sum(found) <= fewest <= sum(size * each / of for size, of, each in strata) + 1
    assert fewest <= most <= sum(sizes) - sum(drawn) + sum(found)
    # Surer is never narrower.
    wider = wrong_bounds(cells(sizes, drawn, found), 0.005, 0.005)
    assert wider[0] <= fewest <= most <= wider[1]
    # The order of the strata does not matter.
    turned = data.draw(st.permutations(strata))
    sizes, drawn, found = (list(column) for column in zip(*turned, strict=True))
    assert wrong_bounds(cells(sizes, drawn, found), 0.025, 0.025) == (fewest, most)
    # One more wrong label is never better.
    at = data.draw(st.integers(0, len(found) - 1))
    if found[at] < drawn[at]:
        found[at] += 1
        worse = wrong_bounds(cells(sizes, drawn, found), 0.025, 0.025)
        assert worse[0] >= fewest and worse[1] >= most


def test_a_part_that_hardly_any_sample_falls_into_is_counted_against_its_stratum() -> None:
    """Else all of it would be in doubt, although the stratum around it was sampled."""
    one = np.array([1000])
    part = Cells.of(one, np.array([100]), np.array([20]), np.array([0]), np.array([0]), np.array([0]))
    _, most = wrong_bounds(part, 0.0, 0.05)
    assert most == 20
    wide = Cells.of(one, np.array([400]), np.array([12]), np.array([2]), np.array([0]), np.array([0]))
    assert wrong_bounds(wide, 0.0, 0.05)[1] == 5
    assert part.share_right() == wide.share_right() == 1.0
