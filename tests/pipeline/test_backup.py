"""Backups of a workspace: made while an index job runs, kept on another kind of storage, proved, restored."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from deeplens_kit.errors import (
    AuditBrokenError,
    BackupError,
    LocationError,
    SettingsError,
    WorkspaceError,
    WorkspaceSchemaError,
)
from deeplens_kit.pipeline import (
    Workspace,
    back_up,
    backing_up,
    backup_store,
    list_backups,
    restore_backup,
    verify_backup,
)
from deeplens_kit.settings import WORKSPACE_FILE
from tests.examples import IN_FULL
from tests.servers.s3 import S3Server

_INDEX = """
import sys
from dataclasses import replace
from deeplens_kit.pipeline import Workspace, index
from deeplens_kit.settings import FeatureSettings, IndexSettings
with Workspace.open(sys.argv[1]) as workspace:
    workspace.settings = replace(
        workspace.settings,
        index=IndexSettings(workers=1, commit_pictures=2),
        features=FeatureSettings(batch_size=2),
    )
    print("ready", flush=True)
    index(workspace, and_match=False)
"""


@pytest.fixture
def own(matched_pictures: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace with everything that a backup holds."""
    folder = Path(shutil.copytree(matched_pictures, tmp_path / "own"))
    text = (folder / WORKSPACE_FILE).read_text(encoding="utf-8")
    (folder / WORKSPACE_FILE).write_text(f"# ours\n{text}\n[index]\nworkers = 1 # few\n", encoding="utf-8")
    (folder / "prices.yaml").write_text("currency: EUR\n", encoding="utf-8")
    (folder / "owners.yaml").write_text("owners: []\n", encoding="utf-8")
    (folder / "policies").mkdir()
    (folder / "policies" / "mine.json").write_text("{}", encoding="utf-8")
    with Workspace.open(folder) as workspace:
        workspace.ledger.add_collection("sea")
        yield workspace


def manifest_file(place: Path) -> Path:
    (found,) = (place / "backups").iterdir()
    return found


def rewritten(place: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A manifest that says something else and has the digest of that."""
    file = manifest_file(place)
    said = json.loads(file.read_text())
    del said["digest"]
    change(said)
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    file.write_text(json.dumps({**said, "digest": hashlib.sha256(text.encode()).hexdigest()}))


def test_a_workspace_is_restored_as_it_was(own: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_store, "PIECE_BYTES", 1_000)
    place = tmp_path / "backups"
    first = back_up(own, str(place))
    assert first.sent_bytes > 0 and first.manifest.objects == own.catalog.objects().height
    second = back_up(own, str(place))
    assert second.sent_bytes < first.sent_bytes / 2, "what is there already is not sent again"
    listed = list_backups(str(place))
    assert listed["backup"].to_list() == [second.manifest.name, first.manifest.name]
    assert verify_backup(str(place)).manifest == second.manifest
    assert verify_backup(str(place), name=first.manifest.name).manifest == first.manifest

    done = restore_backup(str(place), tmp_path / "restored")
    assert (done.older, done.manifest) == (False, second.manifest)
    text = (done.directory / WORKSPACE_FILE).read_text(encoding="utf-8")
    assert text.startswith("# ours\n") and "workers = 1 # few" in text
    assert (done.directory / "prices.yaml").read_text() == "currency: EUR\n"
    assert (done.directory / "policies" / "mine.json").read_text() == "{}"
    assert sorted(path.name for path in done.directory.iterdir() if not path.name.startswith("ledger.sqlite-")) == [
        "catalog", "ledger.sqlite", "owners.yaml", "policies", "prices.yaml", WORKSPACE_FILE,
    ]  # fmt: skip
    with Workspace.open(done.directory) as restored:
        assert restored.content_digest() == own.content_digest()
        assert restored.catalog.pairs_fingerprint() == own.catalog.pairs_fingerprint()
        assert restored.catalog.pairs().sort(pl.all()).equals(own.catalog.pairs().sort(pl.all()))
        # The backup tells of the one before it, and not yet of itself.
        trail = [line.action for line in own.ledger.audit_trail()]
        assert trail[-2:] == ["workspace.backed_up"] * 2
        assert [line.action for line in restored.ledger.audit_trail()] == [*trail[:-1], "workspace.restored"]
        assert restored.ledger.collections() == own.ledger.collections()


def test_a_backup_lies_on_another_kind_of_storage(
    own: Workspace, tmp_path: Path, moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_KEY", moto.keys.access_key)
    monkeypatch.setenv("BACKUP_SECRET", moto.keys.secret_key)
    options: dict[str, object] = {
        "endpoint": moto.endpoint,
        "region": moto.region,
        "addressing": "path",
        "access_key": "${BACKUP_KEY}",
        "secret_key": "${BACKUP_SECRET}",
    }
    url = f"s3://{moto.bucket}/backup-{secrets.token_hex(4)}"
    report = back_up(own, url, options)
    assert verify_backup(url, options).manifest == report.manifest
    stores = {"catalog_url": str(tmp_path / "elsewhere" / "catalog"), "ledger_url": f"sqlite:///{tmp_path}/l.sqlite"}
    done = restore_backup(url, tmp_path / "restored", options, **stores)
    assert not (done.directory / "catalog").exists() and not (done.directory / "ledger.sqlite").exists()
    with Workspace.open(done.directory) as restored:
        assert (restored.settings.catalog_url, restored.settings.ledger_url) == tuple(stores.values())
        assert restored.content_digest() == own.content_digest()
    with pytest.raises(SettingsError, match="in clear"):
        back_up(own, url, options | {"secret_key": "hunter2"})


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_backups_are_made_while_an_index_job_runs(tmp_path: Path, noise_pictures: Callable[[int], Path]) -> None:
    pictures = noise_pictures(14)
    directory, place = tmp_path / "workspace", tmp_path / "backups"
    with Workspace.create(directory) as workspace:
        workspace.ledger.add_location("many", str(pictures), {})
        job = subprocess.Popen([sys.executable, "-c", _INDEX, str(directory)], stdout=subprocess.PIPE, text=True)
        assert job.stdout is not None
        with job.stdout as said:
            assert said.readline() == "ready\n"
        made = []
        while job.poll() is None:
            if workspace.catalog.objects(columns=["object_id"]).height in (0, 14):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    job.wait(timeout=0.05)  # it has committed nothing yet, or all
                continue
            made.append(back_up(workspace, str(place)).manifest)
        assert job.returncode == 0
        made.append(back_up(workspace, str(place)).manifest)
        digest = workspace.content_digest()
    partial = [item for item in made if 0 < item.objects < 14]
    assert partial, "none was made while objects were committed"
    for manifest in (partial[0], partial[-1], made[-1]):
        folder = tmp_path / manifest.name
        restore_backup(str(place), folder, name=manifest.name)
        with Workspace.open(folder) as restored:
            objects = restored.catalog.objects()
            assert objects.height == manifest.objects
            known = restored.catalog.pictures()["digest"]
            assert objects["digest"].drop_nulls().is_in(known.implode()).all(), "each object has its picture"
            assert restored.ledger.location("many")
            assert (restored.content_digest() == digest) == (manifest.objects == 14)


def test_a_damaged_backup_is_found_and_nothing_is_made_of_it(own: Workspace, tmp_path: Path) -> None:
    place, target = tmp_path / "backups", tmp_path / "restored"
    back_up(own, str(place))
    piece = max((place / "pieces").rglob("*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    whole = piece.read_bytes()
    for damage in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], None):
        if damage is None:
            piece.unlink()
        else:
            piece.write_bytes(damage)
        for act in (lambda: verify_backup(str(place)), lambda: restore_backup(str(place), target)):
            with pytest.raises(BackupError, match=r"is missing|is damaged"):
                act()
        assert not target.exists() and not list(tmp_path.glob(".restored*"))
    with pytest.raises(BackupError, match="instead of"):
        piece.write_bytes(whole[:-1])
        back_up(own, str(place))
    piece.unlink()
    back_up(own, str(place))
    assert verify_backup(str(place)).sent_bytes == 0, "the next backup has sent it again"


def test_a_manifest_that_was_changed_is_refused(own: Workspace, tmp_path: Path) -> None:
    place, target = tmp_path / "backups", tmp_path / "restored"
    back_up(own, str(place))
    file = manifest_file(place)
    good = file.read_text()
    for change, error, message in (
        (lambda said: said.update(ledger_revision="9999"), WorkspaceSchemaError, "newer"),
        (lambda said: said.update(catalog_version="99"), WorkspaceSchemaError, "newer"),
        (lambda said: said.update(format_version=2), BackupError, "newer DeepLens"),
        (lambda said: said["files"][0].update(path="../../evil"), BackupError, "leads out"),
        (lambda said: said["files"][0].update(path="/etc/evil"), BackupError, "leads out"),
        (lambda said: said["files"][0].update(pieces=["../x"]), BackupError, "is none"),
        (lambda said: said["files"][0].update(size_bytes=1), BackupError, "not whole"),
        (lambda said: said.pop("files"), BackupError, "cannot be read"),
    ):
        file.write_text(good)
        rewritten(place, change)
        with pytest.raises(error, match=message):
            restore_backup(str(place), target)
    file.write_text(good.replace('"objects": ', '"objects": 1'))
    with pytest.raises(BackupError, match="is damaged"):
        verify_backup(str(place))
    assert not target.exists() and not (tmp_path / "evil").exists()


def test_places_that_do_not_do_are_refused(own: Workspace, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    with pytest.raises(LocationError):
        verify_backup(str(place))
    place.mkdir()
    with pytest.raises(BackupError, match=r"There is no backup at .*deeplens backup URL"):
        verify_backup(str(place))
    with pytest.raises(BackupError, match="names no backup"):
        verify_backup(str(place), name="../x")
    back_up(own, str(place))
    with pytest.raises(BackupError, match=r"no backup 20000101T000000000000Z-00000000 .*known: 2"):
        verify_backup(str(place), name="20000101T000000000000Z-00000000")
    taken = tmp_path / "taken"
    taken.mkdir()
    restore_backup(str(place), taken)
    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(str(place), taken)
    (tmp_path / "file").touch()
    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(str(place), tmp_path / "file")
    stores = {"ledger_url": own.settings.ledger_url}
    with pytest.raises(WorkspaceError, match="already"):
        restore_backup(str(place), tmp_path / "again", **stores)
    with pytest.raises(WorkspaceError, match="already"):
        restore_backup(str(place), tmp_path / "again", catalog_url=own.settings.catalog_url)
    assert not (tmp_path / "again").exists()
    assert own.ledger.collections() and own.catalog.objects().height


def test_stores_within_the_folder_come_along_with_it(own: Workspace, tmp_path: Path) -> None:
    place = str(tmp_path / "backups")
    back_up(own, place)
    for number, (catalog, ledger) in enumerate(
        (("stores/c", "sqlite:///l.sqlite"), ("{}/stores/c", "sqlite:///{}/stores/l.sqlite"), ("catalog", None))
    ):
        target = tmp_path / f"restored-{number}"
        ledger_url = ledger.format(target) if ledger else None
        restore_backup(place, target, catalog_url=catalog.format(target), ledger_url=ledger_url)
        with Workspace.open(target) as restored:
            assert Path(restored.settings.catalog_url).is_relative_to(target)
            assert restored.content_digest() == own.content_digest()


def test_a_broken_audit_trail_is_restored_and_said(own: Workspace, tmp_path: Path) -> None:
    with own.ledger._engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_no_update")
        connection.exec_driver_sql("UPDATE audit SET who = 'eve@x' WHERE sequence = 1")
    back_up(own, str(tmp_path / "backups"))
    with pytest.raises(AuditBrokenError, match="line 1"):
        restore_backup(str(tmp_path / "backups"), tmp_path / "restored")
    assert (tmp_path / "restored" / WORKSPACE_FILE).exists(), "it is what there is"


def test_a_backup_that_was_interrupted_is_none(own: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "backups"
    put = backing_up.BackupStore.put
    left = iter(range(5))

    def dying(store: backup_store.BackupStore, file: Path, path: str) -> Any:
        if next(left, None) is None:
            raise OSError(os.strerror(5))
        return put(store, file, path)

    monkeypatch.setattr(backing_up.BackupStore, "put", dying)
    with pytest.raises(OSError, match="Input/output"):
        back_up(own, str(place))
    monkeypatch.undo()
    assert list_backups(str(place)).height == 0
    assert list(Path(own.settings.cache_dir).glob("backup-*")) == []
    report = back_up(own, str(place))
    assert verify_backup(str(place)).manifest == report.manifest
