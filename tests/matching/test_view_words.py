"""What a closer look saw is told from the member's side, whichever digest is smaller."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.matching.look_words import look_lines
from deeplens_kit.matching.view_words import place_words, seen_from, seen_from_keeper, turn_words, view_sentences
from deeplens_kit.schemas import PAIRS
from deeplens_kit.schemas.kinds import BOX

ALL = [0.0, 0.0, 1.0, 1.0]


def looked_at(**values: object) -> dict[str, object]:
    """A row of PAIRS that verification looked at."""
    row: dict[str, object] = dict.fromkeys(PAIRS.names)
    row |= {
        "digest_a": "a", "digest_b": "b", "found_by": "pdq", "hub": False, "tier": "copy", "relation": "whole",
        "score": 0.9, "run_id": "r", "verification": "v", "inliers": 214, "foreign": 0.0, "correlation": 0.9,
        "covered_a": 1.0, "covered_b": 1.0, "mirrored": False, "turn_degrees": 0.0, "region_a": ALL, "region_b": ALL,
    }  # fmt: skip
    return row | values


def sentence(*, keeper_is_b: bool = False, **values: object) -> str | None:
    frame = pl.DataFrame([looked_at(**values)], schema=PAIRS.polars)
    said: str | None = view_sentences(frame.select(seen_from_keeper(pl.lit(keeper_is_b))))[0]
    return said


def test_a_crop_of_the_keeper() -> None:
    cut = {"relation": "contains", "covered_a": 0.71, "region_a": [0.0, 0.0, 0.8, 0.88], "resolution": 2.0}
    turned = {"mirrored": True, "turn_degrees": 90.3}
    assert sentence(**cut, **turned) == (
        "same picture, mirrored, turned by 90 degrees clockwise, cropped to 71 %, 214 matching points, "
        "the keeper resolves 2.0 times as much along a line"
    )
    assert sentence(**cut, keeper_is_b=True) == (
        "same picture, 214 matching points, resolves 2.0 times as much along a line; "
        "shows more: the bottom and the right (29 % of the view)"
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "same picture, 214 matching points"),
        ({"verification": None}, None),
        ({"relation": "unverified"}, "a closer look found no view in common"),
        ({"correlation": -0.9}, "same picture, a negative, 214 matching points"),
        (
            {"relation": "composite", "covered_b": 0.92, "region_b": [0.0, 0.0, 1.0, 0.92]},
            "same picture, 214 matching points; differs in: the bottom (8 % of the view)",
        ),
        (
            {"relation": "composite", "covered_b": 0.3, "region_b": [0.3, 0.3, 0.8, 0.7]},
            "same picture, 214 matching points; differs in: all around the middle (70 % of the view)",
        ),
        (
            {"relation": "composite", "foreign": 0.1, "covered_a": 0.9, "covered_b": 0.9},
            "same picture, 214 matching points; differs in: patches of the common view (10 % of it)",
        ),
        # Corners that turning cut off are no part that is missing.
        ({"covered_a": 0.9, "turn_degrees": 5.2}, "same picture, turned by 5 degrees clockwise, 214 matching points"),
        ({"resolution": 1.04}, "same picture, 214 matching points, the keeper resolves as much"),
    ],
)
def test_what_was_seen_in_words(values: dict[str, object], said: str | None) -> None:
    assert sentence(**values) == said


@pytest.mark.parametrize(
    ("degrees", "words"),
    [
        (0.9, None),
        (1.2, "turned by 1 degree clockwise"),
        (-91.0, "turned by 90 degrees counter-clockwise"),
        (-92.0, "turned by 92 degrees counter-clockwise"),
        (179.5, "turned by 180 degrees"),
        (-180.0, "turned by 180 degrees"),
        (float("nan"), None),
    ],
)
def test_turns_are_quarter_turns_where_they_are_near(degrees: float, words: str | None) -> None:
    assert turn_words(pl.Series([degrees]).to_numpy())[0] == words


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (ALL, "nearly all of it"),
        ([0.0, 0.0, 0.4, 0.4], "the top left"),
        ([0.0, 0.6, 1.0, 1.0], "the bottom"),
        ([0.6, 0.0, 1.0, 1.0], "the right"),
        ([0.3, 0.3, 0.7, 0.7], "the middle"),
        (None, None),
    ],
)
def test_places(region: list[float] | None, words: str | None) -> None:
    assert place_words(pl.Series([region], dtype=BOX))[0] == words


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(["whole", "part", "contains", "composite"]),
    st.booleans(),
    st.floats(-180, 180, width=32),
    st.floats(0.25, 4, width=32),
)
def test_the_side_decides_and_not_the_order_of_digests(
    relation: str, mirrored: bool, turn: float, ratio: float
) -> None:
    region = {"region_a": [0.1, 0.0, 0.6, 0.5], "covered_a": 0.25, "covered_b": 0.9}
    row = looked_at(relation=relation, mirrored=mirrored, turn_degrees=turn, resolution=ratio, **region)
    swapped = seen_from(row, "b")
    assert (swapped["digest_a"], swapped["region_b"]) == ("b", [0.1, 0.0, 0.6, 0.5])
    assert seen_from(row | {"transform": [2.0, 0.0, 0.5, 0.0, -4.0, 1.0]}, "b")["transform"] == pytest.approx(
        [0.5, 0.0, -0.25, 0.0, -0.25, 0.25]
    )
    frames = [pl.DataFrame([item], schema=PAIRS.polars) for item in (row, swapped)]
    for keeper_is_b in (False, True):
        said = [
            view_sentences(frame.select(seen_from_keeper(pl.lit(keeper_is_b != bool(at)))))[0]
            for at, frame in enumerate(frames)
        ]
        assert said[0] == said[1]


def test_a_million_members_have_their_sentences_in_a_minute() -> None:
    few = pl.DataFrame([looked_at(), looked_at(relation="contains", covered_a=0.5)], schema=PAIRS.polars)
    views = few[[0, 1] * 50_000].select(seen_from_keeper(pl.lit(False)))
    start = time.process_time()
    assert view_sentences(views).null_count() == 0
    # A tenth of a million; what Python does row by row takes several times as long.
    assert time.process_time() - start < 3


def test_nothing_in_gives_nothing() -> None:
    assert view_sentences(PAIRS.empty().select(seen_from_keeper(pl.lit(False)))).is_empty()


def test_every_number_of_a_pair_is_told() -> None:
    numbers = {"agreement": 0.97, "agreement_low": 0.81, "cells": 300, "wobble_px": 0.21, "difference": 0.012}
    lines = look_lines(looked_at(relation="part", inlier_share=0.5, covered_b=0.36, **numbers))
    said = " ".join(lines)
    for expected in ("a is a part of b", "214", "50 %", "0.97", "0.81", "300", "0.21 px", "0.012", "Of b 36 %"):
        assert expected in said
    assert look_lines(looked_at(verification=None)) == ["No closer look was taken at the pair."]
    assert look_lines(looked_at(relation="unverified")) == ["A closer look found nothing of the one in the other."]
