"""On every kind of storage that can be changed: plan, dry run, apply, certificate, undo; then all is as it was before.

What a place holds is looked at past everything of ours; a kind that can only be read gets no plan.
"""

from __future__ import annotations

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
from deeplens_kit.cli import main
from deeplens_kit.errors import PlanError, PlanNotApprovedError, SettingsError
from deeplens_kit.pipeline import Workspace, add_location, approve_plan, index, make_plan
from deeplens_kit.pipeline.applying import apply, rehearse
from deeplens_kit.pipeline.certifying import certificate
from deeplens_kit.pipeline.undoing import undo
from deeplens_kit.storage import QUARANTINE_FOLDER
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


# In CI one of each way to move; tests/actions/test_kinds_of_storage.py has the others there.
_KINDS = ["local", "s3", "smb", "webdav", *(["azure", "gcs", "sftp"] if IN_FULL else [])]


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
    with pytest.raises(PlanError, match="not opened for changes"):
        make_plan(workspace, tiers=["bytes"])


def test_the_sample_library_is_cleaned_and_made_as_it_was_by_commands(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
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
    run("index")
    start = _tree(library)
    plan = run("plan", "make", "--tier", "bytes", "--json")["summary"]["plan_id"]
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
    run("audit", "verify")


def _tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return {str(file.relative_to(folder)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
