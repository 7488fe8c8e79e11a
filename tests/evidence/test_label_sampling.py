"""What is drawn: some of every stratum, by luck that depends on a pair alone, and more labels of a seed only add."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from evidence_worlds import KEY, world
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.errors import SettingsError
from deeplens_kit.evidence import PROPOSALS, draw_boundary, draw_stratified, strata_of
from deeplens_kit.evidence.sampling import allocation, luck_of

WORLD = world([60, 30, 20, 10, 25, 5], never=80)


def test_strata_follow_the_levels_and_hold_every_pair_once() -> None:
    strata = strata_of(WORLD.candidates, WORLD.proposals, WORLD.levels)
    assert strata.names == (
        "copy: proposed from 0.99 on",
        "copy: proposed from 0.97 on",
        "copy: proposed from 0.95 on",
        "copy: proposed from 0.93 to 0.89 on",
        "copy: never proposed, most alike",
        "copy: never proposed",
    )
    assert strata.sizes.tolist() == [60, 30, 20, 40, 20, 60]
    assert strata.ends == (0, 1, 2, 5)
    assert np.bincount(strata.number).tolist() == strata.sizes.tolist()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(0, 40))
def test_any_sizes_make_strata_that_hold_every_pair_once(counts: list[int], never: int) -> None:
    small = world(counts, never)
    strata = strata_of(small.candidates, small.proposals, small.levels)
    assert strata.sizes.sum() == sum(counts) + never
    assert all(strata.sizes) and len(strata.ends) <= 4
    assert list(strata.ends) == sorted(set(strata.ends))
    if sum(counts):
        assert (strata.weights > 0).all()


def test_a_sample_has_some_of_every_stratum_and_says_how_likely_each_pair_was() -> None:
    sample = WORLD.draw(24)
    assert sample["position"].to_list() == list(range(24))
    assert sample.select(KEY).is_unique().all()
    by_stratum = sample.group_by("stratum").agg(pl.len(), pl.col("stratum_size", "inclusion").first())
    assert by_stratum.height == 6
    assert by_stratum["len"].min() >= 2
    assert (by_stratum["len"] / by_stratum["stratum_size"] == by_stratum["inclusion"]).all()
    assert sample.select(KEY).equals(WORLD.candidates.select(KEY)[sample["pair"].to_list()])
    assert WORLD.draw(1000).height == WORLD.candidates.height
    assert (WORLD.draw(1000)["inclusion"] == 1).all()


@settings(max_examples=30)
@given(st.integers(1, 230), st.integers(1, 230), st.integers(0, 5))
def test_a_larger_sample_of_a_seed_begins_with_the_smaller_one(one: int, other: int, seed: int) -> None:
    small, large = sorted((one, other))
    key = ["position", *KEY, "stratum"]
    assert WORLD.draw(large, seed).head(small).select(key).equals(WORLD.draw(small, seed).select(key))


def test_other_seeds_draw_others() -> None:
    assert not WORLD.draw(40, 1).select(KEY).equals(WORLD.draw(40, 2).select(KEY))


def test_luck_is_a_pairs_own() -> None:
    """Pictures that come or go, and the order of the rows, move no other pair."""
    luck = luck_of(WORLD.candidates, 7)
    assert luck_of(WORLD.candidates.reverse(), 7).tolist() == luck.tolist()[::-1]
    assert luck_of(WORLD.candidates[10:20], 7).tolist() == luck[10:20].tolist()
    assert (luck != luck_of(WORLD.candidates, 8)).all()
    # As even as chance makes it: in none of ten parts is there three times what belongs there, or nothing.
    shares = np.histogram(luck_of(world([3000]).candidates, 0), 10, (0, 1))[0] / 3000
    assert (np.abs(shares - 0.1) < 0.03).all()


def test_every_pair_of_a_stratum_is_drawn_equally_often() -> None:
    small = world([12], never=0)
    drawn = pl.concat([small.draw(6, seed) for seed in range(300)]).group_by("pair").len()
    assert drawn.height == 12
    assert drawn["len"].is_between(110, 190).all()


def test_labels_go_to_strata_by_weight_and_never_back() -> None:
    weights, sizes = np.array([8.0, 3.0, 1.0]), np.array([100, 2, 100])
    taken = allocation(weights, sizes, 60)
    assert np.bincount(taken).tolist() == [52, 2, 6]
    assert allocation(weights, sizes, 10).tolist() == taken[:10].tolist()
    assert sorted(taken[:6].tolist()) == [0, 0, 1, 1, 2, 2]
    assert len(allocation(weights, sizes, 999)) == 202


def test_near_a_boundary_half_is_proposed_there_and_half_is_not() -> None:
    sample = draw_boundary(WORLD.candidates, WORLD.proposals, WORLD.levels, 2, 20)
    rows = sample["pair"].to_numpy()
    assert (rows < 110).sum() == (rows >= 110).sum() == 10
    # The least alike of those that enter at this level, and what enters at the next.
    assert set(rows) <= set(range(90, 120))
    assert sample["inclusion"].null_count() == 20
    left = draw_boundary(WORLD.candidates, WORLD.proposals, WORLD.levels, 2, 20, sample)
    assert not set(left["pair"]) & set(rows)
    # Where one side lacks pairs the other has more.
    loosest = draw_boundary(WORLD.candidates, WORLD.proposals, WORLD.levels, 5, 200)
    assert (loosest["pair"] >= 150).sum() == 80 and loosest.height == 200


@pytest.mark.parametrize("budget", [0, -3])
def test_a_sample_of_nothing_is_refused(budget: int) -> None:
    with pytest.raises(SettingsError, match=f"labels is {budget}; it must be at least 1"):
        WORLD.draw(budget)
    with pytest.raises(SettingsError, match="at least 1"):
        draw_boundary(WORLD.candidates, WORLD.proposals, WORLD.levels, 0, budget)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="level is 6; there are 6 thresholds"):
        draw_boundary(WORLD.candidates, WORLD.proposals, WORLD.levels, 6, 5)
    with pytest.raises(TypeError, match="a proposal begins at level 5"):
        draw_stratified(WORLD.candidates, WORLD.proposals, WORLD.levels[:5], 5, 0)
    with pytest.raises(TypeError, match="a tier that is a fact"):
        strata_of(WORLD.candidates.with_columns(tier=pl.lit("bytes")), WORLD.proposals, WORLD.levels)
    with pytest.raises(TypeError, match="candidates"):
        strata_of(WORLD.candidates.drop("score"), PROPOSALS.empty(), WORLD.levels)


def test_without_proposals_all_labels_go_to_recall() -> None:
    nothing = PROPOSALS.empty()
    sample = draw_stratified(WORLD.candidates, nothing, WORLD.levels, 10, 0)
    assert sample.height == 10
    assert sample["stratum"].n_unique() == 2
    assert draw_stratified(WORLD.candidates.clear(), nothing, WORLD.levels, 10, 0).height == 0
