"""Plans are applied, looked at, undone and certified by command; what must be refused is, with one clear line."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_process import Deeplens, Result
from PIL import Image

from deeplens_kit.pipeline import Workspace, index


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three pictures in one location, and a copy of each in another; indexed."""
    random = np.random.default_rng(3)
    for name in ("archive", "laptop"):
        (tmp_path / name).mkdir()
    for number in range(3):
        noise = Image.fromarray(random.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize((120, 90))
        noise.save(tmp_path / "archive" / f"{number}.jpg")
        shutil.copy2(tmp_path / "archive" / f"{number}.jpg", tmp_path / "laptop" / f"copy{number}.jpg")
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("archive", str(tmp_path / "archive"), {})
        workspace.ledger.add_location("laptop", str(tmp_path / "laptop"), {"permissions": "change"})
        index(workspace, and_match=False)
    return tmp_path


@pytest.fixture
def run(deeplens: Deeplens, library: Path) -> Callable[..., Result]:
    return lambda *words: deeplens("--workspace", library / "workspace", *words)


@pytest.fixture
def plan(run: Callable[..., Result]) -> str:
    """A plan of all three copies, not approved."""
    made = run("plan", "make", "laptop", "--tier", "bytes", "--json")
    assert made.code == 0, made.err
    return str(made.json["summary"]["plan_id"])


def _tree(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        str(file.relative_to(folder)): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for name in ("archive", "laptop")
        for file in (folder / name).rglob("*")
        if file.is_file()
    }


def test_a_plan_is_applied_certified_and_undone(run: Callable[..., Result], plan: str, library: Path) -> None:
    start = _tree(library)
    looked = run("apply", plan, "--json")
    assert (looked.code, looked.json["summary"]["possible"], looked.json["summary"]["dry_run"]) == (0, 3, True)
    assert _tree(library) == start
    assert run("plan", "approve", plan).code == 0
    done = run("apply", plan, "--really", "--json")
    assert (done.code, done.json["summary"]["done"], done.json["summary"]["state"]) == (0, 3, "finished")
    application = done.json["summary"]["application_id"]
    assert sorted(file.name for file in (library / "laptop").iterdir()) == [".deeplens-quarantine"]
    assert run("duplicates", "--json").json["rows"] == []
    listed = run("quarantine", "list", "--json").json
    assert (listed["summary"]["files"], listed["rows"][0]["keeper_location"]) == (3, "archive")
    told = run("certificate", application, "--html", library / "c.html", "--redirects", library / "moved.csv")
    assert "3 of 3 steps stand." in told.out
    page = (library / "c.html").read_text(encoding="utf-8")
    assert "copy1.jpg" in page and "<script" not in page
    with (library / "moved.csv").open(newline="", encoding="utf-8") as file:
        moved = {row["path"]: (row["location_now"], row["path_now"]) for row in csv.DictReader(file)}
    assert moved["copy2.jpg"] == ("archive", "2.jpg")
    assert (
        run("certificate", application, "--redirects", library / "moved.json", "--json").json["summary"]["totals"][
            "in_quarantine"
        ]
        == 3
    )
    assert len(json.loads((library / "moved.json").read_text(encoding="utf-8"))["redirects"]) == 3
    assert run("undo", application).code == 2  # nobody is there to ask
    undone = run("undo", application, "--yes")
    assert (undone.code, "3 steps undone" in undone.out) == (0, True)
    assert _tree(library) == start
    assert len(run("duplicates", "--json").json["rows"]) == 6
    again = run("undo", application, "--yes")
    assert (again.code, "is undone already" in again.err) == (7, True)
    assert run("audit", "verify").code == 0


def test_it_is_emptied_only_by_name_and_told_what_came_free(
    run: Callable[..., Result], plan: str, library: Path
) -> None:
    run("plan", "approve", plan)
    application = run("apply", plan, "--really", "--json").json["summary"]["application_id"]
    item = run("quarantine", "list", "--json").json["rows"][0]
    back = run("quarantine", "restore", item["item_id"])
    assert (back.code, back.out.splitlines()[-1]) == (0, "Restored 1 file.")
    assert (library / "laptop" / item["path"]).is_file()
    assert "no file in quarantine has expired" in run("quarantine", "empty").out
    refused = run("quarantine", "empty", "--all")
    assert (refused.code, f"--yes-empty {application}" in refused.err) == (2, True)
    (library / "archive" / "1.jpg").write_bytes(b"another picture")
    emptied = run("quarantine", "empty", "--all", "--yes-empty", application, "--json")
    kept = [row["code"] for row in emptied.json["rows"] if not row["removed"]]
    assert emptied.json["summary"]["removed"] + len(kept) == 2
    assert set(kept) <= {"keeper_changed"}
    assert emptied.json["summary"]["freed_bytes"] == emptied.json["summary"]["promised_bytes"] > 0
    totals = run("certificate", application, "--json").json["summary"]["totals"]
    assert totals["freed_bytes"] == emptied.json["summary"]["freed_bytes"]
    undone = run("undo", application, "--yes")
    assert (undone.code, "emptied" in undone.out, "gone for good" in undone.out) == (7, True, True)
    assert f"{len(emptied.json['rows']) - len(kept)} cannot come back" in undone.err


def test_what_may_not_be_applied_is_refused_with_one_line(run: Callable[..., Result], plan: str, library: Path) -> None:
    start = _tree(library)

    def refused(code: int, words: str) -> None:
        done = run("apply", plan, "--really")
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
        assert words in done.err

    refused(7, "nobody approved it as it stands")
    plain, with_really = run("apply", "--resume", "b0b0"), run("apply", "--resume", "b0b0", "--really")
    assert "b0b0" in plain.err
    assert (with_really.code, with_really.err) == (plain.code, plain.err)
    run("plan", "approve", plan)
    run("locations", "set", "laptop", "--default", "permissions")
    refused(4, "is not opened for changes")
    run("locations", "set", "laptop", "--option", "permissions=change")
    (library / "laptop" / "copy1.jpg").write_bytes(b"edited since")
    with Workspace.open(library / "workspace") as workspace:
        index(workspace, and_match=False)
    refused(7, "is stale")
    shutil.copy2(library / "archive" / "1.jpg", library / "laptop" / "copy1.jpg")
    assert _tree(library) == start


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("a", "--resume", "b"),
        ("a", "--quick", "--really"),
        ("--pause", "b", "--really"),
        ("--resume", "b", "--quick"),
    ],
)
def test_words_that_do_not_go_together(run: Callable[..., Result], words: tuple[str, ...]) -> None:
    assert run("apply", *words).code == 2
