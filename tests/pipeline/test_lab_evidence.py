"""What the lab says of labels and money at any bound is what `evaluate` and the savings say of the rule."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator

import polars as pl
import pytest
from copied_pictures import CopiedPictures

from deeplens_kit.matching import Thresholds
from deeplens_kit.pipeline import (
    PRICES_FILE,
    LabEvidence,
    ThresholdLab,
    Workspace,
    decide,
    draw_sample,
    evaluate,
    label_pair,
    next_pair,
    summarise_savings,
    withdraw_label,
)
from deeplens_kit.reporting.savings_money import add_up_money

PRICES = """currency: EUR
locations:
  "*":
    storage_classes:
      "*": {storage_per_gb_month: 0.023, minimum_days: 30}
"""
BOUNDS = [
    Thresholds(),
    Thresholds(0.98, 0.98),
    Thresholds(0.95, 0.6),
    Thresholds(0.5, 0.5),
    Thresholds(0.999, 0.2, 0),
    Thresholds(page_tone_min=0.2),
]


WITHIN = BOUNDS[:2]
"""Bounds of which the steps of the sample propose every pair."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, copied_pictures: CopiedPictures) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("lab") / "workspace"
    shutil.copytree(copied_pictures.matched, folder)
    (folder / PRICES_FILE).write_text(PRICES, encoding="utf-8")
    with Workspace.open(folder) as found:
        yield found


def test_without_a_sample_and_without_labels_it_says_what_to_do(workspace: Workspace) -> None:
    evidence = LabEvidence.of(workspace, ThresholdLab(workspace))
    said = evidence.estimate(Thresholds().rule())
    assert said.precision is None and said.recall is None
    assert "`deeplens label sample --budget 400` draws one" in said.why_not
    assert evidence.marks(Thresholds().rule()).is_empty()


def test_at_every_bound_it_says_what_evaluate_says_and_follows_the_labels(workspace: Workspace) -> None:
    lab = ThresholdLab(workspace)
    draw_sample(workspace, 14)
    pairs = []
    for number in range(10):
        pair = next_pair(workspace)
        assert pair is not None
        pairs.append((pair.digest_a, pair.digest_b))
        label_pair(workspace, *pairs[-1], ("same", "same", "different", "unsure")[number % 4])
    evidence = LabEvidence.of(workspace, lab)
    assert (evidence.drawn, evidence.left, evidence.labels.height) == (14, 4, 10)
    for bounds in BOUNDS:
        found, wanted = evidence.estimate(bounds.rule()), evaluate(workspace, bounds.rule())
        assert found.precision is not None and found.recall is not None
        if bounds in WITHIN:
            assert (found.precision, found.recall, found.beyond) == (wanted.precision, wanted.recall, 0)
        # What no step of the sample proposes is left open: never a narrower interval.
        assert found.precision.low <= wanted.precision.low and found.precision.high >= wanted.precision.high
        assert found.precision.pairs == wanted.precision.pairs
    # Another label, and one that is taken back.
    label_pair(workspace, *pairs[2], "same")
    withdraw_label(workspace, *pairs[0])
    later = LabEvidence.of(workspace, lab, evidence)
    assert later.left == 5
    found, wanted = later.estimate(Thresholds().rule()), evaluate(workspace, Thresholds().rule())
    assert (found.precision, found.recall) == (wanted.precision, wanted.recall)
    assert found.precision != evidence.estimate(Thresholds().rule()).precision
    # What a person decided takes no part in the estimate, as in `evaluate`.
    made = decide(workspace, "never_propose", pairs[1][0])
    decided = LabEvidence.of(workspace, ThresholdLab(workspace))
    assert decided.estimate(Thresholds().rule()).precision == evaluate(workspace, Thresholds().rule()).precision
    assert made.act.added == 1


def test_labelled_pairs_lie_where_their_scores_are(workspace: Workspace) -> None:
    lab = ThresholdLab(workspace)
    one = lab.borderline(Thresholds(), limit=1).row(0, named=True)
    label_pair(workspace, one["digest_a"], one["digest_b"], "different")
    marks = LabEvidence.of(workspace, lab).marks(Thresholds().rule())
    (mine,) = marks.filter(digest_a=one["digest_a"], digest_b=one["digest_b"]).rows(named=True)
    assert (mine["verdict"], mine["mine"]) == ("different", "different")
    assert mine["likelihood"] == one["likelihood"] and mine["situation"] == one["situation"]
    assert mine["accepted"] == one["accepted"]
    withdraw_label(workspace, one["digest_a"], one["digest_b"])


def test_what_no_sample_could_have_drawn_is_left_open(workspace: Workspace) -> None:
    lab = ThresholdLab(workspace)
    if not workspace.ledger.label_samples():
        pytest.skip("the sample of the test above")
    evidence = LabEvidence.of(workspace, lab)
    looked = evidence._looked
    assert looked is not None
    unknown = dataclasses.replace(looked, candidate=looked.candidate * 0 - 1)
    found = dataclasses.replace(evidence, _looked=unknown).estimate(Thresholds().rule())
    assert found.precision is not None and found.beyond == found.precision.pairs > 0
    assert (found.precision.estimate, found.precision.low, found.precision.high) == (None, 0, 1)


@pytest.mark.parametrize("bounds", [Thresholds(), Thresholds(1, 1), Thresholds(0, 0, 256)], ids=str)
def test_money_is_that_of_the_savings_digit_for_digit(workspace: Workspace, bounds: Thresholds) -> None:
    lab = ThresholdLab(workspace)
    for tiers in (None, ["bytes"], ["copy"]):
        money = lab.outcome(bounds, tiers).money
        amounts = summarise_savings(workspace, tiers, rule=bounds.rule())
        assert money is not None
        mine, its = add_up_money(money), add_up_money(amounts.filter(pl.col("realisable_bytes") > 0))
        assert (mine and mine.summary) == (its and its.summary)


def test_another_price_makes_another_lab(workspace: Workspace) -> None:
    lab = ThresholdLab(workspace)
    assert lab.refreshed(workspace) is lab
    (workspace.directory / PRICES_FILE).write_text(PRICES.replace("0.023", "0.05"), encoding="utf-8")
    other = lab.refreshed(workspace)
    assert other is not lab
    assert other.outcome(Thresholds()).money.equals(lab.outcome(Thresholds()).money) is False  # type: ignore[union-attr]
    (workspace.directory / PRICES_FILE).unlink()
    assert lab.refreshed(workspace).outcome(Thresholds()).money is None
    (workspace.directory / PRICES_FILE).write_text(PRICES, encoding="utf-8")
