"""Watching with a clock and changes of the test's own: what a round sees, tells and outlives."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from deeplens_kit.errors import ExtraMissingError, SettingsError, UnknownNameError, WorkspaceError
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.pipeline.folder_events import FolderEvents
from deeplens_kit.pipeline.new_duplicates import NewDuplicates
from deeplens_kit.pipeline.rounds import FIRST_RETRY_SECONDS
from deeplens_kit.pipeline.watching import WatchEvent, WatchRound, WatchStarted, watch
from deeplens_kit.settings import FeatureSettings, IndexSettings

INTERVAL = 900.0
Step = Callable[[], Collection[str]]


class Script:
    """Changes as a test makes them: a step a wait, during which the clock goes on as far as is waited for."""

    def __init__(self, stop: threading.Event, *steps: Step) -> None:
        self.now = 0.0
        self.waited: list[float] = []
        self.followed: list[tuple[str, ...]] = []
        self._stop, self._steps = stop, list(steps)

    def clock(self) -> float:
        return self.now

    def follow(self, folders: Mapping[str, Path], *, anew: Collection[str] = ()) -> Mapping[str, str]:
        self.followed.append(tuple(anew))
        return {}

    def wait(self, seconds: float, stop: threading.Event) -> set[str]:
        self.waited.append(seconds)
        if not self._steps:
            self._stop.set()
            return set()
        changed = set(self._steps.pop(0)())
        self.now += 0.0 if changed else seconds
        return changed

    def close(self) -> None:
        pass


def run(workspace: Workspace, *steps: Step, names: list[str] | None = None) -> tuple[list[WatchRound], Script]:
    """What was told of each round."""
    stop = threading.Event()
    script = Script(stop, *steps)
    told: list[WatchEvent] = []
    watch(workspace, names, tell=told.append, stop=stop, interval_seconds=INTERVAL, changes=script, clock=script.clock)
    assert isinstance(told[0], WatchStarted)
    return [event for event in told if isinstance(event, WatchRound)], script


def nothing() -> tuple[str, ...]:
    return ()


@pytest.fixture
def small(tmp_path: Path, noise_pictures: Callable[[int], Path]) -> Iterator[tuple[Workspace, Path]]:
    """A workspace with the location `pics` over three small pictures and an equal file of one, not indexed yet."""
    folder = noise_pictures(3)
    (folder / "again.jpg").write_bytes((folder / "0" / "0.jpg").read_bytes())
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "pics", str(folder))
        # Hashes find all that these tests ask for, and a decoder takes a second to start.
        features = FeatureSettings(enabled=("phash", "pdq"))
        workspace.settings = replace(workspace.settings, features=features, index=IndexSettings(workers=1))
        yield workspace, folder


def test_new_copies_of_known_pictures_are_told_and_what_goes_wrong_ends_nothing(
    small: tuple[Workspace, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, pictures = small
    away = tmp_path / "away"
    held: list[AbstractContextManager[object]] = []

    def copies_arrive() -> tuple[str, ...]:
        (pictures / "1" / "1.jpg").rename(pictures / "moved.jpg")
        (pictures / "equal.jpg").write_bytes((pictures / "again.jpg").read_bytes())
        with Image.open(pictures / "2" / "2.jpg") as known:
            known.save(pictures / "recoded.png")
        return ("pics",)

    def disk_is_pulled_out() -> tuple[str, ...]:
        pictures.rename(away)
        return ()

    def disk_is_back() -> tuple[str, ...]:
        away.rename(pictures)
        return ()

    def somebody_else_indexes() -> tuple[str, ...]:
        location = workspace.ledger.location("pics")
        held.append(workspace.ledger.leased_run("index", location, {}, stale_seconds=60))
        held[0].__enter__()
        return ("pics",)

    def ledger_fails() -> tuple[str, ...]:
        held[0].__exit__(None, None, None)

        def refuse(*_: object, **__: object) -> None:
            monkeypatch.undo()
            raise WorkspaceError("Cannot write to the ledger: connection lost; check that its server can be reached.")

        monkeypatch.setattr(workspace.ledger, "leased_run", refuse)
        return ()

    rounds, script = run(
        workspace, copies_arrive, nothing, disk_is_pulled_out, disk_is_back,
        somebody_else_indexes, nothing, ledger_fails, nothing,
    )  # fmt: skip
    first, arrived, pulled, back, leased, failed, last = rounds
    # Nothing was known before the first: what is alike in it is no news.
    assert (first.found.new_files, first.found.duplicates) == (4, 0)
    assert first.found.among_new == 2
    assert arrived.found.new_files == 3
    assert arrived.found.by_tier == {"bytes": 1, "pixels": 1}
    equal, recoded = arrived.found.listed
    assert (equal.path, equal.matches, equal.saved_bytes) == ("equal.jpg", 2, (pictures / "equal.jpg").stat().st_size)
    assert (recoded.path, recoded.known_path, recoded.tier) == ("recoded.png", "2/2.jpg", "pixels")
    assert recoded.saved_bytes == (pictures / "recoded.png").stat().st_size
    assert (equal.stays, recoded.stays) == ("known", "known")
    assert arrived.found.saved_bytes == equal.saved_bytes + recoded.saved_bytes
    (problem,) = pulled.problems
    assert (problem.location, problem.code) == ("pics", "location_unavailable")
    assert problem.retry_seconds == FIRST_RETRY_SECONDS
    assert back.problems == ()
    assert back.found.new_files == 0
    assert [anew for anew in script.followed if anew] == [("pics",)]
    assert [item.code for item in leased.problems] == ["lease_held"]
    assert [item.code for item in failed.problems] == ["workspace"]
    assert last.problems == ()
    assert last.reports[0].unchanged == 6


def test_a_copy_that_there_was_no_time_to_look_at_is_told_when_it_was_looked_at(
    small: tuple[Workspace, Path],
) -> None:
    workspace, pictures = small
    Image.fromarray(skimage.data.coffee()).resize((240, 160)).save(pictures / "cup.jpg", quality=90)
    index(workspace)
    usual = workspace.settings

    def no_time_to_look_closely() -> tuple[str, ...]:
        workspace.settings = replace(usual, match=replace(usual.match, verification_seconds=1e-6))
        with Image.open(pictures / "cup.jpg") as known:
            known.save(pictures / "later.jpg", quality=60)
        return ("pics",)

    def time_again() -> tuple[str, ...]:
        workspace.settings = usual
        return ()

    _, hurried, late, after = run(workspace, no_time_to_look_closely, nothing, time_again, nothing)[0]
    assert (hurried.found.new_files, hurried.found.duplicates) == (1, 0)
    assert (late.found.new_files, late.found.by_tier) == (0, {"copy": 1})
    assert (late.found.listed[0].path, late.found.listed[0].matches) == ("later.jpg", 1)
    assert after.found == NewDuplicates()


def test_what_a_killed_process_had_indexed_is_told_by_the_next(
    small: tuple[Workspace, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, pictures = small
    assert run(workspace)[0][0].found.duplicates == 0
    (pictures / "equal.jpg").write_bytes((pictures / "again.jpg").read_bytes())
    (pictures / "1" / "1.jpg").rename(pictures / "moved.jpg")
    index(workspace)  # and then the process is killed: nothing of it was told

    def refuse(*_: object) -> None:
        raise WorkspaceError("Cannot write to the ledger: connection lost.")

    with monkeypatch.context() as changed:
        changed.setattr(workspace.ledger, "record_watched", refuse)
        (failed,) = run(workspace)[0]
    assert ([item.code for item in failed.problems], failed.found) == (["workspace"], NewDuplicates())
    (told,) = run(workspace)[0]
    assert [item.path for item in told.found.listed] == ["equal.jpg"], "a moved file is no news to the next either"
    assert run(workspace)[0][0].found == NewDuplicates()


def test_a_change_is_looked_at_in_its_own_location_alone(small: tuple[Workspace, Path], tmp_path: Path) -> None:
    workspace, _ = small
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (64, 48), "teal").save(other / "plain.png")
    add_location(workspace, "other", str(other))

    def added_meanwhile() -> tuple[str, ...]:
        (tmp_path / "third").mkdir()
        Image.new("RGB", (48, 64), "plum").save(tmp_path / "third" / "plain.png")
        add_location(workspace, "third", str(tmp_path / "third"))
        return ("other",)

    rounds, script = run(workspace, added_meanwhile, nothing, nothing)
    looked = [[report.location for report in item.reports] for item in rounds]
    assert looked[:3] == [["other", "pics"], ["other"], ["third"]]
    assert script.waited[0] == pytest.approx(INTERVAL)


def test_the_clock_alone_comes_back_to_every_location(matched_pictures: Path, tmp_path: Path) -> None:
    shutil.copytree(matched_pictures, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace") as workspace:
        rounds, script = run(workspace, nothing, nothing, names=["pics"])
    assert [item.reports[0].read_files for item in rounds] == [0, 0, 0]
    assert [item.match for item in rounds] == [None] * 3
    assert script.waited == [INTERVAL] * 3


def test_what_cannot_be_watched_is_refused_at_once(matched_pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Workspace.open(matched_pictures) as workspace:
        stop = threading.Event()
        with pytest.raises(UnknownNameError, match="did you mean 'pics'"):
            watch(workspace, ["pic"], tell=print, stop=stop)
        with pytest.raises(SettingsError, match="at least 1 second"):
            watch(workspace, tell=print, stop=stop, interval_seconds=0.5)
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(ExtraMissingError, match="'watch'"):
        FolderEvents([])


def test_the_system_tells_of_changes_but_not_of_our_own_files(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    folder, own = tmp_path / "pictures", tmp_path / "pictures" / "workspace"
    own.mkdir(parents=True)
    stop = threading.Event()
    source = FolderEvents([own])
    try:
        refused = source.follow({"pics": folder, "none": tmp_path / "none"})
        assert list(refused) == ["none"]
        # That nothing comes could only be waited for: the one that tells is asked.
        told_of = source._followed["pics"]._matters
        assert not any(told_of(None, str(path)) for path in (own, own / "ledger.sqlite"))
        assert told_of(None, str(folder / "a.txt"))
        (own / "ledger.sqlite").write_text("ours")
        (folder / "new").mkdir()
        (folder / "new" / "a.txt").write_text("theirs")
        assert source.wait(30.0, stop) == {"pics"}
        assert source.follow({}) == {}
        stop.set()
        assert source.wait(30.0, stop) == set()
    finally:
        source.close()
