"""A copy of the catalog as it stood at one moment, made while others write to it.

Takes the address of a catalog and of a free place and gives what was copied; must not change the catalog or make it
wait. The tables have no common transaction: a moment is one at which `objects`, the commit point, was the same before
and after all other versions were looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deeplens_kit.catalog.faults import translated
from deeplens_kit.catalog.locks import local_folder
from deeplens_kit.catalog.manifest import Manifest, table_url
from deeplens_kit.errors import WorkspaceError, WorkspaceMissingError

__all__ = ["TABLES", "copy_catalog"]

TABLES = ("objects", "pictures", "metadata", "failures", "pairs")

# Each try takes milliseconds, and a batch is committed every few seconds at most.
_TRIES = 50


def copy_catalog(
    url: str, target: str, storage_options: Mapping[str, str], target_options: Mapping[str, str]
) -> tuple[str, int]:
    """Copy every table at one moment; the manifest comes last, so half a copy is no catalog.

    Args:
        url: The catalog.
        target: Folder or address where there is no catalog.
        storage_options: For the catalog's object store.
        target_options: For the copy's.

    Returns:
        The catalog's schema version, and how many objects it holds.

    Raises:
        WorkspaceMissingError: There is no catalog.
        WorkspaceError: There is one at the target already, a store refused, or copying took longer than replaced
            versions are kept (KEEP_OLD_VERSIONS).
        StoreFullError: No space for the copy.
    """
    with translated("write to", target):
        if Manifest.at(target, target_options).version() is not None:
            raise WorkspaceError(f"There is a catalog at {target!r} already; name another place.")
        folder = local_folder(target)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    with translated("copy", url):
        moment = _moment(url, storage_options)
        options = {} if folder is not None else dict(target_options)
        for name, dataset in moment.items():
            dataset.deep_clone(table_url(target, name), dataset.version, storage_options=options)
        return str(Manifest.at(target, target_options).version()), int(moment["objects"].count_rows())


def _moment(url: str, storage_options: Mapping[str, str]) -> dict[str, Any]:
    """The datasets of every table by name, each at its version of one moment."""
    manifest = Manifest.at(url, storage_options)
    for _ in range(_TRIES):
        if manifest.version() is None:
            raise WorkspaceMissingError(f"There is no catalog at {url!r}; make one with `deeplens init`.")
        found = {"objects": _dataset(table_url(url, "objects"), storage_options)}
        names = [*TABLES[1:], *(spec.table for spec in manifest.vector_specs()), "manifest"]
        for name in names:
            found[name] = _dataset(table_url(url, name), storage_options)
        if _dataset(table_url(url, "objects"), storage_options).version == found["objects"].version:
            break
    # Others kept getting in between. Pictures go before their objects, so that those first looked up lack nothing.
    return found


def _dataset(url: str, storage_options: Mapping[str, str]) -> Any:
    import lance

    return lance.dataset(url, storage_options=dict(storage_options) or None)
