"""What undoing restores, what it says that it cannot, and what somebody else does in the middle of it all."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable

import pytest

from benchmarks.served_places import of_smb
from deeplens_kit.actions import ActStep, FileAt, SkipCode, no_boundary
from deeplens_kit.actions.acting import Came
from deeplens_kit.schemas import ActionKind
from tests.actions.stage import Alias, Killed, Stage
from tests.examples import moments
from tests.servers.samba import SmbServer


def _codes(came: Came) -> list[str]:
    return [result.code or str(result.outcome) for result in came.results]


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

    def test_a_reflink_or_hard_link_that_became_the_last_copy_stays(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("one/b.jpg", b"picture")
        stage.apply([stage.step(0, victim, keeper, action=ActionKind.HARDLINK)])
        (stage.folders["one"] / "a.jpg").unlink()
        report = stage.undo()
        assert [trouble.code for trouble in report.troubles] == [SkipCode.TAKEN]
        assert (stage.folders["one"] / "b.jpg").read_bytes() == b"picture"

    def test_a_moved_copy_that_becomes_the_file_itself_is_not_taken_back(self, stage: Stage) -> None:
        """While it is undone the two locations have become one, and nothing tells it but that both vanish."""
        victim = stage.write("one/a.jpg", b"picture")
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        stage.apply([step])
        (stage.folders["two"] / "a.jpg").unlink()
        stage.kinds[stage.ids["two"]] = Alias(stage.kinds[stage.ids["one"]], stage.ids["two"])  # type: ignore[assignment]
        report = stage.undo()
        assert [trouble.code for trouble in report.troubles] == ["only_copy"]
        assert stage.outside_quarantine() == ["one/a.jpg"]

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

    def test_of_a_family_that_a_person_took_back_in_part_nothing_is_taken_again(self, stage: Stage) -> None:
        """Killed between picture and sidecar, halted, and the picture restored by hand."""
        keeper = stage.write("one/a", b"picture")
        steps = [stage.step(n, stage.write(f"two/{n}", b"picture"), keeper, together="family") for n in range(2)]
        start = stage.tree()

        def die(name: str) -> None:
            if name == "1.quarantine.before-begun":
                raise Killed

        with pytest.raises(Killed):
            stage.apply(steps, die)
        assert list(stage.undo().undone) == [0]
        assert _codes(stage.resume(steps)) == []
        assert stage.tree() == start

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

    def test_a_hard_link_on_a_share_is_taken_back(self, stage: Stage, samba: SmbServer) -> None:
        share = of_smb(samba)
        for name in ("k.jpg", "v.jpg"):
            share.put(name, b"picture")
        kind = share.opened(permissions="change")
        location_id = stage.ids["two"]
        stage.kinds[location_id] = kind
        if "hardlink" not in kind.can_link:
            pytest.skip("this share makes no hard links")
        keeper, victim = FileAt(location_id, "k.jpg"), FileAt(location_id, "v.jpg")
        step = stage.step(0, victim, keeper, action=ActionKind.HARDLINK)
        assert _codes(stage.apply([step])) == ["done"]
        assert kind.identity("k.jpg") == kind.identity("v.jpg")
        assert stage.undo().complete
        assert kind.identity("k.jpg") != kind.identity("v.jpg")
        assert kind.read("v.jpg", max_bytes=9) == b"picture"

    def test_permissions_that_a_share_does_not_take_are_told(self, stage: Stage, samba: SmbServer) -> None:
        stage.kinds[stage.ids["two"]] = of_smb(samba).opened(permissions="change")
        victim = stage.write("one/a.jpg", b"picture")
        (stage.folders["one"] / "a.jpg").chmod(0o600)
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        assert _codes(stage.apply([step])) == ["done"]
        (told,) = (line.facts["left"] for line in stage.ledger.journal(stage.application_id) if "left" in line.facts)
        assert told == ["permissions"]
        assert stage.undo().complete
        assert (stage.folders["one"] / "a.jpg").stat().st_mode & 0o777 == 0o600


_ACTIONS = ("remove", "hardlink", "symlink", "redirect", "move", "rewrite", "create")


class TestSomebodyElse:
    """Whoever writes a picture in the middle of it all has it afterwards, wherever that moment is."""

    def _steps(self, stage: Stage, action: str) -> list[ActStep]:
        victim, keeper = stage.write("one/v.jpg", b"picture"), stage.write("one/k.jpg", b"picture")
        stage.content[0] = b"new"
        alone = {"move": {"target": stage.at("two/v.jpg")}, "create": {"target": stage.at("two/n.jpg")}, "rewrite": {}}
        kept = None if action in alone else keeper
        return [stage.step(0, victim, kept, action=ActionKind(action), **alone.get(action, {}))]

    def _writes(self, stage: Stage, path: str, count: int, written: list[str]) -> Callable[[str], None]:
        left = [count]

        def boundary(name: str) -> None:
            left[0] -= 1
            if left[0] == -1:
                written.append(name)
                (stage.folders[path[:3]] / path[4:]).unlink(missing_ok=True)
                stage.write(path, b"somebody's", seconds=1_700_000_900)

        return boundary

    @pytest.mark.parametrize("action", _ACTIONS)
    @pytest.mark.parametrize("undoing", [False, True])
    def test_what_is_written_in_the_middle_stays(self, stage: Stage, action: str, undoing: bool) -> None:
        path = {"move": "two/v.jpg", "create": "two/n.jpg"}.get(action, "one/v.jpg")
        wanted = hashlib.sha256(b"somebody's").hexdigest()
        for count in moments(_ACTIONS.index(action) + undoing):
            steps, written = self._steps(stage, action), []
            boundary = self._writes(stage, path, count, written)
            stage.apply(steps, no_boundary if undoing else boundary)
            stage.undo(boundary if undoing else no_boundary)
            assert not written or wanted in stage.contents(), written
            if not written:
                break
            for found in [found for root in stage.folders.values() for found in root.iterdir()]:
                shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()
        assert count > 5

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
