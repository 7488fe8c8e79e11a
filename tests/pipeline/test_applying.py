"""A plan of a workspace is applied, broken off in every way, gone on with, and undone; the catalog follows."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from deeplens_kit.errors import (
    ActionsHaltedError,
    LeaseHeldError,
    LocationUnavailableError,
    PlanStateError,
    SettingsError,
)
from deeplens_kit.ledger import ApplicationState, QuarantineState
from deeplens_kit.pipeline import Workspace, approve_plan, index, list_groups, make_plan
from deeplens_kit.pipeline.applying import apply, pause, rehearse, resume
from deeplens_kit.pipeline.certifying import certificate
from deeplens_kit.pipeline.forgetting import forget
from deeplens_kit.pipeline.plan_editing import trim_plan
from deeplens_kit.pipeline.quarantining import chosen_items, empty_quarantine, list_quarantine, restore_quarantined
from deeplens_kit.pipeline.undoing import undo
from deeplens_kit.storage.local_folder import LocalFolder
from tests.actions.stage import Killed, kill_at

_COPIES = 4


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Workspace]:
    """Pictures in `archive`, a copy of each in `laptop`; indexed, and a plan approved."""
    random = np.random.default_rng(11)
    for name in ("archive", "laptop"):
        (tmp_path / name).mkdir()
    for number in range(_COPIES):
        noise = Image.fromarray(random.integers(0, 255, (6, 8, 3), dtype=np.uint8)).resize((96, 72))
        noise.save(tmp_path / "archive" / f"{number}.jpg")
        shutil.copy2(tmp_path / "archive" / f"{number}.jpg", tmp_path / "laptop" / f"{number}.jpg")
    with Workspace.create(tmp_path / "workspace") as workspace:
        workspace.ledger.add_location("archive", str(tmp_path / "archive"), {})
        workspace.ledger.add_location("laptop", str(tmp_path / "laptop"), {"permissions": "change"})
        index(workspace, and_match=False)
        yield workspace


def _killed_at(where: str) -> Callable[[str], None]:
    def boundary(name: str) -> None:
        if name == where:
            raise Killed

    return boundary


def _approved(workspace: Workspace) -> str:
    plan = make_plan(workspace, tiers=["bytes"])
    approve_plan(workspace, plan.plan_id)
    return plan.plan_id


def _tree(workspace: Workspace) -> dict[str, tuple[str, int]]:
    folder = workspace.directory.parent
    return {
        str(file.relative_to(folder)): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for name in ("archive", "laptop")
        for file in (folder / name).rglob("*")
        if file.is_file()
    }


def _rows(workspace: Workspace) -> pl.DataFrame:
    return workspace.catalog.objects().drop("run_id").sort("object_id")


def test_the_catalog_knows_at_once_what_went_and_what_came_back(library: Workspace) -> None:
    start, rows = _tree(library), _rows(library)
    report = apply(library, _approved(library))
    assert report.figures["done"] == _COPIES
    assert list_groups(library).groups.is_empty()
    undone = undo(library, str(report.application and report.application.application_id))
    assert undone.report.complete
    assert _tree(library) == start
    assert not (library.directory.parent / "laptop" / ".deeplens-quarantine").exists()
    assert _rows(library).equals(rows)
    assert index(library, and_match=False)[1].unchanged == _COPIES


def test_a_picture_that_left_the_catalog_meanwhile_keeps_no_other_out(library: Workspace) -> None:
    report = apply(library, _approved(library))
    for name in ("0.jpg", "1.jpg"):
        (library.directory.parent / "archive" / name).unlink()
    index(library, and_match=False)
    (item,) = (item for item in library.ledger.quarantined() if item.keeper_path == "1.jpg")
    restored = restore_quarantined(library, [item.item_id])
    assert (restored.complete, len(restored.undone), restored.left_to_index) == (True, 1, 1)
    undone = undo(library, str(report.application and report.application.application_id))
    assert (undone.report.complete, undone.left_to_index) == (True, 1)
    assert _rows(library).height == 2 * (_COPIES - 2)
    index(library, and_match=False)
    assert _rows(library).height == 2 * _COPIES - 2


def test_killed_paused_and_halted_it_is_gone_on_with(library: Workspace) -> None:
    start = _tree(library)
    with pytest.raises(Killed):
        apply(library, _approved(library), boundary=kill_at(9))
    (left,) = library.ledger.applications()
    assert left.state is ApplicationState.RUNNING
    with pytest.raises(PlanStateError, match="--resume"):
        empty_quarantine(library, chosen_items(library, expired_only=False))
    stop = threading.Event()

    def stop_after_one(name: str) -> None:
        if name.endswith("quarantine.done"):
            stop.set()

    paused = resume(library, left.application_id, stop=stop, boundary=stop_after_one)
    assert paused.stopped
    assert paused.application is not None and paused.application.state is ApplicationState.PAUSED
    away = library.directory.parent / "away"
    shutil.move(library.directory.parent / "archive", away)
    library.settings = _failing_at_once(library)
    with pytest.raises(LocationUnavailableError, match="'archive'"):
        resume(library, left.application_id)
    assert library.ledger.application(left.application_id).state is ApplicationState.PAUSED
    shutil.move(away, library.directory.parent / "archive")

    def vanish(name: str) -> None:
        if name.endswith("quarantine.done") and not away.exists():
            shutil.move(library.directory.parent / "archive", away)

    with pytest.raises(ActionsHaltedError, match="deeplens undo"):
        resume(library, left.application_id, boundary=vanish)
    assert library.ledger.application(left.application_id).state is ApplicationState.HALTED
    shutil.move(away, library.directory.parent / "archive")
    report = resume(library, left.application_id)
    assert (report.figures["done"], report.figures["failed"]) == (_COPIES, 0)
    assert certificate(library, left.application_id).totals["in_quarantine"] == _COPIES
    assert undo(library, left.application_id).report.complete
    assert _tree(library) == start
    assert library.ledger.verify_audit().intact


def test_a_hold_that_came_since_is_respected_and_other_runs_are_kept_out(library: Workspace) -> None:
    plan_id = _approved(library)
    laptop = library.ledger.location("laptop")
    holds: list[str] = []

    def hold(name: str) -> None:
        if name == "1.quarantine.done":
            holds.append(library.ledger.add_hold(location="laptop", why="asked by the court").hold_id)
            with pytest.raises(LeaseHeldError):
                index(library, ["laptop"], and_match=False)

    report = apply(library, plan_id, boundary=hold)
    codes = report.results["code"].to_list()
    assert codes == ["", "", "protected", "protected"]
    emptied = empty_quarantine(library, chosen_items(library, expired_only=False))
    assert [item.code for item in emptied.items] == ["hold", "hold"]
    library.ledger.release_hold(holds[0])
    emptied = empty_quarantine(library, chosen_items(library, expired_only=False))
    assert (emptied.removed, emptied.freed_bytes) == (2, emptied.promised_bytes)
    assert list_quarantine(library)["location"].to_list() == []
    assert laptop.name == "laptop"


def test_a_pause_from_elsewhere_stops_it(library: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeplens_kit.pipeline.applying._POLL_SECONDS", 0.0)

    def ask(name: str) -> None:
        if name == "0.quarantine.done":
            pause(library, library.ledger.applications()[0].application_id)

    report = apply(library, _approved(library), boundary=ask)
    assert report.stopped
    assert report.figures["done"] == 1
    assert rehearse_is_refused(library, report.plan.plan_id)


def rehearse_is_refused(library: Workspace, plan_id: str) -> bool:
    with pytest.raises(PlanStateError):
        rehearse(library, plan_id)
    return True


def _swap(folder: Path) -> Path:
    """Pull a disk out: an empty folder is where it was mounted. Returns where the disk is meanwhile."""
    away = folder.with_name(f"{folder.name} unplugged")
    folder.rename(away)
    folder.mkdir()
    return away


def _plug_in(folder: Path, away: Path) -> None:
    folder.rmdir()
    away.rename(folder)


def test_with_another_disk_in_its_place_it_waits_until_the_right_one_is_back(library: Workspace) -> None:
    start, laptop = _tree(library), library.directory.parent / "laptop"
    with pytest.raises(Killed):
        apply(library, _approved(library), boundary=kill_at(9))
    (left,) = library.ledger.applications()
    away = _swap(laptop)
    with pytest.raises(LocationUnavailableError, match="'laptop' is not the one"):
        resume(library, left.application_id)
    assert library.ledger.application(left.application_id).state is ApplicationState.RUNNING
    undone = undo(library, left.application_id)
    assert not undone.report.complete
    assert [(trouble.code, trouble.step) for trouble in undone.troubles] == [("away", 0)]
    assert undone.application.state is ApplicationState.UNDOING
    assert not library.ledger.quarantined(states=(QuarantineState.MISSING,))
    emptied = empty_quarantine(library, chosen_items(library, expired_only=False))
    assert {item.code for item in emptied.items} == {"not_opened"}
    _plug_in(laptop, away)
    undone = undo(library, left.application_id)
    assert undone.report.complete and undone.application.state is ApplicationState.UNDONE
    assert _tree(library) == start


def test_what_was_moved_to_a_disk_that_is_away_is_not_told_to_be_gone(library: Workspace) -> None:
    start, shelf = _tree(library), library.directory.parent / "shelf"
    shelf.mkdir()
    library.ledger.add_location("shelf", str(shelf), {"permissions": "change"})
    plan = make_plan(library, tiers=["bytes"], action="move", to="shelf")
    approve_plan(library, plan.plan_id)
    application = apply(library, plan.plan_id).application
    assert application is not None
    assert ["extended attributes" in note for note in certificate(library, application.application_id).notes] == [True]
    away = _swap(shelf)
    undone = undo(library, application.application_id)
    assert (undone.report.undone, [trouble.code for trouble in undone.troubles]) == ({}, ["away"])
    assert undone.application.state is ApplicationState.UNDOING
    _plug_in(shelf, away)
    assert undo(library, application.application_id).report.complete
    assert _tree(library) == start
    assert not any(file.is_file() for file in shelf.rglob("*"))


def test_a_share_that_is_mounted_anew_is_known_by_what_was_put_there(library: Workspace) -> None:
    start, laptop = _tree(library), library.directory.parent / "laptop"
    report = apply(library, _approved(library))
    shutil.copytree(laptop, anew := laptop.with_name("anew"))
    shutil.rmtree(laptop)
    anew.rename(laptop)
    assert undo(library, str(report.application and report.application.application_id)).report.complete
    assert _tree(library) == start


def test_a_server_without_an_identity_is_known_by_the_one_file_that_was_being_worked_on(
    library: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SFTP, SMB and WebDAV are: one file is moved, its keeper lies elsewhere, and the process ends in the middle."""
    monkeypatch.setattr(LocalFolder, "root_id", lambda _folder: None)
    start, laptop = _tree(library), library.directory.parent / "laptop"
    plan = make_plan(library, tiers=["bytes"])
    trimmed = trim_plan(library, plan.plan_id, keep=[0])
    approve_plan(library, trimmed.plan_id)
    with pytest.raises(Killed):
        apply(library, trimmed.plan_id, boundary=_killed_at("0.quarantine.move"))
    (left,) = library.ledger.applications()
    assert resume(library, left.application_id).figures["done"] == 1
    with pytest.raises(Killed):
        undo(library, left.application_id, boundary=_killed_at("0.undo.quarantine.move"))
    away = _swap(laptop)
    assert [trouble.code for trouble in undo(library, left.application_id).troubles] == ["away"]
    _plug_in(laptop, away)
    assert undo(library, left.application_id).application.state is ApplicationState.UNDONE
    assert _tree(library) == start
    again = make_plan(library, tiers=["bytes"])
    trimmed = trim_plan(library, again.plan_id, keep=[0])
    approve_plan(library, trimmed.plan_id)
    apply(library, trimmed.plan_id)
    with pytest.raises(Killed):
        empty_quarantine(library, chosen_items(library, expired_only=False), boundary=_killed_at("0.empty.remove"))
    empty_quarantine(library, chosen_items(library, expired_only=False))
    assert list_quarantine(library).is_empty()


def test_what_is_missing_is_never_forgotten_and_is_found_again(library: Workspace) -> None:
    laptop = library.directory.parent / "laptop"
    application = apply(library, _approved(library)).application
    assert application is not None
    away = _swap(laptop)
    emptied = empty_quarantine(library, chosen_items(library, expired_only=False))
    assert {item.code for item in emptied.items} == {"not_opened"}
    _plug_in(laptop, away)
    quarantine = laptop / ".deeplens-quarantine"
    quarantine.rename(laptop / "elsewhere")
    emptied = empty_quarantine(library, chosen_items(library, expired_only=False))
    assert {item.code for item in emptied.items} == {"missing"}
    with pytest.raises(SettingsError, match="is in quarantine"):
        forget(library, emptied.items[0].item.digest, "asked", really=True)
    assert library.catalog.rows_of_picture(emptied.items[0].item.digest)
    assert set(list_quarantine(library)["state"]) == {"missing"}
    (laptop / "elsewhere").rename(quarantine)
    assert set(list_quarantine(library)["state"]) == {"held"}
    assert undo(library, application.application_id).report.complete
    assert library.ledger.verify_audit().intact


def test_a_process_that_slept_past_its_leases_does_nothing_more(
    library: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, slept = _tree(library), 0.0
    monkeypatch.setattr("deeplens_kit.ledger.lease._seconds", lambda: time.monotonic() + slept)
    ledger = sqlite3.connect(library.directory / "ledger.sqlite")

    def sleep(name: str) -> None:
        nonlocal slept
        if name == "1.quarantine.before-move":
            slept = 10_000.0
            with ledger:
                ledger.execute("UPDATE leases SET run_id = 'another'")

    with pytest.raises(LeaseHeldError):
        apply(library, _approved(library), boundary=sleep)
    (left,) = library.ledger.applications()
    assert [line.step for line in library.ledger.open_operations(left.application_id)] == [1]
    with ledger:
        ledger.execute("DELETE FROM leases")
    ledger.close()
    assert undo(library, left.application_id).report.complete
    assert _tree(library) == start


def test_a_location_within_another_is_not_worked_at_meanwhile(library: Workspace) -> None:
    inner = library.directory.parent / "laptop" / "inner"
    inner.mkdir()
    library.ledger.add_location("inner", str(inner), {})

    def ask(name: str) -> None:
        if name == "1.quarantine.done":
            with pytest.raises(LeaseHeldError):
                index(library, ["inner"], and_match=False)

    assert apply(library, _approved(library), boundary=ask).figures["done"] == _COPIES


def _failing_at_once(library: Workspace) -> object:
    from dataclasses import replace

    return replace(library.settings, actions=replace(library.settings.actions, stop_after_failures=1))
