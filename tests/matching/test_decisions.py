"""What people decided holds whatever the rule says, in groups and regroupings alike; crowds wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import World, digest_of, family_world, other_file, pair, picture, stored, world
from test_regrouping import SEEDS, THRESHOLDS, TIERS, regrouped, totals_of, varied_world

from deeplens_kit.matching import STRICT, Grouping, Regrouper, Thresholds, group
from deeplens_kit.matching.decisions import Decisions
from deeplens_kit.schemas import DECISIONS, DecisionKind, Tier

INCLUDED = st.lists(st.sampled_from(["composite", "contains"]), max_size=2).map(tuple)


def decided(*rows: tuple[str, object, object], day: int = 1) -> pl.DataFrame:
    """DECISIONS on pictures by name: kind, keeper, member."""
    made = [
        {
            "decision_id": at, "act_id": "x", "kind": kind, "keeper_digest": keeper and digest_of(keeper),
            "member_digest": digest_of(member), "who": "me", "at": datetime(2026, 2, day, 9, tzinfo=UTC), "why": "",
            "withdrawn_at": None, "withdrawn_by": None,
        }
        for at, (kind, keeper, member) in enumerate(rows)
    ]  # fmt: skip
    return pl.DataFrame(made, schema=DECISIONS.polars)


def drawn(seed: int, digests: Sequence[str]) -> pl.DataFrame:
    """A few decisions of any kind on such pictures, some of them on equal files, unknown pictures, or withdrawn."""
    draw = np.random.default_rng([seed, 5])
    known = [*digests, "f" * 64]
    rows: list[dict[str, Any]] = []
    for number in range(int(draw.integers(0, 12))):
        kind = str(draw.choice([*["approved"] * 5, "keep_both", "alternates", "never_propose"]))
        keeper, member = (str(name) for name in draw.choice(known, 2))
        start = datetime(2026, 2, 1, tzinfo=UTC)
        rows.append(
            {
                "decision_id": number, "act_id": "x", "kind": kind,
                "keeper_digest": None if kind == "never_propose" else keeper, "member_digest": member, "who": "me",
                "at": start + timedelta(days=int(draw.integers(3))), "why": "",
                "withdrawn_at": start if draw.random() < 0.1 else None, "withdrawn_by": None,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=DECISIONS.polars)


@settings(deadline=None, max_examples=examples(60))
@given(SEEDS, st.booleans(), THRESHOLDS, TIERS, INCLUDED, st.integers(0, 3))
def test_decisions_and_crowds_give_what_groups_and_savings_give(
    seed: int, families: bool, moved: Thresholds, tiers: tuple[str, ...] | None, include: tuple[str, ...], most: int
) -> None:
    made, rule = family_world(seed) if families else varied_world(seed), moved.rule()
    said: dict[str, Any] = {"decisions": drawn(seed, made.pictures["digest"].to_list()), "crowd_pictures": most}
    regrouper = Regrouper(made.objects, made.pictures, made.pairs, include, **said)
    for each in (rule, STRICT):
        assert regrouped(regrouper, each, tiers) == totals_of(made, each, tiers, include, **said)


@settings(deadline=None, max_examples=examples(25))
@given(SEEDS, st.booleans(), THRESHOLDS)
def test_nothing_is_proposed_against_a_decision(seed: int, families: bool, moved: Thresholds) -> None:
    made = family_world(seed) if families else varied_world(seed)
    said = drawn(seed, made.pictures["digest"].to_list())
    grouping = group(made.objects, made.pictures, made.pairs, moved.rule(), decisions=said)
    held = said.filter(pl.col("withdrawn_at").is_null())
    keepers = grouping.groups.filter("is_keeper").select("group_id", keeper="digest")
    gone = grouping.groups.filter(~pl.col("is_keeper")).join(keepers, on="group_id")
    proposed = set(gone.select("keeper", "digest").rows())
    kept = held.filter(pl.col("kind").is_in(["keep_both", "alternates"]))
    for keeper, member in kept.select("keeper_digest", "member_digest").iter_rows():
        assert not {(keeper, member), (member, keeper)} & proposed
    never = set(held.filter(kind="never_propose")["member_digest"])
    assert not never & {member for _, member in proposed}
    # What was withdrawn, and decisions on pictures that are not there, change nothing.
    foreign = said.with_columns(member_digest=pl.lit("f" * 64))
    ended = said.with_columns(withdrawn_at=pl.col("at"))
    plain = group(made.objects, made.pictures, made.pairs, moved.rule())
    idle = pl.concat([foreign, ended])
    assert same(group(made.objects, made.pictures, made.pairs, moved.rule(), decisions=idle), plain)


def same(one: Grouping, other: Grouping) -> bool:
    return all(getattr(one, name).equals(getattr(other, name)) for name in ("groups", "withheld", "related"))


@pytest.fixture
def trio() -> World:
    """A large picture, a copy of it by the strict rule, and one that the rule tells from it; one has an equal file."""
    return world(
        [stored("large.jpg", "large"), stored("copy.jpg", "copy"), stored("copy2.jpg", "copy"), stored("x.jpg", "x")],
        [picture("large"), picture("copy", width_px=800, height_px=600), picture("x", width_px=900, height_px=675)],
        [pair("large", "copy"), pair("large", "x", 60)],
    )


def members(grouping: Grouping) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in grouping.groups.filter(~pl.col("is_keeper")).iter_rows(named=True)}


def reasons(grouping: Grouping) -> dict[str, str]:
    return dict(grouping.withheld.select(pl.col("object_id").str.strip_prefix("disk/"), "reason").iter_rows())


def grouped(made: World, *rows: tuple[str, object, object], **options: Any) -> Grouping:
    return group(made.objects, made.pictures, made.pairs, STRICT, decisions=decided(*rows), **options)


def test_both_of_a_pair_stay_in_either_order_and_the_reason_says_since_when(trio: World) -> None:
    assert set(members(grouped(trio))) == {"copy.jpg", "copy2.jpg"}
    for ends in (("large", "copy"), ("copy", "large")):
        both = grouped(trio, ("keep_both", *ends))
        assert set(members(both)) == {"copy2.jpg"}, "files of equal bytes are one picture"
        assert reasons(both) == {"copy.jpg": "a person decided on 2026-02-01 to keep both"}
        assert reasons(grouped(trio, ("alternates", *ends))) == {
            "copy.jpg": "a person decided on 2026-02-01 that both stay, as alternates"
        }
    equal = grouped(trio, ("keep_both", "copy", "copy"), ("keep_both", "large", "copy"))
    assert members(equal) == {} and set(reasons(equal)) == {"copy.jpg", "copy2.jpg"}


def test_what_is_never_proposed_may_stay_for_others(trio: World) -> None:
    never = grouped(trio, ("never_propose", None, "copy"), ("approved", "large", "copy"))
    assert members(never) == {}
    assert set(reasons(never).values()) == {"a person decided on 2026-02-01 that it is never proposed"}
    assert set(reasons(never)) == {"copy.jpg", "copy2.jpg"}
    assert set(members(grouped(trio, ("never_propose", None, "large")))) == {"copy.jpg", "copy2.jpg"}


def test_what_is_approved_goes_whatever_the_bounds_and_doubts(trio: World) -> None:
    approved = members(grouped(trio, ("approved", "large", "x")))
    assert approved["x.jpg"].startswith("a person approved it on 2026-02-01; PDQ differs in 60 of 256 bits")
    assert set(approved) == {"copy.jpg", "copy2.jpg", "x.jpg"}
    assert "x.jpg" not in members(grouped(trio, ("approved", "x", "large"))), "not in the other order"
    apart = world([stored("large.jpg", "large"), stored("x.jpg", "x")], [picture("large"), picture("x", mode="L")], [])
    told = grouped(apart, ("approved", "large", "x"))
    assert members(told) == {"x.jpg": "a person approved it on 2026-02-01"}, "though no run stored the pair"
    doubtful = World(
        trio.objects, trio.pictures.with_columns(has_alpha=pl.col("digest") == digest_of("copy")), trio.pairs
    )
    assert set(members(grouped(doubtful))) == {"copy2.jpg"}
    assert set(members(grouped(doubtful, ("approved", "large", "copy")))) == {"copy.jpg", "copy2.jpg"}
    unseen = World(trio.objects, trio.pictures, trio.pairs.with_columns(relation=pl.lit("unverified")))
    assert set(members(grouped(unseen, ("approved", "large", "copy")))) == {"copy.jpg", "copy2.jpg"}


def test_approval_is_no_way_around_families_and_relations(trio: World) -> None:
    beside = pl.DataFrame([other_file("copy.xmp", "sidecar")], schema=trio.objects.schema)
    family = World(pl.concat([trio.objects, beside]), trio.pictures, trio.pairs)
    assert "copy.jpg" not in members(grouped(family, ("approved", "large", "copy")))
    larger = World(trio.objects, trio.pictures, trio.pairs.with_columns(relation=pl.lit("composite")))
    asked = ("approved", "large", "copy")
    assert set(members(grouped(larger, asked))) == {"copy2.jpg"}
    assert set(members(grouped(larger, asked, include=["composite"]))) == {"copy.jpg", "copy2.jpg"}


def test_a_family_with_a_picture_that_stays_stays_whole() -> None:
    files = [file for folder in "ab" for file in (stored(f"{folder}/i.jpg", "i"), other_file(f"{folder}/i.xmp", "x"))]
    made = world(files, [picture("i")], [])
    assert set(members(grouped(made))) == {"b/i.jpg", "b/i.xmp"}
    for name in ("i", "x"):
        assert members(grouped(made, ("never_propose", None, name))) == {}


def crowd(count: int, **values: object) -> World:
    """A picture with so many smaller copies; each file twice."""
    names: list[Any] = ["#", *range(count)]
    return world(
        [stored(f"{name}-{again}.jpg", name) for name in names for again in (1, 2)],
        [picture("#"), *(picture(name, width_px=800 + name, height_px=600) for name in range(count))],
        [pair("#", name, **values) for name in range(count)],
    )


def test_a_crowd_waits_for_a_person_and_equal_files_do_not() -> None:
    made = crowd(4)
    assert len(members(grouped(made, crowd_pictures=4))) == 9, "the bound is inclusive"
    found = grouped(made, crowd_pictures=3)
    assert all(path.endswith("2.jpg") for path in members(found)) and len(members(found)) == 5
    assert len(reasons(found)) == 4 and all("placeholder" in reason for reason in reasons(found).values())
    assert len(members(grouped(made, crowd_pictures=0))) == 9
    one = grouped(made, ("approved", "#", 2), crowd_pictures=3)
    assert {"2-1.jpg", "2-2.jpg"} < set(members(one)) and len(reasons(one)) == 3, "the others still wait"
    both = grouped(made, ("keep_both", "#", 2), crowd_pictures=3)
    assert len(members(both)) == 8, "three are no crowd"


def test_pictures_of_equal_samples_are_no_crowd() -> None:
    made = crowd(4, tier="pixels")
    pictures = made.pictures.with_columns(width_px=4000, height_px=3000, effective_pixels=12_000_000)
    assert len(members(grouped(World(made.objects, pictures, made.pairs), crowd_pictures=3))) == 9


def test_the_latest_decision_on_a_pair_is_taken_and_keeping_before_approving() -> None:
    both = pl.concat([decided(("keep_both", 1, 2), day=3), decided(("alternates", 2, 1), ("approved", 1, 2), day=5)])
    (row,) = Decisions.of(both).pairs.iter_rows(named=True)
    assert (row["approved_a"], row["approved_b"], row["decided_at"].day) == (False, False, 5)
    alone = Decisions.of(decided(("never_propose", None, 1), ("keep_both", 1, 1), day=9)).alone
    assert alone.height == 1 and Decisions.of(None).alone.height == 0
    assert set(map(str, DecisionKind)) == {"keep_both", "alternates", "approved", "never_propose"} and Tier.BYTES
