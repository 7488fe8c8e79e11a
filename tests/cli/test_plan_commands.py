"""Plans by command: made, looked at, trimmed, approved, refused, made anew, written to files and checked."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import polars as pl
import pytest
from cli_process import Deeplens

from deeplens_kit.pipeline import Workspace, change_location


@pytest.fixture
def own(indexed: Path, tmp_path: Path) -> Path:
    """A copy of the workspace with its shop opened for changes; the pictures are those of all."""
    folder = Path(shutil.copytree(indexed, tmp_path / "own"))
    with Workspace.open(folder) as workspace:
        change_location(workspace, "shop", {"permissions": "change"})
    return folder


def test_a_plan_is_made_looked_at_trimmed_and_approved(deeplens: Deeplens, own: Path, tmp_path: Path) -> None:
    made = deeplens("--workspace", own, "plan", "make", "--tier", "bytes", "--tier", "copy", "--json").json
    steps, plan_id = made["rows"], made["summary"]["plan_id"]
    assert {row["victim_location"] for row in steps} == {"shop"} and len(steps) > 1
    assert made["summary"]["document"]["evidence"]["labels"] == 0
    shown = deeplens("--workspace", own, "plan", "show", plan_id[:4]).out
    assert "Copies rest on the rule alone" in shown and "left out, for these reasons" in shown
    assert "permissions=change" in shown and f"deeplens plan approve {plan_id}" in shown
    # Out of an export one row is taken.
    listed = tmp_path / "steps.csv"
    assert deeplens("--workspace", own, "plan", "export", plan_id, listed).code == 0
    rows = list(csv.reader(listed.read_text(encoding="utf-8").splitlines(keepends=True)))
    with listed.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows[:-1])
    less = deeplens("--workspace", own, "plan", "trim", plan_id, "--from-csv", listed, "--json").json
    new_id = less["summary"]["plan_id"]
    assert less["summary"]["gone"] >= 1 and less["summary"]["replaces"] == plan_id
    told = deeplens("--workspace", own, "plan", "diff", new_id)
    assert "gone" in told.out and f"{less['summary']['gone']:,} gone" in told.out
    approved = deeplens("--workspace", own, "plan", "approve", new_id, "--note", "all of it")
    assert approved.code == 0 and f"Approved plan {new_id}" in approved.out
    table = deeplens("--workspace", own, "plan", "list", "--all").out
    assert "approved" in table and "superseded" in table
    again = deeplens("--workspace", own, "plan", "refresh", new_id, "--json").json
    assert again["rows"] == [] and again["summary"]["state"] == "draft"
    refused = deeplens("--workspace", own, "plan", "refuse", again["summary"]["plan_id"], "--why", "not these")
    assert refused.code == 0 and "is not applied" in refused.out
    last = again["summary"]["plan_id"]
    for words in (("plan", "approve"), ("apply",)):
        late = deeplens("--workspace", own, *words, plan_id)
        assert (late.code, late.out) == (7, "") and late.err.count("\n") == 1
        assert "superseded" in late.err and f"plan {last} took its place" in late.err
    assert f"Plan {last} took its place" in deeplens("--workspace", own, "plan", "show", plan_id).out


def test_a_manifest_is_checked_and_a_page_is_drawn(deeplens: Deeplens, own: Path, tmp_path: Path) -> None:
    plan_id = deeplens("--workspace", own, "plan", "make", "--tier", "copy", "--json").json["summary"]["plan_id"]
    manifest, parquet, page = (tmp_path / f"plan.{ending}" for ending in ("json", "parquet", "html"))
    for file in (manifest, parquet):
        assert deeplens("--workspace", own, "plan", "export", plan_id, file).code == 0
    assert pl.read_parquet(parquet).height == len(
        deeplens("--workspace", own, "plan", "show", plan_id, "--json").json["rows"]
    )
    checked = deeplens("--workspace", own, "plan", "verify", manifest)
    assert "are right" in checked.out and "signed by this workspace" in checked.out
    manifest.write_text(manifest.read_text().replace('"remove"', '"redirect"'))
    altered = deeplens("--workspace", own, "plan", "verify", manifest)
    assert altered.code == 7 and "altered" in altered.err
    assert deeplens("--workspace", own, "plan", "preview", plan_id, page).code == 0
    html = page.read_text(encoding="utf-8")
    assert html.count('class="chip go"') == html.count('class="chip keep"') > 0
    assert "data:image/webp" in html and "<script" not in html
    # Names that could be markup are text.
    assert "cat-small.jpg" in html or "=1+1.jpg" in html


def test_what_cannot_be_planned_is_said_in_one_line(deeplens: Deeplens, own: Path, tmp_path: Path) -> None:
    wrong = {
        ("make", "--tier", "scene"): (2, "scene"),
        ("make", "--action", "burn"): (2, "burn"),
        ("make", "--action", "move"): (2, "--to"),
        ("make", "archive", "--tier", "bytes"): (7, "not opened for changes"),
        ("show", "nothing"): (2, "nothing"),
        ("trim", "nothing"): (2, "--drop"),
        ("export", "nothing", tmp_path / "plan.doc"): (2, "nothing"),
        ("verify", tmp_path / "absent.json"): (2, "Cannot read"),
    }
    for words, (code, says) in wrong.items():
        done = deeplens("--workspace", own, "plan", *words)
        assert (done.code, done.out) == (code, ""), words
        assert says in done.err and done.err.count("\n") == 1


def test_references_are_found_by_a_map_and_planned(deeplens: Deeplens, tmp_path: Path) -> None:
    own, lists = tmp_path / "workspace", tmp_path / "lists"
    lists.mkdir()
    (lists / "shop.txt").write_text("/old/a.png\n/old/b.png copy.png\n")
    moved = tmp_path / "moved.csv"
    moved.write_text("old,new\n/old/a.png,/new/a.png\n/old/b.png,/new/b.png\n")
    deeplens("init", own)
    deeplens("--workspace", own, "locations", "add", "lists", lists, "--option", "permissions=change")
    assert "--in LOCATION" in deeplens("--workspace", own, "references", "plan", moved).err
    found = deeplens("--workspace", own, "references", "plan", moved, "--in", "lists").out
    assert "/new/a.png" in found and "longer name with a space" in found
    made = deeplens("--workspace", own, "references", "plan", moved, "--in", "lists", "--json").json
    assert made["rows"][0]["after"] == "/new/a.png" and made["summary"]["left"][0]["text"] == "/old/b.png"
    shown = deeplens("--workspace", own, "plan", "show", made["summary"]["plan_id"]).out
    assert "- /old/a.png" in shown and "+ /new/a.png" in shown and "rewrite to" not in shown
    nothing = deeplens("--workspace", own, "references", "plan", moved, "--in", "lists", "--glob", "*.csv")
    assert nothing.code == 0 and "No reference to a file that went was found" in nothing.out
    assert "/old/a.png" in (lists / "shop.txt").read_text()
