"""Precision and recall: what enters, what does not, and that the truth is where a census says it is."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from evidence_worlds import KEY, verdicts_of, world
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.evidence import Survey, precision, recall, removal_curve

WORLD = world([120, 60, 40, 30], never=100)
LEVELS = range(4)


def test_a_census_has_no_doubt() -> None:
    """All labelled: every interval is the truth alone, and so is the curve."""
    sample = WORLD.draw(1000)
    rows = sample["pair"].to_numpy()
    wrong = np.flatnonzero((rows % 7 == 0) & (rows >= 60))
    survey = WORLD.survey(verdicts_of(sample, wrong), sample)
    is_wrong = np.zeros(350, bool)
    is_wrong[rows[wrong]] = True
    right = (~is_wrong).sum()
    curve = removal_curve(survey).rows
    for level, count in zip(LEVELS, (120, 180, 220, 250), strict=True):
        truth = 1 - is_wrong[:count].mean()
        found = precision(survey, level)
        assert found.low == found.high == found.lower == found.estimate == pytest.approx(truth)
        assert (found.pairs, found.labelled, found.wrong) == (count, count, is_wrong[:count].sum())
        share = recall(survey, level)
        assert share.low == share.high == share.estimate == pytest.approx((~is_wrong[:count]).sum() / right)
        row = curve.row(level, named=True)
        assert row["simultaneous"] == row["lower"] == pytest.approx(truth)
        assert (row["pairs"], row["frees_bytes"], row["best_possible"]) == (count, count * 1000, 1.0)


def test_without_a_label_nothing_is_claimed() -> None:
    sample = WORLD.draw(50)
    survey = WORLD.survey(verdicts_of(sample).clear(), sample)
    found = precision(survey, 2)
    assert (found.estimate, found.low, found.high, found.lower, found.labelled) == (None, 0.0, 1.0, 0.0, 0)
    share = recall(survey, 2)
    assert (share.estimate, share.low, share.high) == (None, 0.0, 1.0)
    assert removal_curve(survey).rows["simultaneous"].to_list() == [0.0] * 4


def test_labels_that_no_sample_drew_do_not_enter() -> None:
    sample = WORLD.draw(60)
    everything = WORLD.draw(1000)
    picked = verdicts_of(everything, range(60, 350))
    with_picked = WORLD.survey(picked, sample)
    alone = WORLD.survey(verdicts_of(sample), sample)
    for level in LEVELS:
        assert precision(with_picked, level) == precision(alone, level)
    # Nor do labels of pairs that are gone.
    strange = pl.DataFrame({"digest_a": ["a"], "digest_b": ["b"], "verdict": ["different"]})
    again = WORLD.survey(
        pl.concat([verdicts_of(sample), strange]), pl.concat([sample.select(KEY), strange.select(KEY)])
    )
    assert precision(again, 3) == precision(alone, 3)


def test_a_sample_that_is_labelled_in_part_is_a_smaller_sample() -> None:
    whole, part = WORLD.draw(120), WORLD.draw(70)
    labelled = verdicts_of(whole, [3, 20]).join(part.select(KEY), on=KEY, how="semi")
    assert precision(WORLD.survey(labelled, whole), 3) == precision(WORLD.labelled(70, [3, 20]), 3)
    assert WORLD.survey(labelled, whole).passed_over.height == 0


def test_what_was_passed_over_counts_as_unsure_and_is_asked_for_first() -> None:
    sample = WORLD.draw(120)
    verdicts = verdicts_of(sample)
    asked = sample.filter(pl.col("stratum") == sample["stratum"][0])
    missing = asked.select(KEY)[2:5]
    survey = WORLD.survey(verdicts.join(missing, on=KEY, how="anti"), sample)
    assert survey.passed_over.sort(KEY).equals(missing.sort(KEY))
    unsure = sample.join(missing, on=KEY, how="semi", maintain_order="left")["position"].to_list()
    said = WORLD.survey(verdicts_of(sample, unsure=unsure), sample)
    assert precision(survey, 3) == precision(said, 3)
    assert precision(survey, 3).unsure == 3
    assert precision(survey, 3).lower < precision(WORLD.labelled(120), 3).lower
    assert precision(survey, 3).high == precision(WORLD.labelled(120), 3).high


def test_pairs_that_came_after_the_draw_count_as_unsure_until_they_are_drawn_and_labelled() -> None:
    sample = WORLD.draw(120)
    late = sample.filter(pl.col("stratum") == sample["stratum"][0])[2:5]
    verdicts, earlier = verdicts_of(sample), sample.join(late, on=KEY, how="anti")
    # Had they been there, luck would have drawn them: to leave them out would make the sample one of older pairs.
    unasked = WORLD.survey(verdicts.join(late, on=KEY, how="anti"), earlier)
    assert unasked.passed_over.sort(KEY).equals(late.select(KEY).sort(KEY))
    assert precision(unasked, 3).unsure == 3
    assert precision(unasked, 3).lower < precision(WORLD.labelled(120), 3).lower
    assert precision(unasked, 3).high == precision(WORLD.labelled(120), 3).high
    drawn = pl.concat([earlier, late.with_columns(pl.col("position") + 500)])
    assert precision(WORLD.survey(verdicts, drawn), 3) == precision(WORLD.labelled(120), 3)
    # One that luck would not have drawn is a pair more that the sample speaks of, and nothing waits for it.
    assert not unasked.passed_over.join(sample, on=KEY, how="anti").height


def test_positions_tell_of_pairs_passed_over_at_the_end_of_a_stratum() -> None:
    sample = WORLD.draw(100)
    last = sample.filter(pl.col("stratum") == sample["stratum"][0])["position"].max()
    assert last < 99
    verdicts = verdicts_of(sample).join(sample.filter(pl.col("position") == last), on=KEY, how="anti")
    assert WORLD.survey(verdicts, sample).passed_over.equals(sample.filter(pl.col("position") == last).select(KEY))
    assert WORLD.survey(verdicts, sample.select(KEY)).passed_over.height == 0
    # What comes after the last label was not asked for yet; of two draws the first place counts.
    part = verdicts_of(sample).join(sample.filter(pl.col("position") >= 60), on=KEY, how="anti")
    twice = pl.concat([sample, sample.with_columns(pl.col("position") + 500)])
    assert WORLD.survey(part, twice).passed_over.height == 0
    assert precision(WORLD.survey(part, twice), 3) == precision(WORLD.labelled(60), 3)


def test_a_tier_is_surveyed_by_itself() -> None:
    copies, scenes = world([40, 20], never=20), world([30, 10], tier="scene")
    shifted = scenes.candidates.with_columns(pl.col("digest_a", "digest_b").str.replace("0", "f"))
    candidates = pl.concat([shifted, copies.candidates])
    proposals = pl.concat([scenes.proposals, copies.proposals.with_columns(pair=(pl.col("pair") + 40).cast(pl.UInt32))])
    sample = copies.draw(40, 3)
    alone = copies.survey(verdicts_of(sample, [1]), sample, 3)
    both = Survey.of(candidates, proposals, copies.levels, verdicts_of(sample, [1]), sample, 3, tier="copy")
    for level in range(2):
        assert precision(both, level) == precision(alone, level)
        assert recall(both, level) == recall(alone, level)


def test_the_order_of_the_rows_does_not_matter() -> None:
    sample = WORLD.draw(90)
    verdicts = verdicts_of(sample, [5, 30, 80], [7])
    survey = WORLD.survey(verdicts, sample)
    order = np.random.default_rng(1).permutation(350)
    place = np.argsort(order)
    candidates = WORLD.candidates[order]
    proposals = WORLD.proposals.with_columns(pair=pl.Series(place[WORLD.proposals["pair"]], dtype=pl.UInt32))
    turned = Survey.of(
        candidates, proposals.reverse(), WORLD.levels, verdicts.reverse(), sample.sample(fraction=1, shuffle=True), 0
    )
    assert removal_curve(turned).rows.equals(removal_curve(survey).rows)


@settings(max_examples=25)
@given(st.integers(20, 200), st.lists(st.integers(0, 199), max_size=40, unique=True), st.data())
def test_wrong_labels_lower_every_bound_and_confidence_widens(
    budget: int, wrong: list[int], data: st.DataObject
) -> None:
    wrong = [position for position in wrong if position < budget]
    survey = WORLD.labelled(budget, wrong)
    more = [*wrong, data.draw(st.sampled_from([each for each in range(budget) if each not in wrong] or [0]))]
    worse = WORLD.labelled(budget, more if len(set(more)) > len(wrong) else wrong)
    level = data.draw(st.sampled_from(LEVELS))
    found, lower, surer = precision(survey, level), precision(worse, level), precision(survey, level, 0.99)
    assert lower.low <= found.low and lower.high <= found.high and lower.lower <= found.lower
    assert surer.low <= found.low <= found.lower and found.high <= surer.high
    assert found.estimate is None or found.low <= found.estimate <= found.high
    share = recall(survey, level)
    assert share.estimate is None or share.low <= share.estimate <= share.high
    assert recall(survey, level, 0.99).low <= share.low


@pytest.mark.parametrize("confidence", [0.0, 1.0, 1.5, -1.0])
def test_a_confidence_that_is_none_is_refused(confidence: float) -> None:
    survey = WORLD.labelled(20)
    for ask in (precision, recall):
        with pytest.raises(SettingsError, match="above 0 and below 1"):
            ask(survey, 0, confidence)
    with pytest.raises(SettingsError, match="above 0 and below 1"):
        removal_curve(survey, confidence)


def test_what_does_not_fit_is_refused() -> None:
    sample = WORLD.draw(20)
    verdicts = verdicts_of(sample)
    with pytest.raises(UnknownNameError, match="'maybe'"):
        WORLD.survey(verdicts.with_columns(verdict=pl.lit("maybe")), sample)
    with pytest.raises(TypeError, match="20 pairs have more than one verdict"):
        WORLD.survey(pl.concat([verdicts, verdicts]), sample)
    with pytest.raises(IndexError, match="level 4 among 4"):
        precision(WORLD.labelled(20), 4)


def test_pairs_of_several_files_are_one_pair_and_free_all_of_them() -> None:
    twice = pl.concat([WORLD.proposals, WORLD.proposals.head(10)])
    survey = Survey.of(WORLD.candidates, twice, WORLD.levels, verdicts_of(WORLD.draw(20)), WORLD.draw(20), 0)
    assert precision(survey, 0).pairs == 120
    assert survey.frees_bytes(0) == 130_000
