"""Decisions and rules by command: made, told of, exported, taken in and taken back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_process import Deeplens

from tests.examples import IN_FULL


@pytest.fixture
def own(indexed: Path, tmp_path: Path) -> Path:
    """A copy of the workspace whose ledger may be changed."""
    return Path(shutil.copytree(indexed, tmp_path / "own"))


def test_a_decision_is_made_listed_exported_and_withdrawn(deeplens: Deeplens, own: Path, tmp_path: Path) -> None:
    listed = deeplens("--workspace", own, "duplicates", "--tier", "copy", "--json").json["rows"]
    keeper = next(row for row in listed if row["is_keeper"] and row["path"].endswith("cat.jpg"))
    group = [row for row in listed if row["group_id"] == keeper["group_id"]]
    told = deeplens("--workspace", own, "decide", "alternates", keeper["group_id"], "--why", "both printed", "--json")
    pictures = len({row["digest"] for row in group})
    assert told.json["summary"]["added"] == len(told.json["rows"]) >= pictures * (pictures - 1) // 2
    after = deeplens("--workspace", own, "duplicates", "--tier", "copy", "--json").json
    assert keeper["group_id"] not in {row["group_id"] for row in after["rows"]}
    assert any("as alternates" in row["reason"] for row in after["withheld"])
    shown = deeplens("--workspace", own, "decide", "list").out
    assert "both printed" in shown and "alternates" in shown
    for name in ("all.csv", "all.json"):
        done = deeplens("--workspace", own, "decide", "export", tmp_path / name)
        assert done.code == 0 and "Wrote" in done.err
        again = deeplens("--workspace", own, "decide", "import", tmp_path / name)
        assert again.out.startswith("Nothing new is decided.\n")
    act = told.json["summary"]["act_id"]
    assert deeplens("--workspace", own, "decide", "withdraw", act).out.startswith("Withdrew ")
    assert deeplens("--workspace", own, "duplicates", "--tier", "copy", "--json").json["rows"] == listed
    assert "(withdrawn)" in deeplens("--workspace", own, "decide", "list", "--withdrawn").out
    assert "decide keep-both" in deeplens("--workspace", own, "decide", "list").out


def test_an_approval_that_has_no_effect_says_so_at_once_and_wherever_it_is_told_of(
    deeplens: Deeplens, own: Path
) -> None:
    at = ("--workspace", own)
    listed = deeplens(*at, "duplicates", "--tier", "copy", "--json").json["rows"]
    keeper = next(row for row in listed if row["is_keeper"])
    member = next(row for row in listed if row["group_id"] == keeper["group_id"] and not row["is_keeper"])
    other = next(row for row in listed if row["is_keeper"] and row["group_id"] != keeper["group_id"])
    names = [f"{row['location']}:{row['path']}" for row in (keeper, member, other)]
    told = deeplens(*at, "decide", "approve", names[1], names[0])
    assert told.out.startswith("Recorded 1 decision")
    assert f"It waits: {names[0]} for {names[1]}: by the keep policy 'default' the one that may go is" in told.out
    alone = deeplens(*at, "decide", "approve", names[1], names[2], "--json").json
    assert alone["summary"]["waiting"] == 1 and alone["rows"][0]["stored"] is False and alone["rows"][0]["waits"]
    assert "1 approval of what is no stored pair" in deeplens(*at, "decide", "approve", names[1], names[2]).out
    assert "it waits: by the keep policy 'default'" in deeplens(*at, "explain", names[0]).out
    assert len(deeplens(*at, "explain", names[1], "--json").json["waiting"]) == 2
    table = deeplens(*at, "decide", "list").out
    assert table.count("approved (waits)") == 2 and "Number 1 waits: by the keep policy" in table


def test_a_file_that_holds_no_decisions_is_refused(deeplens: Deeplens, own: Path, tmp_path: Path) -> None:
    contents = {
        "a.csv": ("kind,member_digest\nkeep_bth,x\n", "did you mean 'keep_both'"),
        "b.csv": ("knd,member_digest\nx,y\n", "did you mean 'kind'"),
        "c.csv": ("kind,member_digest,at\nnever_propose,x,today\n", "at is 'today'"),
        "d.json": ("{", "Cannot read decisions"),
        "e.json": ('{"decisions": [1]}', "no object in braces"),
        "f.json": ("[]", "no list 'decisions'"),
        "g.txt": ("", "no kind of file for decisions named '.txt'"),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        done = deeplens("--workspace", own, "decide", "import", tmp_path / name)
        assert done.code == 2 and message in done.err, name
    assert "No such file" in deeplens("--workspace", own, "decide", "import", tmp_path / "none.csv").err
    assert deeplens("--workspace", own, "decide", "export", tmp_path / "x.png").code == 2


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_rules_are_saved_shown_compared_and_used(deeplens: Deeplens, own: Path, tmp_path: Path) -> None:
    def rules(*words: object) -> str:
        done = deeplens("--workspace", own, "rules", *words)
        assert done.code == 0, done.err
        return done.out

    assert "No saved rules yet" in rules("list")
    assert "at version 1" in rules("save", "tight", "--likelihood-min", 1, "--page-likelihood-min", 1, "--note", "try")
    assert "likelihood is at least 1" in rules("show", "tight")
    (tmp_path / "rule.json").write_text(rules("show", "tight", "--json"), encoding="utf-8")
    assert "at version 1" in rules("save", "tight", "--file", tmp_path / "rule.json")
    assert "at version 2" in rules("save", "tight", "--likelihood-min", "0.97")
    assert rules("list", "--versions").count("tight") == 2
    told = json.loads(rules("diff", "strict", "tight@1", "--json"))
    more = {row["what"]: row["more"] for row in told["rows"]}
    found = {
        name: deeplens("--workspace", own, "duplicates", "--rule", name, "--json").json["summary"]
        for name in ("strict", "tight@1")
    }
    assert more["objects"] == found["tight@1"]["objects"] - found["strict"]["objects"] <= 0
    assert "verified[0].likelihood_min" in rules("diff", "tight@1", "tight")
    assert "the same in all bounds" in rules("diff", "strict", "strict")
    saved = deeplens("--workspace", own, "savings", "--rule", "tight@1", "--json").json["summary"]
    assert "not those of the strict rule, but tight" in " ".join(saved["notes"])
    # In use it is what every command goes by that names no other one.
    unused = deeplens("--workspace", own, "rules", "use")
    assert unused.code == 2 and "--default" in unused.err
    assert "In use from now on: tight, version 1." in rules("use", "tight@1")
    assert "In use: tight@1." in rules("list") and rules("list", "--versions").count("in use") == 1
    assert "likelihood is at least 1" in rules("show")
    in_use = deeplens("--workspace", own, "duplicates", "--json").json["summary"]
    assert in_use == found["tight@1"] and in_use["rule"] == "tight"
    assert deeplens("--workspace", own, "duplicates", "--rule", "strict", "--json").json["summary"] == found["strict"]
    assert deeplens("--workspace", own, "savings", "--json").json["summary"] == saved
    page = tmp_path / "report.html"
    assert deeplens("--workspace", own, "report", "savings", "--rule", "none", "--out", page).code == 2
    both = ("--rule", "tight", "--param", "likelihood_min=0.9")
    refused = deeplens("--workspace", own, "report", "savings", *both, "--out", page)
    assert refused.code == 2 and "leave out likelihood_min" in refused.err
    rules("use", "tight")
    refused = deeplens("--workspace", own, "rules", "retire", "tight")
    assert refused.code == 2 and "is in use" in refused.err
    assert "In use from now on: strict" in rules("use", "--default")
    assert deeplens("--workspace", own, "duplicates", "--json").json["summary"] == found["strict"]
    rules("retire", "tight")
    refused = deeplens("--workspace", own, "duplicates", "--rule", "tight")
    assert refused.code == 2 and "tight@2" in refused.err
    both = deeplens("--workspace", own, "rules", "save", "x", "--file", tmp_path / "rule.json", "--likelihood-min", 1)
    assert both.code == 2 and "leave out the bounds" in both.err
    (tmp_path / "rule.json").write_text("[]", encoding="utf-8")
    assert (
        "Cannot read a rule" in deeplens("--workspace", own, "rules", "save", "x", "--file", tmp_path / "rule.json").err
    )
