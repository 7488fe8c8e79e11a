"""A workspace made from a backup.

Takes the place of a backup and a folder that is empty or missing, gives a workspace in it; must not write over
anything. Every file is read and proved by its digest before the workspace is made, beside its folder; the folder gets
its name last. Caches start empty: indexing and matching fill them again.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.catalog import SCHEMA_VERSION, Catalog
from deeplens_kit.errors import AuditBrokenError, BackupError, StoreFullError, WorkspaceSchemaError
from deeplens_kit.ledger import REVISIONS, SCHEMA_REVISION, restore_ledger
from deeplens_kit.pipeline.backup_manifest import CATALOG, LEDGER, BackupFile, BackupManifest
from deeplens_kit.pipeline.backup_store import BackupStore
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.settings import WORKSPACE_FILE, load_workspace_settings, with_stores

__all__ = ["RestoreReport", "restore_backup"]

_THREADS = 4
_FULL = {28, 122}  # ENOSPC, EDQUOT


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A workspace that was restored.

    Attributes:
        directory: Its folder.
        manifest: Of the backup.
        older: Whether its stores are of an older schema: `deeplens upgrade` comes next.
        audit_lines: Lines of the audit trail, each proved; 0 where the stores are older.
    """

    directory: Path
    manifest: BackupManifest
    older: bool
    audit_lines: int


def restore_backup(
    url: str,
    directory: Path | str,
    options: Mapping[str, object] | None = None,
    *,
    name: str = "",
    catalog_url: str | None = None,
    ledger_url: str | None = None,
) -> RestoreReport:
    """Make a workspace from a backup.

    Args:
        url: Where the backup lies.
        directory: A folder that is missing or empty.
        options: Of the backup's kind of storage, credentials as references.
        name: Of the backup; the latest by default.
        catalog_url: Where the catalog goes; by default into the folder.
        ledger_url: SQLAlchemy URL of the ledger; by default SQLite in the folder, whatever it was in before.

    Raises:
        BackupError: There is no backup, it is damaged, or the folder is not empty.
        WorkspaceSchemaError: It was made by a newer DeepLens.
        WorkspaceError: A store is there already, or cannot be made.
        StoreFullError: No space.
    """
    directory = Path(directory).expanduser().absolute()
    _require_free(directory)
    with BackupStore(url, options) as store:
        manifest = store.manifest(name)
        older = _is_older(manifest)
        staged = directory.with_name(f".{directory.name}.restoring-{secrets.token_hex(4)}")
        try:
            _fetch(store, manifest, staged)
            _make_stores(staged, manifest, directory, catalog_url, ledger_url)
            if directory.exists():
                directory.rmdir()
            staged.rename(directory)
        except OSError as error:
            if error.errno in _FULL:
                raise StoreFullError(f"{str(directory)!r} cannot be written: the disk or quota is full.") from error
            raise BackupError(f"Cannot restore to {str(directory)!r}: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        place = store.url
    lines = 0 if older else _proved(directory, manifest, place)
    return RestoreReport(directory, manifest, older, lines)


def _require_free(directory: Path) -> None:
    try:
        free = not directory.exists() or (directory.is_dir() and not any(directory.iterdir()))
    except OSError as error:
        raise BackupError(f"Cannot restore to {str(directory)!r}: {error.strerror or error}.") from error
    if not free:
        raise BackupError(f"{str(directory)!r} is not empty; name a folder that is missing or empty.")


def _is_older(manifest: BackupManifest) -> bool:
    """Whether the stores have to be upgraded; raises where they are newer than this release."""
    if manifest.ledger_revision not in REVISIONS:
        raise WorkspaceSchemaError("ledger", manifest.ledger_revision, SCHEMA_REVISION, newer=True)
    version = manifest.catalog_version
    if not version.isdecimal() or int(version) > SCHEMA_VERSION:
        raise WorkspaceSchemaError("catalog", version, str(SCHEMA_VERSION), newer=True)
    return manifest.ledger_revision != SCHEMA_REVISION or int(version) < SCHEMA_VERSION


def _fetch(store: BackupStore, manifest: BackupManifest, staged: Path) -> None:
    """Read every file to where the workspace is put together."""
    staged.mkdir(parents=True)

    def fetch(file: BackupFile) -> None:
        target = staged / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as stream:
            for content in store.contents(file):
                stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())

    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(fetch, manifest.files):
            pass
    if not (staged / WORKSPACE_FILE).is_file():
        raise BackupError(f"Backup {manifest.name} holds no {WORKSPACE_FILE}; use another backup.")


def _make_stores(
    staged: Path, manifest: BackupManifest, directory: Path, catalog_url: str | None, ledger_url: str | None
) -> None:
    # What stood in the file was where the stores were before; that may be in use still.
    stores = {"catalog_url": catalog_url or CATALOG, "ledger_url": ledger_url or "sqlite:///ledger.sqlite"}
    text = (staged / WORKSPACE_FILE).read_text(encoding="utf-8")
    (staged / WORKSPACE_FILE).write_text(with_stores(text, **stores, cache_dir="cache"), encoding="utf-8")
    settings = load_workspace_settings(staged)
    exported = staged / "exported"
    (staged / LEDGER).rename(exported)
    restore_ledger(_staged(settings.ledger_url, staged, directory), exported, manifest.ledger_revision)
    shutil.rmtree(exported)
    wanted = _staged(settings.catalog_url, staged, directory)
    if wanted != str(staged / CATALOG):
        Catalog(str(staged / CATALOG)).copy_to(wanted)
        shutil.rmtree(staged / CATALOG)


def _staged(url: str, staged: Path, directory: Path) -> str:
    """The address of a store while its workspace is put together: what lies in the folder comes along with it."""
    prefix = "sqlite:///" if url.startswith("sqlite:///") else ""
    path = Path(url.removeprefix(prefix))
    if "://" in url.removeprefix(prefix) or not path.is_relative_to(directory):
        return url
    return f"{prefix}{staged / path.relative_to(directory)}"


def _proved(directory: Path, manifest: BackupManifest, place: str) -> int:
    """Open what was restored and walk over its audit trail; how many lines that had."""
    with Workspace.open(directory) as workspace:
        verdict = workspace.ledger.verify_audit()
        if not verdict.intact:
            raise AuditBrokenError(
                f"{str(directory)!r} was restored as it was backed up, and its audit trail does not hold: line "
                f"{verdict.first_broken}: {verdict.reason}."
            )
        details = {"backup": manifest.name, "url": place, "made_at": manifest.made_at.isoformat()}
        workspace.ledger.record_audit("workspace.restored", details)
        return verdict.lines
