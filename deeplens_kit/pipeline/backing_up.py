"""A backup of what a workspace knows, made while jobs run, and proved.

Takes an open workspace and a place, gives what was sent; must not change the stores (but for a line in the audit
trail) or hold up who works on them. The catalog is taken first and the ledger after it: what the catalog speaks of
(locations, runs) the ledger then knows. Caches are left out: they can be made again.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from deeplens_kit.errors import BackupError
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.pipeline.backup_manifest import CATALOG, LEDGER, BackupFile, BackupManifest
from deeplens_kit.pipeline.backup_store import BackupStore
from deeplens_kit.pipeline.keep_policies import POLICIES_FOLDER
from deeplens_kit.pipeline.kept_out import KEPT_OUT_FILE
from deeplens_kit.pipeline.owners import OWNERS_FILE
from deeplens_kit.pipeline.price_file import PRICES_FILE
from deeplens_kit.pipeline.retention_rules import RETENTION_FOLDER
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.settings import WORKSPACE_FILE

__all__ = ["BackupReport", "back_up", "list_backups", "verify_backup"]

# Each holds a piece in memory, and its answer to compare with.
_THREADS = 4


@dataclass(frozen=True, slots=True)
class BackupReport:
    """One backup that was made, or proved.

    Attributes:
        manifest: What it holds.
        url: Where, without credentials.
        size_bytes: Of all its files.
        sent_bytes: Of the pieces that were not there yet; 0 where it was only proved.
    """

    manifest: BackupManifest
    url: str
    size_bytes: int
    sent_bytes: int


def back_up(workspace: Workspace, url: str, options: Mapping[str, object] | None = None) -> BackupReport:
    """Back up ledger, catalog, settings, price book, policies, retention rules and what is kept out.

    Args:
        workspace: Open; others may work on it meanwhile.
        url: A folder, or a URL as locations have it.
        options: Of its kind of storage, credentials as references.

    Raises:
        SettingsError: The URL or an option is not allowed.
        LocationError: The place cannot be reached or takes no files.
        BackupError: What was sent did not come back as it was.
        StoreFullError: No space there, or for the copy that is made first in the folder of caches.
    """
    with BackupStore(url, options, create=True) as store:
        now = datetime.now(UTC)
        name = f"{now.strftime('%Y%m%dT%H%M%S%fZ')}-{secrets.token_hex(4)}"
        cache = Path(workspace.settings.cache_dir)
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="backup-", dir=cache) as staged:
            folder = Path(staged)
            catalog_version, objects = workspace.catalog.copy_to(str(folder / CATALOG))
            revision = workspace.ledger.export(folder / LEDGER)
            files = _put(store, _found(folder, workspace.directory))
        manifest = BackupManifest(
            name=name,
            made_at=now,
            made_by=current_person(),
            # The root of the package imports stages; from here its version is read where it stands.
            made_with=str(sys.modules[__name__.partition(".")[0]].__version__),
            ledger_revision=revision,
            catalog_version=catalog_version,
            objects=objects,
            files=files,
        )
        store.keep(manifest)
        # Another process may have removed older backups meanwhile, and pieces of theirs that this one did not send.
        if missing := store.missing_of(manifest):
            raise BackupError(
                f"Backup {name} is not whole: {len(missing):,} pieces of it were removed at {store.url!r} while it was "
                "made. Make another one."
            )
        report = _report(manifest, store)
    details = {"backup": name, "url": report.url, "files": len(files), "size_bytes": report.size_bytes}
    workspace.ledger.record_audit("workspace.backed_up", details)
    return report


def verify_backup(url: str, options: Mapping[str, object] | None = None, *, name: str = "") -> BackupReport:
    """Read every file of a backup and compare it with its digest.

    Args:
        url: Where it lies.
        options: Of its kind of storage.
        name: Of the backup; the latest by default.

    Raises:
        BackupError: There is none, or a file of it is missing or damaged.
    """
    with BackupStore(url, options) as store:
        manifest = store.manifest(name)
        with ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(lambda file: _proved(store, file), manifest.files):
                pass
        return _report(manifest, store)


def list_backups(url: str, options: Mapping[str, object] | None = None) -> pl.DataFrame:
    """The backups at a place, the latest first: columns backup, made_at, made_by, made_with, objects, files, bytes."""
    schema: dict[str, pl.DataType | type[pl.DataType]] = {
        "backup": pl.String,
        "made_at": pl.Datetime("us", "UTC"),
        "made_by": pl.String,
        "made_with": pl.String,
        "objects": pl.Int64,
        "files": pl.Int64,
        "bytes": pl.Int64,
    }
    rows = []
    with BackupStore(url, options) as store:
        for name in reversed(store.names()):
            found = store.manifest(name)
            size = sum(file.size_bytes for file in found.files)
            rows.append((name, found.made_at, found.made_by, found.made_with, found.objects, len(found.files), size))
    return pl.DataFrame(rows, schema=schema, orient="row")


def _found(folder: Path, directory: Path) -> Iterator[tuple[Path, str]]:
    """Files with the paths under which the backup names them."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file, file.relative_to(folder).as_posix()
    for name in (WORKSPACE_FILE, PRICES_FILE, OWNERS_FILE, KEPT_OUT_FILE):
        if (directory / name).is_file():
            yield directory / name, name
    for name in (POLICIES_FOLDER, RETENTION_FOLDER):
        kept = directory / name
        for file in sorted(kept.rglob("*")) if kept.is_dir() else ():
            if file.is_file():
                yield file, f"{name}/{file.relative_to(kept).as_posix()}"


def _put(store: BackupStore, found: Iterator[tuple[Path, str]]) -> tuple[BackupFile, ...]:
    with ThreadPoolExecutor(_THREADS) as threads:
        return tuple(threads.map(lambda item: store.put(*item), found))


def _proved(store: BackupStore, file: BackupFile) -> None:
    for _ in store.contents(file):
        pass


def _report(manifest: BackupManifest, store: BackupStore) -> BackupReport:
    return BackupReport(manifest, store.url, sum(file.size_bytes for file in manifest.files), store.sent_bytes)
