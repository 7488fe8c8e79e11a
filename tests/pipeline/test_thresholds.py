"""The threshold lab on the sample library: the figures of the groups, and pairs whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from sample_workspace import sample_workspace

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import STRICT, Clause, Thresholds
from deeplens_kit.pipeline import (
    ThresholdLab,
    ThresholdOutcome,
    Workspace,
    index,
    is_current,
    list_groups,
    match,
    summarise_savings,
)
from deeplens_kit.schemas import tier_strength
from deeplens_kit.storage import decode_path

MOVED = [
    Thresholds(),
    Thresholds(likelihood_min=0.99),
    Thresholds(likelihood_min=0.5),
    Thresholds(likelihood_min=0, page_likelihood_min=0, other_shots_pdq_max=256),
    Thresholds(page_likelihood_min=0.5),
    Thresholds(other_shots_pdq_max=64),
    Thresholds(likelihood_min=1, page_likelihood_min=1, other_shots_pdq_max=0),
    Thresholds(page_tone_min=0.05, pdq_quality_min=90),
]
Truth = dict[tuple[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Truth]]:
    sample = sample_workspace(tmp_path_factory)
    with Workspace.open(sample.workspace) as workspace:
        yield workspace, sample.truth


@pytest.fixture(scope="module")
def lab(library: tuple[Workspace, Truth]) -> ThresholdLab:
    return ThresholdLab(library[0])


def figures(outcome: ThresholdOutcome) -> tuple[int, ...]:
    names = ("groups", "objects", "gross_bytes", "realisable_bytes", "largest_group", "withheld")
    return tuple(getattr(outcome, name) for name in names)


@pytest.mark.parametrize("tiers", [None, ["bytes"], ["pixels"], ["copy"]])
@pytest.mark.parametrize("moved", MOVED, ids=str)
def test_the_lab_says_what_groups_and_savings_say(
    library: tuple[Workspace, Truth], lab: ThresholdLab, moved: Thresholds, tiers: list[str] | None
) -> None:
    workspace, _ = library
    view = list_groups(workspace, tiers, rule=moved.rule())
    amounts = summarise_savings(workspace, tiers, rule=moved.rule())
    outcome = lab.outcome(moved, tiers)
    sums = amounts.select(pl.col("objects", "gross_bytes", "realisable_bytes").sum()).row(0)
    largest = view.groups.group_by("group_id").len()["len"].max() or 0
    assert figures(outcome) == (view.groups["group_id"].n_unique(), *sums, largest, view.withheld.height)
    by_tier = outcome.by_tier.drop("groups").filter(pl.col("objects") > 0).rows()
    assert by_tier == amounts.group_by("tier").agg(
        pl.col("objects", "gross_bytes", "realisable_bytes").sum()
    ).sort(tier_strength()).rows()  # fmt: skip


def test_the_strict_outcome_holds_copies_only_and_other_bounds_more_or_less(
    library: tuple[Workspace, Truth], lab: ThresholdLab
) -> None:
    _, truth = library
    copies = sum(row["expected"] == "copy" for row in truth.values())
    strict, loosest, tightest = (lab.outcome(MOVED[at]) for at in (0, 3, 6))
    assert 0 < strict.objects <= copies
    # All that a looser bound would add is withheld for other reasons here.
    assert loosest.objects >= strict.objects > tightest.objects
    assert loosest.withheld > strict.withheld


def test_borderline_pairs_of_the_strict_rule_are_right_where_accepted(
    library: tuple[Workspace, Truth], lab: ThresholdLab
) -> None:
    _, truth = library
    found = lab.borderline(Thresholds(), limit=40)
    assert found["accepted"].sum() >= 10 and (~found["accepted"]).any()
    for row in found.iter_rows(named=True):
        a, b = (truth[row[f"location_{end}"], decode_path(row[f"path_{end}"])] for end in "ab")
        if row["accepted"]:
            assert a["source_id"] == b["source_id"], (a["path"], b["path"])
        assert row["why"].startswith("Likelihood is ") or "the cameras noted different times" in row["why"]


def test_the_loosest_bounds_bring_the_first_wrong_pairs_to_be_seen(
    library: tuple[Workspace, Truth], lab: ThresholdLab
) -> None:
    """What the panel is for: loosened, it shows pairs of different sources among the accepted ones."""
    _, truth = library
    found = lab.borderline(MOVED[3], limit=100).filter("accepted")
    wrong = [
        row
        for row in found.iter_rows(named=True)
        if len({truth[row[f"location_{end}"], decode_path(row[f"path_{end}"])]["source_id"] for end in "ab"}) == 2
    ]
    assert wrong


def test_the_histogram_counts_the_pairs_that_were_looked_at(
    library: tuple[Workspace, Truth], lab: ThresholdLab
) -> None:
    workspace, _ = library
    counted = lab.histogram().filter(signal="likelihood")
    stored = workspace.catalog.pairs()
    looked_at = stored.filter(pl.col("verification").is_not_null())
    assert stored.filter(tier="copy", relation="whole").height <= counted["pairs"].sum() <= looked_at.height
    assert lab.unseen == stored.height - looked_at.height == 0
    assert 0 < lab.pairs <= stored.height


def test_pairs_in_parts_are_the_stored_pairs(library: tuple[Workspace, Truth]) -> None:
    catalog, columns = library[0].catalog, ["digest_b", "digest_a", "sscd", "tier"]
    parts = pl.concat(catalog.pair_parts(columns))
    assert parts.height > 0
    assert parts.sort("digest_a", "digest_b").equals(catalog.pairs(columns).sort("digest_a", "digest_b"))
    with pytest.raises(UnknownNameError, match="column of pairs"):
        next(catalog.pair_parts(["sscd", "no such"]))


def test_a_rule_below_the_floor_is_not_answered(library: tuple[Workspace, Truth], lab: ThresholdLab) -> None:
    workspace, _ = library
    assert lab.floor.pdq_max_distance == 64
    with pytest.raises(SettingsError, match="only pairs up to 64 bits of PDQ were looked for"):
        list_groups(workspace, rule=replace(STRICT, plain=(Clause(pdq_max=65),)))


def test_a_tier_that_is_never_proposed_is_refused(lab: ThresholdLab) -> None:
    with pytest.raises(UnknownNameError, match="no tier of proposed groups named 'scene'"):
        lab.outcome(Thresholds(), ["scene"])


def test_any_rule_above_the_floor_leaves_the_pairs_current(library: tuple[Workspace, Truth], lab: ThresholdLab) -> None:
    workspace, _ = library
    assert lab.current
    assert is_current(workspace)
    assert list_groups(workspace, rule=Thresholds(likelihood_min=0.5).rule()).current
    assert match(workspace) is None


def test_several_threads_get_the_same_answers(lab: ThresholdLab) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda at: figures(lab.outcome(MOVED[at % len(MOVED)])), range(28)))
    assert found == [figures(lab.outcome(MOVED[at % len(MOVED)])) for at in range(28)]


def test_pairs_matched_by_another_rule_are_current_and_are_matched_again_by_ones_own(
    workspace: Workspace, pictures: Path
) -> None:
    loose = Thresholds(likelihood_min=0.5).rule()
    index(workspace, and_match=False)
    assert not is_current(workspace)
    assert not ThresholdLab(workspace).current
    assert match(workspace, rule=loose) is not None
    assert is_current(workspace) and list_groups(workspace).current
    assert match(workspace, rule=loose) is None
    assert match(workspace, rule=STRICT) is not None
    (pictures / "coffee.jpg").unlink()
    (pictures / "more" / "new.jpg").write_bytes((pictures / "astronaut.jpg").read_bytes() + b"\0")
    index(workspace, and_match=False)
    assert not list_groups(workspace).current


def test_a_lab_follows_what_came_went_and_was_decided(workspace: Workspace, pictures: Path) -> None:
    index(workspace)
    lab = ThresholdLab(workspace)
    assert lab.refreshed(workspace) is lab

    def followed() -> ThresholdLab:
        now = lab.refreshed(workspace)
        assert now is not lab
        new = ThresholdLab(workspace)
        assert [figures(now.outcome(moved)) for moved in MOVED] == [figures(new.outcome(moved)) for moved in MOVED]
        assert now.borderline(Thresholds()).equals(new.borderline(Thresholds()))
        assert now.current == new.current
        return now

    # 1. A copy comes; it is there before it is matched.
    (pictures / "more" / "new.jpg").write_bytes((pictures / "astronaut.jpg").read_bytes() + b"\0")
    index(workspace, and_match=False)
    lab = followed()
    assert not lab.current
    match(workspace)
    before, lab = lab, followed()
    assert lab.current and lab.pairs > before.pairs
    # 2. A person decides.
    removable = list_groups(workspace).groups.filter(~pl.col("is_keeper"))["digest"][0]
    workspace.ledger.record_decisions(pl.DataFrame({"kind": ["never_propose"], "member_digest": [removable]}))
    before, lab = lab, followed()
    assert lab.outcome(Thresholds()).objects < before.outcome(Thresholds()).objects
    # 3. A picture goes.
    (pictures / "astronaut.jpg").unlink()
    index(workspace)
    before, lab = lab, followed()
    assert lab.pictures < before.pictures


def test_an_empty_workspace_has_zeros(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "workspace") as workspace:
        lab = ThresholdLab(workspace)
    assert (lab.pictures, lab.pairs) == (0, 0)
    assert figures(lab.outcome(Thresholds(likelihood_min=0.5))) == (0, 0, 0, 0, 0, 0)
    assert lab.borderline(Thresholds()).is_empty()
    assert lab.histogram().is_empty()
