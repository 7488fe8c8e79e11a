"""Plans of a workspace: made, held against what changed, trimmed, made anew, and as files that can be trusted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from deeplens_kit.actions import PlanDraft, steps_as_csv
from deeplens_kit.errors import (
    LocationReadOnlyError,
    PlanError,
    PlanNotApprovedError,
    PlanStaleError,
    PlanStateError,
    SettingsError,
    WorkspaceError,
)
from deeplens_kit.ledger import PlanState
from deeplens_kit.matching import KeepPolicy
from deeplens_kit.pipeline import (
    Workspace,
    add_location,
    approve_plan,
    change_location,
    decide,
    diff_plans,
    draft_plan,
    export_plan,
    index,
    list_plans,
    load_steps,
    make_plan,
    plan_choice,
    refresh_plan,
    refuse_plan,
    require_fresh,
    trim_plan,
    verify_manifest,
)
from deeplens_kit.pipeline.plan_facts import files_acted_on, with_objections
from deeplens_kit.pipeline.workspace import SIGNING_KEY_FILE

PRICES = 'currency: EUR\nlocations: {"*": {storage_classes: {"*": {storage_per_gb_month: 0.02}}}}\n'


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`vault` has two pictures, `disk` each of them twice, one with a sidecar both times; `disk` alone is open."""
    folder = tmp_path_factory.mktemp("plans")
    draw = np.random.default_rng(3)
    for name in ("disk/a", "disk/b", "vault"):
        (folder / name).mkdir(parents=True)
    for name in ("one.png", "two.png"):
        Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / "vault" / name)
        for place in ("disk/a", "disk/b"):
            shutil.copy(folder / "vault" / name, folder / place / name)
        # The older of equal files stays.
        os.utime(folder / "vault" / name, (1_700_000_000, 1_700_000_000))
    for place in ("disk/a", "disk/b"):
        (folder / place / "two.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    with Workspace.create(folder / "workspace") as workspace:
        add_location(workspace, "disk", str(folder / "disk"), {"permissions": "change"})
        add_location(workspace, "vault", str(folder / "vault"))
        index(workspace)
        (workspace.directory / "prices.yaml").write_text(PRICES)
    return folder / "workspace"


@pytest.fixture
def workspace(indexed: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the stores, over the same pictures: no test changes those."""
    with Workspace.open(shutil.copytree(indexed, tmp_path / "workspace")) as opened:
        yield opened


def drafted(workspace: Workspace, **choice: Any) -> PlanDraft:
    return draft_plan(workspace, plan_choice(workspace, **choice))


def paths(steps: pl.DataFrame) -> list[str]:
    return sorted(steps["victim_path"])


def test_a_plan_acts_where_it_may_and_says_what_it_leaves_out(workspace: Workspace) -> None:
    record = make_plan(workspace)
    steps = load_steps(workspace, record)
    # Of the family that is there twice the first stays, and no stray picture stands for it.
    assert paths(steps) == ["a/one.png", "b/one.png", "b/two.png", "b/two.xmp"]
    assert set(steps.drop_nulls("together")["victim_path"]) == {"b/two.png", "b/two.xmp"}
    assert record.state == PlanState.DRAFT and record.document["evidence"] is None
    totals = record.document["totals"]
    assert totals["frees_bytes"] == steps["victim_size_bytes"].sum() == totals["by_location"][0]["frees_bytes"]
    assert totals["by_location"][0]["currency"] == "EUR" and steps["money_per_month"].null_count() == 0
    # A local file is read again, and so is its keeper.
    assert totals["proof_bytes"] == (steps["victim_size_bytes"] + steps["keeper_size_bytes"]).sum()
    left = {(line["code"], line["location"]): line["objects"] for line in record.document["left_out"]}
    assert left == {("closed", "vault"): 1}
    assert list_plans(workspace)["plan_id"].to_list() == [record.plan_id]


def test_a_choice_narrows_a_plan_and_what_cannot_be_is_refused(workspace: Workspace) -> None:
    assert drafted(workspace, limit=1).steps.height == 1
    assert drafted(workspace, locations=["vault"]).steps.is_empty()
    with pytest.raises(PlanError, match="not opened for changes"):
        make_plan(workspace, locations=["vault"])
    kept = KeepPolicy("mine", protected_paths=("b/**",))
    assert not any(path.startswith("b/") for path in paths(drafted(workspace, policy=kept).steps))
    links = drafted(workspace, action="hardlink")
    assert set(links.left_out["code"]) >= {"elsewhere"}
    refused = (
        {"tiers": ["scene"]},
        {"tiers": ["sure"]},
        {"action": "burn"},
        {"action": "move"},
        {"action": "move", "to": "vault"},
        {"storage_class": "COLD"},
        {"action": "storage_class"},
    )
    for choice in refused:
        with pytest.raises(SettingsError):
            drafted(workspace, **choice)
    moved = drafted(workspace, action="move", to="disk/old").steps
    assert moved.is_empty()
    evidence = make_plan(workspace, tiers=["bytes", "copy"]).document["evidence"]
    assert evidence["labels"] == 0 and "label sample" in evidence["missing"]


def later(workspace: Workspace, change: Callable[[], object]) -> None:
    """A plan is fresh, then something happens, and it is stale."""
    record = make_plan(workspace)
    steps = load_steps(workspace, record)
    require_fresh(workspace, record, steps, datetime.now(UTC))
    change()
    require_fresh(workspace, record, steps, datetime.now(UTC))


def test_a_plan_goes_stale_when_people_say_otherwise(workspace: Workspace) -> None:
    with pytest.raises(PlanStaleError, match="decided against"):
        later(workspace, lambda: decide(workspace, "never_propose", "disk:b/two.png"))
    with pytest.raises(PlanStaleError, match=r"a hold covers 1 of its files, 'a/one\.png'"):
        later(workspace, lambda: workspace.ledger.add_hold(location="disk", glob="a/*", why="a court asked"))
    with pytest.raises(LocationReadOnlyError, match="permissions=change"):
        later(workspace, lambda: change_location(workspace, "disk", {"permissions": "read"}))


def test_a_plan_goes_stale_with_age_and_when_the_catalog_changed(workspace: Workspace) -> None:
    record = make_plan(workspace)
    steps, now = load_steps(workspace, record), datetime.now(UTC)
    require_fresh(workspace, record, steps, now + timedelta(days=7))
    with pytest.raises(PlanStaleError, match="8 days ago, and plans hold for 7"):
        require_fresh(workspace, record, steps, now + timedelta(days=8))
    for column, value, says in (
        ("victim_token", "other", "changed since"),
        ("keeper_token", "other", "that should stay changed since"),
        ("victim_digest", "0" * 64, "changed since"),
        ("victim_path", "nowhere.png", r"'nowhere\.png' is gone since"),
    ):
        first = steps.head(1).with_columns(pl.lit(value).alias(column))
        with pytest.raises(PlanStaleError, match=says):
            require_fresh(workspace, record, first, now)
    require_fresh(workspace, record, steps.with_columns(victim_token=pl.col("victim_token") + "~"), now)
    workspace.ledger.set_location_active("vault", False)
    with pytest.raises(PlanStaleError, match="'vault' of keepers was left out"):
        require_fresh(workspace, record, steps, now)
    workspace.ledger.set_location_active("vault", True)
    workspace.settings = replace(workspace.settings, actions=replace(workspace.settings.actions, tiers=("pixels",)))
    with pytest.raises(PlanStaleError, match="bytes, which is not acted on"):
        require_fresh(workspace, record, steps, now)


def test_a_trimmed_plan_takes_the_place_of_the_other_and_needs_approval_anew(workspace: Workspace) -> None:
    record = make_plan(workspace)
    approve_plan(workspace, record.plan_id, "looked at it")
    steps = load_steps(workspace, record)
    number = dict(steps.select("victim_path", "step").iter_rows())
    # The sidecar goes out with the picture that it belongs with.
    less = trim_plan(workspace, record.plan_id, drop=[number["b/two.png"]])
    assert paths(load_steps(workspace, less)) == ["a/one.png", "b/one.png"]
    assert (less.state, less.replaces, less.document["dropped"]) == (PlanState.DRAFT, record.plan_id, 2)
    # What was looked at for it is as old as before.
    assert less.created_at > record.created_at
    old = record.created_at + timedelta(days=8)
    with pytest.raises(PlanStaleError, match="8 days ago"):
        require_fresh(workspace, replace(less, created_at=old), load_steps(workspace, less), old)
    assert workspace.ledger.plan(record.plan_id).state == PlanState.SUPERSEDED
    assert diff_plans(workspace, None, less.plan_id)["change"].to_list() == ["gone", "gone"]
    # By hand stays by hand.
    again, changed = refresh_plan(workspace, less.plan_id)
    assert paths(load_steps(workspace, again)) == ["a/one.png", "b/one.png"] and changed.is_empty()
    assert {line["code"] for line in again.document["left_out"]} == {"closed", "dropped"}
    assert "evidence_at" not in again.document
    edited = steps_as_csv(load_steps(workspace, again).filter(victim_path="a/one.png"), {})
    # As a spreadsheet may write it: times and numbers in other forms, and semicolons.
    anew = pl.read_csv(edited, infer_schema=False).with_columns(victim_modified_at=pl.lit("14.11.23 22:13"))
    one = trim_plan(workspace, again.plan_id, from_csv=b"\xef\xbb\xbf" + anew.write_csv(separator=";").encode())
    assert paths(load_steps(workspace, one)) == ["a/one.png"]
    for wrong in (
        {"drop": [7]},
        {"drop_groups": ["zz"]},
        {"only_locations": ["disk"]},
        {"only_locations": ["vault"]},
        {"from_csv": edited.replace(b"a/one.png", b"b/one.png")},
        {"from_csv": b"step\n0\n"},
    ):
        with pytest.raises(PlanError):
            trim_plan(workspace, one.plan_id, **wrong)
    with pytest.raises(PlanStateError, match="superseded"):
        trim_plan(workspace, record.plan_id, drop=[0])


def test_a_refreshed_plan_says_what_changed(workspace: Workspace) -> None:
    record = make_plan(workspace)
    decide(workspace, "never_propose", "disk:b/one.png")
    with pytest.raises(PlanStaleError):
        approve_plan(workspace, record.plan_id)
    new, changed = refresh_plan(workspace, record.plan_id)
    assert set(changed["victim_path"]) >= {"b/one.png"} and set(changed["change"]) == {"gone"}
    assert approve_plan(workspace, new.plan_id).state == PlanState.APPROVED
    assert refuse_plan(workspace, new.plan_id, "not these").state == PlanState.REFUSED
    with pytest.raises(PlanError, match="nothing to plan"):
        make_plan(workspace, tiers=["pixels"])


def test_somebody_else_has_to_approve_where_the_workspace_asks_for_it(workspace: Workspace) -> None:
    workspace.settings = replace(workspace.settings, actions=replace(workspace.settings.actions, other_approver=True))
    with pytest.raises(PlanNotApprovedError):
        approve_plan(workspace, make_plan(workspace).plan_id)


def test_a_manifest_is_signed_and_whatever_is_altered_in_it_is_found(workspace: Workspace) -> None:
    record = make_plan(workspace)
    content = b"".join(export_plan(workspace, record.plan_id, ".json"))
    key = workspace.directory / SIGNING_KEY_FILE
    assert key.stat().st_mode & 0o777 == 0o600 and key in workspace.own_paths()
    found = verify_manifest(workspace, content)
    assert found.ours and found.known
    assert found.manifest.steps.equals(load_steps(workspace, record))
    assert verify_manifest(workspace, json.dumps(json.loads(content)).encode()).ours
    for was, becomes in (
        (b'"a/one.png"', b'"b/other.png"'),
        (b'"action": "remove"', b'"action": "redirect"'),
        (b'"steps_digest": "', b'"steps_digest": "0'),
        (b'"signature": "', b'"signature": "00'),
        (b'"kind": "duplicates"', b'"kind": "retention"'),
        (content[:1], b""),
        (b'"plan": {', b'"plan": 1, "x": {'),
    ):
        assert was in content
        with pytest.raises(PlanError):
            verify_manifest(workspace, content.replace(was, becomes, 1))
    key.chmod(0o644)
    with pytest.raises(WorkspaceError, match="chmod 600"):
        export_plan(workspace, record.plan_id, ".json")
    key.unlink()
    assert verify_manifest(workspace, content).ours is None
    list(export_plan(workspace, record.plan_id, ".json"))
    assert verify_manifest(workspace, content).ours is False
    with pytest.raises(SettingsError, match=r"\.parquet"):
        export_plan(workspace, record.plan_id, ".txt")


def test_steps_that_were_altered_in_the_ledger_are_refused(workspace: Workspace) -> None:
    record = make_plan(workspace)
    with pytest.raises(PlanError, match="audit verify"):
        load_steps(workspace, replace(record, steps_digest="0" * 64))


def test_a_hold_covers_a_file_by_whatever_name_a_plan_has_for_it(workspace: Workspace, indexed: Path) -> None:
    add_location(workspace, "inner", str(indexed.parent / "disk" / "a"))
    index(workspace, ["inner"])
    workspace.ledger.add_hold(location="inner", glob="one.png", why="a court asked")
    assert paths(draft_plan(workspace, plan_choice(workspace)).steps) == ["b/one.png", "b/two.png", "b/two.xmp"]


def test_a_hold_covers_what_the_catalog_does_not_know(workspace: Workspace) -> None:
    record = make_plan(workspace)
    steps = load_steps(workspace, record).head(1).with_columns(victim_path=pl.lit("lists/all.txt"))
    workspace.ledger.add_hold(location="disk", glob="lists/*", why="a court asked")
    judged = with_objections(workspace, files_acted_on(workspace, steps))
    assert judged.select("path", "held").rows() == [("lists/all.txt", True)]
