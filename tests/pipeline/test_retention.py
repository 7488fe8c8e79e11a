"""Pictures go when their time is over, but never a last copy; a legal hold wins at every moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from deeplens_kit.actions import check_plan
from deeplens_kit.errors import PlanError, PlanStaleError, SettingsError, UnknownNameError
from deeplens_kit.ledger import NoteChange
from deeplens_kit.pipeline import (
    Workspace,
    approve_plan,
    change_location,
    index,
    load_steps,
    refresh_plan,
    trim_plan,
)
from deeplens_kit.pipeline.applying import apply
from deeplens_kit.pipeline.certifying import certificate
from deeplens_kit.pipeline.planning import save_steps
from deeplens_kit.pipeline.retention import (
    add_retention,
    known_retention,
    plan_retention,
    remove_retention,
)
from deeplens_kit.pipeline.retention_rules import RetentionRule
from deeplens_kit.pipeline.undoing import undo
from deeplens_kit.schemas import ActionKind

OLD = datetime.now(UTC) - timedelta(days=4000)


@pytest.fixture
def aged(workspace: Workspace, pictures: Path) -> Iterator[Workspace]:
    """Coffee and one of two equal cats are old; changes are allowed."""
    for name in ("coffee.jpg", "chelsea.jpg"):
        os.utime(pictures / name, (OLD.timestamp(), OLD.timestamp()))
    change_location(workspace, "pics", {"permissions": "change"})
    index(workspace, and_match=False)
    yield workspace


def test_rules_are_kept_listed_and_removed(workspace: Workspace) -> None:
    rule = RetentionRule("ten-years", 3650, locations=("pics",), globs=("*.jpg",))
    add_retention(workspace, rule)
    assert known_retention(workspace) == {"ten-years": rule}
    with pytest.raises(SettingsError, match="already"):
        add_retention(workspace, rule)
    with pytest.raises(UnknownNameError, match="pics"):
        add_retention(workspace, RetentionRule("x", 1, locations=("picks",)))
    assert remove_retention(workspace, "ten-years") == rule and not known_retention(workspace)
    with pytest.raises(UnknownNameError):
        plan_retention(workspace, "ten-years")
    assert workspace.directory / "retention" in workspace.own_paths()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "every picture of a location"),
        ({"older_than_days": 0.0}, "more than 0"),
        ({"older_than_days": 1, "action": ActionKind.HARDLINK}, "cannot"),
        ({"older_than_days": 1, "action": ActionKind.MOVE}, "--to"),
        ({"older_than_days": 1, "storage_class": "GLACIER"}, "storage_class"),
    ],
)
def test_rules_that_are_refused(given: dict[str, object], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        RetentionRule("x", **given)  # type: ignore[arg-type]


def test_what_has_a_copy_goes_and_comes_back_and_a_last_copy_stays(aged: Workspace, pictures: Path) -> None:
    add_retention(aged, RetentionRule("ten-years", 3650))
    record = plan_retention(aged, "ten-years")
    steps = load_steps(aged, record)
    assert record.kind == "retention" and steps["victim_path"].to_list() == ["chelsea.jpg"]
    # Of the cat an equal file stays, and of the coffee none.
    kept = aged.catalog.objects().filter(path="more/again.jpg").row(0, named=True)
    found = steps.row(0, named=True)
    facts = {"path": "path", "digest": "digest", "basis": "identity_basis", "token": "change_token"}
    facts |= {"location_id": "location_id", "size_bytes": "size_bytes", "link_id": "link_id"}
    assert {end: found[f"keeper_{end}"] for end in facts} == {end: kept[name] for end, name in facts.items()}
    assert found["tier"] == "bytes" and found["proof_bytes"] == 2 * found["victim_size_bytes"]
    left = record.document["left_out"]
    assert [(line["code"], line["objects"], line["examples"]) for line in left] == [("last_copy", 1, ["coffee.jpg"])]
    assert "--action move" in left[0]["message"]
    before = (pictures / "chelsea.jpg").read_bytes()
    approve_plan(aged, record.plan_id)
    done = apply(aged, record.plan_id)
    assert done.figures["done"] == 1, done.results
    assert not (pictures / "chelsea.jpg").exists() and (pictures / "coffee.jpg").exists()
    assert done.application is not None
    undo(aged, done.application.application_id)
    assert (pictures / "chelsea.jpg").read_bytes() == before


def test_of_a_picture_of_which_all_files_are_named_the_first_of_the_policy_stays(aged: Workspace) -> None:
    add_retention(aged, RetentionRule("all", globs=("**/*.jpg",)))
    steps = load_steps(aged, plan_retention(aged, "all"))
    # Modified earlier comes first where all else is equal.
    assert steps.select("victim_path", "keeper_path").rows() == [("more/again.jpg", "chelsea.jpg")]


def test_last_copies_can_be_moved(
    aged: Workspace, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cold").mkdir()
    aged.ledger.add_location("cold", str(tmp_path / "cold"), {"permissions": "create"})
    add_retention(aged, RetentionRule("cold", 3650, action=ActionKind.MOVE, to="cold"))
    record = plan_retention(aged, "cold")
    before = (pictures / "coffee.jpg").read_bytes()
    approve_plan(aged, record.plan_id)
    # A file system that has no permissions of its own takes the call and keeps what it has.
    monkeypatch.setattr(os, "fchmod", lambda _file, _mode: None)
    done = apply(aged, record.plan_id)
    assert done.figures["done"] == 2 and done.application is not None
    assert certificate(aged, done.application.application_id).notes[0] == (
        "Of 2 moved files permissions did not go along (steps 0, 1)."
    )
    assert (tmp_path / "cold/pics/coffee.jpg").read_bytes() == before and not (pictures / "coffee.jpg").exists()


@pytest.mark.parametrize("kind", ["retention", "erasure", "duplicates", "references"])
def test_no_kind_of_plan_removes_a_last_copy(aged: Workspace, pictures: Path, kind: str) -> None:
    add_retention(aged, RetentionRule("ten-years", 3650))
    steps = load_steps(aged, plan_retention(aged, "ten-years"))
    keeper = [name for name in steps.columns if name.startswith("keeper_")]
    coffee = aged.catalog.objects().filter(path="coffee.jpg").row(0, named=True)
    alone = steps.with_columns(
        *(pl.lit(None, steps.schema[name]).alias(name) for name in keeper),
        step=pl.lit(1, pl.Int64),
        victim_path=pl.lit("coffee.jpg"),
        victim_digest=pl.lit(coffee["digest"]),
        victim_token=pl.lit(coffee["change_token"]),
        victim_size_bytes=pl.lit(coffee["size_bytes"], pl.Int64),
        victim_link_id=pl.lit(coffee["link_id"]),
    )
    forged = pl.concat([steps, alone, steps.with_columns(step=pl.lit(2, pl.Int64), victim_path=pl.lit("x.jpg"))])
    never = "the last copy of a picture is never removed"
    with pytest.raises(PlanError, match=never):
        check_plan(alone)
    # Whoever saved it, it is not trimmed, approved or applied.
    record = save_steps(aged, forged, {}, kind=kind)
    with pytest.raises(PlanError, match=never):
        trim_plan(aged, record.plan_id, drop=[2])
    with pytest.raises(PlanError, match=never):
        approve_plan(aged, record.plan_id)
    aged.ledger.approve_plan(record.plan_id, record.steps_digest)
    with pytest.raises(PlanError, match=never):
        apply(aged, record.plan_id)
    assert (pictures / "coffee.jpg").exists() and (pictures / "chelsea.jpg").exists()


def test_a_hold_wins_when_planned_and_when_applied(aged: Workspace, pictures: Path) -> None:
    add_retention(aged, RetentionRule("ten-years", 3650))
    hold = aged.ledger.add_hold(glob="coffee.jpg", why="case 7")
    record = plan_retention(aged, "ten-years")
    assert load_steps(aged, record)["victim_path"].to_list() == ["chelsea.jpg"]
    assert [line["code"] for line in record.document["left_out"]] == ["held"]
    approve_plan(aged, record.plan_id)
    aged.ledger.add_hold(location="pics", why="case 8")
    with pytest.raises(PlanStaleError, match="a hold covers"):
        apply(aged, record.plan_id)
    with pytest.raises(PlanError, match="a hold covers it"):
        plan_retention(aged, "ten-years")
    assert (pictures / "chelsea.jpg").exists() and hold.released_at is None


def test_a_hold_that_comes_while_it_is_applied_wins(aged: Workspace, pictures: Path) -> None:
    shutil.copyfile(pictures / "coffee.jpg", pictures / "more/coffee.jpg")
    index(aged, and_match=False)
    add_retention(aged, RetentionRule("ten-years", 3650))
    record = plan_retention(aged, "ten-years")
    approve_plan(aged, record.plan_id)

    def boundary(_: str) -> None:
        if not aged.ledger.holds():
            aged.ledger.add_hold(glob="coffee.jpg", why="case 7")

    done = apply(aged, record.plan_id, boundary=boundary)
    assert done.results["code"].to_list() == ["", "protected"]
    assert (pictures / "coffee.jpg").exists() and not (pictures / "chelsea.jpg").exists()


def test_a_collection(aged: Workspace) -> None:
    digest = aged.catalog.objects().filter(path="chelsea.jpg")["digest"][0]
    aged.ledger.add_collection("leavers")
    aged.ledger.annotate("pics", "chelsea.jpg", digest, NoteChange(collection="leavers"))
    add_retention(aged, RetentionRule("leavers", collections=("leavers",)))
    steps = load_steps(aged, plan_retention(aged, "leavers"))
    assert steps["victim_path"].to_list() == ["more/again.jpg"]
    with pytest.raises(SettingsError, match="no collection"):
        add_retention(aged, RetentionRule("x", collections=("levers",)))


def test_a_plan_is_made_anew_by_its_rule_as_it_was(aged: Workspace, pictures: Path) -> None:
    shutil.copyfile(pictures / "coffee.jpg", pictures / "more/coffee.jpg")
    index(aged, and_match=False)
    add_retention(aged, RetentionRule("ten-years", 3650))
    first = plan_retention(aged, "ten-years")
    names = load_steps(aged, first)["victim_path"]
    assert sorted(names) == ["chelsea.jpg", "coffee.jpg"]
    less = trim_plan(aged, first.plan_id, drop=[names.to_list().index("chelsea.jpg")])
    os.utime(pictures / "more/coffee.jpg", (OLD.timestamp() - 9, OLD.timestamp() - 9))
    index(aged, and_match=False)
    remove_retention(aged, "ten-years")
    again, changed = refresh_plan(aged, less.plan_id)
    assert (again.kind, again.state, again.replaces) == ("retention", "draft", less.plan_id)
    assert aged.ledger.plan(less.plan_id).state == "superseded"
    # The older of the two equal files stays now; what was dropped by hand stays dropped.
    assert load_steps(aged, again)["victim_path"].to_list() == ["coffee.jpg"]
    assert {line["code"] for line in again.document["left_out"]} == {"dropped", "last_copy"}
    assert changed.select("victim_path", "change").rows() == [("coffee.jpg", "changed")]
    assert "was taken away since" in " ".join(again.document["notes"])
