"""Older backups removed, once enough newer ones are proved.

Takes a place of backups and how many stay, gives what would go and what went. Nothing is removed that is newer than the
last of those that stay, and of those that stay every byte was read and compared first.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deeplens_kit.errors import BackupError, SettingsError
from deeplens_kit.pipeline.backup_manifest import BackupManifest
from deeplens_kit.pipeline.backup_store import BackupStore
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["Pruning", "backups_to_prune", "prune_backups"]

_THREADS = 4


@dataclass(frozen=True, slots=True)
class Pruning:
    """What stays and what goes at a place of backups.

    Attributes:
        url: The place, without credentials.
        kept: Backups that were proved and stay, the latest first.
        damaged: Backups newer than the last of these that are not whole, each with the reason; they stay too.
        going: Older backups, the latest first.
        freed_bytes: What removing them freed; 0 before.
    """

    url: str
    kept: tuple[str, ...]
    damaged: tuple[tuple[str, str], ...]
    going: tuple[str, ...]
    freed_bytes: int = 0


def backups_to_prune(url: str, options: Mapping[str, object] | None = None, *, keep: int) -> Pruning:
    """Prove the latest backups until so many are whole, and say which are older; nothing is removed.

    Args:
        url: Where they lie.
        options: Of its kind of storage.
        keep: How many stay, at least 1.

    Raises:
        SettingsError: It would keep none.
        BackupError: Fewer than so many are whole, so none may go.
    """
    if keep < 1:
        raise SettingsError(f"{keep} backups cannot stay; keep at least 1.")
    with BackupStore(url, options) as store:
        names = list(reversed(store.names()))
        kept: list[str] = []
        damaged: list[tuple[str, str]] = []
        for at, name in enumerate(names):
            if len(kept) == keep:
                return Pruning(store.url, tuple(kept), tuple(damaged), tuple(names[at:]))
            try:
                _prove(store, store.manifest(name))
                kept.append(name)
            except BackupError as error:
                damaged.append((name, str(error)))
        if damaged and len(kept) < keep:
            raise BackupError(
                f"Only {len(kept):,} of {len(names):,} backups at {store.url!r} are whole, so none is removed. The "
                f"first that is not: {damaged[0][1]}"
            )
        return Pruning(store.url, tuple(kept), tuple(damaged), ())


def prune_backups(
    workspace: Workspace, url: str, chosen: Pruning, options: Mapping[str, object] | None = None
) -> Pruning:
    """Remove the backups that are to go, and what no other backup needs of them.

    Args:
        workspace: An open workspace: its audit trail tells of it.
        url: Where they lie.
        chosen: As `backups_to_prune` gave it; a person said yes to it.
        options: Of its kind of storage.

    Raises:
        LocationReadOnlyError: Nothing can be removed there.
        BackupError: A backup that was made meanwhile lacks what was removed; the others are whole.
    """
    freed = 0
    with BackupStore(url, options, remove=True) as store:
        staying = [name for name in store.names() if name not in chosen.going]
        needed = {piece for name in staying for piece in _pieces(store, name)}
        for name in reversed(chosen.going):
            freed += store.remove(store.manifest(name), needed)
        details = {"url": store.url, "removed": len(chosen.going), "kept": len(staying), "freed_bytes": freed}
        workspace.ledger.record_audit("workspace.backups_pruned", details)
        for name in store.names():
            if name not in staying and store.missing_of(store.manifest(name)):
                raise BackupError(f"Backup {name} was made meanwhile and is not whole; make another one.")
    return Pruning(chosen.url, chosen.kept, chosen.damaged, chosen.going, freed)


def _pieces(store: BackupStore, name: str) -> set[str]:
    """What a backup needs; of one whose manifest is damaged nobody knows, and nothing is removed then."""
    return {piece for file in store.manifest(name).files for piece in file.pieces}


def _prove(store: BackupStore, manifest: BackupManifest) -> None:
    with ThreadPoolExecutor(_THREADS) as threads:
        for _ in threads.map(lambda file: sum(map(len, store.contents(file))), manifest.files):
            pass
