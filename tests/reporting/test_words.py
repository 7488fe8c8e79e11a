"""Rounded words never claim more than the number behind them."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from deeplens_kit.features.orientations import ORIENTATIONS
from deeplens_kit.reporting.label_words import format_share, format_upper_share
from deeplens_kit.reporting.words import (
    _SKIPPED_WORDS,
    format_bytes,
    format_money,
    format_percent,
    format_seconds,
    orientation_words,
    outcome_words,
    place_words,
    plural,
    problem_words,
    relation_words,
    score_words,
    skipped_words,
    tier_words,
)
from deeplens_kit.schemas import Outcome, Relation, Tier
from deeplens_kit.storage.base import SkipReason

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15, "EB": 10**18}


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1_239_999, "1.23 MB"),
        (999_999, "999 kB"),
        (12_345_678_901, "12.3 GB"),
        (5 * 10**21, "5,000 EB"),
        (-1500, "-1.50 kB"),
    ],
)
def test_bytes(size: int, words: str) -> None:
    assert format_bytes(size) == words


@given(st.integers(0, 10**24))
def test_bytes_are_cut_off_and_within_one_in_a_hundred(size: int) -> None:
    number, unit = format_bytes(size).split(" ")
    said = float(number.replace(",", "")) * UNITS[unit]
    assert said <= size * (1 + 1e-9)
    assert said >= size * 0.99


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_percent_is_all_or_nothing_only_when_it_is(part: int, whole: int) -> None:
    part = min(part, whole)
    words = format_percent(part, whole)
    assert (words == "100 %") == (part == whole)
    assert (words == "0 %") == (part == 0)
    if re.match(r"[\d.]+ %$", words):
        assert float(words[:-2]) / 100 <= part / whole + 1e-12


def test_percent_of_nothing_is_all_of_it() -> None:
    assert format_percent(0, 0) == "100 %"
    assert format_percent(974, 1000) == "97.4 %"
    assert format_percent(1, 10**6) == "< 0.1 %"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"),
     (7800, "2 h 10 min")],
)  # fmt: skip
def test_seconds(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words


def test_plural() -> None:
    assert (plural(1, "group"), plural(1234, "group"), plural(2, "copy", "copies")) == (
        "1 group",
        "1,234 groups",
        "2 copies",
    )


def test_every_name_of_the_schemas_has_words() -> None:
    for tier in Tier:
        assert tier_words(tier) != tier.value
    for relation in Relation:
        assert relation_words(relation) != relation.value
    for outcome in Outcome:
        assert outcome_words(outcome) != outcome.value
    assert problem_words("corrupt") != "corrupt"
    assert problem_words("some_new_code") == "some new code"


@given(st.floats(0, 1), st.floats(0, 1))
def test_score_words_grow_with_the_score(one: float, other: float) -> None:
    order = ["very weak", "weak", "clear", "strong", "very strong"]
    low, high = sorted((one, other))
    assert order.index(score_words(low)) <= order.index(score_words(high))


TURNED = {
    "": None,
    "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    "mirrored top to bottom": Image.Transpose.FLIP_TOP_BOTTOM,
    "turned 180°": Image.Transpose.ROTATE_180,
    "turned 90° clockwise": Image.Transpose.ROTATE_270,
    "turned 90° counter-clockwise": Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("from_b", [True, False])
def test_orientation_words_describe_what_the_eye_sees(index: int, *, from_b: bool) -> None:
    """The words for one picture of a pair, done to the other, give the first."""
    upright = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    takes_b_onto_a = {
        "identity": None,
        **{member.name.lower(): member for member in Image.Transpose},
    }[ORIENTATIONS[index]]
    b = upright
    a = b if takes_b_onto_a is None else b.transpose(takes_b_onto_a)
    words = orientation_words(index, from_b=from_b)
    this, other = (b, a) if from_b else (a, b)
    if words == "mirrored and turned 90°":
        seen = [other.transpose(Image.Transpose.TRANSPOSE), other.transpose(Image.Transpose.TRANSVERSE)]
    else:
        turn = TURNED[words]
        seen = [other if turn is None else other.transpose(turn)]
    assert this.tobytes() in [item.tobytes() for item in seen]
    assert this.size in [item.size for item in seen]


@pytest.mark.parametrize(
    ("money", "gained", "paid"),
    [
        ("0", "0.00", "0.00"), ("0.001", "< 0.01", "0.01"), ("1234.567", "1,234.56", "1,234.57"),
        ("-0.001", "-0.01", "0.00"), ("5", "5.00", "5.00"),
        ("12345678901234567890123456789.5", *["12,345,678,901,234,567,890,123,456,789.50"] * 2),
    ],
)  # fmt: skip
def test_money_is_never_said_to_be_better_than_it_is(money: str, gained: str, paid: str) -> None:
    assert format_money(Decimal(money)) == gained
    assert format_money(Decimal(money), cost=True) == paid


def test_what_was_left_out_in_words() -> None:
    assert skipped_words({"symlink": 1, "hidden": 1234}) == "1,234 hidden, 1 symbolic link"
    assert skipped_words({"special": 2, "workspace": 6, "new": 1}) == (
        "1 new, 2 pipes, sockets or devices, 6 of the workspace itself"
    )
    assert {str(reason) for reason in SkipReason} == set(_SKIPPED_WORDS)


def test_the_top_of_a_location_is_told_as_such() -> None:
    assert place_words("laptop:talk/") == "laptop:talk/"
    assert place_words("laptop:") == "laptop: (top folder)"
    assert place_words("laptop:", with_all=True) == "laptop: (whole location)"


def test_an_upper_end_is_rounded_up() -> None:
    assert [format_upper_share(share) for share in (0.98991, 0.99, 1.0)] == ["99.00 %", "99.00 %", "100.00 %"]
    assert [format_share(share) for share in (0.98991, 0.99)] == ["98.99 %", "99.00 %"]
