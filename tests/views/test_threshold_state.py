"""Moving a threshold: every change has its answer, and a bound that cannot be answered says why."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import Thresholds
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
