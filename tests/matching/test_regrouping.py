"""The fast regrouper gives exactly what grouping and savings give; borderline pairs are the nearest to the bounds."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import World, digest_of, family_world, pair, picture, random_world, stored, world

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import (
    BORDERLINE,
    STRICT,
    Clause,
    Regrouper,
    Rule,
    Thresholds,
    borderline_pairs,
    count_pairs,
    graph_floor,
    group,
    tiers_of,
    with_context,
)
from deeplens_kit.matching.rules import scores_of
from deeplens_kit.savings import savings, total
from deeplens_kit.schemas import PAIRS
from deeplens_kit.settings import MatchSettings

SEEDS = st.integers(0, 10**6)
THRESHOLDS = st.builds(
    Thresholds,
    pdq_max=st.integers(0, 64),
    page_pdq_max=st.integers(0, 64),
    other_shots_pdq_max=st.integers(0, 64),
    sscd_alone_min=st.none() | st.sampled_from([0.45, 0.7, 0.9, 0.95]),
)
CLAUSES = st.lists(
    st.builds(
        Clause,
        phash_max=st.none() | st.integers(0, 10),
        pdq_max=st.integers(0, 64),
        sscd_min=st.none() | st.sampled_from([0.5, 0.9]),
    ),
    max_size=2,
).map(tuple)
RULES = st.builds(
    Rule,
    name=st.just("drawn"),
    version=st.just(1),
    plain=CLAUSES,
    unmeasured=CLAUSES,
    page_like=CLAUSES,
    other_shots=st.none() | st.builds(Clause, pdq_max=st.integers(0, 64)),
    page_tone_min=st.sampled_from([0.3, 0.5]),
    pdq_quality_min=st.sampled_from([0, 20, 60]),
)
TIERS = st.sampled_from([None, ("bytes",), ("copy",), ("copy", "bytes"), ("pixels",), ("pixels", "copy"), ()])
TIER_ORDER = ["bytes", "pixels", "copy"]


def varied_world(seed: int) -> World:
    """A random world whose pairs and pictures differ in all that rules look at, and whose locations have names."""
    made = random_world(seed)
    draw = np.random.default_rng(seed + 1)
    count, links = made.pictures.height, made.pairs.height
    times = [None, datetime(2020, 1, 1), datetime(2020, 1, 1, 0, 0, 1)]

    def some(values: list[Any], size: int) -> list[Any]:
        return [values[at] for at in draw.integers(0, len(values), size)]

    pictures = made.pictures.with_columns(
        pl.Series("dominant_tone", some([None, 0.1, 0.1, 0.4, 0.5, 0.9], count), pl.Float32),
        pl.Series("taken_at", some(times, count), pl.Datetime("us")),
        pl.Series("pdq_quality", some([None, 100, 100, 20, 19], count), pl.Int32),
        pl.Series("colourfulness", some([None, 10.0, 40.0], count), pl.Float32),
    )
    pairs = made.pairs.with_columns(
        pl.Series("pdq_distance", some([None, *range(0, 66, 3)], links), pl.Int32),
        pl.Series("phash_distance", some([None, 0, 4, 10, 20], links), pl.Int32),
        pl.Series("sscd_small", some([None, 0.449, 0.45, 0.7, 0.9, 0.95], links), pl.Float32),
        pl.Series("sscd", some([None, None, 0.5, 0.9], links), pl.Float32),
    )
    names = pl.col("location_id").replace_strict({"disk": "b", "share": "a"}, return_dtype=pl.String)
    objects = made.objects.with_columns(location=names) if draw.random() < 0.5 else made.objects
    return World(objects, pictures, pairs)


def totals_of(made: World, rule: Rule, tiers: tuple[str, ...] | None, include: tuple[str, ...] = ()) -> dict[str, Any]:
    """The same figures from groups and savings."""
    grouping = group(made.objects, made.pictures, made.pairs, rule, tiers=tiers, include=include)
    amounts = savings(grouping.groups.select(pl.exclude("location")))
    tier_of_group = grouping.groups.group_by("tier").agg(groups=pl.col("group_id").n_unique())
    summed = amounts.group_by("tier").agg(pl.col("objects", "gross_bytes", "realisable_bytes").sum())
    rows = sorted(tier_of_group.join(summed, on="tier").rows(), key=lambda row: TIER_ORDER.index(row[0]))
    sizes = grouping.groups.group_by("group_id").len()["len"]
    return {
        "by_tier": rows,
        "objects": total(amounts)["objects"][0],
        "largest": sizes.max() or 0,
        "withheld": grouping.withheld.height,
    }


def regrouped(regrouper: Regrouper, rule: Rule, tiers: tuple[str, ...] | None) -> dict[str, Any]:
    found = regrouper.regroup(rule, tiers)
    by_tier = found.by_tier
    return {
        "by_tier": by_tier.filter(pl.col("groups") > 0).rows(),
        "objects": by_tier["objects"].sum(),
        "largest": found.largest_group,
        "withheld": found.withheld,
    }


@settings(deadline=None, max_examples=120)
@given(SEEDS, st.lists(THRESHOLDS, min_size=1, max_size=4), TIERS)
def test_every_threshold_gives_what_groups_and_savings_give(
    seed: int, moved: list[Thresholds], tiers: tuple[str, ...] | None
) -> None:
    made = varied_world(seed)
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    # One after another from the same regrouper: nothing of one answer stays for the next.
    for thresholds in moved:
        rule = thresholds.rule()
        assert regrouped(regrouper, rule, tiers) == totals_of(made, rule, tiers)


@settings(deadline=None, max_examples=80)
@given(SEEDS, THRESHOLDS, st.lists(st.sampled_from(["composite", "contains", "part"]), max_size=3).map(tuple))
def test_included_relations_give_what_groups_and_savings_give(
    seed: int, moved: Thresholds, include: tuple[str, ...]
) -> None:
    made, rule = varied_world(seed), moved.rule()
    regrouper = Regrouper(made.objects, made.pictures, made.pairs, include)
    assert regrouped(regrouper, rule, None) == totals_of(made, rule, None, include)


@settings(deadline=None, max_examples=80)
@given(SEEDS, RULES, st.booleans())
def test_any_rule_gives_what_groups_and_savings_give(seed: int, rule: Rule, unmeasured: bool) -> None:
    made = varied_world(seed)
    if unmeasured:
        few = ["digest", "width_px", "height_px", "format", "jpeg_quality", "lossless"]
        made = World(made.objects, made.pictures.select(few), made.pairs)
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    assert regrouped(regrouper, rule, None) == totals_of(made, rule, None)
    assert regrouped(regrouper, STRICT, None) == totals_of(made, STRICT, None)


@settings(deadline=None, max_examples=60)
@given(SEEDS, st.integers(0, 99), THRESHOLDS)
def test_the_order_of_input_and_pairs_given_twice_do_not_matter(seed: int, shuffle: int, moved: Thresholds) -> None:
    made = varied_world(seed)
    frames = [frame.sample(fraction=1.0, shuffle=True, seed=shuffle) for frame in (made.objects, made.pictures)]
    twice = pl.concat([made.pairs, made.pairs]).sample(fraction=1.0, shuffle=True, seed=shuffle)
    rule = moved.rule()
    first, second = Regrouper(made.objects, made.pictures, made.pairs), Regrouper(*frames, twice)
    assert regrouped(first, rule, None) == regrouped(second, rule, None)
    assert borderline_pairs(first, rule).equals(
        borderline_pairs(Regrouper(*frames, made.pairs.sample(fraction=1.0, shuffle=True, seed=shuffle)), rule)
    )


@settings(deadline=None, max_examples=120)
@given(SEEDS, THRESHOLDS, TIERS)
def test_families_count_as_groups_and_savings_count_them(
    seed: int, moved: Thresholds, tiers: tuple[str, ...] | None
) -> None:
    made, rule = family_world(seed), moved.rule()
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    assert regrouped(regrouper, rule, tiers) == totals_of(made, rule, tiers)


def test_nothing_in_gives_zeros() -> None:
    made = world([], [], [])
    found = Regrouper(made.objects, made.pictures, made.pairs).regroup(STRICT)
    assert found.by_tier.rows() == [(tier, 0, 0, 0, 0) for tier in TIER_ORDER]
    assert (found.largest_group, found.withheld) == (0, 0)


def test_an_upscale_falls_back_only_while_its_smaller_copy_is_accepted() -> None:
    """The keeper changes with the threshold: the case for which an order cannot be fixed beforehand."""
    made = world(
        [stored("large", "large", size_bytes=9_000_000), stored("small", "small", size_bytes=1_000_000)],
        [
            picture("large", effective_pixels=2_000_000, size_bytes=9_000_000),
            picture("small", width_px=2000, height_px=1500, size_bytes=1_000_000),
        ],
        [pair("large", "small", 20)],
    )
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    assert regrouper.regroup(STRICT).by_tier.row(2) == ("copy", 1, 1, 9_000_000, 9_000_000)
    assert regrouper.regroup(Thresholds(pdq_max=19).rule()).by_tier.row(2) == ("copy", 0, 0, 0, 0)


# --- Thresholds ------------------------------------------------------------------------------------------------------


def test_unmoved_thresholds_are_the_strict_rule() -> None:
    assert Thresholds().rule() == STRICT
    assert not Thresholds().is_looser
    assert not Thresholds(pdq_max=10, page_pdq_max=3).is_looser
    assert Thresholds(page_pdq_max=17).is_looser
    assert Thresholds(sscd_alone_min=1.0).is_looser


@settings(deadline=None, max_examples=80)
@given(SEEDS)
def test_bounds_that_were_moved_back_answer_as_the_strict_rule(seed: int) -> None:
    made = varied_world(seed)
    judged = with_context(made.pairs, made.pictures, STRICT)
    # Written out, and not the constant itself: the same answers from the clauses alone.
    again = dataclasses.replace(Thresholds(sscd_alone_min=1.0).rule(), plain=(Clause(pdq_max=24),))
    assert again != STRICT
    assert tiers_of(judged, again).equals(tiers_of(judged, STRICT))
    assert scores_of(judged, again).equals(scores_of(judged, STRICT))


@pytest.mark.parametrize(("pdq", "unmeasured"), [(24, 20), (0, 0), (1, 0), (12, 10), (30, 25), (64, 53), (256, 213)])
def test_what_nobody_measured_has_the_strict_rules_share(pdq: int, unmeasured: int) -> None:
    assert Thresholds(pdq_max=pdq).unmeasured_pdq_max == unmeasured
    assert Thresholds(pdq_max=pdq).rule().unmeasured == (Clause(pdq_max=unmeasured),)


@pytest.mark.parametrize(
    "bounds",
    [
        {"pdq_max": -1}, {"pdq_max": 257}, {"pdq_max": 24.5}, {"pdq_max": True}, {"page_pdq_max": "16"},
        {"other_shots_pdq_max": None}, {"sscd_alone_min": 1.01}, {"sscd_alone_min": float("nan")},
        {"sscd_alone_min": "0.9"}, {"sscd_alone_min": True},
    ],
)  # fmt: skip
def test_thresholds_that_make_no_sense_are_refused_by_name(bounds: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"Threshold '{next(iter(bounds))}' is .*; it must be"):
        Thresholds(**bounds)


def test_numbers_of_numpy_are_taken_as_numbers() -> None:
    assert Thresholds(pdq_max=np.int64(30), sscd_alone_min=np.float32(0.5)) == Thresholds(30, sscd_alone_min=0.5)


# --- Floors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pictures", "moved", "said"),
    [
        (10, {"pdq_max": 65}, "pdq_max = 65 is looser .* pairs up to 64 bits of PDQ .* at most 64"),
        (20_001, {"pdq_max": 32}, "pdq_max = 32 is looser .* pairs up to 31 bits of PDQ .* at most 31"),
        (10, {"page_pdq_max": 70}, "pdq_max = 70 is looser"),
        (10, {"sscd_alone_min": 0.39}, "sscd_small_min = 0.39 is looser .* SSCD cosine of 0.4 .* at least 0.4"),
    ],
)
def test_what_was_not_looked_for_is_not_answered(pictures: int, moved: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        graph_floor(MatchSettings(), pictures).refuse_looser(Thresholds(**moved).rule())


def test_what_was_looked_for_is_answered() -> None:
    small, large = graph_floor(MatchSettings(), 20_000), graph_floor(MatchSettings(), 200_001)
    small.refuse_looser(Thresholds(pdq_max=64, page_pdq_max=64, sscd_alone_min=0.45).rule())
    large.refuse_looser(Thresholds(pdq_max=31).rule())
    # One condition that was searched far enough is enough: all of them must hold.
    large.refuse_looser(dataclasses.replace(STRICT, plain=(Clause(pdq_max=100, phash_max=4),)))
    with pytest.raises(SettingsError, match="pHash"):
        large.refuse_looser(dataclasses.replace(STRICT, plain=(Clause(phash_max=5),)))
    graph_floor(dataclasses.replace(MatchSettings(), pdq_max_distance=8), 10).refuse_looser(STRICT)


# --- Margins and borderline pairs ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=80)
@given(SEEDS, RULES | THRESHOLDS.map(Thresholds.rule))
def test_a_margin_is_not_negative_exactly_where_the_rule_says_copy(seed: int, rule: Rule) -> None:
    made = varied_world(seed)
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    judged = with_context(made.pairs, made.pictures, rule)
    tier = dict(zip(made.pairs.select("digest_a", "digest_b").iter_rows(), tiers_of(judged, rule), strict=True))
    digests = regrouper.best["digest"]
    ends = zip(digests.gather(regrouper.edges.left), digests.gather(regrouper.edges.right), strict=True)
    said = ["copy" if margin >= 0 else "scene" for margin in regrouper.margins(rule)]
    same = regrouper.edges.same
    assert np.isneginf(regrouper.margins(rule)[same]).all()
    judged_by_rule = [tier[min(pair), max(pair)] for pair in ends]
    assert [one for one, proof in zip(judged_by_rule, same, strict=True) if not proof] == [
        one for one, proof in zip(said, same, strict=True) if not proof
    ]
    stored_same = made.pairs.filter(pl.col("tier") == "pixels", pl.col("relation") != "composite")
    held = made.objects["digest"].implode()
    assert same.sum() == stored_same.filter(pl.col("digest_a").is_in(held), pl.col("digest_b").is_in(held)).height


@settings(deadline=None, max_examples=80)
@given(SEEDS, THRESHOLDS, st.integers(0, 9))
def test_borderline_pairs_are_the_nearest_on_both_sides(seed: int, moved: Thresholds, limit: int) -> None:
    made = varied_world(seed)
    regrouper, rule = Regrouper(made.objects, made.pictures, made.pairs), moved.rule()
    found = borderline_pairs(regrouper, rule, limit)
    BORDERLINE.check(found)
    margins = regrouper.margins(rule)
    yes, no = np.sort(margins[margins >= 0]), -np.sort(-margins[(margins < 0) & (margins > -np.inf)])
    assert found.height == min(limit, len(yes) + len(no))
    taken = found["accepted"].sum()
    # Half of each, and more of one only where the other has no more.
    assert taken >= min(len(yes), (limit + 1) // 2) and found.height - taken >= min(len(no), limit // 2)
    assert sorted(found.filter("accepted")["margin"]) == yes[:taken].tolist()
    assert sorted(found.filter(~pl.col("accepted"))["margin"], reverse=True) == no[: found.height - taken].tolist()
    assert found["margin"].is_sorted(descending=True)
    assert found.select("digest_a", "digest_b").is_unique().all()
    assert (found["digest_a"] < found["digest_b"]).all()
    # Every row is the stored pair, judged by this rule, with an object of each picture.
    stored_pairs = with_context(made.pairs, made.pictures, rule)
    stored_pairs = stored_pairs.with_columns(tiers_of(stored_pairs, rule), scores_of(stored_pairs, rule))
    held = set(made.objects.select("digest", "path").iter_rows())
    both = found.join(stored_pairs, on=["digest_a", "digest_b"], how="left", suffix="_stored", maintain_order="left")
    for row in both.iter_rows(named=True):
        for name in ("pdq_distance", "phash_distance", "orientation", "sscd_small", "sscd", "score"):
            assert row[name] == row[f"{name}_stored"]
        assert not row["low_information"]
        assert row["accepted"] == (row["tier"] == "copy") == row["why"].endswith(": a copy.")
        assert (row["digest_a"], row["path_a"]) in held and (row["digest_b"], row["path_b"]) in held


def bound_world() -> Regrouper:
    names = ["plain", "page", "blank", "unknown"]
    pictures = [
        picture("plain", dominant_tone=0.1), picture("page", dominant_tone=0.9),
        picture("blank", low_information=True), picture("unknown", dominant_tone=None),
        *(picture(f"{name} other", dominant_tone=0.1) for name in names),
    ]  # fmt: skip
    pairs = [
        pair("plain", "plain other", 25, sscd_small=0.899), pair("page", "page other", 16),
        pair("blank", "blank other", 24), pair("unknown", "unknown other", 22),
    ]  # fmt: skip
    made = world([stored(row, row) for name in names for row in (name, f"{name} other")], pictures, pairs)
    return Regrouper(made.objects, made.pictures, made.pairs)


def test_a_limit_of_borderline_pairs_is_none_or_more() -> None:
    regrouper = bound_world()
    assert borderline_pairs(regrouper, STRICT, 0).is_empty()
    assert borderline_pairs(regrouper, STRICT, 10**12).equals(borderline_pairs(regrouper, STRICT))
    with pytest.raises(SettingsError, match="limit is -1"):
        borderline_pairs(regrouper, STRICT, -1)


def test_each_pair_is_measured_against_its_own_bound() -> None:
    found = borderline_pairs(bound_world(), STRICT)
    rows = {min(row["path_a"], row["path_b"], key=len): row for row in found.iter_rows(named=True)}
    assert {name: row["margin"] for name, row in rows.items()} == {
        "page": 0.5 / 8, "plain": -0.5 / 8, "unknown": -1.5 / 8,
    }  # fmt: skip
    assert rows["page"]["why"] == (
        "PDQ differs in 16 of 256 bits; at most 16 counts as a copy for page-like pictures: a copy."
    )
    assert rows["plain"]["why"] == "PDQ differs in 25 of 256 bits; at most 24 counts as a copy: not a copy."
    assert "at most 20 counts as a copy where nobody measured" in rows["unknown"]["why"]


def test_bits_and_cosines_are_compared_in_units_of_the_score() -> None:
    found = borderline_pairs(bound_world(), Thresholds(pdq_max=10, sscd_alone_min=0.9).rule())
    row = found.filter(situation="plain").row(0, named=True)
    # 15 bits off one bound, .001 off the other: the nearer one decides.
    assert row["margin"] == pytest.approx(-0.001 / 0.05, abs=1e-4)
    assert row["why"] == "Small SSCD cosine is 0.899; at least 0.9 counts as a copy: not a copy."


def test_other_shots_are_measured_against_the_stricter_bound() -> None:
    early, late = datetime(2020, 1, 1), datetime(2020, 1, 2)
    made = world(
        [stored("a", "a"), stored("b", "b")],
        [picture("a", taken_at=early), picture("b", taken_at=late)],
        [pair("a", "b", 3)],
    )
    row = borderline_pairs(Regrouper(made.objects, made.pictures, made.pairs), STRICT).row(0, named=True)
    assert row["margin"] == -0.5 / 8
    assert row["why"] == (
        "PDQ differs in 3 of 256 bits; at most 2 counts as a copy where the cameras noted different times: not a copy."
    )


def test_pairs_are_counted_by_distance_cosine_and_situation() -> None:
    counted = count_pairs(bound_world(), STRICT)
    assert counted.filter(signal="pdq").rows() == [
        ("pdq", 16.0, "page_like", 1), ("pdq", 22.0, "unmeasured", 1), ("pdq", 25.0, "plain", 1),
    ]  # fmt: skip
    assert counted.filter(signal="sscd").rows() == [
        ("sscd", 0.88, "plain", 1), ("sscd", 0.9, "page_like", 1), ("sscd", 0.9, "unmeasured", 1),
    ]  # fmt: skip


def test_digests_name_the_pictures_of_a_pair() -> None:
    found = borderline_pairs(bound_world(), STRICT)
    for row in found.iter_rows(named=True):
        assert {row["digest_a"], row["digest_b"]} == {digest_of(row["path_a"]), digest_of(row["path_b"])}
    assert PAIRS.polars["pdq_distance"] == found.schema["pdq_distance"]
