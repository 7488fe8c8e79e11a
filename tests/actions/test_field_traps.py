"""What made other tools destroy originals: one test for each, named after the pain."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deeplens_kit.actions import ActStep, SkipCode
from deeplens_kit.actions.acting import Came
from deeplens_kit.actions.checks import REMOVING
from deeplens_kit.errors import LocationUnavailableError
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import open_location
from tests.actions.stage import Killed, Stage


def _codes(came: Came) -> list[str]:
    return [result.code or str(result.outcome) for result in came.results]


class TestOneFileUnderTwoNames:
    def test_hard_link_as_duplicate(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        os.link(stage.folders["one"] / "a.jpg", stage.folders["one"] / "b.jpg")
        start = stage.tree()
        assert _codes(stage.apply([stage.step(0, stage.at("one/b.jpg"), keeper)])) == [SkipCode.SAME_FILE]
        assert stage.tree() == start

    def test_two_locations_over_one_folder(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        stage.kinds[stage.ids["two"]] = open_location(
            stage.ids["two"], "two", str(stage.folders["one"]), {"permissions": "change"}
        )
        came = stage.apply([stage.step(0, stage.at("two/a.jpg"), keeper)])
        assert _codes(came) == [SkipCode.SAME_FILE]

    def test_two_mounts_of_one_store_that_nothing_tells_apart_before(self, stage: Stage) -> None:
        """The keeper vanishes with its copy: it is moved back at once."""
        keeper = stage.write("one/a.jpg", b"picture")
        start = stage.tree()
        stage.kinds[stage.ids["two"]] = _Alias(stage.kinds[stage.ids["one"]], stage.ids["two"])  # type: ignore[assignment]
        came = stage.apply([stage.step(0, stage.at("two/a.jpg"), keeper, keeper_link_id=None)])
        assert _codes(came) == [SkipCode.SAME_FILE]
        assert stage.tree() == start
        assert stage.ledger.quarantined(application_id=stage.application_id) == []

    @pytest.mark.parametrize("told_apart", [True, False])
    def test_a_file_is_moved_onto_itself(self, stage: Stage, told_apart: bool) -> None:
        """The target lies in a location over the same folder, so it is the very file; the only copy stays."""
        victim = stage.write("one/a.jpg", b"picture")
        start = stage.tree()
        two = open_location(stage.ids["two"], "two", str(stage.folders["one"]), {"permissions": "change"})
        stage.kinds[stage.ids["two"]] = two if told_apart else _Alias(two, stage.ids["two"])  # type: ignore[assignment]
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        assert _codes(stage.apply([step])) == [SkipCode.TAKEN]
        assert stage.undo().complete
        assert stage.tree() == start

    def test_a_moved_copy_that_becomes_the_file_itself_is_not_taken_back(self, stage: Stage) -> None:
        """While it is undone the two locations have become one, and nothing tells it but that both vanish."""
        victim = stage.write("one/a.jpg", b"picture")
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        stage.apply([step])
        (stage.folders["two"] / "a.jpg").unlink()
        stage.kinds[stage.ids["two"]] = _Alias(stage.kinds[stage.ids["one"]], stage.ids["two"])  # type: ignore[assignment]
        report = stage.undo()
        assert [trouble.code for trouble in report.troubles] == ["only_copy"]
        assert stage.outside_quarantine() == ["one/a.jpg"]

    def test_case_only_names(self, stage: Stage) -> None:
        """On a file system that tells them apart they are two files, and one may go."""
        keeper, victim = stage.write("one/A.JPG", b"picture"), stage.write("one/a.jpg", b"picture")
        assert _codes(stage.apply([stage.step(0, victim, keeper)])) == ["done"]
        assert stage.outside_quarantine() == ["one/A.JPG"]

    def test_symlink_loop(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        victim = stage.write("one/d/b.jpg", b"picture")
        step = stage.step(0, victim, keeper)
        shutil.rmtree(stage.folders["one"] / "d")
        (stage.folders["one"] / "d").symlink_to(".")
        (stage.folders["one"] / "b.jpg").symlink_to("a.jpg")
        came = stage.apply([step])
        assert [str(result.outcome) for result in came.results] == ["skipped"]
        assert (stage.folders["one"] / "a.jpg").read_bytes() == b"picture"


class TestChangedSince:
    def test_keeper_replaced_after_the_scan(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper)
        stage.write("one/a.jpg", b"another", seconds=1_700_000_500)
        assert _codes(stage.apply([step])) == [SkipCode.KEEPER_OTHER]

    def test_keeper_replaced_with_its_time_and_size_kept(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper)
        inode = (stage.folders["one"] / "a.jpg").stat().st_ino
        with (stage.folders["one"] / "a.jpg").open("r+b") as file:
            file.write(b"changed")
        os.utime(stage.folders["one"] / "a.jpg", (1_700_000_000, 1_700_000_000))
        assert (stage.folders["one"] / "a.jpg").stat().st_ino == inode
        assert _codes(stage.apply([step])) == [SkipCode.KEEPER_OTHER]

    def test_victim_changed_after_the_scan(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper)
        stage.write("two/b.jpg", b"my only edit", seconds=1_700_000_500)
        assert _codes(stage.apply([step])) == [SkipCode.VICTIM_CHANGED]
        assert (stage.folders["two"] / "b.jpg").read_bytes() == b"my only edit"

    def test_victim_whose_digest_was_never_read(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"edited!")
        step = stage.step(0, victim, keeper)
        wrong = replace(step, victim_digest=step.keeper_digest, victim_basis="md5+size")
        assert _codes(stage.apply([wrong])) == [SkipCode.VICTIM_OTHER]

    def test_victim_changed_between_its_proof_and_its_move(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")

        def edit(name: str) -> None:
            if name == "0.quarantine.before-move":
                (stage.folders["two"] / "b.jpg").write_bytes(b"my only edit")

        assert _codes(stage.apply([stage.step(0, victim, keeper)], edit)) == [SkipCode.VICTIM_CHANGED]
        assert (stage.folders["two"] / "b.jpg").read_bytes() == b"my only edit"

    def test_keeper_changed_between_its_proof_and_the_move(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        victim_state = stage.tree()["two/b.jpg"]

        def edit(name: str) -> None:
            if name == "0.quarantine.before-move":
                (stage.folders["one"] / "a.jpg").write_bytes(b"another")

        assert _codes(stage.apply([stage.step(0, victim, keeper)], edit)) == [SkipCode.KEEPER_CHANGED]
        assert stage.tree()["two/b.jpg"] == victim_state


class TestPlansThatContradictThemselves:
    def test_all_copies_selected(self, stage: Stage) -> None:
        first, second = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        came = stage.apply([stage.step(0, first, second), stage.step(1, second, first)])
        assert _codes(came) == [SkipCode.KEEPER_ACTED_ON] * 2
        assert len(stage.outside_quarantine()) == 2

    def test_overlapping_groups(self, stage: Stage) -> None:
        files = [stage.write(f"one/{name}.jpg", b"picture") for name in "abc"]
        chain: Sequence[ActStep] = [stage.step(0, files[1], files[0]), stage.step(1, files[2], files[1])]
        assert _codes(stage.apply(chain)) == ["done", SkipCode.KEEPER_ACTED_ON]

    @pytest.mark.parametrize("action", [ActionKind.MOVE, ActionKind.CREATE])
    def test_somebodys_file_with_the_same_bytes_is_not_taken_for_ours(self, stage: Stage, action: ActionKind) -> None:
        victim, theirs = stage.write("one/a.jpg", b"picture"), stage.write("two/a.jpg", b"picture")
        stage.content[0] = b"picture"
        start = stage.tree()
        step = stage.step(0, victim, None, action=action, target=theirs)
        assert _codes(stage.apply([step])) == [SkipCode.TAKEN]
        assert stage.undo().complete
        assert stage.tree() == start

    @pytest.mark.parametrize("action", [ActionKind.MOVE, ActionKind.CREATE, ActionKind.HARDLINK, ActionKind.REDIRECT])
    def test_a_file_that_comes_at_the_last_moment_is_not_taken_for_ours(self, stage: Stage, action: ActionKind) -> None:
        keeper, victim = stage.write("one/k.jpg", b"picture"), stage.write("one/a.jpg", b"picture")
        stage.content[0] = b"picture"
        made = "two/a.jpg" if action in (ActionKind.MOVE, ActionKind.CREATE) else "one/a.jpg"
        step = stage.step(0, victim, keeper, action=action, target=stage.at("two/a.jpg"))

        def come(name: str) -> None:
            if name in ("0.create.before-create", "0.place.before-link", "0.place.before-create"):
                stage.write(made, b"picture")

        assert _codes(stage.apply([step], come)) == [SkipCode.TAKEN]
        stage.undo()
        assert (stage.folders[made[:3]] / "a.jpg").read_bytes() == b"picture"
        assert stage.contents() == {hashlib.sha256(b"picture").hexdigest()}

    def test_no_keeper_at_all(self, stage: Stage) -> None:
        victim = stage.write("one/a.jpg", b"picture")
        for action in REMOVING:
            assert _codes(stage.apply([stage.step(0, victim, None, action=action)])) == [SkipCode.NO_KEEPER], action

    def test_together_all_or_none(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        picture, sidecar = stage.write("two/b.jpg", b"picture"), stage.write("two/b.xmp", b"picture")
        steps = [stage.step(0, picture, keeper, together="b"), stage.step(1, sidecar, keeper, together="b")]
        start = stage.tree()

        def edit(name: str) -> None:
            if name == "1.quarantine.before-move":
                (stage.folders["two"] / "b.xmp").write_bytes(b"new words")

        assert _codes(stage.apply(steps, edit)) == [SkipCode.TOGETHER, SkipCode.VICTIM_CHANGED]
        assert stage.tree()["two/b.jpg"] == start["two/b.jpg"]


class TestPlaces:
    def test_protected_place(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        stage.protected.add("b.jpg")
        assert _codes(stage.apply([stage.step(0, victim, keeper)])) == [SkipCode.PROTECTED]

    def test_scene_is_never_acted_on(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper, tier="scene")
        assert _codes(stage.apply([step], tiers=("scene", "bytes"))) == [SkipCode.TIER]

    def test_closed_location(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        stage.kinds[stage.ids["two"]] = open_location(stage.ids["two"], "two", str(stage.folders["two"]), {})
        assert _codes(stage.apply([stage.step(0, victim, keeper)])) == [SkipCode.NOT_OPENED]

    @pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
    def test_read_only_target(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        stage.folders["two"].chmod(0o555)
        came = stage.apply([stage.step(0, victim, keeper)])
        stage.folders["two"].chmod(0o755)
        assert [str(result.outcome) for result in came.results] == ["failed"]
        assert (stage.folders["two"] / "b.jpg").read_bytes() == b"picture"

    def test_share_vanishing_mid_run(self, stage: Stage) -> None:
        """The share of the keeper is gone after the move: what was moved goes back, and nothing more is done."""
        keeper = stage.write("one/a.jpg", b"picture")
        steps = [stage.step(n, stage.write(f"two/{n}.jpg", b"picture"), keeper) for n in range(3)]
        start = stage.tree()
        away = stage.folders["one"].with_name("away")

        def pull_out(name: str) -> None:
            if name == "0.quarantine.move":
                stage.folders["one"].rename(away)

        came = stage.apply(steps, pull_out, stop_after_failures=2)
        away.rename(stage.folders["one"])
        assert _codes(came)[0] == SkipCode.KEEPER_GONE
        assert set(_codes(came)[1:]) == {LocationUnavailableError.code}
        assert stage.tree() == start

    def test_trash_on_another_device(self, stage: Stage, tmp_path: Path) -> None:
        """What goes to another file system is copied, read back and compared before anything is moved away."""
        if stage.folders["two"].stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("this machine has one file system")
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        start = stage.tree()
        step = stage.step(0, victim, keeper, action=ActionKind.MOVE, target=stage.at("one/moved.jpg"))
        elsewhere = tmp_path / "one"
        shutil.copytree(stage.folders["one"], elsewhere)
        stage.kinds[stage.ids["one"]] = open_location(
            stage.ids["one"], "one", str(elsewhere), {"permissions": "change"}
        )
        assert _codes(stage.apply([replace(step, keeper=None)])) == ["done"]
        assert (elsewhere / "moved.jpg").read_bytes() == b"picture"
        assert stage.undo().complete
        assert stage.tree() == start


class TestUndo:
    def test_it_says_what_it_cannot_restore_and_why(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        steps = [stage.step(n, stage.write(f"two/{n}.jpg", b"picture"), keeper) for n in range(4)]
        stage.apply(steps)
        quarantine = stage.folders["two"] / ".deeplens-quarantine" / stage.application_id
        stage.write("two/0.jpg", b"something new")
        (quarantine / "1.jpg").write_bytes(b"rotten!")
        (quarantine / "2.jpg").unlink()
        report = stage.undo()
        assert {trouble.step: trouble.code for trouble in report.troubles} == {
            0: SkipCode.TAKEN,
            1: "changed_in_quarantine",
            2: "missing",
        }
        assert list(report.undone) == [3]
        assert (stage.folders["two"] / "0.jpg").read_bytes() == b"something new"
        assert (quarantine / "0.jpg").read_bytes() == b"picture"
        (stage.folders["two"] / "0.jpg").unlink()
        assert 0 in stage.undo().undone

    def test_a_disk_that_is_away_after_a_crash_is_looked_at_again(self, stage: Stage) -> None:
        """The folder of its mount is there and empty; the file stays on the books until the disk is back."""
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        start = stage.tree()

        def die(name: str) -> None:
            if name == "0.quarantine.move":
                raise Killed

        with pytest.raises(Killed):
            stage.apply([stage.step(0, victim, keeper)], die)
        disk = stage.folders["two"].with_name("disk")
        stage.folders["two"].rename(disk)
        stage.folders["two"].mkdir()
        stage.reopen()
        report = stage.undo()
        assert [trouble.code for trouble in report.troubles] == ["missing"]
        (item,) = stage.ledger.quarantined(application_id=stage.application_id, states=None)
        assert (item.state, item.path) == ("missing", "b.jpg")
        stage.folders["two"].rmdir()
        disk.rename(stage.folders["two"])
        stage.reopen()
        assert stage.undo().complete
        assert stage.tree() == start

    @pytest.mark.parametrize("action", [ActionKind.MOVE, ActionKind.REDIRECT, ActionKind.HARDLINK])
    def test_what_somebody_saves_while_it_is_undone_stays(self, stage: Stage, action: ActionKind) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("one/b.jpg", b"picture")
        made = "two/b.jpg" if action is ActionKind.MOVE else "one/b.jpg"
        stage.apply([stage.step(0, victim, keeper, action=action, target=stage.at("two/b.jpg"))])

        def save(name: str) -> None:
            if name in ("0.undo.create.begun", "0.undo.place.begun"):
                file = stage.folders[made[:3]] / "b.jpg"
                file.with_name("new").write_bytes(b"just saved")
                file.with_name("new").replace(file)

        stage.undo(save)
        assert (stage.folders[made[:3]] / "b.jpg").read_bytes() == b"just saved"

    def test_a_reflink_or_hard_link_that_became_the_last_copy_stays(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("one/b.jpg", b"picture")
        stage.apply([stage.step(0, victim, keeper, action=ActionKind.HARDLINK)])
        (stage.folders["one"] / "a.jpg").unlink()
        report = stage.undo()
        assert [trouble.code for trouble in report.troubles] == [SkipCode.TAKEN]
        assert (stage.folders["one"] / "b.jpg").read_bytes() == b"picture"


class _Alias:
    """The same storage under a name by which nothing tells that it is the same."""

    def __init__(self, kind: object, location_id: str) -> None:
        self._kind, self.location_id, self.place = kind, location_id, "elsewhere:/"

    def __getattr__(self, name: str) -> object:
        return getattr(self._kind, name)

    def stat(self, path: str) -> object:
        return replace(self._kind.stat(path), link_id=None)  # type: ignore[attr-defined]

    def identity(self, path: str) -> str:
        return f"elsewhere:{path}"


class TestTakenBackAndGoneOnWith:
    def test_a_link_stays_where_its_file_cannot_come_back(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("one/b.jpg", b"picture")
        stage.apply([stage.step(0, victim, keeper, action=ActionKind.HARDLINK)])
        (stage.folders["one"] / ".deeplens-quarantine" / stage.application_id / "b.jpg").unlink()
        assert [trouble.code for trouble in stage.undo().troubles] == ["missing"]
        assert (stage.folders["one"] / "b.jpg").read_bytes() == b"picture"

    def test_a_file_that_changed_keeps_the_time_of_its_change(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        steps = [stage.step(0, victim, keeper)]

        def die(name: str) -> None:
            if name == "0.quarantine.move":
                raise Killed

        with pytest.raises(Killed):
            stage.apply(steps, die)
        (stage.folders["two"] / ".deeplens-quarantine" / stage.application_id / "b.jpg").write_bytes(b"edited!")
        stage.resume(steps)
        assert stage.tree()["two/b.jpg"][0] == hashlib.sha256(b"edited!").hexdigest()
        assert stage.tree()["two/b.jpg"][1] != 1_700_000_000 * 10**9

    def test_what_a_person_restored_is_not_taken_again(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        steps = [stage.step(n, stage.write(f"two/{n}.jpg", b"picture"), keeper) for n in range(2)]
        stage.apply(steps[:1])
        stage.undo()
        assert [result.step for result in stage.resume(steps).results] == [1]
        assert (stage.folders["two"] / "0.jpg").is_file()

    def test_the_journal_holds_nothing_that_a_file_says_of_itself(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        stage.apply([stage.step(0, victim, keeper)])
        assert all("kept" not in line.facts for line in stage.ledger.journal(stage.application_id))
        (item,) = stage.ledger.quarantined(application_id=stage.application_id)
        assert item.kept["mode"] is not None
