"""Steps are done, resumed after a kill at any moment, and undone to the last byte."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from deeplens_kit.actions import Acting, ActStep, Outcome
from deeplens_kit.actions.acting import Came
from deeplens_kit.schemas import ActionKind
from tests.actions.stage import Killed, Stage, kill_at
from tests.examples import moments


def _outcomes(came: Came) -> list[tuple[int, str, str]]:
    assert not came.error, came
    return [(result.step, str(result.outcome), result.code) for result in came.results]


def _mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


class TestRemoving:
    def test_a_copy_goes_to_quarantine_and_comes_back(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b/c.jpg", b"picture")
        start = stage.tree()
        came = stage.apply([stage.step(0, victim, keeper)])
        assert _outcomes(came) == [(0, "done", "")]
        assert stage.outside_quarantine() == ["one/a.jpg"]
        assert stage.tree()[f"two/.deeplens-quarantine/{stage.application_id}/b/c.jpg"] == start["two/b/c.jpg"]
        (held,) = stage.ledger.quarantined(application_id=stage.application_id)
        assert (held.path, held.keeper_path, held.size_bytes) == ("b/c.jpg", "a.jpg", 7)
        report = stage.undo()
        assert report.complete
        assert report.undone == {0: victim}
        assert stage.tree() == start
        assert stage.ledger.quarantined(application_id=stage.application_id) == []

    def test_a_folder_that_hides_its_files_hides_them_in_quarantine_and_comes_back_so(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("one/shop/june/c.jpg", b"picture")
        shop = stage.folders["one"] / "shop"
        shop.chmod(0o750)
        (shop / "june").chmod(0o2777)
        stage.apply([stage.step(0, victim, keeper)])
        quarantine = stage.folders["one"] / ".deeplens-quarantine"
        assert [_mode(folder) for folder in (quarantine, quarantine / stage.application_id)] == [0o700, 0o700]
        (shop / "june").rmdir()
        shop.rmdir()
        assert stage.undo().complete
        assert [_mode(folder) for folder in (shop, shop / "june")] == [0o750, 0o2777]
        assert stage.outside_quarantine() == ["one/a.jpg", "one/shop/june/c.jpg"]

    def test_undoing_again_finds_nothing_to_do(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        stage.apply([stage.step(0, victim, keeper)])
        stage.undo()
        assert stage.undo().undone == {}

    def test_a_dry_run_changes_nothing_and_writes_nothing(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        other = stage.write("two/c.jpg", b"something else")
        steps = [stage.step(0, victim, keeper), stage.step(1, other, keeper)]
        start = stage.tree()
        stage.begin()
        came = Acting(stage.ground()).rehearse(steps)
        assert _outcomes(came) == [(0, "possible", ""), (1, "skipped", "keeper_other_content")]
        assert stage.tree() == start
        assert list(stage.ledger.journal(stage.application_id)) == []


class TestOtherActions:
    @pytest.mark.parametrize("action", [ActionKind.HARDLINK, ActionKind.SYMLINK, ActionKind.REDIRECT])
    def test_something_takes_the_place_of_the_file_and_is_taken_back(self, stage: Stage, action: ActionKind) -> None:
        keeper, victim = stage.write("one/k/a.jpg", b"picture"), stage.write("one/v/b.jpg", b"picture")
        start = stage.tree()
        came = stage.apply([stage.step(0, victim, keeper, action=action)])
        assert _outcomes(came) == [(0, "done", "")]
        placed = stage.folders["one"] / "v/b.jpg"
        if action is ActionKind.REDIRECT:
            assert "Path: k/a.jpg" in placed.read_text()
        else:
            assert placed.read_bytes() == b"picture"
            assert placed.samefile(stage.folders["one"] / "k/a.jpg")
        assert stage.undo().complete
        assert stage.tree() == start

    @pytest.mark.parametrize("action", [ActionKind.HARDLINK, ActionKind.SYMLINK])
    def test_a_link_shuts_nobody_out_who_could_read_the_copy(self, stage: Stage, action: ActionKind) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("one/b.jpg", b"picture")
        (stage.folders["one"] / "a.jpg").chmod(0o600)
        (stage.folders["one"] / "b.jpg").chmod(0o640)
        start, step = stage.tree(), stage.step(0, victim, keeper, action=action)
        assert _outcomes(stage.apply([step])) == [(0, "skipped", "keeper_less_readable")]
        assert stage.tree() == start
        (stage.folders["one"] / "a.jpg").chmod(0o644)
        assert _outcomes(stage.apply([step])) == [(0, "done", "")]

    def test_a_file_moves_to_another_location_and_comes_back(self, stage: Stage) -> None:
        victim = stage.write("one/a.jpg", b"picture")
        start = stage.tree()
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/kept/a.jpg"))
        assert _outcomes(stage.apply([step])) == [(0, "done", "")]
        assert stage.outside_quarantine() == ["two/kept/a.jpg"]
        assert stage.undo().complete
        assert stage.tree() == start

    def test_a_moved_file_has_its_permissions_and_extended_attributes(self, stage: Stage) -> None:
        victim = stage.write("one/a.jpg", b"picture")
        source = stage.folders["one"] / "a.jpg"
        source.chmod(0o600)
        attributes = {"user.note": b"hers", "user.odd": b"base64:\xff"}
        try:
            for name, value in attributes.items():
                os.setxattr(source, name, value)
        except OSError:
            attributes = {}
        seen: list[int] = []
        moved = stage.folders["two"] / "a.jpg"
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        # Not for a moment others may read it.
        stage.apply([step], lambda _name: seen.extend([_mode(moved)] if moved.exists() else []))
        assert set(seen) == {0o600}
        assert {name: os.getxattr(moved, name) for name in os.listxattr(moved)}.items() >= attributes.items()
        created = [line for line in stage.ledger.journal(stage.application_id) if line.operation == "create"]
        assert all("left" not in line.facts for line in created)
        assert stage.undo().complete
        assert _mode(source) == 0o600
        assert {name: os.getxattr(source, name) for name in attributes} == attributes

    def test_the_folders_that_were_made_for_moved_files_go_again_and_no_others(self, stage: Stage) -> None:
        victims = [stage.write(f"one/{name}.jpg", name.encode()) for name in "ab"]
        (stage.folders["two"] / "old").mkdir()
        steps = [
            stage.step(at, victim, None, action=ActionKind.MOVE, target=stage.at(f"two/old/new/er/{at}.jpg"))
            for at, victim in enumerate(victims)
        ]
        assert _outcomes(stage.apply(steps)) == [(0, "done", ""), (1, "done", "")]
        assert stage.undo().complete
        assert [file.name for file in stage.folders["two"].rglob("*") if "quarantine" not in str(file)] == ["old"]

    def test_a_text_is_rewritten_and_has_its_old_content_again(self, stage: Stage) -> None:
        victim = stage.write("one/list.txt", b"old")
        os.utime(stage.folders["one"] / "list.txt", ns=(0, 1_700_000_000_123_456_789))
        start = stage.tree()
        stage.content[0] = b"new text"
        assert _outcomes(stage.apply([stage.step(0, victim, None, action=ActionKind.REWRITE)])) == [(0, "done", "")]
        assert (stage.folders["one"] / "list.txt").read_bytes() == b"new text"
        assert stage.undo().complete
        assert stage.tree() == start


_SCENES = ("remove", "hardlink", "symlink", "redirect", "move", "rewrite", "together", "create")


def _scene(stage: Stage, name: str) -> list[ActStep]:
    """Steps of one kind; two where they are done all or none."""
    victim, keeper = stage.at("one/v.jpg"), stage.at("one/k.jpg")
    match name:
        case "move":
            return [stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/v.jpg"))]
        case "rewrite":
            return [stage.step(0, victim, None, action=ActionKind.REWRITE)]
        case "create":
            return [stage.step(0, victim, None, action=ActionKind.CREATE, target=stage.at("two/new.xmp"))]
        case "together":
            return [stage.step(n, stage.at(f"one/{n}.jpg"), keeper, together="pair") for n in range(2)]
    return [stage.step(0, victim, keeper, action=ActionKind(name))]


@pytest.fixture
def start(stage: Stage) -> dict[str, tuple[str, int]]:
    """Files for every scene, and how they are."""
    for name in ("k.jpg", "v.jpg", "0.jpg", "1.jpg"):
        stage.write(f"one/{name}", b"picture")
    stage.content[0] = b"new"
    return stage.tree()


class TestKilled:
    @pytest.mark.parametrize("scene", _SCENES)
    def test_at_every_moment_it_is_finished_and_undone(
        self, stage: Stage, start: dict[str, tuple[str, int]], scene: str
    ) -> None:
        wanted = stage.contents()
        assert all(result.outcome is Outcome.DONE for result in stage.apply(_scene(stage, scene)).results)
        seen = stage.outside_quarantine()
        assert stage.undo().complete
        for number, count in enumerate(moments(_SCENES.index(scene))):
            steps = _scene(stage, scene)
            try:
                stage.apply(steps, kill_at(count))
            except Killed:
                assert wanted <= stage.contents()
            else:
                break
            # Every other time it is undone at once.
            if number % 2:
                stage.resume(steps)
                assert stage.outside_quarantine() == seen, count
                assert wanted <= stage.contents()
            assert stage.undo().complete, count
            assert stage.tree() == start, count
        assert count > 5

    @pytest.mark.parametrize("scene", _SCENES)
    def test_while_undoing_it_is_undone_all_the_same(
        self, stage: Stage, start: dict[str, tuple[str, int]], scene: str
    ) -> None:
        wanted = stage.contents()
        for count in moments(_SCENES.index(scene) + 2):
            stage.apply(_scene(stage, scene))
            try:
                stage.undo(kill_at(count))
            except Killed:
                assert wanted <= stage.contents()
            else:
                break
            assert stage.undo().complete, count
            assert stage.tree() == start, count
        assert count > 5


class TestStopping:
    def test_too_many_failures_halt_it(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        steps = [stage.step(number, stage.write(f"two/{number}", b"picture"), keeper) for number in range(30)]
        for number in range(30):
            (stage.folders["two"] / str(number)).write_bytes(b"changed")
        came = stage.apply(steps, stop_at_skip_share=0.2)
        assert "20 of 20 steps were skipped" in came.halted
        assert len(came.results) == 20

    def test_a_stop_ends_it_after_a_step_and_it_goes_on_later(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        steps = [stage.step(number, stage.write(f"two/{number}", b"picture"), keeper) for number in range(3)]
        stop = threading.Event()
        stage.begin()
        came = Acting(stage.ground(), stop, lambda _result: stop.set()).run(steps)
        assert came.stopped
        assert [result.step for result in came.results] == [0]
        assert [result.step for result in stage.resume(steps).results] == [1, 2]
        assert stage.outside_quarantine() == ["one/a.jpg"]
