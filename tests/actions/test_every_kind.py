"""On every kind of storage that can be changed: plan, dry run, apply, certificate, undo; then all is as it was before.

What a place holds is looked at past everything of ours; a kind that can only be read gets no plan. On each that answers
over a network a plan is also killed, gone on with, undone and emptied; every digest is as before.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sample_workspace import SAMPLE_LIBRARY, make_sample_workspace
from shared_folder import shared_folder

from benchmarks.fault_trees import Seen, contents_of
from benchmarks.served_places import of_azure, of_ftp, of_gcs, of_postgres, of_s3, of_sftp, of_smb, of_webdav
from benchmarks.storage_place import StoragePlace
from benchmarks.storage_places import PLACES
from data.make_sample_library import LOCATIONS
from deeplens_kit.actions import (
    Acting,
    ActStep,
    ApplyOptions,
    FileAt,
    Ground,
    UndoReport,
    empty_items,
    history_of,
    no_boundary,
    settle_open,
    undo_steps,
)
from deeplens_kit.cli import main
from deeplens_kit.errors import PlanError, PlanNotApprovedError, SettingsError
from deeplens_kit.ledger import Ledger
from deeplens_kit.pipeline import Workspace, add_location, approve_plan, index, make_plan
from deeplens_kit.pipeline.applying import apply, rehearse
from deeplens_kit.pipeline.certifying import certificate
from deeplens_kit.pipeline.undoing import undo
from deeplens_kit.schemas import ActionKind
from deeplens_kit.storage import QUARANTINE_FOLDER, LocationKind
from tests.actions.stage import Killed, kill_at
from tests.examples import IN_FULL

_SERVED: dict[str, tuple[str, Callable[[Any], StoragePlace]]] = {
    "s3": ("seaweedfs", of_s3),
    "azure": ("azurite", of_azure),
    "gcs": ("fake_gcs", of_gcs),
    "smb": ("samba", of_smb),
    "sftp": ("sshd", of_sftp),
    "webdav": ("webdav", of_webdav),
    "ftp": ("pyftpd", of_ftp),
    "postgresql": ("postgres_server", of_postgres),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """Of files alone: what they hold is enough for the tier `bytes`."""
    Workspace.create(tmp_path / "workspace").close()
    with (tmp_path / "workspace" / "workspace.toml").open("a", encoding="utf-8") as stream:
        stream.write("\n[features]\nenabled = []\n")
    with Workspace.open(tmp_path / "workspace") as opened:
        yield opened


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoragePlace]:
    """Of the kind that is asked for, with three pictures, two of them twice or more, and a companion of each."""
    if request.param in _SERVED:
        fixture, made = _SERVED[request.param]
        place = made(request.getfixturevalue(fixture))
        place.put_many(_files())
        yield place
        return
    with PLACES[request.param](tmp_path / "place") as place:
        place.put_many(_files())
        yield place


def _files() -> dict[str, bytes]:
    pictures = []
    for seed in range(3):
        stream = io.BytesIO()
        noise = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(noise).save(stream, "JPEG")
        pictures.append(stream.getvalue())
    files = {"a.jpg": 0, "copies/a 1.jpg": 0, "copies/ä.jpg": 0, "b.jpg": 1, "old/b.jpg": 1, "c.jpg": 2}
    return {path: pictures[number] for path, number in files.items()}


# In CI one of each way to move; `TestServed` has the others there.
_KINDS = ["local", "s3", "smb", "webdav", *(["azure", "gcs", "sftp"] if IN_FULL else [])]
_KILLED = ["s3", "azure", "gcs", "sftp", "smb"]
_SMALL = {"k.jpg": b"picture", "sub/v.jpg": b"picture", "sub/w.jpg": b"picture", "other.jpg": b"other"}


@pytest.mark.parametrize("place", _KINDS, indirect=True)
def test_what_is_planned_is_done_proved_and_undone(workspace: Workspace, place: StoragePlace) -> None:
    url, options = place.located(place.port)
    add_location(workspace, "pics", url, {**options, "permissions": "change"})
    index(workspace, and_match=False)
    look = contents_of(place)
    start = look()
    plan = make_plan(workspace, tiers=["bytes"])
    assert plan.steps == 3
    assert rehearse(workspace, plan.plan_id).figures["possible"] == 3
    with pytest.raises(PlanNotApprovedError):
        apply(workspace, plan.plan_id)
    assert look() == start
    approve_plan(workspace, plan.plan_id)
    report = apply(workspace, plan.plan_id)
    assert report.application is not None
    assert report.figures["done"] == 3, report.results
    now = look()
    assert sorted(seen.holds for seen in now.values()) == sorted(seen.holds for seen in start.values())
    assert sum(path.startswith(QUARANTINE_FOLDER) for path in now) == 3
    shown = certificate(workspace, report.application.application_id)
    assert (shown.totals["done"], shown.totals["in_quarantine"]) == (3, 3)
    undone = undo(workspace, report.application.application_id)
    assert undone.report.complete, undone.troubles
    final = look()
    if undone.troubles:  # its kind cannot set times, and said so
        final, start = _without_times(final), _without_times(start)
    assert final == start
    assert workspace.ledger.verify_audit().intact


def _without_times(contents: dict[str, Seen]) -> dict[str, str]:
    return {path: seen.holds for path, seen in contents.items()}


@pytest.mark.parametrize("place", ["ftp", "postgresql", "sqlite"], indirect=True)
def test_of_a_kind_that_can_only_be_read_nothing_is_planned(workspace: Workspace, place: StoragePlace) -> None:
    url, options = place.located(place.port)
    with pytest.raises(SettingsError, match="can only be read"):
        add_location(workspace, "pics", url, {**options, "permissions": "change"})
    add_location(workspace, "pics", url, options)
    index(workspace, and_match=False)
    with pytest.raises(PlanError, match="kind of location can only be read"):
        make_plan(workspace, tiers=["bytes"])
    with pytest.raises(SettingsError, match="kind that can only be read"):
        make_plan(workspace, tiers=["bytes"], action="move", to="pics")


# Kinds that can only be read, each with the laptop's files once more.
_READ_ONLY = {"mirror": "ftp", "shop": "postgresql"}


@pytest.mark.parametrize(
    "elsewhere", [{}, *([_READ_ONLY] if IN_FULL else [])], ids=["local", "elsewhere"][: 1 + IN_FULL]
)
def test_the_sample_library_is_cleaned_and_made_as_it_was_by_commands(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: dict[str, str],
) -> None:
    made = shared_folder(tmp_path_factory, "sample", make_sample_workspace)
    library = Path(shutil.copytree(made / SAMPLE_LIBRARY, tmp_path / SAMPLE_LIBRARY, symlinks=True))
    monkeypatch.setenv("DEEPLENS_WORKSPACE", str(tmp_path / "workspace"))

    def run(*words: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([str(word) for word in words]) == code
        said = capsys.readouterr()
        return json.loads(said.out) if "--json" in words else said.err

    run("init", tmp_path / "workspace")
    with (tmp_path / "workspace" / "workspace.toml").open("a", encoding="utf-8") as stream:
        stream.write("\n[features]\nenabled = []\n")
    for location in LOCATIONS:
        run("locations", "add", location, library / location, "--option", "permissions=change")
    places = {}
    for name, kind in elsewhere.items():
        fixture, made_by = _SERVED[kind]
        place = places[name] = made_by(request.getfixturevalue(fixture))
        place.put_many({path: data for path, (data, _) in _tree(library / "laptop").items() if path.isprintable()})
        url, options = place.located(place.port)
        words = [word for key, value in options.items() for word in ("--option", f"{key}={value}")]
        refused = run("locations", "add", name, url, *words, "--option", "permissions=change", code=2)
        assert "can only be read" in refused and refused.count("\n") == 1
        run("locations", "add", name, url, *words)
    held = {name: place.list_by_library() for name, place in places.items()}
    run("index")
    start = _tree(library)
    made_plan = run("plan", "make", "--tier", "bytes", "--json")
    plan = made_plan["summary"]["plan_id"]
    assert {row["victim_location"] for row in made_plan["rows"]} <= set(LOCATIONS)
    if elsewhere:
        left = made_plan["summary"]["document"]["left_out"]
        assert {line["location"] for line in left if line["code"] == "read_only"} == set(elsewhere)
    assert "approve" in run("apply", plan, "--really", code=7)
    run("apply", plan)
    assert _tree(library) == start
    run("plan", "approve", plan)
    applied = run("apply", plan, "--really", "--json")
    assert _tree(library).keys() != start.keys()
    application = applied["summary"]["application_id"]
    assert run("certificate", application, "--json")["summary"]
    run("undo", application, "--yes")
    assert _tree(library) == start
    assert {name: place.list_by_library() for name, place in places.items()} == held
    run("audit", "verify")


def _tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


class _Application:
    """One application over a place, in a ledger of its own."""

    def __init__(self, place: StoragePlace, ledger: Ledger, folder: Path) -> None:
        self.kind: LocationKind = place.opened(permissions="change")
        self.location_id = ledger.add_location("served", str(folder)).location_id
        self.ledger, self.application_id = ledger, ""
        place.put_many(_SMALL)

    def steps(self) -> list[ActStep]:
        """Two copies go."""
        keeper = self.kind.stat("k.jpg")
        return [self._step(number, path, keeper) for number, path in enumerate(("sub/v.jpg", "sub/w.jpg"))]

    def _step(self, number: int, path: str, keeper: Any) -> ActStep:
        digest, victim = hashlib.sha256(b"picture").hexdigest(), self.kind.stat(path)
        return ActStep(
            number,
            ActionKind.REMOVE,
            FileAt(self.location_id, path),
            digest,
            "read",
            victim.change_token,
            victim.size_bytes,
            None,
            FileAt(self.location_id, "k.jpg"),
            digest,
            "read",
            keeper.change_token,
            None,
            "bytes",
            victim.size_bytes,
        )

    def apply(self, boundary: Callable[[str], None] = no_boundary) -> list[str]:
        plan = self.ledger.save_plan("duplicates", {}, [b""], "0" * 64, 1)
        self.ledger.approve_plan(plan.plan_id, "0" * 64)
        self.application_id = self.ledger.start_application(plan.plan_id, "0" * 64, {}).application_id
        came = Acting(self._ground(boundary)).run(self.steps())
        return [result.code or str(result.outcome) for result in came.results]

    def go_on(self, steps: list[ActStep]) -> None:
        ground = self._ground()
        settle_open(ground)
        Acting(ground).run(steps, history_of(self.ledger.journal(self.application_id)))

    def undo(self) -> UndoReport:
        ground = self._ground()
        settle_open(ground)
        return undo_steps(ground, history_of(self.ledger.journal(self.application_id)))

    def empty(self) -> list[tuple[bool, str]]:
        items = self.ledger.quarantined(application_id=self.application_id)
        ground = self._ground()
        return [(came.done, came.code) for came in empty_items(lambda _id: ground, items, lambda *_: None)]

    def held(self) -> dict[str, bytes]:
        """What a listing shows, by path."""
        return {path: self.kind.read(path, max_bytes=99) for path in self.kind.list().frame["path"]}

    def _ground(self, boundary: Callable[[str], None] = no_boundary) -> Ground:
        return Ground(
            self.application_id,
            {self.location_id: self.kind},
            self.ledger,
            ApplyOptions(stop_after_failures=0),
            boundary,
        )


@pytest.mark.parametrize("server", _KILLED)
class TestServed:
    """What each kind that answers over a network must do."""

    @pytest.fixture
    def application(
        self, server: str, request: pytest.FixtureRequest, empty_ledger: Path, quick_path: Path
    ) -> Iterator[_Application]:
        fixture, made_by = _SERVED[server]
        place = made_by(request.getfixturevalue(fixture))
        (quick_path / "ledger.db").write_bytes(empty_ledger.read_bytes())
        with Ledger.open(f"sqlite:///{quick_path}/ledger.db") as ledger:
            made = _Application(place, ledger, quick_path)
            yield made
            made.kind.close()

    def test_it_is_applied_killed_anywhere_and_undone_and_nothing_is_lost(self, application: _Application) -> None:
        before = {path: application.kind.stat(path).modified_at for path in _SMALL}
        assert application.apply() == ["done", "done"]
        assert application.held() == {"k.jpg": b"picture", "other.jpg": b"other"}
        report = application.undo()
        assert report.complete
        assert application.held() == _SMALL
        if all(trouble.code != "times_kept" for trouble in report.troubles):
            assert {path: application.kind.stat(path).modified_at for path in _SMALL} == before
        for number, count in enumerate(range(0, 100, 5 if IN_FULL else 8)):
            steps = application.steps()
            try:
                application.apply(kill_at(count))
            except Killed:
                if number % 2:
                    application.go_on(steps)
                    assert application.held() == {"k.jpg": b"picture", "other.jpg": b"other"}
            else:
                break
            assert application.undo().complete, count
            assert application.held() == _SMALL, count
        assert count > 9

    def test_half_a_move_is_made_as_it_was(self, application: _Application) -> None:
        """A storage that copies and then removes may be killed in between."""
        kind, steps = application.kind, application.steps()

        def copy_and_die(name: str) -> None:
            if name == "0.quarantine.before-move":
                target = f".deeplens-quarantine/{application.application_id}/sub/v.jpg"
                kind.copy("sub/v.jpg", target, expected=kind.stat("sub/v.jpg"))
                raise Killed

        with pytest.raises(Killed):
            application.apply(copy_and_die)
        application.go_on(steps)
        assert application.held() == {"k.jpg": b"picture", "other.jpg": b"other"}
        assert application.undo().complete
        assert application.held() == _SMALL

    def test_it_is_emptied_only_while_the_keeper_is_there(self, application: _Application) -> None:
        application.apply()
        application.kind.remove("k.jpg", expected=application.kind.stat("k.jpg"))
        assert application.empty() == [(False, "keeper_gone")] * 2
        application.kind.create("k.jpg", b"picture")
        assert application.empty() == [(True, "")] * 2
        assert [trouble.code for trouble in application.undo().troubles] == ["emptied"] * 2
