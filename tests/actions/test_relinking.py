"""Symbolic links that lead elsewhere: killed anywhere, gone on with, undone, and never taken from somebody else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deeplens_kit.actions import ActStep, Outcome, Redirect, relinked
from deeplens_kit.schemas import ActionKind
from tests.actions.stage import Killed, Stage, kill_at

_BOUNDARIES = 6


@pytest.fixture
def linked(stage: Stage) -> Stage:
    """`one` has a link to a picture that went, and the one that stays."""
    stage.write("one/kept.png", b"kept")
    link = stage.folders["one"] / "link"
    link.symlink_to("gone.png")
    os.utime(link, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    stage.content[0] = b"kept.png"
    return stage


def step_on(stage: Stage) -> ActStep:
    return ActStep(0, ActionKind.RELINK, stage.at("one/link"), None, None, "symlink:gone.png", 8)


def test_a_link_leads_to_the_file_that_stays_and_back(linked: Stage) -> None:
    link = linked.folders["one"] / "link"
    before, step = link.lstat().st_mtime_ns, step_on(linked)
    assert linked.apply([step]).results[0].outcome is Outcome.DONE
    assert (str(link.readlink()), link.lstat().st_mtime_ns) == ("kept.png", before)
    assert linked.undo().complete
    assert (str(link.readlink()), link.lstat().st_mtime_ns) == ("gone.png", before)
    assert sorted(os.listdir(linked.folders["one"])) == ["kept.png", "link"]


@pytest.mark.parametrize("moment", range(_BOUNDARIES))
def test_a_kill_at_any_moment_is_survived(linked: Stage, moment: int) -> None:
    link, step = linked.folders["one"] / "link", step_on(linked)
    with pytest.raises(Killed):
        linked.apply([step], kill_at(moment))
    assert str(link.readlink()) in ("gone.png", "kept.png")
    linked.resume([step])
    assert str(link.readlink()) == "kept.png"
    with pytest.raises(Killed):
        linked.undo(kill_at(moment))
    assert linked.undo().complete
    assert str(link.readlink()) == "gone.png"


def _leads_elsewhere(link: Path) -> None:
    link.unlink()
    link.symlink_to("elsewhere")


def _is_a_file(link: Path) -> None:
    link.unlink()
    link.write_bytes(b"mine")


@pytest.mark.parametrize(
    ("change", "code"),
    [(_leads_elsewhere, "victim_changed"), (_is_a_file, "victim_gone"), (Path.unlink, "victim_gone")],
)
def test_what_is_no_longer_that_link_stays(linked: Stage, change: Callable[[Path], None], code: str) -> None:
    step = step_on(linked)
    change(linked.folders["one"] / "link")
    before = linked.tree()
    assert linked.apply([step]).results[0].code == code
    assert linked.tree() == before


def test_a_link_that_was_changed_since_is_not_undone(linked: Stage) -> None:
    linked.apply([step_on(linked)])
    _leads_elsewhere(linked.folders["one"] / "link")
    assert [trouble.code for trouble in linked.undo().troubles] == ["changed_since"]
    assert str((linked.folders["one"] / "link").readlink()) == "elsewhere"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("gone.png", "../kept/new.png"),
        ("./../a/gone.png", "../kept/new.png"),
        ("/a/gone.png", "/kept/new.png"),
        ("far.png", ""),
        ("other.png", None),
    ],
)
def test_where_a_link_is_to_lead(text: str, after: str | None) -> None:
    redirects = {
        "/a/gone.png": Redirect("/a/gone.png", "/kept/new.png"),
        "/a/far.png": Redirect("/a/far.png", "s3://store/far.png"),
    }
    assert relinked(text, "/a/link", redirects) == after
