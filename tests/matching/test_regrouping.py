"""The fast regrouper gives exactly what grouping and savings give; borderline pairs are the nearest to the bounds."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import World, digest_of, family_world, pair, picture, random_world, stored, world
from policy_worlds import policies, with_facts

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import (
    BORDERLINE,
    DEFAULT_POLICY,
    STRICT,
    Clause,
    KeepPolicy,
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
from deeplens_kit.matching.regrouping import SITUATIONS
from deeplens_kit.matching.rules import scores_of, tiers_and_scores
from deeplens_kit.savings import savings, total
from deeplens_kit.schemas import PAIRS
from deeplens_kit.settings import MatchSettings

SEEDS = st.integers(0, 10**6)
LIKELIHOODS = st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.97, 0.999, 1.0]) | st.floats(0, 1)
THRESHOLDS = st.builds(
    Thresholds,
    likelihood_min=LIKELIHOODS,
    page_likelihood_min=LIKELIHOODS,
    other_shots_pdq_max=st.integers(0, 64),
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
LOOKED_AT = st.builds(Clause, likelihood_min=LIKELIHOODS, pdq_max=st.none() | st.integers(0, 64)).map(
    lambda clause: (clause,)
)
RULES = st.builds(
    Rule,
    name=st.just("drawn"),
    version=st.just(1),
    plain=CLAUSES,
    unmeasured=CLAUSES,
    page_like=CLAUSES,
    verified=CLAUSES | LOOKED_AT,
    verified_page=CLAUSES | LOOKED_AT,
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
        pl.Series("hub", some([False, False, False, True], links), pl.Boolean),
        *looked_at(draw, links),
    )
    names = pl.col("location_id").replace_strict({"disk": "b", "share": "a"}, return_dtype=pl.String)
    objects = made.objects.with_columns(location=names) if draw.random() < 0.5 else made.objects
    return World(objects, pictures, pairs)


def looked_at(draw: np.random.Generator, count: int) -> list[pl.Series]:
    """Evidence of a close look at most of so many pairs, from none to all that there can be, together or not."""
    seen = draw.random(count) < 0.8
    level, strength = draw.choice([0.0, 0.5, 1.0], count), draw.random(count)

    def some(name: str, worst: float, best: float, kind: pl.DataType) -> pl.Series:
        value = worst + (best - worst) * np.clip(level * 0.8 + strength * 0.2 + draw.normal(0, 0.05, count), 0, 1)
        present = seen & (draw.random(count) < 0.95)
        return pl.Series(name, [one if known else None for one, known in zip(value, present, strict=True)]).cast(kind)

    short, number = pl.Int32(), pl.Float32()
    return [
        pl.Series("verification", ["look" if one else None for one in seen], pl.String),
        some("inliers", 0, 400, short), some("inlier_share", 0, 1, number), some("difference", 0.5, 0, number),
        some("covered_a", 0.2, 1, number), some("covered_b", 0.2, 1, number), some("agreement", 0, 1, number),
        some("agreement_low", -0.2, 0.95, number), some("correlation", 0, 1, number), some("cells", 0, 200, short),
        some("wobble_px", 1, 0, number),
    ]  # fmt: skip


def totals_of(
    made: World,
    rule: Rule,
    tiers: tuple[str, ...] | None,
    include: tuple[str, ...] = (),
    policy: KeepPolicy = DEFAULT_POLICY,
    **said: Any,
) -> dict[str, Any]:
    """The same figures from groups and savings."""
    grouping = group(made.objects, made.pictures, made.pairs, rule, tiers=tiers, include=include, policy=policy, **said)
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


@settings(deadline=None, max_examples=examples(120))
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


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS, THRESHOLDS, st.lists(st.sampled_from(["composite", "contains", "part"]), max_size=3).map(tuple))
def test_included_relations_give_what_groups_and_savings_give(
    seed: int, moved: Thresholds, include: tuple[str, ...]
) -> None:
    made, rule = varied_world(seed), moved.rule()
    regrouper = Regrouper(made.objects, made.pictures, made.pairs, include)
    assert regrouped(regrouper, rule, None) == totals_of(made, rule, None, include)


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS, RULES, st.booleans())
def test_any_rule_gives_what_groups_and_savings_give(seed: int, rule: Rule, unmeasured: bool) -> None:
    made = varied_world(seed)
    if unmeasured:
        few = ["digest", "width_px", "height_px", "format", "jpeg_quality", "lossless"]
        made = World(made.objects, made.pictures.select(few), made.pairs)
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    assert regrouped(regrouper, rule, None) == totals_of(made, rule, None)
    assert regrouped(regrouper, STRICT, None) == totals_of(made, STRICT, None)


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS, policies(), RULES, st.lists(THRESHOLDS, min_size=1, max_size=2), TIERS)
def test_any_policy_gives_what_groups_and_savings_give(
    seed: int, policy: KeepPolicy, rule: Rule, moved: list[Thresholds], tiers: tuple[str, ...] | None
) -> None:
    made = varied_world(seed)
    made = dataclasses.replace(made, objects=with_facts(made.objects, seed, policy))
    regrouper = Regrouper(made.objects, made.pictures, made.pairs, policy=policy)
    for one in (rule, *(thresholds.rule() for thresholds in moved)):
        assert regrouped(regrouper, one, tiers) == totals_of(made, one, tiers, policy=policy)


@settings(deadline=None, max_examples=examples(60))
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


@settings(deadline=None, max_examples=examples(120))
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
        [pair("large", "small", 20, **CLOSE)],
    )
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    assert regrouper.regroup(STRICT).by_tier.row(2) == ("copy", 1, 1, 9_000_000, 9_000_000)
    above = Thresholds(likelihood_min=likelihood_of(regrouper) + 1e-4)
    assert regrouper.regroup(above.rule()).by_tier.row(2) == ("copy", 0, 0, 0, 0)


# --- Thresholds ------------------------------------------------------------------------------------------------------


def test_unmoved_thresholds_are_the_strict_rule() -> None:
    assert Thresholds().rule() is STRICT
    assert not Thresholds().is_looser
    assert not Thresholds(likelihood_min=0.95, page_likelihood_min=1, other_shots_pdq_max=0).is_looser
    assert Thresholds(likelihood_min=0.89).is_looser
    assert Thresholds(page_likelihood_min=0.89).is_looser
    assert Thresholds(other_shots_pdq_max=3).is_looser
    assert Thresholds(page_tone_min=0.6).is_looser and not Thresholds(page_tone_min=0.4).is_looser
    assert Thresholds(pdq_quality_min=10).is_looser and not Thresholds(pdq_quality_min=30).is_looser


def test_thresholds_are_the_bounds_of_what_was_looked_at_and_leave_the_rest_to_the_strict_rule() -> None:
    rule = Thresholds(0.5, 0.75, 6).rule()
    assert (rule.verified, rule.verified_page) == ((Clause(likelihood_min=0.5),), (Clause(likelihood_min=0.75),))
    assert rule.other_shots == Clause(pdq_max=6)
    assert rule.name == "likelihood 0.5, pages and crowds 0.75, other shots 6"
    names = ("name", "verified", "verified_page", "other_shots")
    assert dataclasses.replace(rule, **{name: getattr(STRICT, name) for name in names}) == STRICT


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS)
def test_bounds_that_were_moved_back_answer_as_the_strict_rule(seed: int) -> None:
    made = varied_world(seed)
    judged = with_context(made.pairs, made.pictures, STRICT)
    # Written out, and not the constant itself: the same answers from the clauses alone.
    again = dataclasses.replace(Thresholds(likelihood_min=0.5).rule(), verified=(Clause(likelihood_min=0.9),))
    assert again != STRICT
    assert tiers_of(judged, again).equals(tiers_of(judged, STRICT))
    assert scores_of(judged, again).equals(scores_of(judged, STRICT))


@pytest.mark.parametrize(
    "bounds",
    [
        {"likelihood_min": -0.01}, {"likelihood_min": 1.01}, {"likelihood_min": float("nan")},
        {"likelihood_min": "0.9"}, {"likelihood_min": None}, {"likelihood_min": True}, {"page_likelihood_min": 90},
        {"other_shots_pdq_max": None}, {"other_shots_pdq_max": -1}, {"other_shots_pdq_max": 257},
        {"other_shots_pdq_max": 2.5}, {"other_shots_pdq_max": True},
    ],
)  # fmt: skip
def test_thresholds_that_make_no_sense_are_refused_by_name(bounds: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"Threshold '{next(iter(bounds))}' is .*; it must be"):
        Thresholds(**bounds)


@pytest.mark.parametrize(
    ("gone", "now"),
    [("pdq_max", "likelihood_min"), ("page_pdq_max", "page_likelihood_min"), ("sscd_alone_min", "likelihood_min")],
)
def test_a_threshold_that_is_gone_names_what_replaces_it(gone: str, now: str) -> None:
    bounds: dict[str, Any] = {gone: 24}
    with pytest.raises(SettingsError, match=f"no threshold named '{gone}' any more: .* give {now}, .* {now}=0.9"):
        Thresholds(**bounds)
    with pytest.raises(SettingsError, match=f"give {now}"):
        dataclasses.replace(Thresholds(), **bounds)


def test_a_misspelt_threshold_suggests_the_nearest() -> None:
    bounds: dict[str, Any] = {"likelyhood_min": 0.5}
    with pytest.raises(UnknownNameError, match="did you mean 'likelihood_min'"):
        Thresholds(**bounds)


def test_numbers_of_numpy_are_taken_as_numbers() -> None:
    assert Thresholds(np.float32(0.5), np.float64(0.9), np.int64(30)) == Thresholds(0.5, 0.9, 30)
    assert Thresholds(0, 1) == Thresholds(0.0, 1.0)


# --- Floors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pictures", "clause", "said"),
    [
        (10, Clause(pdq_max=65), "pdq_max = 65 is looser .* pairs up to 64 bits of PDQ .* at most 64"),
        (20_001, Clause(pdq_max=32), "pdq_max = 32 is looser .* pairs up to 31 bits of PDQ .* at most 31"),
        (10, Clause(sscd_small_min=0.39), "sscd_small_min = 0.39 is looser .* SSCD cosine of 0.4 .* at least 0.4"),
        (200_001, Clause(phash_max=5), "pairs up to 4 bits of pHash"),
    ],
)
@pytest.mark.parametrize("situation", ["plain", "unmeasured", "page_like", "verified", "verified_page"])
def test_what_was_not_looked_for_is_not_answered(pictures: int, clause: Clause, said: str, situation: str) -> None:
    rule = dataclasses.replace(STRICT, **{situation: (clause,)})
    with pytest.raises(SettingsError, match=said):
        graph_floor(MatchSettings(), pictures).refuse_looser(rule)


def test_what_was_looked_for_is_answered() -> None:
    small, large = graph_floor(MatchSettings(), 20_000), graph_floor(MatchSettings(), 200_001)
    small.refuse_looser(dataclasses.replace(STRICT, plain=(Clause(pdq_max=64), Clause(sscd_min=0.45))))
    large.refuse_looser(dataclasses.replace(STRICT, page_like=(Clause(pdq_max=31),)))
    # One condition that was searched far enough is enough: all of them must hold.
    large.refuse_looser(dataclasses.replace(STRICT, plain=(Clause(pdq_max=100, phash_max=4),)))


@given(THRESHOLDS)
def test_a_likelihood_is_always_answered(moved: Thresholds) -> None:
    narrow = dataclasses.replace(MatchSettings(), pdq_max_distance=8)
    graph_floor(narrow, 10).refuse_looser(STRICT)
    graph_floor(narrow, 300_000).refuse_looser(moved.rule())


# --- Margins and borderline pairs ------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=examples(80))
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


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS, THRESHOLDS, st.integers(0, 9))
def test_borderline_pairs_are_the_nearest_on_both_sides(seed: int, moved: Thresholds, limit: int) -> None:
    made = varied_world(seed)
    regrouper, rule = Regrouper(made.objects, made.pictures, made.pairs), moved.rule()
    found = borderline_pairs(regrouper, rule, limit)
    BORDERLINE.check(found)
    seen = regrouper.situations(rule)
    seen = (seen == SITUATIONS.index("verified")) | (seen == SITUATIONS.index("verified_page"))
    margins = regrouper.margins(rule)[seen]
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
    stored_pairs = stored_pairs.with_columns(tiers_and_scores(stored_pairs, rule))
    held = set(made.objects.select("digest", "path").iter_rows())
    both = found.join(stored_pairs, on=["digest_a", "digest_b"], how="left", suffix="_stored", maintain_order="left")
    for row in both.iter_rows(named=True):
        for name in ("pdq_distance", "phash_distance", "orientation", "sscd_small", "sscd", "score"):
            assert row[name] == row[f"{name}_stored"]
        assert row["verification"] is not None
        assert not row["low_information"]
        assert row["accepted"] == (row["tier"] == "copy") == row["why"].endswith(": a copy.")
        assert (row["digest_a"], row["path_a"]) in held and (row["digest_b"], row["path_b"]) in held


# What a close look finds in a plain pair that is nearly a copy: enough for the strict rule, not by much.
CLOSE: dict[str, object] = {
    "verification": "look", "inliers": 60, "inlier_share": 0.8, "difference": 0.01, "covered_a": 1.0, "covered_b": 1.0,
    "agreement": 0.97, "agreement_low": 0.6, "correlation": 0.93, "cells": 80, "wobble_px": 0.05,
}  # fmt: skip


def likelihood_of(regrouper: Regrouper, at: int = 0) -> float:
    return float(regrouper.evidence(STRICT)[at, 4])


def bound_world() -> Regrouper:
    names = ["plain", "page", "blank", "unknown", "crowd", "unseen"]
    pictures = [
        picture("plain", dominant_tone=0.1), picture("page", dominant_tone=0.9),
        picture("blank", low_information=True), picture("unknown", dominant_tone=None),
        picture("crowd"), picture("unseen"),
        *(picture(f"{name} other", dominant_tone=0.1) for name in names),
    ]  # fmt: skip
    pairs = [
        pair("plain", "plain other", 25, **CLOSE | {"correlation": 0.8, "agreement": 0.5}),
        pair("page", "page other", 16, **CLOSE), pair("blank", "blank other", 24, **CLOSE),
        pair("unknown", "unknown other", 22, **CLOSE), pair("crowd", "crowd other", 3, **CLOSE, hub=True),
        pair("unseen", "unseen other", 0),
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
    # Nothing looked at one, and another holds too little to be told from others.
    assert {name: row["situation"] for name, row in rows.items()} == {
        "plain": "verified", "page": "verified_page", "unknown": "verified_page", "crowd": "verified_page",
    }  # fmt: skip
    for row in rows.values():
        assert row["margin"] == pytest.approx((row["likelihood"] - 0.9) / 0.05, abs=1e-4)
        assert row["accepted"] == (row["likelihood"] >= np.float32(0.9))
    assert rows["crowd"]["accepted"] and not rows["plain"]["accepted"]
    tight = borderline_pairs(bound_world(), Thresholds(page_likelihood_min=1).rule()).filter(path_a="crowd")
    looser = borderline_pairs(bound_world(), Thresholds(likelihood_min=0).rule())
    assert not tight["accepted"].any()
    assert looser["accepted"].sum() == found["accepted"].sum() + 1


def test_a_sentence_names_the_likelihood_and_its_bound() -> None:
    regrouper = bound_world()
    for thresholds, verdict in ((Thresholds(), "not a copy"), (Thresholds(likelihood_min=0.05), "a copy")):
        found = borderline_pairs(regrouper, thresholds.rule())
        row = found.filter(situation="verified").row(0, named=True)
        cut = int(row["likelihood"] * 1000) / 1000
        assert row["why"] == (
            f"Likelihood is {cut:.3f}; at least {thresholds.likelihood_min:g} counts as a copy: {verdict}."
        )
    page = found.filter(situation="verified_page").row(0, named=True)
    assert "at least 0.9 counts as a copy for page-like pictures and crowds: " in page["why"]


def test_other_bounds_on_what_was_looked_at_are_told_too() -> None:
    """A rule may ask for more than a likelihood; what is nearest to the bound decides, in units of the score."""
    rule = dataclasses.replace(STRICT, verified=(Clause(pdq_max=10), Clause(sscd_small_min=0.9001)))
    row = borderline_pairs(bound_world(), rule).filter(situation="verified").row(0, named=True)
    # 15 bits off one bound, .0001 off the other: the nearer one decides.
    assert row["margin"] == pytest.approx(-0.0001 / 0.05, abs=1e-4)
    assert row["why"] == "Small SSCD cosine is 0.900; at least 0.9001 counts as a copy: not a copy."


def test_other_shots_are_measured_against_the_stricter_bound() -> None:
    early, late = datetime(2020, 1, 1), datetime(2020, 1, 2)
    made = world(
        [stored("a", "a"), stored("b", "b")],
        [picture("a", taken_at=early), picture("b", taken_at=late)],
        [pair("a", "b", 3, **CLOSE)],
    )
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    row = borderline_pairs(regrouper, STRICT).row(0, named=True)
    assert row["margin"] == -0.5 / 8
    assert row["why"] == (
        "PDQ differs in 3 of 256 bits; at most 2 counts as a copy where the cameras noted different times: not a copy."
    )
    assert borderline_pairs(regrouper, Thresholds(other_shots_pdq_max=3).rule())["accepted"].all()
    assert count_pairs(regrouper, STRICT).filter(signal="other_shots").rows() == [("other_shots", 3.0, "verified", 1)]


def test_pairs_that_were_looked_at_are_counted_by_likelihood_and_situation() -> None:
    regrouper = bound_world()
    counted = count_pairs(regrouper, STRICT)
    likelihoods = regrouper.evidence(STRICT)[:, 4]
    for number, name in enumerate(SITUATIONS):
        mine = likelihoods[regrouper.situations(STRICT) == number]
        bins = [min(int(value * 50), 49) / 50 for value in mine if not np.isnan(value)]
        rows = counted.filter(situation=name)
        assert dict(rows.select("value", "pairs").iter_rows()) == {value: bins.count(value) for value in bins}
    assert counted["pairs"].sum() == 4


def test_digests_name_the_pictures_of_a_pair() -> None:
    found = borderline_pairs(bound_world(), STRICT)
    for row in found.iter_rows(named=True):
        assert {row["digest_a"], row["digest_b"]} == {digest_of(row["path_a"]), digest_of(row["path_b"])}
    assert PAIRS.polars["pdq_distance"] == found.schema["pdq_distance"]
