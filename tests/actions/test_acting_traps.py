"""The traps in which other tools lost pictures: one test for each, named after the pain, and what is like it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fault_proxy import FaultProxy
from benchmarks.served_places import of_s3, of_smb
from benchmarks.storage_place import StoragePlace
from deeplens_kit.actions import FileAt, SkipCode, plan_steps
from deeplens_kit.actions.acting import Came
from deeplens_kit.actions.checks import REMOVING
from deeplens_kit.errors import LocationUnavailableError
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import open_location
from tests.actions.plan_worlds import PLACES, REMOVE, an_object, files_of, groups_of, objects_of
from tests.actions.stage import Alias, Stage
from tests.servers.s3 import S3Server
from tests.servers.samba import SmbServer

Mount = Callable[..., None]
_BEGUN, _PROVED, _MOVED = "0.quarantine.begun", "0.quarantine.before-move", "0.quarantine.move"


def add(stage: Stage, name: str, url: str, options: dict[str, object] | None = None) -> str:
    """Another location that is opened for changes; its id."""
    given = {"permissions": "change"} if options is None else options
    added = stage.ledger.add_location(name, url, given)
    stage.kinds[added.location_id] = open_location(added.location_id, name, added.url, added.options)
    stage.ids[name] = added.location_id
    return added.location_id


def add_place(stage: Stage, name: str, place: StoragePlace, port: int | None = None) -> str:
    """A place as another location; its id."""
    url, options = place.located(port or place.port)
    return add(stage, name, url, {"permissions": "change", **options})


def outcomes(came: Came) -> list[tuple[str, str]]:
    return [(str(result.outcome), result.code) for result in came.results]


def codes(came: Came) -> list[str]:
    return [result.code or str(result.outcome) for result in came.results]


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


@pytest.fixture
def share(samba: SmbServer) -> StoragePlace:
    return of_smb(samba)


class TestLinks:
    def test_symlink_loop(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("one/d/b.jpg", b"picture")
        planned = stage.step(0, victim, keeper)
        shutil.rmtree(stage.folders["one"] / "d")
        for loop in ("d", "loop"):
            (stage.folders["one"] / loop).symlink_to(".")
        # A loop makes no copies of a file.
        assert stage.kinds[keeper.location_id].list().frame["path"].to_list() == ["a.jpg"]
        looped = replace(stage.step(0, keeper, keeper), victim=FileAt(keeper.location_id, "loop/loop/a.jpg"))
        (stage.folders["one"] / "b.jpg").symlink_to("a.jpg")
        for step in (looped, planned):
            assert [str(result.outcome) for result in stage.apply([step]).results] == ["skipped"]
        assert (stage.folders["one"] / "a.jpg").read_bytes() == b"picture"
        assert stage.contents() == {planned.victim_digest}

    def test_hard_link_as_duplicate(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        (stage.folders["one"] / "b.jpg").hardlink_to(stage.folders["one"] / "a.jpg")
        start, step = stage.tree(), stage.step(0, stage.at("one/b.jpg"), keeper)
        # Even where the plan does not know it.
        for known in (step, replace(step, victim_link_id=None, keeper_link_id=None)):
            assert outcomes(stage.apply([known])) == [("skipped", SkipCode.SAME_FILE)]
        assert stage.tree() == start

    def test_symbolic_link_as_duplicate(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        (stage.folders["two"] / "a.jpg").symlink_to(stage.folders["one"] / "a.jpg")
        step = replace(stage.step(0, keeper, keeper), victim=stage.at("two/a.jpg"))
        assert outcomes(stage.apply([step])) == [("skipped", "unreadable")]
        # Nor is it kept instead of the file that it leads to.
        step = replace(stage.step(0, keeper, keeper), keeper=stage.at("two/a.jpg"))
        assert outcomes(stage.apply([step])) == [("skipped", "unreadable")]
        assert (stage.folders["two"] / "a.jpg").read_bytes() == b"picture"


class TestOneStoreTwice:
    @pytest.mark.parametrize("how", ["the same folder", "by a symbolic link", "a folder within", "mounted again"])
    def test_two_mounts_of_one_store(self, stage: Stage, request: pytest.FixtureRequest, how: str) -> None:
        keeper, folder = stage.write("one/d/a.jpg", b"picture"), stage.folders["one"]
        again, path = folder.parent / "again", "d/a.jpg"
        if how == "the same folder":
            again = folder
        elif how == "by a symbolic link":
            again.symlink_to(folder)
        elif how == "a folder within":
            again, path = folder / "d", "a.jpg"
        else:
            request.getfixturevalue("mount")(again, "--bind", str(folder))
        location_id = stage.ids["two"]
        stage.kinds[location_id] = open_location(location_id, "two", str(again), {"permissions": "change"})
        step = stage.step(0, FileAt(location_id, path), keeper)
        assert outcomes(stage.apply([step])) == [("skipped", SkipCode.SAME_FILE)]
        assert stage.outside_quarantine() == ["one/d/a.jpg"]

    def test_two_mounts_of_one_store_that_nothing_tells_apart_before(self, stage: Stage) -> None:
        """The keeper vanishes with its copy: it is moved back at once."""
        keeper = stage.write("one/a.jpg", b"picture")
        start = stage.tree()
        stage.kinds[stage.ids["two"]] = Alias(stage.kinds[stage.ids["one"]], stage.ids["two"])  # type: ignore[assignment]
        came = stage.apply([stage.step(0, stage.at("two/a.jpg"), keeper, keeper_link_id=None)])
        assert codes(came) == [SkipCode.SAME_FILE]
        assert stage.tree() == start
        assert stage.ledger.quarantined(application_id=stage.application_id) == []

    def test_two_addresses_of_one_bucket(self, stage: Stage, seaweedfs: S3Server) -> None:
        place = of_s3(seaweedfs)
        place.put("a.jpg", b"picture")
        with FaultProxy(place.port) as proxy:
            ids = [add_place(stage, f"s3-{port}", place, port) for port in (place.port, proxy.port)]
            keeper, victim = (FileAt(location_id, "a.jpg") for location_id in ids)
            assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("skipped", SkipCode.SAME_FILE)]
            assert place.list_by_library() == 1
            assert stage.kinds[ids[0]].read("a.jpg", max_bytes=9) == b"picture"

    @pytest.mark.parametrize("told_apart", [True, False])
    def test_a_file_is_moved_onto_itself(self, stage: Stage, told_apart: bool) -> None:
        """The target lies in a location over the same folder, so it is the very file; the only copy stays."""
        victim = stage.write("one/a.jpg", b"picture")
        start = stage.tree()
        two = open_location(stage.ids["two"], "two", str(stage.folders["one"]), {"permissions": "change"})
        stage.kinds[stage.ids["two"]] = two if told_apart else Alias(two, stage.ids["two"])  # type: ignore[assignment]
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        assert codes(stage.apply([step])) == [SkipCode.TAKEN]
        assert stage.undo().complete
        assert stage.tree() == start

    def test_case_only_names(self, stage: Stage) -> None:
        """On a file system that tells them apart they are two files, and one may go."""
        keeper, victim = stage.write("one/A.JPG", b"picture"), stage.write("one/a.jpg", b"picture")
        assert codes(stage.apply([stage.step(0, victim, keeper)])) == ["done"]
        assert stage.outside_quarantine() == ["one/A.JPG"]

    def test_case_only_names_of_a_store_that_does_not_tell_them_apart(self, stage: Stage, share: StoragePlace) -> None:
        share.put("Picture.JPG", b"picture")
        location_id = add_place(stage, "share", share)
        assert stage.kinds[location_id].read("picture.jpg", max_bytes=9) == b"picture"
        keeper, victim = FileAt(location_id, "Picture.JPG"), FileAt(location_id, "picture.jpg")
        assert outcomes(stage.apply([stage.step(0, victim, keeper)])) == [("skipped", SkipCode.SAME_FILE)]
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
        location_id = add_place(stage, "share", share)
        step = stage.step(0, FileAt(location_id, decomposed), FileAt(location_id, composed))
        came = stage.apply([step])
        assert {seen for seen, _ in outcomes(came)} <= {"done", "skipped"}
        assert stage.undo().complete
        assert share.list_by_library() == 2


class TestChangedSince:
    @pytest.mark.parametrize("moment", [None, _BEGUN, _PROVED, _MOVED])
    def test_keeper_replaced_after_the_scan(self, stage: Stage, moment: str | None) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step, start = stage.step(0, victim, keeper), stage.tree()["two/b.jpg"]

        def boundary(name: str | None) -> None:
            if name == moment:
                stage.write("one/a.jpg", b"another", seconds=1_700_000_500)

        boundary(None)
        code = SkipCode.KEEPER_CHANGED if moment else SkipCode.KEEPER_OTHER
        assert outcomes(stage.apply([step], boundary)) == [("skipped", code)]
        assert stage.tree()["two/b.jpg"] == start

    def test_keeper_replaced_with_its_time_and_size_kept(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper)
        inode = (stage.folders["one"] / "a.jpg").stat().st_ino
        with (stage.folders["one"] / "a.jpg").open("r+b") as file:
            file.write(b"changed")
        os.utime(stage.folders["one"] / "a.jpg", (1_700_000_000, 1_700_000_000))
        assert (stage.folders["one"] / "a.jpg").stat().st_ino == inode
        assert codes(stage.apply([step])) == [SkipCode.KEEPER_OTHER]

    @pytest.mark.parametrize("moment", [None, _BEGUN, _PROVED])
    def test_victim_changed_after_the_scan(self, stage: Stage, moment: str | None) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper)

        def boundary(name: str | None) -> None:
            if name == moment:
                stage.write("two/b.jpg", b"my only edit", seconds=1_700_000_500)

        boundary(None)
        assert outcomes(stage.apply([step], boundary)) == [("skipped", SkipCode.VICTIM_CHANGED)]
        assert (stage.folders["two"] / "b.jpg").read_bytes() == b"my only edit"

    def test_victim_whose_digest_was_never_read(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"edited!")
        step = stage.step(0, victim, keeper)
        wrong = replace(step, victim_digest=step.keeper_digest, victim_basis="md5+size")
        assert codes(stage.apply([wrong])) == [SkipCode.VICTIM_OTHER]


class TestPlansThatContradictThemselves:
    def test_all_copies_selected(self, stage: Stage) -> None:
        first, second = stage.write("one/a.jpg", b"picture"), stage.write("two/a.jpg", b"picture")
        steps = [stage.step(0, first, second), stage.step(1, second, first)]
        assert outcomes(stage.apply(steps)) == [("skipped", SkipCode.KEEPER_ACTED_ON)] * 2
        assert stage.outside_quarantine() == ["one/a.jpg", "two/a.jpg"]
        for action in REMOVING:
            alone = stage.step(0, first, None, action=action, tier="bytes")
            assert codes(stage.apply([alone])) == [SkipCode.NO_KEEPER], action

    def test_overlapping_groups(self, stage: Stage) -> None:
        files = {name: stage.write(f"one/{name}", b"picture") for name in "abcd"}
        # The keeper of one group goes in the other; its own copies have nobody to vouch for them then.
        stars = [("b", "a"), ("c", "a"), ("d", "b")]
        steps = [stage.step(number, files[one], files[other]) for number, (one, other) in enumerate(stars)]
        assert [code for _, code in outcomes(stage.apply(steps))] == ["", "", SkipCode.KEEPER_ACTED_ON]
        assert stage.outside_quarantine() == ["one/a", "one/d"]
        objects = objects_of(*(an_object(name, 1) for name in "abcd"))
        groups = groups_of(objects, ("a/a", ["a/b", "a/c"], "bytes"), ("a/b", ["a/d"], "bytes"))
        planned = plan_steps(groups, objects, REMOVE, PLACES).steps
        assert "a/b" not in files_of(planned)

    def test_together_all_or_none(self, stage: Stage) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        picture, sidecar = stage.write("two/b.jpg", b"picture"), stage.write("two/b.xmp", b"picture")
        steps = [stage.step(0, picture, keeper, together="b"), stage.step(1, sidecar, keeper, together="b")]
        start = stage.tree()

        def edit(name: str) -> None:
            if name == "1.quarantine.before-move":
                (stage.folders["two"] / "b.xmp").write_bytes(b"new words")

        assert codes(stage.apply(steps, edit)) == [SkipCode.TOGETHER, SkipCode.VICTIM_CHANGED]
        assert stage.tree()["two/b.jpg"] == start["two/b.jpg"]


class TestPlaces:
    def test_protected_place_and_scenes(self, stage: Stage) -> None:
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step = stage.step(0, victim, keeper, tier="scene")
        assert codes(stage.apply([step], tiers=("scene", "bytes"))) == [SkipCode.TIER]
        stage.protected.add("b.jpg")
        assert codes(stage.apply([stage.step(0, victim, keeper)])) == [SkipCode.PROTECTED]

    @pytest.mark.parametrize("options", [{}, {"permissions": "read"}])
    def test_closed_location(self, stage: Stage, options: dict[str, object]) -> None:
        keeper = stage.write("one/a.jpg", b"picture")
        folder = stage.folders["one"].parent / "closed"
        folder.mkdir()
        (folder / "b.jpg").write_bytes(b"picture")
        closed = add(stage, "closed", str(folder), options)
        step = stage.step(0, FileAt(closed, "b.jpg"), keeper)
        assert outcomes(stage.apply([step])) == [("skipped", SkipCode.NOT_OPENED)]
        move = stage.step(0, keeper, None, action=ActionKind.MOVE, target=FileAt(closed, "a.jpg"))
        assert outcomes(stage.apply([move])) == [("skipped", SkipCode.NOT_OPENED)]
        assert [path.name for path in folder.iterdir()] == ["b.jpg"]

    @pytest.mark.parametrize("how", ["mounted", "mode"])
    def test_read_only_target(self, stage: Stage, request: pytest.FixtureRequest, how: str) -> None:
        if how == "mode" and os.geteuid() == 0:
            pytest.skip("nothing is read-only for root")
        keeper, victim = stage.write("one/a.jpg", b"picture"), stage.write("two/b.jpg", b"picture")
        step, start = stage.step(0, victim, keeper), stage.tree()
        two = stage.folders["two"]
        if how == "mounted":
            request.getfixturevalue("mount")(two, "-o", "bind,ro", str(two))
        else:
            two.chmod(0o555)
        move = stage.step(1, keeper, None, action=ActionKind.MOVE, target=stage.at("two/a.jpg"))
        for steps in ([step], [move]):
            ((outcome, code),) = outcomes(stage.apply(steps))
            # Told of, and nothing is half done.
            assert outcome in (("failed", "skipped") if how == "mounted" else ("failed",))
            assert code
            assert stage.ledger.open_operations(stage.application_id) == []
        if how == "mode":
            two.chmod(0o755)
        assert stage.tree() == start

    def test_share_vanishing_mid_run(self, stage: Stage) -> None:
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

    def test_share_of_the_keeper_vanishing_mid_run(self, stage: Stage) -> None:
        """It is gone after the move: what was moved goes back, and nothing more is done."""
        keeper = stage.write("one/a.jpg", b"picture")
        steps = [stage.step(n, stage.write(f"two/{n}.jpg", b"picture"), keeper) for n in range(3)]
        start = stage.tree()
        away = stage.folders["one"].with_name("away")

        def pull_out(name: str) -> None:
            if name == _MOVED:
                stage.folders["one"].rename(away)

        came = stage.apply(steps, pull_out, stop_after_failures=2)
        away.rename(stage.folders["one"])
        assert codes(came)[0] == SkipCode.KEEPER_GONE
        assert set(codes(came)[1:]) == {LocationUnavailableError.code}
        assert stage.tree() == start

    def test_trash_on_another_device(self, stage: Stage, mount: Mount) -> None:
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

    def test_a_location_on_another_device(self, stage: Stage, tmp_path: Path) -> None:
        """What goes to another file system is copied, read back and compared before anything is moved away."""
        if stage.folders["two"].stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("this machine has one file system")
        victim = stage.write("two/b.jpg", b"picture")
        start = stage.tree()
        elsewhere = tmp_path / "one"
        elsewhere.mkdir()
        stage.kinds[stage.ids["one"]] = open_location(
            stage.ids["one"], "one", str(elsewhere), {"permissions": "change"}
        )
        step = stage.step(0, victim, None, action=ActionKind.MOVE, target=stage.at("one/moved.jpg"))
        assert codes(stage.apply([step])) == ["done"]
        assert (elsewhere / "moved.jpg").read_bytes() == b"picture"
        assert stage.undo().complete
        assert stage.tree() == start
