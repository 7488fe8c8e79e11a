"""Keep policies: values that are written and read back, total orders, and groups that are safe under any of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import World, digest_of, family_world, other_file, pair, picture, random_world, stored, world
from policy_worlds import policies, with_facts

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.matching import (
    BUILT_IN_POLICIES,
    DEFAULT_POLICY,
    STRICT,
    KeepCriterion,
    KeepPolicy,
    Regrouper,
    group,
    policy_from_json,
    tiers_of,
    with_context,
)
from deeplens_kit.matching.keep_order import keeper_keys
from deeplens_kit.matching.policy import REASONS, Withhold
from deeplens_kit.savings import savings, total

SEEDS = st.integers(0, 10**6)
COLUMNS = [
    "demoted", "protected", "stays", "in_family", "size_class", "colours", "deep", "has_alpha", "from_camera",
    "lossless", "quality_class", "density_class", "native", "taken_at", "modified_at", "location", "path",
    "object_id", "digest", "points", "path_class", "place_cost", "holders", "notes", "link_count",
]  # fmt: skip
PROTECTED = REASONS[Withhold.PROTECTED]


# --- Values ----------------------------------------------------------------------------------------------------------


@given(policies())
def test_a_policy_comes_back_from_json_as_it_was(policy: KeepPolicy) -> None:
    assert policy_from_json(json.loads(json.dumps(policy.to_json()))) == policy


def test_built_in_policies_are_named_as_they_are_called() -> None:
    assert {name: policy.name for name, policy in BUILT_IN_POLICIES.items()} == {
        name: name for name in BUILT_IN_POLICIES
    }
    assert BUILT_IN_POLICIES["default"] == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "an object in braces"),
        ({"criteria": ["age"]}, "has the name None"),
        ({"name": "a", "criteria": "age"}, "must be a list in brackets, or an object"),
        ({"name": "a", "criteria": []}, "has no criteria"),
        ({"name": "a", "criteria": ["age", "age"]}, "names the criterion 'age' twice"),
        ({"name": "a", "criteria": {"age": 0}}, "weight 0; it must be a whole number from 1 to 1000"),
        ({"name": "a", "criteria": {"age": 1.5}}, "weight 1.5"),
        ({"name": "a", "criteria": {"age": True}}, "weight True"),
        ({"name": "a", "criteria": ["path"]}, "give a glob"),
        ({"name": "a", "criteria": ["age"], "avoided_paths": ["x"]}, "without the criterion 'path'"),
        ({"name": "a", "criteria": ["age"], "protected_paths": "x"}, "must be a list in brackets"),
        ({"name": "a", "criteria": ["age"], "protected_locations": [""]}, "none empty"),
        ({"name": "a", "criteria": ["age"], "protected_locations": [3]}, "texts"),
        ({"name": "a\n", "criteria": ["age"]}, "cannot be named"),
        ({"name": "a", "criteria": ["age"], "version": 2}, "of version 2"),
    ],
)
def test_what_makes_no_policy_is_refused(document: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        policy_from_json(document)


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="keep criterion named 'resolutoin'; did you mean 'resolution'"):
        policy_from_json({"name": "a", "criteria": ["resolutoin"]})
    with pytest.raises(UnknownNameError, match="did you mean 'protected_paths'"):
        policy_from_json({"name": "a", "criteria": ["age"], "protected_path": ["x"]})


# --- Orders ----------------------------------------------------------------------------------------------------------


def test_the_default_order_is_the_one_that_is_documented() -> None:
    assert keeper_keys(DEFAULT_POLICY, COLUMNS) == [
        ("size_class", True), ("colours", True), ("deep", True), ("has_alpha", True), ("from_camera", True),
        ("lossless", True), ("quality_class", True), ("density_class", True), ("native", True), ("stays", True),
        ("in_family", True), ("taken_at", False), ("modified_at", False), ("location", False), ("path", False),
        ("object_id", False), ("digest", False),
    ]  # fmt: skip


@given(policies())
def test_every_policy_ends_in_the_order_of_places_and_puts_safety_first(policy: KeepPolicy) -> None:
    names = [name for name, _ in keeper_keys(policy, COLUMNS)]
    assert names[-4:] == ["location", "path", "object_id", "digest"]
    assert len(set(names)) == len(names)
    if policy.protects:
        assert names[:3] == ["demoted", "protected", "stays"]
    # A file of a family that goes must never be the one that stays: its sidecars are proposed.
    own = [name for name in ("path_class", "place_cost", "modified_at", "link_count", "points") if name in names]
    assert all(names.index("stays") < names.index(name) for name in own)


# --- Groups under any policy -----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS, SEEDS, policies())
def test_groups_are_sound_and_the_same_for_shuffled_input_under_any_policy(
    seed: int, shuffle: int, policy: KeepPolicy
) -> None:
    made = random_world(seed)
    objects = with_facts(made.objects, seed, policy)
    grouping = group(objects, made.pictures, made.pairs, STRICT, policy=policy)
    frames = [frame.sample(fraction=1.0, shuffle=True, seed=shuffle) for frame in (objects, made.pictures, made.pairs)]
    again = group(*frames, STRICT, policy=policy)
    assert again.groups.equals(grouping.groups)
    assert again.withheld.equals(grouping.withheld)
    members, keepers = grouping.groups.filter(~pl.col("is_keeper")), grouping.groups.filter("is_keeper")
    # 1. Groups partition what they propose, and nothing that stays is proposed.
    assert members["object_id"].is_unique().all()
    assert not set(members["object_id"]) & set(keepers["object_id"])
    assert not set(members["object_id"]) & set(objects.filter("protected")["object_id"])
    # 2. Every member matches its own keeper.
    judged = with_context(made.pairs, made.pictures, STRICT)
    judged = judged.filter((tiers_of(judged, STRICT) == "copy") | (pl.col("tier") == "pixels"))
    linked = {frozenset(ends) for ends in judged.select("digest_a", "digest_b").iter_rows()}
    both = members.join(keepers, on="group_id", suffix="_keeper")
    for digest, other in both.select("digest", "digest_keeper").iter_rows():
        assert digest == other or frozenset((digest, other)) in linked
    # 3. Two pictures that match and of which none goes are withheld or related: never silence.
    gone = set(members.filter(pl.col("tier") != "bytes")["digest"])
    told = [
        grouping.withheld.select("keeper_digest", "digest").rows(),
        grouping.related.select("digest", "other_digest").rows(),
    ]
    named = {frozenset(ends) for rows in told for ends in rows}
    held = set(objects["digest"])
    for ends in linked:
        assert ends & gone or ends in named or not ends <= held
    # 4. What was measured to resolve less never stays for what resolves more.
    ratios = {}
    for a, b, ratio in made.pairs.select("digest_a", "digest_b", "resolution").iter_rows():
        if ratio is not None:
            ratios[a, b], ratios[b, a] = ratio, 1 / np.float32(ratio)
    for digest, other in both.filter(pl.col("tier_keeper") == "copy").select("digest", "digest_keeper").iter_rows():
        assert not ratios.get((other, digest), 1.0) < np.float32(0.95)


def totals_of(made: World, objects: pl.DataFrame, policy: KeepPolicy) -> dict[str, Any]:
    grouping = group(objects, made.pictures, made.pairs, STRICT, policy=policy)
    amounts = total(savings(grouping.groups))
    sizes = grouping.groups.group_by("group_id").len()["len"]
    figures = amounts.select("objects", "gross_bytes", "realisable_bytes").row(0)
    return {"figures": figures, "largest": sizes.max() or 0, "withheld": grouping.withheld.height}


@settings(deadline=None, max_examples=examples(80))
@given(SEEDS, policies())
def test_regrouping_adds_up_to_the_groups_of_families_by_any_policy(seed: int, policy: KeepPolicy) -> None:
    made = family_world(seed)
    objects = with_facts(made.objects, seed, policy)
    found = Regrouper(objects, made.pictures, made.pairs, policy=policy).regroup(STRICT)
    sums = found.by_tier.select("objects", "gross_bytes", "realisable_bytes").sum().row(0)
    expected = {"figures": sums, "largest": found.largest_group, "withheld": found.withheld}
    assert totals_of(made, objects, policy) == expected


# --- What decides, and what is said of it ----------------------------------------------------------------------------

EARLY, LATE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)


def equal_files(**facts: list[Any]) -> tuple[World, pl.DataFrame]:
    """Two files of equal bytes, the first of which the default order puts first, with facts for a policy."""
    made = world(
        [stored("a.jpg", "p", modified_at=EARLY), stored("b.jpg", "p", modified_at=LATE, location_id="share")],
        [picture("p")],
        [],
    )
    return made, made.objects.with_columns(pl.Series(name, values) for name, values in facts.items())


@pytest.mark.parametrize(
    ("criteria", "facts", "said"),
    [
        (["path"], {"path_class": [0, 1]}, "its path is preferred"),
        (["path"], {"path_class": [-1, 0]}, "the path of the other is avoided"),
        (["cheaper"], {"place_cost": [0.023, 0.004]}, "its place is cheaper (0.004 against 0.023 a GB and month)"),
        (["cheaper"], {"place_cost": [None, 0.004]}, "what its place costs is known"),
        (["replicated"], {"place_copies": [1, 3]}, "its place keeps more copies (3 against 1)"),
        (["immutable"], {"place_immutable": [False, True]}, "nobody can change or remove it where it is"),
        (["references"], {"notes": [0, 2]}, "people said more of it"),
        (["references"], {"link_count": [1, 2]}, "it has more names (hard links)"),
        (
            {"age": 1, "immutable": 10},
            {"place_immutable": [False, True]},
            "10380 points against 800, most of them for immutable",
        ),
    ],
)
def test_a_policy_decides_between_equal_files_and_says_by_what(
    criteria: Any, facts: dict[str, list[Any]], said: str
) -> None:
    paths = {"preferred_paths": ["x"]} if "path" in criteria else {}
    policy = policy_from_json({"name": "mine", "criteria": criteria, **paths})
    made, objects = equal_files(**facts)
    usual = group(objects, made.pictures, made.pairs, STRICT).groups
    assert usual.filter("is_keeper")["path"].to_list() == ["a.jpg"]
    chosen = group(objects, made.pictures, made.pairs, STRICT, policy=policy).groups.filter("is_keeper")
    assert chosen["path"].to_list() == ["b.jpg"]
    assert chosen["reason"].to_list() == [f"keeps 4000x3000 JPEG q90: {said}"]


def test_what_resolves_less_is_kept_by_no_preference_at_the_cost_of_the_better_one() -> None:
    made = world(
        [stored("large.jpg", "large"), stored("small.jpg", "small")],
        [picture("large"), picture("small", width_px=2000, height_px=1500)],
        [pair("large", "small")],
    )
    policy = KeepPolicy("paths first", (KeepCriterion.PATH,), preferred_paths=("small.*",))
    objects = made.objects.with_columns(path_class=pl.Series([0, 1], dtype=pl.Int32))
    found = group(objects, made.pictures, made.pairs, STRICT, policy=policy)
    assert found.groups.is_empty()
    assert found.withheld.select("keeper_digest", "digest", "reason").rows() == [
        (digest_of("small"), digest_of("large"), "it resolves more than the keeper")
    ]


def test_a_removed_copy_says_what_is_lost_with_it() -> None:
    told = {"gps_latitude": 48.1, "has_icc": True}
    made = world(
        [stored("a.jpg", "a"), stored("b.jpg", "b")],
        [picture("a"), picture("b", width_px=2000, height_px=1500, **told)],
        [pair("a", "b")],
    )
    groups = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert groups.select("path", "loses").rows() == [
        ("a.jpg", None),
        ("b.jpg", "where it was taken, its colour profile"),
    ]
    same = made.pictures.with_columns(gps_latitude=pl.lit(1.0), has_icc=pl.lit(True))
    assert group(made.objects, same, made.pairs, STRICT).groups["loses"].null_count() == 2


# --- Protection ------------------------------------------------------------------------------------------------------

SAFE = KeepPolicy("safe", protected_locations=("share",))


def protected(objects: pl.DataFrame) -> pl.DataFrame:
    return objects.with_columns(protected=pl.col("location_id") == "share")


def test_protected_copies_stay_each_and_take_the_others() -> None:
    made = world(
        [stored("a.jpg", "a"), *(stored(f"{name}.jpg", name, location_id="share") for name in "bc")],
        [picture("a", jpeg_quality=90), picture("b"), picture("c", width_px=2000, height_px=1500)],
        [pair("a", "b"), pair("a", "c"), pair("b", "c")],
    )
    found = group(protected(made.objects), made.pictures, made.pairs, STRICT, policy=SAFE)
    assert found.groups.select("path", "is_keeper").rows() == [("b.jpg", True), ("a.jpg", False)]
    assert found.groups["reason"][0] == "keeps 4000x3000 JPEG q90: it is protected"
    assert found.withheld.select("keeper_digest", "digest", "reason").rows() == [
        (digest_of("b"), digest_of("c"), PROTECTED)
    ]


def test_equal_files_that_are_protected_stay_all_of_them() -> None:
    rows = [stored(name, "a", location_id=place) for name, place in (("x", "disk"), ("y", "share"), ("z", "share"))]
    made = world(rows, [picture("a")], [])
    found = group(protected(made.objects), made.pictures, made.pairs, STRICT, policy=SAFE)
    assert found.groups.select("path", "is_keeper").rows() == [("y", True), ("x", False)]
    assert found.withheld.select("object_id", "keeper_object_id", "reason").rows() == [
        ("share/z", "share/y", PROTECTED)
    ]


def test_a_protected_family_keeps_its_sidecars_however_late_it_came() -> None:
    rows = [
        make(f"{folder}/IMG_1.{ending}", name, location_id=place, modified_at=when)
        | {"object_id": f"{place}/{folder}/IMG_1.{ending}"}
        for folder, place, when in (("a", "disk", EARLY), ("b", "share", LATE))
        for make, ending, name in ((stored, "jpg", "p"), (other_file, "CR2", "raw"))
    ]
    made = world(rows, [picture("p")], [])
    usual = group(made.objects, made.pictures, made.pairs, STRICT).groups
    assert sorted(usual.filter(~pl.col("is_keeper"))["object_id"]) == ["share/b/IMG_1.CR2", "share/b/IMG_1.jpg"]
    safe = group(protected(made.objects), made.pictures, made.pairs, STRICT, policy=SAFE).groups
    assert sorted(safe.filter(~pl.col("is_keeper"))["object_id"]) == ["disk/a/IMG_1.CR2", "disk/a/IMG_1.jpg"]
