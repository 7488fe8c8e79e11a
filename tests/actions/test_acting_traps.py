"""The traps in which other tools lost pictures, each named after what users report of it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fault_proxy import FaultProxy
from benchmarks.served_places import of_s3, of_smb
from benchmarks.storage_place import StoragePlace
from deeplens_kit.actions import ActStep, FileAt, no_boundary, plan_steps
from deeplens_kit.actions.acting import Came
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import open_location
from tests.actions.plan_worlds import PLACES, REMOVE, an_object, files_of, groups_of, objects_of
from tests.actions.stage import Stage
from tests.examples import moments
from tests.servers.s3 import S3Server
from tests.servers.samba import SmbServer

Mount = Callable[..., None]


def add(stage: Stage, name: str, url: str, options: dict[str, object] | None = None) -> str:
    """Another location that is opened for changes; its id."""
    given = {"permissions": "change", **(options or {})}
    added = stage.ledger.add_location(name, url, given)
    stage.kinds[added.location_id] = open_location(added.location_id, name, added.url, added.options)
    stage.ids[name] = added.location_id
    return added.location_id


def outcomes(came: Came) -> list[tuple[str, str]]:
    return [(str(result.outcome), result.code) for result in came.results]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Mounts, where this process may; what it mounted is gone after the test."""
    mounted: list[Path] = []

    def mount(target: Path, *words: str) -> None:
        target.mkdir(exist_ok=True)
        done = subprocess.run(["mount", *words, str(target)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this process may not mount: {done.stderr.strip()}")
        mounted.append(target)

    yield mount
    for target in reversed(mounted):
        subprocess.run(["umount", "--lazy", str(target)], check=True)


class TestLinks:
    def test_a_loop_of_symbolic_links_makes_no_copies_of_a_file(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        (stage.folders["one"] / "loop").symlink_to(".")
        kind = stage.kinds[keeper.location_id]
        assert kind.list().frame["path"].to_list() == ["a.jpg"]
        step = stage.step(0, keeper, keeper)
        looped = replace(step, victim=FileAt(keeper.location_id, "loop/loop/a.jpg"))
        ((outcome, _),) = outcomes(stage.apply([looped]))
        assert outcome == "skipped"
        assert stage.contents() == {step.victim_digest}

    def test_a_hard_link_is_no_duplicate_even_where_the_plan_does_not_know(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        (stage.folders["one"] / "b.jpg").hardlink_to(stage.folders["one"] / "a.jpg")
        step = stage.step(0, stage.at("one/b.jpg"), keeper)
        for known in (step, replace(step, victim_link_id=None, keeper_link_id=None)):
            assert outcomes(stage.apply([known])) == [("skipped", "same_file")]
        assert stage.outside_quarantine() == ["one/a.jpg", "one/b.jpg"]

    def test_a_symbolic_link_is_never_a_copy(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        (stage.folders["two"] / "a.jpg").symlink_to(stage.folders["one"] / "a.jpg")
        step = replace(stage.step(0, keeper, keeper), victim=stage.at("two/a.jpg"))
        assert outcomes(stage.apply([step])) == [("skipped", "unreadable")]
        # Nor is it kept instead of the file that it leads to.
        step = replace(stage.step(0, keeper, keeper), keeper=stage.at("two/a.jpg"))
        assert outcomes(stage.apply([step])) == [("skipped", "unreadable")]
        assert (stage.folders["two"] / "a.jpg").read_bytes() == b"picture"


class TestOneStoreTwice:
    def test_a_folder_by_a_symbolic_link_is_the_same_folder(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        (stage.folders["one"].parent / "alias").symlink_to(stage.folders["one"])
        victim = FileAt(add(stage, "alias", str(stage.folders["one"].parent / "alias")), "a.jpg")
        assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("skipped", "same_file")]
        assert stage.outside_quarantine() == ["one/a.jpg"]

    def test_a_folder_within_another_location_is_the_same_files(self, stage: Stage) -> None:
        keeper = stage.write("one/d/a.jpg", b"picture")
        victim = FileAt(add(stage, "inner", str(stage.folders["one"] / "d")), "a.jpg")
        assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("skipped", "same_file")]
        assert stage.outside_quarantine() == ["one/d/a.jpg"]

    def test_a_store_that_is_mounted_twice_has_its_files_once(self, stage: Stage, mount: Mount) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        again = stage.folders["one"].parent / "again"
        mount(again, "--bind", str(stage.folders["one"]))
        victim = FileAt(add(stage, "again", str(again)), "a.jpg")
        assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("skipped", "same_file")]
        assert stage.outside_quarantine() == ["one/a.jpg"]

    def test_a_bucket_with_two_addresses_has_its_objects_once(self, stage: Stage, seaweedfs: S3Server) -> None:
        place = of_s3(seaweedfs)
        place.put("a.jpg", b"picture")
        with FaultProxy(place.port) as proxy:
            ids = [
                add(stage, f"s3-{port}", *place.located(port))  # type: ignore[arg-type]
                for port in (place.port, proxy.port)
            ]
            keeper, victim = (FileAt(location_id, "a.jpg") for location_id in ids)
            assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("skipped", "same_file")]
            assert place.list_by_library() == 1
            assert stage.kinds[ids[0]].read("a.jpg", max_bytes=9) == b"picture"


class TestChangesUnderway:
    def test_a_share_that_vanishes_in_the_middle_stops_all_and_loses_nothing(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        steps = [stage.step(number, stage.write(f"two/{number}", b"picture"), keeper) for number in range(3)]
        start, away = stage.tree(), stage.folders["two"].with_name("away")

        def boundary(name: str) -> None:
            if name == "1.quarantine.begun":
                stage.folders["two"].rename(away)

        came = stage.apply(steps, boundary)
        assert "done" not in {str(result.outcome) for result in came.results if result.step}
        away.rename(stage.folders["two"])
        assert stage.outside_quarantine() == ["one/a.jpg", "two/1", "two/2"]
        assert [str(result.outcome) for result in stage.resume(steps).results] == ["done"] * 2
        assert stage.undo().complete
        assert stage.tree() == start

    @pytest.mark.parametrize("moment", [None, "0.quarantine.begun", "0.quarantine.before-move", "0.quarantine.move"])
    def test_a_keeper_that_was_replaced_after_the_scan_is_no_keeper(self, stage: Stage, moment: str | None) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step, start = stage.step(0, victim, keeper), stage.tree()["two/b.jpg"]

        def boundary(name: str | None) -> None:
            if name == moment:
                stage.write("one/a.jpg", b"another", seconds=1_700_000_500)

        boundary(None)
        ((outcome, code),) = outcomes(stage.apply([step], boundary))
        assert (outcome, code) == ("skipped", "keeper_changed" if moment else "keeper_other_content")
        assert stage.tree()["two/b.jpg"] == start

    @pytest.mark.parametrize("moment", [None, "0.quarantine.begun", "0.quarantine.before-move"])
    def test_a_copy_that_was_changed_after_the_scan_stays(self, stage: Stage, moment: str | None) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper)

        def boundary(name: str | None) -> None:
            if name == moment:
                stage.write("two/b.jpg", b"touched", seconds=1_700_000_500)

        boundary(None)
        assert outcomes(stage.apply([step], boundary)) == [("skipped", "victim_changed")]
        assert (stage.folders["two"] / "b.jpg").read_bytes() == b"touched"


class TestTooMuch:
    def test_where_all_copies_are_selected_none_goes(self, stage: Stage) -> None:
        first, second = stage.write("one/a.jpg", b"picture"), stage.write("two/a.jpg", b"picture")
        steps = [stage.step(0, first, second), stage.step(1, second, first)]
        assert outcomes(stage.apply(steps)) == [("skipped", "keeper_acted_on")] * 2
        assert stage.outside_quarantine() == ["one/a.jpg", "two/a.jpg"]
        assert outcomes(stage.apply([replace(steps[0], keeper=None, keeper_digest=None)])) == [("skipped", "no_keeper")]

    def test_where_groups_overlap_a_copy_of_each_picture_stays(self, stage: Stage) -> None:
        files = {name: stage.write(f"one/{name}", b"picture") for name in "abcd"}
        # The keeper of one group goes in the other; its own copies have nobody to vouch for them then.
        stars = [("b", "a"), ("c", "a"), ("d", "b")]
        steps = [stage.step(number, files[one], files[other]) for number, (one, other) in enumerate(stars)]
        assert [code for _, code in outcomes(stage.apply(steps))] == ["", "", "keeper_acted_on"]
        assert stage.outside_quarantine() == ["one/a", "one/d"]
        objects = objects_of(*(an_object(name, 1) for name in "abcd"))
        groups = groups_of(objects, ("a/a", ["a/b", "a/c"], "bytes"), ("a/b", ["a/d"], "bytes"))
        planned = plan_steps(groups, objects, REMOVE, PLACES).steps
        assert "a/b" not in files_of(planned)


class TestNames:
    @pytest.fixture
    def share(self, samba: SmbServer) -> StoragePlace:
        return of_smb(samba)

    def test_names_that_differ_by_case_are_one_file_where_the_store_says_so(
        self, stage: Stage, share: StoragePlace
    ) -> None:
        share.put("Picture.JPG", b"picture")
        location_id = add(stage, "share", *share.located(share.port))  # type: ignore[arg-type]
        assert stage.kinds[location_id].read("picture.jpg", max_bytes=9) == b"picture"
        keeper, victim = FileAt(location_id, "Picture.JPG"), FileAt(location_id, "picture.jpg")
        assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("skipped", "same_file")]
        assert share.list_by_library() == 1

    def test_forms_of_one_name_are_two_files_where_they_are_and_in_doubt_one(
        self, stage: Stage, share: StoragePlace
    ) -> None:
        composed, decomposed = "\u00e9.jpg", "e\u0301.jpg"
        keeper, victim = stage.write(f"one/{composed}", b"picture"), stage.write(f"one/{decomposed}", b"picture")
        start = stage.tree()
        assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("done", "")]
        assert stage.undo().complete
        assert stage.tree() == start
        for name in (composed, decomposed):
            share.put(name, b"picture")
        location_id = add(stage, "share", *share.located(share.port))  # type: ignore[arg-type]
        step = stage.step(0, FileAt(location_id, decomposed), FileAt(location_id, composed))
        came = stage.apply([step])
        assert {seen for seen, _ in outcomes(came)} <= {"done", "skipped"}
        assert stage.undo().complete
        assert share.list_by_library() == 2

    def test_a_hard_link_on_a_share_is_taken_back(self, stage: Stage, share: StoragePlace) -> None:
        for name in ("k.jpg", "v.jpg"):
            share.put(name, b"picture")
        location_id = add(stage, "share", *share.located(share.port))  # type: ignore[arg-type]
        kind = stage.kinds[location_id]
        if "hardlink" not in kind.can_link:
            pytest.skip("this share makes no hard links")
        keeper, victim = FileAt(location_id, "k.jpg"), FileAt(location_id, "v.jpg")
        step = stage.step(0, victim, keeper, action=ActionKind.HARDLINK)
        assert outcomes(stage.apply([step])) == [("done", "")]
        assert kind.identity("k.jpg") == kind.identity("v.jpg")
        assert stage.undo().complete
        assert kind.identity("k.jpg") != kind.identity("v.jpg")
        assert kind.read("v.jpg", max_bytes=9) == b"picture"


class TestPlaces:
    def test_a_location_that_is_not_opened_is_not_touched(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        folder = stage.folders["one"].parent / "closed"
        folder.mkdir()
        (folder / "b.jpg").write_bytes(b"picture")
        closed = add(stage, "closed", str(folder), {"permissions": "read"})
        assert outcomes(stage.apply([stage.step(0, FileAt(closed, "b.jpg"), keeper)])) == [("skipped", "not_opened")]
        move = stage.step(0, keeper, None, action=ActionKind.MOVE, target=FileAt(closed, "a.jpg"))
        assert outcomes(stage.apply([move])) == [("skipped", "not_opened")]
        assert [path.name for path in folder.iterdir()] == ["b.jpg"]

    def test_a_read_only_target_is_told_of_and_nothing_is_half_done(self, stage: Stage, mount: Mount) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step, start = stage.step(0, victim, keeper), stage.tree()
        mount(stage.folders["two"], "-o", "bind,ro", str(stage.folders["two"]))
        move = stage.step(1, keeper, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        for steps in ([step], [move]):
            ((outcome, code),) = outcomes(stage.apply(steps))
            assert outcome in ("failed", "skipped")
            assert code
            assert stage.ledger.open_operations(stage.application_id) == []
        assert stage.tree() == start

    def test_a_quarantine_on_another_device_keeps_all_that_a_file_has(self, stage: Stage, mount: Mount) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        mount(stage.folders["one"] / "card", "-t", "tmpfs", "-o", "size=1m", "none")
        victim = stage.write("one/card/b.jpg", b"picture")
        (stage.folders["one"] / "card/b.jpg").chmod(0o640)
        start = stage.tree()
        assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("done", "")]
        assert stage.outside_quarantine() == ["one/a.jpg"]
        moved = f"one/.deeplens-quarantine/{stage.application_id}/card/b.jpg"
        assert stage.tree()[moved] == start["one/card/b.jpg"]
        assert stage.undo().complete
        assert stage.tree() == start
        assert (stage.folders["one"] / "card/b.jpg").stat().st_mode & 0o777 == 0o640


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
