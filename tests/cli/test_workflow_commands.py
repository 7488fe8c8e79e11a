"""Standing workflows by command: added, looked at, run as cron runs them, paused and resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cli_process import Deeplens, Result
from PIL import Image

from deeplens_kit.pipeline import Workspace, index


@pytest.fixture
def run(deeplens: Deeplens, tmp_path: Path) -> Callable[..., Result]:
    """Two pictures in `vault` and a copy of each in `share`, which is open; indexed."""
    draw = np.random.default_rng(3)
    for name in ("share", "vault"):
        (tmp_path / name).mkdir()
    for number in range(2):
        picture = tmp_path / "vault" / f"{number}.png"
        Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(picture)
        shutil.copy(picture, tmp_path / "share" / f"copy{number}.png")
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("vault", str(tmp_path / "vault"), {})
        workspace.ledger.add_location("share", str(tmp_path / "share"), {"permissions": "change"})
        index(workspace, and_match=False)
    return lambda *words: deeplens("--workspace", tmp_path / "workspace", "workflows", *words)


BOUNDS = ("--auto-approve-objects", "5", "--auto-approve-bytes", "1MB", "--auto-approve-share", "100%")


def test_a_workflow_is_added_bounded_run_and_looked_back_at(run: Callable[..., Result], tmp_path: Path) -> None:
    added = run("add", "nightly", "--every", "0 3 * * mon", "--timezone", "Europe/Berlin", "--location", "share")
    assert added.code == 0 and "Nobody set bounds" in added.out, added.err
    assert "nobody set bounds" in run("preview", "nightly").out
    waits = run("run", "nightly")
    # What waits is on standard error, which cron mails.
    assert (waits.code, "waits for a person" in waits.err, waits.out.strip()) == (0, True, "")
    bounded = run("bounds", "nightly", "--objects", "5", "--bytes", "1MB", "--share", "100%")
    assert "5 files, 1.00 MB and 100.00% of each location's files at most" in bounded.out
    done = run("run", "nightly", "--index", "--json")
    assert (done.code, done.json["summary"]["state"], done.json["rows"][0]["done"]) == (0, "applied", 2)
    assert [path.name for path in (tmp_path / "share").iterdir()] == [".deeplens-quarantine"]
    line = run("show", "nightly", "--form", "crontab", "--index").out
    assert "# DeepLens workflow; times are of Europe/Berlin." in line
    assert "0 3 * * 1 DEEPLENS_WORKSPACE=" in line and "workflows run nightly --index >/dev/null" in line
    assert "deeplens-nightly.timer" in run("show", "nightly", "--form", "systemd").out
    kubernetes = run("show", "nightly", "--form", "kubernetes").out
    assert "- name: workflow" in kubernetes and "deeplens-reports" not in kubernetes
    history = run("history", "nightly", "--json").json["rows"]
    assert [row["state"] for row in history] == ["applied", "waiting"]
    assert "2 of 2" in run("history").out
    listed = run("list", "--json").json["rows"][0]
    assert (listed["workflow"], listed["state"], listed["every"]) == ("nightly", "active", "0 3 * * 1")


def test_a_paused_workflow_ends_with_7_until_it_is_resumed(run: Callable[..., Result], tmp_path: Path) -> None:
    assert run("add", "nightly", "--every", "@daily", "--location", "share", *BOUNDS).code == 0
    assert "the share moves" in run("pause", "nightly", "--why", "the share moves").out
    paused = run("run", "nightly")
    assert (paused.code, paused.out, "is paused since" in paused.err) == (7, "", True)
    assert run("resume", "nightly", "--note", "it moved").code == 0
    (tmp_path / "share").rename(tmp_path / "away")
    amiss = run("run", "nightly")
    assert (amiss.code, "paused itself" in amiss.err) == (7, True)
    assert run("resume", "nightly").code == 0
    assert run("remove", "nightly").code == 0
    assert run("run", "nightly").code == 2


def test_bounds_are_whole_and_times_are_checked(run: Callable[..., Result]) -> None:
    part = run("add", "nightly", "--every", "@daily", "--auto-approve-objects", "5")
    assert (part.code, "need all of --auto-approve-objects" in part.err) == (2, True)
    share = run("add", "nightly", "--every", "@daily", *BOUNDS[:-1], "150%")
    assert (share.code, "a share such as 5%" in share.err) == (2, True)
    assert run("add", "nightly", "--every", "at night").code == 2
    assert run("bounds", "nightly").code == 2
    assert run("list", "--json").json["rows"] == []
