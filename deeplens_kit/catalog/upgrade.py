"""A catalog of an older schema version, brought to this one.

Takes the address of a catalog, copies it into the backup folder, then runs one small migration per version; must
not be run while anything writes. Each migration can be run again, and the version is written after it: a kill
leaves a catalog of the old version, and the upgrade starts again from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from deeplens_kit.catalog.faults import is_missing, translated
from deeplens_kit.catalog.lance_table import LanceTable
from deeplens_kit.catalog.locks import local_folder, writing_lock
from deeplens_kit.catalog.manifest import Manifest, table_url
from deeplens_kit.catalog.migrations import MIGRATIONS
from deeplens_kit.errors import WorkspaceMissingError, WorkspaceSchemaError

__all__ = ["upgrade_catalog"]

_TABLES = ("objects", "pictures", "metadata", "failures", "pairs")
_MAY_BE_MISSING = ("metadata", "pairs")  # made by later versions


def upgrade_catalog(url: str, backup_dir: str, storage_options: Mapping[str, str], target: int) -> tuple[str, ...]:
    """Back up and migrate.

    Args:
        url: The catalog.
        backup_dir: Folder or address under which the backup is made.
        storage_options: For the catalog's object store, and the backup's where that is no local folder.
        target: Version to reach.

    Returns:
        What was done, step by step, first where the backup is (itself a catalog of the old version); nothing
        where the catalog has the version `target` already.

    Raises:
        WorkspaceMissingError: There is no catalog.
        WorkspaceSchemaError: The catalog is newer than `target`.
        StoreFullError: No space for the backup: the catalog is as it was.
    """
    manifest = Manifest.at(url, storage_options)
    with translated("upgrade", url):
        found = manifest.version()
        if found is None:
            raise WorkspaceMissingError(f"There is no catalog at {url!r}; make one with `deeplens init`.")
        version = int(found) if found.isdecimal() else target + 1
        if version > target:
            raise WorkspaceSchemaError("catalog", found, str(target), newer=True)
        if version == target:
            return ()
        with writing_lock(url, alone=True):
            done = [f"copied to {_back_up(url, backup_dir, storage_options, version, manifest)}"]
            for step in range(version, target):
                MIGRATIONS[step](lambda name, schema=None: _opened(table_url(url, name), storage_options, schema))
                manifest.write_version(step + 1)
                done.append(f"schema {step} to {step + 1}")
    return tuple(done)


def _back_up(url: str, backup_dir: str, storage_options: Mapping[str, str], version: int, manifest: Manifest) -> str:
    """Copy every table at its present version; the manifest comes last, so half a backup is no catalog."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    target = f"{backup_dir.rstrip('/')}/catalog-v{version}-{stamp}"
    folder = local_folder(target)
    if folder is not None:
        folder.mkdir(parents=True)
    options = {} if folder is not None else dict(storage_options)
    vectors = [spec.table for spec in manifest.vector_specs()]
    for name in (*_TABLES, *vectors, "manifest"):
        try:
            source = _dataset(table_url(url, name), storage_options)
        except (ValueError, OSError) as error:
            if name in _MAY_BE_MISSING and is_missing(error):
                continue
            raise
        source.deep_clone(table_url(target, name), source.version, storage_options=options)
    return target


def _opened(url: str, storage_options: Mapping[str, str], schema: Any | None) -> Any:
    """A table; one that a migration brings is made first, with the schema that it says."""
    if schema is not None:
        LanceTable("", url, schema, "", storage_options).create()
    return _dataset(url, storage_options)


def _dataset(url: str, storage_options: Mapping[str, str]) -> Any:
    import lance

    return lance.dataset(url, storage_options=dict(storage_options) or None)
