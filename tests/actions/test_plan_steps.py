"""Which members of groups become steps, and what each step says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from plan_worlds import PLACES, REMOVE, an_object, families_of, files_of, groups_of, objects_of

from deeplens_kit.actions import PlanDraft, PlanPrices, PlanRequest, check_plan, plan_steps, plan_totals
from deeplens_kit.actions.checks import REMOVING
from deeplens_kit.errors import PlanError, SettingsError
from deeplens_kit.savings import ClassPrices, LocationPrices, PriceBook
from deeplens_kit.schemas import DECISIONS, ActionKind, Tier

EUR = LocationPrices("EUR", {"*": ClassPrices(Decimal("0.02")), "COLD": ClassPrices(Decimal("0.001"))})
PRICES = PlanPrices(PriceBook("EUR", {"*": EUR}), {"a": "disk", "b": "bucket"}, datetime(2026, 1, 1, tzinfo=UTC))


def left_out(draft: PlanDraft) -> dict[str, str]:
    return dict(draft.left_out.select("object_id", "code").iter_rows())


def test_what_speaks_against_a_file_leaves_it_out_with_the_reason() -> None:
    objects = objects_of(
        an_object("keeper", 1),
        an_object("goes", 1),
        an_object("held", 1, held=True),
        an_object("protected", 1, protected=True),
        an_object("far", 1, at="c"),
        an_object("decided", 2),
        an_object("changed", 3),
        an_object("linked", 1, link_id="1:5", link_count=2),
    )
    members = [name for name in objects["object_id"] if name != "a/keeper"]
    groups = groups_of(objects, ("a/keeper", members, "bytes"))
    decisions = pl.DataFrame(
        [
            {
                "decision_id": 1, "act_id": "x", "kind": "keep_both", "keeper_digest": objects["digest"][0],
                "member_digest": objects["digest"][5], "who": "ann@host", "at": datetime(2026, 1, 1, tzinfo=UTC),
                "why": "", "withdrawn_at": None, "withdrawn_by": None,
            }
        ],
        schema=DECISIONS.polars,
    )  # fmt: skip
    changed = objects.with_columns(digest=pl.when(pl.col("path") == "changed").then(pl.lit("9")).otherwise("digest"))
    draft = plan_steps(groups, changed, REMOVE, PLACES, decisions=decisions)
    assert files_of(draft.steps) == ["a/goes"]
    assert left_out(draft) == {
        "a/held": "held", "a/protected": "protected", "c/far": "closed", "a/decided": "decided",
        "a/changed": "unknown", "a/linked": "links",
    }  # fmt: skip
    withdrawn = decisions.with_columns(withdrawn_at="at")
    assert "a/decided" in files_of(plan_steps(groups, changed, REMOVE, PLACES, decisions=withdrawn).steps)


def test_a_chain_of_groups_never_takes_what_another_step_relies_on() -> None:
    objects = objects_of(*(an_object(name, at) for at, name in enumerate("xyz")))
    groups = groups_of(objects, ("a/x", ["a/y"], "copy"), ("a/y", ["a/z"], "copy"))
    draft = plan_steps(groups, objects, REMOVE, PLACES)
    assert files_of(draft.steps) == ["a/z"]
    assert left_out(draft) == {"a/y": "keeper"}


def test_all_names_of_a_file_go_and_free_its_bytes_once() -> None:
    names = [an_object(f"n{at}", 1, link_id="1:7", link_count=2, size=50) for at in range(2)]
    objects = objects_of(an_object("keeper", 1), *names)
    steps = plan_steps(groups_of(objects, ("a/keeper", ["a/n0", "a/n1"], "bytes")), objects, REMOVE, PLACES).steps
    assert steps["frees_bytes"].to_list() == [50, 0]
    held = objects.with_columns(held=pl.col("path") == "n0")
    none = plan_steps(groups_of(objects, ("a/keeper", ["a/n0", "a/n1"], "bytes")), held, REMOVE, PLACES)
    assert none.steps.is_empty()
    assert left_out(none) == {"a/n0": "held", "a/n1": "links"}


def test_a_family_goes_whole_or_stays_whole() -> None:
    objects = objects_of(*(an_object(name, at % 2) for at, name in enumerate(["k1", "k2", "v1", "v2"])))
    groups = groups_of(objects, ("a/k1", ["a/v1"], "bytes"), ("a/k2", ["a/v2"], "bytes"))
    families = families_of(family=["a/v1", "a/v2"])
    whole = plan_steps(groups, objects, REMOVE, PLACES, families=families).steps
    assert files_of(whole) == ["a/v1", "a/v2"]
    assert whole["together"].to_list() == ["family", "family"]
    held = objects.with_columns(held=pl.col("path") == "v2")
    draft = plan_steps(groups, held, REMOVE, PLACES, families=families)
    assert draft.steps.is_empty()
    assert left_out(draft) == {"a/v1": "together", "a/v2": "held"}


def test_what_a_token_proves_is_not_read_and_all_else_is() -> None:
    objects = objects_of(
        an_object("keeper", 1, at="b"),
        an_object("read", 1, at="b"),
        an_object("listed", 1, at="b", identity_basis="md5+size"),
        an_object("weak", 1, at="b", change_token='W/"1"'),
        an_object("unsettled", 1, at="b", change_token="12~"),
        an_object("disk", 1, at="a"),
    )
    members = [name for name in objects["object_id"] if name != "b/keeper"]
    groups = groups_of(objects, ("b/keeper", members, "bytes"))
    steps = plan_steps(groups, objects, REMOVE, PLACES).steps
    assert dict(zip(files_of(steps), steps["proof_bytes"], strict=True)) == {
        "b/read": 0, "b/listed": 100, "b/weak": 100, "b/unsettled": 100, "a/disk": 100,
    }  # fmt: skip
    again = plan_steps(groups, objects, replace(REMOVE, proof="read"), PLACES).steps
    assert set(again["proof_bytes"]) == {200}


def test_links_are_made_where_the_storage_can_and_the_keeper_is_in_reach() -> None:
    objects = objects_of(
        an_object("keeper", 1, link_id="1:1"),
        an_object("near", 1, link_id="1:2"),
        an_object("far", 1, link_id="2:3"),
        an_object("there", 1, at="b"),
    )
    groups = groups_of(objects, ("a/keeper", ["a/near", "a/far", "b/there"], "bytes"))
    draft = plan_steps(groups, objects, replace(REMOVE, action=ActionKind.HARDLINK), PLACES)
    assert files_of(draft.steps) == ["a/near"]
    assert left_out(draft) == {"a/far": "elsewhere", "b/there": "cannot"}
    draft = plan_steps(groups, objects, replace(REMOVE, action=ActionKind.REFLINK), PLACES)
    assert set(left_out(draft).values()) == {"cannot"}


def test_moving_and_storage_classes_have_a_target_and_their_own_money() -> None:
    gb = 10**9
    objects = objects_of(
        an_object("k", 1, at="b", size=gb),
        an_object("dir/v", 1, at="b", size=gb),
        an_object("cold", 1, at="b", size=gb, storage_class="cold"),
    )
    groups = groups_of(objects, ("b/k", ["b/dir/v", "b/cold"], "bytes"))
    move = PlanRequest(ActionKind.MOVE, REMOVE.tiers, "r", target_location_id="a", target="old")
    steps = plan_steps(groups, objects, move, PLACES, prices=PRICES).steps
    assert steps["target"].to_list() == ["old/bucket/cold", "old/bucket/dir/v"]
    assert steps["money_per_month"].to_list() == ["-0.019", "0"]
    assert steps["frees_bytes"].to_list() == [0, 0]  # as much is taken where they go
    cold = PlanRequest(ActionKind.STORAGE_CLASS, REMOVE.tiers, "r", target="COLD")
    draft = plan_steps(groups, objects, cold, PLACES, prices=PRICES)
    assert left_out(draft) == {"b/cold": "already"}
    assert draft.steps.select("target", "frees_bytes", "money_per_month").row(0) == ("COLD", 0, "0.019")
    totals = plan_totals(draft.steps, {"b": "bucket"}, PRICES)
    assert [(row["location"], row["tier"], row["money_per_month"]) for row in totals] == [("bucket", "bytes", "0.019")]


def test_a_request_that_cannot_be_is_refused() -> None:
    for wrong in (
        {"tiers": (Tier.SCENE,)}, {"tiers": ()}, {"limit": 0}, {"action": ActionKind.MOVE},
        {"action": ActionKind.STORAGE_CLASS}, {"target": "x"}, {"action": ActionKind.CREATE},
        {"action": ActionKind.MOVE, "target_location_id": "a", "target": "../up"},
    ):  # fmt: skip
        with pytest.raises(SettingsError):
            replace(REMOVE, **wrong)


def test_steps_that_contradict_each_other_are_refused() -> None:
    objects = objects_of(*(an_object(name, 1, link_id=f"1:{name}") for name in "kvw"))
    steps = plan_steps(groups_of(objects, ("a/k", ["a/v", "a/w"], "bytes")), objects, REMOVE, PLACES).steps
    check_plan(steps)
    keeper = {name: pl.lit(steps[name][0]) for name in ("victim_location_id", "victim_path")}
    wrong = {
        "more than one step": steps.with_columns(**keeper),
        "keeper of another file": steps.with_columns(keeper_path=pl.lit("w")).filter(pl.col("step") == 0).vstack(
            steps.filter(pl.col("step") == 1)
        ),
        "its own keeper": steps.with_columns(keeper_path="victim_path"),
        "another name": steps.with_columns(keeper_link_id="victim_link_id"),
        "tier scene": steps.with_columns(tier=pl.lit("scene")),
        "not known": steps.with_columns(keeper_token=pl.lit(None, pl.String)),
        "last copy": steps.with_columns(keeper_path=pl.lit(None, pl.String)),
    }  # fmt: skip
    for says, frame in wrong.items():
        with pytest.raises(PlanError, match=says):
            check_plan(frame)


def test_what_takes_a_file_away_needs_a_keeper() -> None:
    objects = objects_of(*(an_object(name, 1) for name in "kvw"))
    steps = plan_steps(groups_of(objects, ("a/k", ["a/v", "a/w"], "bytes")), objects, REMOVE, PLACES).steps
    alone = steps.with_columns(
        pl.lit(None, pl.String).alias(name) for name in ("keeper_path", "keeper_location_id", "keeper_digest")
    )
    for action in ActionKind:
        if action in REMOVING:
            with pytest.raises(PlanError, match="last copy"):
                check_plan(alone.with_columns(action=pl.lit(str(action))))
        else:
            check_plan(alone.with_columns(action=pl.lit(str(action))))
