"""The recommended threshold: shown by enough labels, told what is missing by too few."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from evidence_worlds import World, verdicts_of, world

from deeplens_kit.errors import SettingsError, TooFewLabelsError
from deeplens_kit.evidence import PROPOSALS, Recommendation, Survey, recommend, removal_curve
from deeplens_kit.evidence.recommending import first_level, passed_levels

# As many as the removals of the development benchmark, most of them at the strict end.
WORLD = world([420, 110, 60, 40, 30, 30, 10], never=600)


def recommended(wide: World, budget: int, wrong: list[int] | None = None, promise: float = 0.99) -> Recommendation:
    return recommend(removal_curve(wide.labelled(budget, wrong or []), recalls=False), promise)


def test_four_hundred_right_labels_of_seven_hundred_proposals_show_99_percent() -> None:
    found = recommended(WORLD, 400)
    assert (found.level, found.threshold) == (6, 0.87)
    assert (found.pairs, found.frees_bytes) == (700, 700_000)
    assert found.interval is not None and found.interval.lower >= 0.99
    assert (found.shown_level, found.shown_precision) == (6, found.interval.lower)
    assert (found.more_labels, found.more_level) == (None, None)
    assert found.said == (
        "At 0.87 at least 99 % of the 700 proposed pairs are the same picture, with 95 % confidence; "
        "they free 700,000 bytes."
    )


def test_two_hundred_do_not_and_it_says_what_they_show_and_how_many_are_missing() -> None:
    found = recommended(WORLD, 200)
    assert found.level is found.threshold is found.frees_bytes is found.interval is None
    assert 0.97 < found.shown_precision < 0.99
    assert found.more_labels is not None and found.more_level is not None
    assert found.said.startswith("99 % cannot be shown: at 0.")
    assert f"which shows at least {int(found.shown_precision * 1e4) / 100:g} %" in found.said
    assert f"{found.more_labels} more labels, all `same`, would show it at" in found.said
    # With so many more it is shown there, and with one fewer it is not.
    assert recommended(WORLD, 200 + found.more_labels).level is not None
    assert recommended(WORLD, 199 + found.more_labels).level is None
    assert found.more_budget == 200 + found.more_labels
    # What can be shown is shown: a promise of that much is kept.
    assert recommended(WORLD, 200, promise=found.shown_precision).level is not None


def test_what_was_passed_over_is_among_the_labels_that_are_missing() -> None:
    """As after another keep policy: the sample asked for less than what luck would draw of the removals of now."""
    sample = WORLD.draw(400)
    skipped = sample.filter(pl.col("position").is_in(range(0, 300, 3))).select("digest_a", "digest_b")
    rest = sample.join(skipped, on=["digest_a", "digest_b"], how="anti")
    survey = WORLD.survey(verdicts_of(rest), rest.select("digest_a", "digest_b"))
    assert survey.passed_over.height > 90
    found = recommend(removal_curve(survey, recalls=False))
    assert found.level is None
    assert found.more_labels is not None and survey.passed_over.height <= found.more_labels <= skipped.height
    # The budget that it names holds them: labelled to its end it shows the promise.
    assert found.more_budget is not None and recommended(WORLD, found.more_budget).level is not None


def test_the_loosest_level_that_passes_is_recommended_and_the_first_that_fails_ends_it() -> None:
    """Wrong labels only where the fourth level begins: what lies before it is shown, what lies after is not."""
    sample = WORLD.draw(400)
    wrong = np.flatnonzero((sample["pair"] >= 590) & (sample["pair"] < 700)).tolist()
    curve = removal_curve(WORLD.survey(verdicts_of(sample, wrong), sample))
    found = recommend(curve, 0.99)
    assert found.level == 2
    assert passed_levels(curve, 0.99) == list(range(first_level(curve, 0.99), 3))
    assert found.more_level == 3
    assert found.more_labels is None
    # A higher promise is kept by fewer removals, a lower one by more.
    assert recommend(curve, 0.9).frees_bytes > found.frees_bytes  # type: ignore[operator]


def test_some_wrong_labels_are_allowed_for() -> None:
    assert recommended(WORLD, 600, [0]).level == 6
    assert recommended(WORLD, 400, [0, 1, 2, 3, 4, 5]).level is None


def test_wrong_ones_that_are_known_cannot_be_labelled_away() -> None:
    found = recommended(WORLD, 300, list(range(0, 300, 10)))
    assert (found.level, found.more_labels, found.more_level) == (None, None, None)
    assert found.said.endswith("No number of further labels would show it (up to 20,000 were tried).")


def test_where_the_sequence_begins_does_not_depend_on_verdicts() -> None:
    for budget in (50, 150, 300, 500):
        curves = [removal_curve(WORLD.labelled(budget, wrong), recalls=False) for wrong in ([], range(0, budget, 3))]
        assert first_level(curves[0], 0.99) == first_level(curves[1], 0.99)


def test_labels_that_are_unsure_do_not_keep_a_promise() -> None:
    sample = WORLD.draw(400)
    survey = WORLD.survey(verdicts_of(sample, unsure=range(0, 400, 20)), sample)
    assert recommend(removal_curve(survey, recalls=False)).level is None


def test_proposals_that_end_are_no_longer_counted() -> None:
    """Not nested: what is wrong is proposed at one level only, and the next one is right again."""
    proposals = WORLD.proposals.with_columns(
        last_level=pl.when(pl.col("pair").is_between(530, 589)).then(2).otherwise("last_level").cast(pl.Int32)
    )
    sample = World(WORLD.candidates, proposals, WORLD.levels).draw(420)
    wrong = np.flatnonzero(sample["pair"].is_between(530, 589)).tolist()
    survey = Survey.of(WORLD.candidates, proposals, WORLD.levels, verdicts_of(sample, wrong), sample, 0)
    curve = removal_curve(survey, recalls=False)
    assert curve.rows["pairs"].to_list() == [420, 530, 590, 570, 600, 630, 640]
    lower = curve.rows["lower"].to_list()
    assert lower[2] < 0.95 < 0.985 < lower[3]
    # Yet the sequence does not jump over the level that failed.
    assert recommend(curve, 0.98).level in (0, 1)


def test_bounds_for_all_levels_at_once_are_no_better_than_those_for_one_where_strata_end() -> None:
    curve = removal_curve(WORLD.labelled(300, [3]), recalls=False)
    for level in curve.survey.strata.ends:
        row = curve.rows.row(level, named=True)
        assert row["simultaneous"] <= row["lower"] <= row["best_possible"]


def test_what_is_no_promise_is_refused() -> None:
    curve = removal_curve(WORLD.labelled(20), recalls=False)
    for promise in (0.0, -0.5, 1.01):
        with pytest.raises(SettingsError, match="above 0 and at most 1"):
            recommend(curve, promise)
    nothing = Survey.of(WORLD.candidates, PROPOSALS.empty(), WORLD.levels, verdicts_of(WORLD.draw(9)), WORLD.draw(9), 0)
    with pytest.raises(TooFewLabelsError, match="nothing to recommend"):
        recommend(removal_curve(nothing))
