"""Retention by command: rules, and a plan in which each file has its keeper and last copies are left out."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli_process import Deeplens

from deeplens_kit.pipeline import Workspace, change_location


def test_a_rule_makes_a_plan(deeplens: Deeplens, indexed: Path, tmp_path: Path) -> None:
    own = shutil.copytree(indexed, tmp_path / "own")
    with Workspace.open(own) as workspace:
        for name in ("archive", "shop"):
            change_location(workspace, name, {"permissions": "change"})
    for name, place in (("old", "shop"), ("all", "archive")):
        words = ("retention", "add", name, "--older-than", "0.000001d", "--location", place)
        added = deeplens("--workspace", own, *words)
        assert added.code == 0 and f"deeplens retention plan {name}" in added.out
    assert deeplens("--workspace", own, "retention", "list", "--json").json["rows"][1]["locations"] == ["shop"]
    alone = deeplens("--workspace", own, "retention", "plan", "old")
    assert alone.code == 7 and "the last copy that would stay" in alone.err and "--action move" in alone.err
    made = deeplens("--workspace", own, "retention", "plan", "all", "--json").json
    plan_id = made["summary"]["plan_id"]
    assert [(row["victim_path"], row["keeper_path"]) for row in made["rows"]] == [("cat again.jpg", "2023/cat.jpg")]
    # Of a file with two names one is told as the last copy, and the other as a name of it.
    told = deeplens("--workspace", own, "plan", "show", plan_id).out
    assert "2 at archive: it is the last copy that would stay" in told and "1 at archive: it frees nothing" in told
    assert deeplens("--workspace", own, "plan", "approve", plan_id).code == 0
    assert deeplens("--workspace", own, "retention", "remove", "old").code == 0
    wrong = deeplens("--workspace", own, "retention", "add", "x", "--older-than", "10 years")
    assert wrong.code == 2 and "3650d" in wrong.err
