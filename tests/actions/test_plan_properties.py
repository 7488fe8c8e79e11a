"""What holds of every plan, whatever groups contradict each other: no picture can be lost by following it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import polars as pl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_worlds import PLACES, REMOVE, files_of, worlds

from deeplens_kit.actions import (
    checked_manifest,
    chosen_steps,
    diff_steps,
    manifest_pieces,
    plan_steps,
    steps_as_csv,
    steps_as_parquet,
    steps_digest,
    steps_from_csv,
    steps_from_parquet,
    steps_from_parts,
    steps_to_parts,
    trimmed,
)

World = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
# Each example plans some times over, at tens of milliseconds.
FEW = settings(max_examples=10)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def planned(world: World, **more: Any) -> pl.DataFrame:
    objects, groups, families = world
    return plan_steps(groups, objects, REMOVE, PLACES, families=families, **more).steps


@FEW
@given(worlds())
def test_nobody_is_victim_twice_or_keeper_and_victim_and_every_picture_stays_somewhere(world: World) -> None:
    objects, groups, families = world
    draft = plan_steps(groups, objects, REMOVE, PLACES, families=families)
    victims, keepers = files_of(draft.steps), files_of(draft.steps, "keeper")
    assert len(set(victims)) == len(victims)
    assert not set(victims) & set(keepers)
    assert not set(victims) & set(groups.filter("is_keeper")["object_id"])
    # A keeper that stays, for every picture that is touched.
    assert set(keepers) <= set(objects["object_id"])
    staying = objects.filter(~pl.col("object_id").is_in(victims))
    for row in draft.steps.iter_rows(named=True):
        assert row["victim_digest"] in staying["digest"] or row["keeper_digest"] in staying["digest"]
    # Nothing that was to be minded is touched, and every member is told of.
    touched = objects.filter(pl.col("object_id").is_in(victims))
    assert not touched.filter(pl.col("protected") | pl.col("held") | (pl.col("location_id") == "c")).height
    assert "scene" not in draft.steps["tier"]
    members = set(groups.filter(~pl.col("is_keeper"))["object_id"])
    assert set(victims) | set(draft.left_out["object_id"]) == members
    assert not set(victims) & set(draft.left_out["object_id"])
    # Families go whole, and of a file with several names all.
    for family in draft.steps["together"].drop_nulls().unique():
        assert set(families.filter(family_id=family)["object_id"]) <= set(victims)
    linked = draft.steps.filter(pl.col("victim_link_id").is_not_null() & (pl.col("victim_link_count") > 1))
    for (_, _), names in linked.group_by("victim_link_id", "victim_digest"):
        assert names.height == names["victim_link_count"].max()
        assert names["frees_bytes"].sum() <= names["victim_size_bytes"].max()


@FEW
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(world: World, random: Any) -> None:
    first = planned(world)
    shuffled = tuple(frame.sample(fraction=1, shuffle=True, seed=random.randrange(1000)) for frame in world)
    again = planned(shuffled)  # type: ignore[arg-type]
    assert again.equals(first)
    assert steps_digest(again.reverse()) == steps_digest(first)


@FEW
@given(worlds(), st.data())
def test_trimming_only_takes_away_and_leaves_a_plan_that_holds(world: World, data: st.DataObject) -> None:
    steps = planned(world)
    if steps.is_empty():
        return
    drop = data.draw(st.sets(st.sampled_from(steps["step"].to_list())))
    less = trimmed(steps, chosen_steps(steps, drop=drop), None)
    assert set(files_of(less)) <= set(files_of(steps)) - {files_of(steps)[number] for number in drop}
    assert set(diff_steps(steps, less)["change"]) <= {"gone", "changed"}
    assert less["frees_bytes"].sum() <= steps["frees_bytes"].sum()
    assert (
        less.drop_nulls("together")
        .group_by("together")
        .len()
        .sort("together")
        .equals(
            steps.join(less, on="together", how="semi")
            .drop_nulls("together")
            .group_by("together")
            .len()
            .sort("together")
        )
    )


@FEW
@given(worlds(), st.integers(1, 4))
def test_a_limit_holds_and_takes_whole_families(world: World, most: int) -> None:
    objects, groups, families = world
    all_steps = plan_steps(groups, objects, REMOVE, PLACES, families=families).steps
    some = plan_steps(groups, objects, replace(REMOVE, limit=most), PLACES, families=families)
    assert some.steps.height <= most
    assert set(files_of(some.steps)) <= set(files_of(all_steps))
    assert all_steps.height <= most or "limit" in some.left_out["code"]


@FEW
@given(worlds())
def test_a_plan_comes_back_from_every_form_as_it_was(world: World) -> None:
    steps = planned(world)
    assert steps_from_parts(steps_to_parts(steps)).equals(steps)
    assert steps_from_csv(steps_as_csv(steps, {"a": "disk"})).equals(steps)
    assert steps_from_parquet(steps_as_parquet(steps)).equals(steps)
    manifest = checked_manifest(b"".join(manifest_pieces(steps, {"plan_id": "12"}, KEY)))
    assert manifest.steps.equals(steps)
    assert manifest.plan["steps_digest"] == steps_digest(steps)
    assert json.loads(b"".join(manifest_pieces(steps, {}, KEY)))["public_key"] == manifest.public_key
