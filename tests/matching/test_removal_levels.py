"""At every step of a ladder the removals are those that grouping proposes; a pair that comes back has two stretches."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import World, digest_of, family_world, pair, picture, stored, world
from test_regrouping import CLOSE, varied_world

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching import STRICT, Regrouper, group
from deeplens_kit.matching.removal_levels import (
    LADDER,
    REMOVAL_LEVELS,
    STRICTEST,
    ladder_from,
    ladder_rules,
    removal_levels,
    rule_at,
)

SEEDS = st.integers(0, 10**6)
STEPS = (1.0, 0.999, 0.97, 0.9, 0.7, 0.5, 0.2, 0.05, 0.0)


def proposed(made: World, likelihood: float) -> set[tuple[str, str, int]]:
    """Keeper, member and freed bytes of tier `copy`, by groups."""
    groups = group(made.objects, made.pictures, made.pairs, rule_at(likelihood)).groups.filter(tier="copy")
    keepers = groups.filter("is_keeper").select("group_id", keeper="digest")
    members = groups.filter(~pl.col("is_keeper")).join(keepers, on="group_id")
    return set(members.group_by("keeper", "digest").agg(pl.col("frees_bytes").sum()).rows())


def at_step(levels: pl.DataFrame, step: int) -> list[tuple[str, str, int]]:
    there = levels.filter(pl.col("first_level") <= step, pl.col("last_level") >= step)
    return there.select("keeper_digest", "digest", "frees_bytes").rows()


@settings(deadline=None, max_examples=examples(40))
@given(SEEDS, st.booleans(), st.integers(0, len(STEPS) - 1))
def test_every_step_proposes_what_groups_propose(seed: int, with_families: bool, step: int) -> None:
    made = family_world(seed) if with_families else varied_world(seed)
    levels = removal_levels(Regrouper(made.objects, made.pictures, made.pairs), ladder_rules(STEPS))
    found = at_step(levels, step)
    assert len(found) == len(set(found))
    assert set(found) == proposed(made, STEPS[step])


@settings(deadline=None, max_examples=examples(15))
@given(SEEDS)
def test_stretches_of_a_pair_neither_touch_nor_overlap(seed: int) -> None:
    made = varied_world(seed)
    levels = removal_levels(Regrouper(made.objects, made.pictures, made.pairs), ladder_rules(LADDER))
    assert levels["last_level"].max() in (None, len(LADDER) - 1)
    for _, stretches in levels.sort("first_level").group_by("keeper_digest", "digest"):
        ends = stretches.select("first_level", "last_level").rows()
        assert all(first <= last for first, last in ends)
        assert all(before[1] + 1 < after[0] for before, after in pairwise(ends))


def test_a_member_is_let_go_where_its_keeper_becomes_a_copy_itself() -> None:
    """Best and middle are alike but weakly, middle and least strongly, best and least not at all."""
    sizes = {"best": (6000, 4500), "middle": (4000, 3000), "least": (2000, 1500)}
    made = world(
        [stored(name, name) for name in sizes],
        [picture(name, width_px=width, height_px=height) for name, (width, height) in sizes.items()],
        [
            pair("best", "middle", 40, **(CLOSE | {"agreement": 0.6, "correlation": 0.9})),
            pair("middle", "least", 0, **CLOSE),
        ],
    )
    regrouper = Regrouper(made.objects, made.pictures, made.pairs)
    levels = removal_levels(regrouper, ladder_rules(LADDER))
    best, middle, least = map(digest_of, ("best", "middle", "least"))
    strict = levels.row(0, named=True)
    assert (strict["keeper_digest"], strict["digest"]) == (middle, least)
    # Once the middle one goes, nobody is left that the least one is a copy of.
    loose = levels.row(1, named=True)
    assert (loose["keeper_digest"], loose["digest"]) == (best, middle)
    assert loose["first_level"] == strict["last_level"] + 1
    assert loose["last_level"] == len(LADDER) - 1
    assert (strict["objects"], strict["frees_bytes"]) == (1, 2_000_000)
    assert strict["likelihood"] > loose["likelihood"]


def test_nothing_in_gives_no_rows() -> None:
    made = world([], [], [])
    assert removal_levels(Regrouper(made.objects, made.pictures, made.pairs), ladder_rules(LADDER)).equals(
        REMOVAL_LEVELS.empty()
    )


def test_the_step_of_the_strict_rule_is_the_strict_rule() -> None:
    assert 0.9 in LADDER
    assert (LADDER[0], ladder_from(1.0)) == (ladder_from(1.0)[0], LADDER)
    assert (ladder_from()[0], ladder_from()[-1]) == (STRICTEST, LADDER[-1])
    with pytest.raises(SettingsError, match=r"strictest threshold is 0\.4"):
        ladder_from(0.4)
    assert rule_at(0.9) is STRICT
    assert rule_at(0.5).other_shots == STRICT.other_shots


@pytest.mark.parametrize(
    ("ladder", "said"),
    [((), "empty"), ((0.5, 0.5), "from 0.5 to 0.5"), ((0.5, 0.9), "strictest"), ((0.5, float("nan")), "nan")],
)
def test_a_ladder_that_does_not_fall_is_refused(ladder: tuple[float, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        ladder_rules(ladder)
