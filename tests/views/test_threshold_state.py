"""Moving a threshold: every change has its answer, and a bound that cannot be answered says why."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deeplens_kit import Workbench
from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import STRICT, Clause, Thresholds
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.schemas import OBJECTS, PAIRS, PICTURES
from deeplens_kit.views.state import ThresholdState

# How well the aligned pictures agree, from strangers to copies; the likelihood rises with it.
AGREEMENTS = [0.0, 0.5, 0.8, 0.95, 0.97, 0.99, 1.0]
LOOKED_AT = {
    "verification": "look", "inliers": 60, "inlier_share": 0.8, "difference": 0.01, "covered_a": 1.0, "covered_b": 1.0,
    "agreement_low": 0.6, "cells": 80, "wobble_px": 0.05,
}  # fmt: skip


def library(agreements: list[float]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Originals with one smaller copy each, of which a close look found so much."""
    objects: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for number, agreement in enumerate(agreements):
        for part, side in (("a", 4000), ("b", 1000)):
            digest = f"{number:02d}{part}"
            row: dict[str, Any] = dict.fromkeys(PICTURES.names)
            row |= {"digest": digest, "width_px": side, "height_px": side, "effective_pixels": side * side}
            row |= {
                "format": "JPEG",
                "jpeg_quality": 90,
                "lossless": False,
                "mode": "RGB",
                "frames": 1,
                "auxiliary": "",
            }
            pictures.append(row | {"dominant_tone": 0.1, "size_bytes": side * 100, "low_information": False})
            held: dict[str, Any] = dict.fromkeys(OBJECTS.names)
            held |= {"object_id": digest, "location_id": "disk", "path": f"{digest}.jpg", "size_bytes": side * 100}
            objects.append(held | {"link_count": 1, "digest": digest})
        link: dict[str, Any] = dict.fromkeys(PAIRS.names)
        link |= {"digest_a": f"{number:02d}a", "digest_b": f"{number:02d}b", "pdq_distance": 20, "sscd_small": 0.95}
        link |= {"found_by": "pdq", "hub": False, "agreement": agreement, "correlation": 0.93 * agreement, **LOOKED_AT}
        pairs.append(link | {"relation": "whole", "tier": "copy", "score": 0.9})
    return tuple(  # type: ignore[return-value]
        pl.DataFrame(rows, schema=schema.polars)
        for rows, schema in ((objects, OBJECTS), (pictures, PICTURES), (pairs, PAIRS))
    )


@pytest.fixture
def state() -> ThresholdState:
    return ThresholdState(ThresholdLab.of(*library(AGREEMENTS)))


@pytest.fixture
def likelihoods(state: ThresholdState) -> list[float]:
    found = sorted(state.lab.borderline(Thresholds(), limit=100)["likelihood"])
    assert len(set(found)) == len(AGREEMENTS) and found[0] < 0.5 < found[-1]
    return found


def copies_from(likelihoods: list[float], bound: float) -> int:
    return sum(likelihood >= bound for likelihood in likelihoods)


def test_it_begins_with_the_strict_rule(state: ThresholdState, likelihoods: list[float]) -> None:
    assert state.thresholds == Thresholds()
    copies = copies_from(likelihoods, 0.9)
    assert 0 < copies < len(AGREEMENTS)
    assert state.outcome.groups == state.base.groups == copies
    assert state.borderline["accepted"].to_list() == [True] * copies + [False] * (len(AGREEMENTS) - copies)


@pytest.mark.parametrize("bound", [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0])
def test_every_move_has_its_answer(state: ThresholdState, likelihoods: list[float], bound: float) -> None:
    strict = state.base.groups
    state.likelihood_min = bound
    copies = copies_from(likelihoods, bound)
    assert (state.outcome.groups, state.outcome.gross_bytes) == (copies, copies * 100_000)
    assert state.base.groups == strict
    assert state.borderline["accepted"].sum() == copies


def test_pages_have_a_bound_of_their_own() -> None:
    objects, pictures, pairs = library(AGREEMENTS)
    state = ThresholdState(ThresholdLab.of(objects, pictures.with_columns(dominant_tone=pl.lit(0.9)), pairs))
    strict = state.outcome.groups
    state.likelihood_min = 0.0
    assert state.outcome.groups == strict
    state.page_likelihood_min = 0.0
    assert state.outcome.groups == len(AGREEMENTS)


def test_what_counts_as_a_page_and_as_too_little_are_bounds_too(state: ThresholdState) -> None:
    plain = state.histogram.filter(situation="verified")["pairs"].sum()
    assert plain == len(AGREEMENTS)
    state.page_tone_min = 0.05
    assert state.histogram["situation"].unique().to_list() == ["verified_page"]
    state.back_to_strict()
    objects, pictures, pairs = library(AGREEMENTS)
    told = ThresholdState(ThresholdLab.of(objects, pictures.with_columns(pdq_quality=pl.lit(30, pl.Int32)), pairs))
    found = told.outcome.groups
    told.pdq_quality_min = 31
    assert told.outcome.groups == 0 < found == state.outcome.groups
    assert told.rule.pdq_quality_min == 31 and "quality 31" in told.rule.name
    told.back_to_strict()
    assert told.rule is STRICT


def test_borderline_pairs_are_asked_as_they_are_shown(state: ThresholdState) -> None:
    rows = {(row["digest_a"], row["digest_b"]): row for row in state.borderline.rows(named=True)}
    asked = [rows[pair] for pair in state.asked_pairs]
    assert len(asked) == len(rows) and list(state.desk.pairs) == state.asked_pairs
    for accepted in (True, False):
        away = [abs(row["margin"]) for row in asked if row["accepted"] == accepted]
        assert away == sorted(away)
    assert [row["accepted"] for row in asked] == sorted((row["accepted"] for row in asked), reverse=True)


def test_bounds_are_saved_as_a_rule_and_a_rule_moves_the_bounds(tmp_path: Path) -> None:
    with Workbench.create(tmp_path / "workspace") as workbench:
        state = ThresholdState(ThresholdLab.of(*library(AGREEMENTS)), workbench)
        state.param.update(likelihood_min=0.95, page_tone_min=0.4, tiers=["bytes", "copy"])
        assert state.save("careful", "as agreed") == (
            "Saved as 'careful', version 1. `deeplens rules use careful` puts it in use."
        )
        assert "version 1. It is in use" in state.save(" careful ", use=True)
        state.likelihood_min = 0.96
        assert "version 2" in state.save("careful")
        state.back_to_strict()
        state.tiers = ["bytes", "pixels", "copy"]
        state.start_from("careful@1")
        assert state.thresholds == Thresholds(likelihood_min=0.95, page_tone_min=0.4)
        assert state.tiers == ["bytes", "copy"] and workbench.rule("careful@1").verified == state.rule.verified
        for name, why in (("strict", "choose another name"), ("  ", "has no name yet")):
            with pytest.raises(SettingsError, match=why):
                state.save(name)
        state.tiers = []
        with pytest.raises(SettingsError, match="No tier is chosen"):
            state.save("empty")
        with pytest.raises(UnknownNameError):
            state.start_from("nobody")
        workbench.save_rule("by hash", dataclasses.replace(STRICT, verified=(Clause(pdq_max=3),)))
        with pytest.raises(SettingsError, match="clauses of its own"):
            state.start_from("by hash")
    with pytest.raises(SettingsError, match="stands alone"):
        ThresholdState(ThresholdLab.of(*library(AGREEMENTS))).save("careful")


def test_other_shots_have_a_bound_of_their_own(state: ThresholdState) -> None:
    objects, pictures, pairs = library(AGREEMENTS)
    times = pl.Series([datetime(2020, 1, day) for day in range(1, pictures.height + 1)], dtype=pl.Datetime("us"))
    shots = ThresholdState(ThresholdLab.of(objects, pictures.with_columns(taken_at=times), pairs))
    assert shots.outcome.groups == 0
    shots.other_shots_pdq_max = 19
    assert shots.outcome.groups == 0
    shots.other_shots_pdq_max = 20
    assert shots.outcome.groups == state.outcome.groups > 0
    shots.back_to_strict()
    assert shots.thresholds == Thresholds() and shots.outcome.groups == 0


def test_back_to_strict_moves_every_bound(state: ThresholdState) -> None:
    strict = state.outcome.groups
    state.param.update(likelihood_min=0.1, page_likelihood_min=0.2, other_shots_pdq_max=30)
    assert state.thresholds == Thresholds(0.1, 0.2, 30)
    assert state.outcome.groups > strict
    state.back_to_strict()
    assert state.thresholds == Thresholds()
    assert state.outcome.groups == strict


def test_what_a_slider_computes_on_the_way_is_the_bound_that_it_shows(state: ThresholdState) -> None:
    state.likelihood_min = 0.9 + 4e-16
    assert state.thresholds == Thresholds()


def test_tiers_change_both_sides_of_the_comparison(state: ThresholdState) -> None:
    state.likelihood_min = 0.1
    state.tiers = ["bytes"]
    assert state.outcome.objects == state.base.objects == 0
    state.tiers = []
    assert state.outcome.by_tier.is_empty()


@pytest.mark.parametrize("name", ["pdq_max", "page_pdq_max", "sscd_alone_min"])
def test_a_bound_that_is_gone_is_not_taken_in_silence(state: ThresholdState, name: str) -> None:
    with pytest.raises(SettingsError, match=f"no threshold named '{name}' any more"):
        setattr(state, name, 20)


def test_pairs_that_nothing_looked_at_are_counted_and_never_shown() -> None:
    objects, pictures, pairs = library(AGREEMENTS)
    unseen = pairs["digest_a"].is_in(["05a", "06a"])
    nothing = [pl.when(unseen).then(None).otherwise(name).alias(name) for name in LOOKED_AT]
    relation = pl.when(unseen).then(pl.lit("unverified")).otherwise("relation").alias("relation")
    lab = ThresholdLab.of(objects, pictures, pairs.with_columns(*nothing, relation))
    assert (lab.pairs, lab.unseen) == (len(AGREEMENTS), 2)
    state = ThresholdState(lab)
    state.likelihood_min = 0.0
    assert state.outcome.groups == state.borderline.height == len(AGREEMENTS) - 2


def test_apart_from_its_loop_nothing_is_answered_until_finished(state: ThresholdState) -> None:
    state.live = False
    strict = state.outcome.groups
    state.likelihood_min = 0.0
    request = state.begin()
    state.likelihood_min = 1.0
    assert state.outcome.groups == strict
    answer = state.compute(request)
    assert answer.outcome.groups == len(AGREEMENTS)
    assert state.outcome.groups == strict
    told: list[object] = []
    state.param.watch(lambda *events: told.append(events), ["outcome", "borderline"])
    state.finish(answer)
    assert state.outcome.groups == len(AGREEMENTS) and len(told) == 1
    assert state.begin() != request == dataclasses.replace(request)
