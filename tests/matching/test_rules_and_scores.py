"""Rules: inclusive bounds, missing evidence, monotone scores, stricter rules."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matching_worlds import digest_of, pair, picture, world

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import STRICT, Clause, Rule, explain, tiers_of, with_context
from deeplens_kit.matching.rules import scores_of, tiers_and_scores

EVIDENCE = st.fixed_dictionaries(
    {
        "pdq_distance": st.none() | st.integers(0, 128),
        "phash_distance": st.none() | st.integers(0, 32),
        "sscd_small": st.none() | st.floats(-1, 1, width=32),
        "sscd": st.none() | st.floats(-1, 1, width=32),
        "page_like": st.none() | st.booleans(),
        "low_information": st.booleans(),
        "other_shots": st.booleans(),
    }
)
CLAUSE = st.builds(
    Clause,
    pdq_max=st.integers(0, 90),
    phash_max=st.none() | st.integers(0, 20),
    sscd_small_min=st.none() | st.floats(-1, 1, width=32),
)
RULE = st.builds(
    Rule,
    name=st.just("drawn"),
    version=st.just(1),
    plain=st.lists(CLAUSE, max_size=2).map(tuple),
    unmeasured=st.lists(CLAUSE, max_size=2).map(tuple),
    page_like=st.lists(CLAUSE, max_size=2).map(tuple),
    other_shots=st.none() | CLAUSE,
)


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    types = {
        "pdq_distance": pl.Int32, "phash_distance": pl.Int32, "sscd_small": pl.Float32, "sscd": pl.Float32,
        "page_like": pl.Boolean, "low_information": pl.Boolean, "other_shots": pl.Boolean,
    }  # fmt: skip
    return pl.DataFrame(list(rows), schema=types)


@given(EVIDENCE, RULE)
def test_scores_keep_to_the_range_of_their_tier(row: dict[str, object], rule: Rule) -> None:
    tier, score = tiers_and_scores(frame(row), rule).row(0)
    assert 0.5 <= score < 1 if tier == "copy" else 0 <= score < 0.5


@given(EVIDENCE, RULE, st.sampled_from(["pdq_distance", "phash_distance", "sscd_small", "sscd"]), st.integers(1, 40))
def test_better_evidence_never_lowers_score_or_tier(row: dict[str, object], rule: Rule, name: str, steps: int) -> None:
    value = row[name]
    if value is None:
        return
    better = dict(row)
    better[name] = max(0, value - steps) if name.endswith("_distance") else min(1.0, value + steps / 40)
    scores = scores_of(frame(row, better), rule)
    assert scores[1] >= scores[0]
    assert tiers_of(frame(row, better), rule).to_list() != ["copy", "scene"]


@given(EVIDENCE, RULE, st.integers(0, 30))
def test_a_stricter_rule_never_adds_a_copy(row: dict[str, object], rule: Rule, bits: int) -> None:
    def tighter(clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
        return tuple(dataclasses.replace(item, pdq_max=max(0, (item.pdq_max or 0) - bits)) for item in clauses)

    strict = dataclasses.replace(
        rule, plain=tighter(rule.plain), unmeasured=tighter(rule.unmeasured), page_like=tighter(rule.page_like)
    )
    assert tiers_of(frame(row), rule)[0] == "copy" or tiers_of(frame(row), strict)[0] == "scene"


@pytest.mark.parametrize(
    ("distance", "page_like", "tier"),
    [
        (24, False, "copy"), (25, False, "scene"), (20, None, "copy"), (21, None, "scene"),
        (16, True, "copy"), (17, True, "scene"), (None, False, "scene"),
    ],
)  # fmt: skip
def test_strict_bounds_are_inclusive_and_missing_evidence_meets_none(
    distance: int | None, page_like: bool | None, tier: str
) -> None:
    row = {"pdq_distance": distance, "page_like": page_like, "sscd_small": 0.999, "low_information": False,
           "other_shots": False}  # fmt: skip
    assert tiers_of(frame(row), STRICT)[0] == tier


def test_a_bound_on_a_cosine_means_the_stored_float() -> None:
    rule = dataclasses.replace(STRICT, unmeasured=(Clause(sscd_min=0.9),))
    stored = pl.DataFrame([pair("a", "b", None, sscd=0.9)]).with_columns(
        pl.col("sscd").cast(pl.Float32), pl.col("pdq_distance").cast(pl.Int32)
    )
    assert tiers_of(stored, rule)[0] == "copy"


def test_what_is_known_of_pictures_is_looked_up_for_both_sides() -> None:
    made = world([], [picture("a", pdq_quality=19), picture("b")], [pair("a", "b"), pair("b", "c")])
    pages = made.pictures.with_columns(
        dominant_tone=pl.when(pl.col("digest") == digest_of("b")).then(0.5).otherwise(0.1).cast(pl.Float32)
    )
    seen = with_context(made.pairs, pages, STRICT)
    assert seen["low_information"].to_list() == [True, False]
    assert seen["page_like"].to_list() == [True, True]
    unmeasured = with_context(made.pairs, made.pictures.select("digest"), STRICT)
    assert unmeasured["page_like"].to_list() == [None, None]
    assert unmeasured["low_information"].to_list() == [False, False]


@pytest.mark.parametrize("bounds", [{}, {"pdq_max": 257}, {"sscd_min": 1.5}, {"phash_max": -1}])
def test_bounds_that_make_no_sense_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        Clause(**bounds)


def test_a_pair_is_explained_signal_by_signal() -> None:
    said = explain(pair("a", "b", 20, sscd_small=0.97) | {"page_like": True, "other_shots": True}, STRICT)
    text = "\n".join(said)
    assert "PDQ: 20 of 256 bits differ, the rule asks for at most 16: not met." in said
    assert "Small SSCD: cosine 0.970; the rule asks nothing of it." in said
    assert "SSCD: not computed for both pictures." in said
    assert "two shots, unless pdq is at most 2" in text
    assert said[-1].startswith("By the rule 'strict' (version 3): not a copy")
    assert explain(pair("a", "b", 3), STRICT)[-1].startswith("By the rule 'strict' (version 3): a copy, score 0.9")


@pytest.mark.parametrize(
    ("distance", "orientation", "said"),
    [(64, 3, True), (65, 3, False), (110, 7, False), (4, 0, False), (None, 2, True)],
)
def test_the_best_orientation_of_unrelated_pictures_is_chance(
    distance: int | None, orientation: int, said: bool
) -> None:
    evidence = {"pdq_distance": distance, "phash_distance": 20, "orientation": orientation}
    assert any("rotated or mirrored" in line for line in explain(evidence, STRICT)) is said
