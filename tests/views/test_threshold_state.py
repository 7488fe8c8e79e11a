"""Moving a threshold: every change has its answer, and a bound that cannot be answered says why."""

from __future__ import annotations

import dataclasses
from typing import Any

import polars as pl
import pytest

from deeplens_kit.matching import GraphFloor, Thresholds
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.schemas import OBJECTS, PAIRS, PICTURES
from deeplens_kit.views.state import ThresholdState

FLOOR = GraphFloor(pdq_max_distance=40, phash_max_distance=8, sscd_min_cosine=0.5, neighbours=12)
DISTANCES = [4, 16, 17, 24, 25, 30, 40]


def library(distances: list[int]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Originals with one smaller copy each, so many bits away."""
    objects: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for number, bits in enumerate(distances):
        for part, side in (("a", 4000), ("b", 1000)):
            digest = f"{number:02d}{part}"
            row: dict[str, Any] = dict.fromkeys(PICTURES.names)
            row |= {"digest": digest, "width_px": side, "height_px": side, "effective_pixels": side * side}
            row |= {"format": "JPEG", "jpeg_quality": 90, "lossless": False, "mode": "RGB", "frames": 1}
            pictures.append(row | {"dominant_tone": 0.1, "size_bytes": side * 100, "low_information": False})
            held: dict[str, Any] = dict.fromkeys(OBJECTS.names)
            held |= {"object_id": digest, "location_id": "disk", "path": f"{digest}.jpg", "size_bytes": side * 100}
            objects.append(held | {"link_count": 1, "digest": digest})
        link: dict[str, Any] = dict.fromkeys(PAIRS.names)
        link |= {"digest_a": f"{number:02d}a", "digest_b": f"{number:02d}b", "pdq_distance": bits}
        link |= {"found_by": "pdq", "hub": False}
        pairs.append(link | {"sscd_small": 0.95, "relation": "whole", "tier": "copy", "score": 0.9})
    return tuple(  # type: ignore[return-value]
        pl.DataFrame(rows, schema=schema.polars)
        for rows, schema in ((objects, OBJECTS), (pictures, PICTURES), (pairs, PAIRS))
    )


@pytest.fixture
def state() -> ThresholdState:
    return ThresholdState(ThresholdLab.of(*library(DISTANCES), floor=FLOOR))


def test_it_begins_with_the_strict_rule(state: ThresholdState) -> None:
    assert state.thresholds == Thresholds()
    assert state.outcome.groups == state.base.groups == sum(bits <= 24 for bits in DISTANCES)
    assert state.problem == ""
    assert state.borderline["accepted"].to_list() == [True] * 4 + [False] * 3


@pytest.mark.parametrize("bits", [0, 4, 16, 24, 25, 39, 40])
def test_every_move_has_its_answer(state: ThresholdState, bits: int) -> None:
    state.pdq_max = bits
    copies = sum(distance <= bits for distance in DISTANCES)
    assert (state.outcome.groups, state.outcome.gross_bytes) == (copies, copies * 100_000)
    assert state.base.groups == 4
    assert state.borderline["accepted"].sum() == copies


def test_sscd_counts_while_it_is_switched_on(state: ThresholdState) -> None:
    state.sscd_alone_min = 0.95
    assert state.outcome.groups == 4
    state.sscd_alone = True
    assert state.outcome.groups == 7
    state.sscd_alone_min = 0.96
    assert state.outcome.groups == 4
    state.param.update(pdq_max=40, page_pdq_max=3)
    state.back_to_strict()
    assert state.thresholds == Thresholds()
    assert state.outcome.groups == 4


def test_tiers_change_both_sides_of_the_comparison(state: ThresholdState) -> None:
    state.pdq_max = 40
    state.tiers = ["bytes"]
    assert state.outcome.objects == state.base.objects == 0
    state.tiers = []
    assert state.outcome.by_tier.is_empty()


def test_bounds_end_at_the_floor(state: ThresholdState) -> None:
    assert state.param.pdq_max.bounds == (0, 40)
    assert state.param.sscd_alone_min.bounds == (0.5, 1.0)
    with pytest.raises(ValueError, match="pdq_max"):
        state.pdq_max = 41


def test_what_the_floor_forbids_is_a_problem_and_no_old_figure_stays() -> None:
    narrow = dataclasses.replace(FLOOR, pdq_max_distance=10)
    state = ThresholdState(ThresholdLab.of(*library(DISTANCES), floor=narrow))
    assert state.outcome.groups == 4, "the strict rule is always answered"
    state.pdq_max = 20
    assert "only pairs up to 10 bits of PDQ were looked for" in state.problem
    assert state.outcome is None and state.borderline is None
    state.back_to_strict()
    assert state.problem == "" and state.outcome.groups == 4


def test_apart_from_its_loop_nothing_is_answered_until_finished(state: ThresholdState) -> None:
    state.live = False
    state.pdq_max = 40
    request = state.begin()
    state.pdq_max = 0
    assert state.outcome.groups == 4
    answer = state.compute(request)
    assert answer.outcome is not None and answer.outcome.groups == 7
    assert state.outcome.groups == 4
    told: list[object] = []
    state.param.watch(lambda *events: told.append(events), ["outcome", "borderline"])
    state.finish(answer)
    assert state.outcome.groups == 7 and len(told) == 1
    assert state.begin() != request == dataclasses.replace(request)
