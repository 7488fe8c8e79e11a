"""A workspace: the folder that names the stores, and the stores opened.

Takes a folder, gives the settings, the catalog, the ledger and the caches; must not compute anything. Nothing is
left half-made: `workspace.toml` is written last, so a folder is a workspace only when its stores exist.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import polars as pl

from deeplens_kit.catalog import Catalog
from deeplens_kit.decode import IsolatedDecoder, ThumbnailCache
from deeplens_kit.errors import (
    CredentialMissingError,
    DeepLensError,
    LocationError,
    WorkspaceError,
    WorkspaceMissingError,
)
from deeplens_kit.ledger import Ledger, Location
from deeplens_kit.pipeline.keep_policies import POLICIES_FOLDER
from deeplens_kit.pipeline.kept_out import KEPT_OUT_FILE
from deeplens_kit.pipeline.owners import OWNERS_FILE
from deeplens_kit.pipeline.price_file import PRICES_FILE
from deeplens_kit.pipeline.proposal_record import PROPOSALS_FOLDER
from deeplens_kit.pipeline.retention_rules import RETENTION_FOLDER
from deeplens_kit.pipeline.spending import Spending
from deeplens_kit.settings import (
    WORKSPACE_FILE,
    WorkspaceSettings,
    default_workspace_settings,
    load_workspace_settings,
    save_workspace_settings,
)
from deeplens_kit.storage import LocationCheck, LocationKind, open_location
from deeplens_kit.telemetry import get_logger, redact

__all__ = [
    "ACCESS_KEY_FILE",
    "REPORTS_FOLDER",
    "SIGNING_KEY_FILE",
    "SPOOL_FOLDER",
    "UpgradeReport",
    "Workspace",
    "check_locations",
]

SIGNING_KEY_FILE = "signing-key.pem"
"""The key by which a workspace signs what it exports; it lies beside `workspace.toml`, for its owner alone."""

ACCESS_KEY_FILE = "access.key"
"""The key by which a server signs sessions; it lies there too."""

SPOOL_FOLDER = "spool"
"""What was sent and waits to be taken in: no cache, nothing else has these bytes."""

REPORTS_FOLDER = "reports"
"""Pages of reports that a server made."""

_BACKUPS = "backups"
_log = get_logger(__name__)
# What a location tells of itself, by the fields of LocationCheck.
_CHECKED = {
    "may_read": pl.Boolean(),
    "may_write": pl.Boolean(),
    "clock_skew_seconds": pl.Float64(),
    "capacity_bytes": pl.Int64(),
    "free_bytes": pl.Int64(),
}
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What an upgrade did: where the backup lies and which steps were taken."""

    backup_dir: Path
    steps: tuple[str, ...]


class Workspace:
    """Everything DeepLens knows about a set of locations: use it as a context manager.

    Attributes:
        directory: The folder with `workspace.toml`.
        settings: Frozen settings read from it.
        catalog: What the pixels say.
        ledger: What people and jobs did.
        thumbnails: The cache of thumbnails.
        spending: What is read over networks; without a limit unless a run has a budget.
    """

    def __init__(self, directory: Path, settings: WorkspaceSettings, catalog: Catalog, ledger: Ledger) -> None:
        self.directory = directory
        self.settings = settings
        self.catalog = catalog
        self.ledger = ledger
        self.thumbnails = ThumbnailCache(Path(settings.cache_dir))
        self.spending = Spending()
        self._read_at: tuple[int, ...] = ()
        self._told_at: tuple[int, ...] = ()

    @classmethod
    def create(
        cls,
        directory: Path | str,
        *,
        catalog_url: str | None = None,
        ledger_url: str | None = None,
        cache_dir: str | None = None,
    ) -> Workspace:
        """Make a new workspace in `directory` (created when missing) and open it.

        Args:
            directory: A folder that is not a workspace yet.
            catalog_url: Folder or object-store URL of the catalog; by default inside `directory`.
            ledger_url: SQLAlchemy URL of the ledger; by default SQLite inside `directory`.
            cache_dir: Local folder of caches; by default inside `directory`.

        Raises:
            WorkspaceError: The folder is a whole workspace already, cannot be written, or a store is refused.
        """
        directory = Path(directory).expanduser().absolute()
        file = directory / WORKSPACE_FILE
        if file.exists():
            # A catalog or ledger that was lost is made anew: the catalog can be rebuilt by indexing.
            if not _make_stores(load_workspace_settings(directory)):
                raise WorkspaceError(f"{str(directory)!r} is a workspace already; use it, or name another folder.")
            return cls.open(directory)
        stores = {"catalog_url": catalog_url, "ledger_url": ledger_url, "cache_dir": cache_dir}
        settings = default_workspace_settings(directory, **stores)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            Path(settings.cache_dir).mkdir(parents=True, exist_ok=True)
            _make_stores(settings)
            save_workspace_settings(directory, **stores)
        except OSError as error:
            raise WorkspaceError(
                f"Cannot make a workspace in {str(directory)!r}: {error.strerror or error}; "
                "name a folder that you may write to."
            ) from error
        return cls.open(directory)

    @classmethod
    def open(cls, directory: Path | str) -> Workspace:
        """Open the workspace in `directory`.

        Raises:
            WorkspaceMissingError: There is none.
            WorkspaceSchemaError: A store is older (upgrade it) or newer than this DeepLens.
        """
        directory = Path(directory).expanduser().absolute()
        # Looked at before it is read: what is written meanwhile is read again.
        read_at = _stamp(directory)
        settings = load_workspace_settings(directory)
        ledger = Ledger.open(settings.ledger_url)
        try:
            catalog = Catalog.open(settings.catalog_url)
        except BaseException:
            ledger.close()
            raise
        opened = cls(directory, settings, catalog, ledger)
        opened._read_at = read_at
        return opened

    @classmethod
    def upgrade(cls, directory: Path | str) -> UpgradeReport:
        """Bring the stores of a workspace to the present schema; a backup is made first.

        Raises:
            WorkspaceSchemaError: A store is newer than this DeepLens.
        """
        directory = Path(directory).expanduser().absolute()
        settings = load_workspace_settings(directory)
        backup_dir = directory / _BACKUPS / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            backup_dir.mkdir(parents=True, exist_ok=True)
            shutil.copy2(directory / WORKSPACE_FILE, backup_dir / WORKSPACE_FILE)
        except OSError as error:
            raise WorkspaceError(f"Cannot write the backup {str(backup_dir)!r}: {error.strerror or error}.") from error
        steps = [f"ledger: {step}" for step in Ledger.upgrade(settings.ledger_url, backup_dir)]
        steps += [f"catalog: {step}" for step in Catalog.upgrade(settings.catalog_url, backup_dir)]
        return UpgradeReport(backup_dir, tuple(steps))

    @property
    def decoder(self) -> IsolatedDecoder:
        """Decodes within the limits of this workspace, in other processes."""
        return IsolatedDecoder(self.settings.decode, self.settings.index.niceness)

    def chosen(self) -> WorkspaceSettings:
        """The settings with the rule and the keep policy that are in use now, which another process may have chosen.

        Everything else stays as it was when the workspace was opened. A file that cannot be read changes nothing.
        """
        stamp = _stamp(self.directory)
        if stamp != self._read_at:
            try:
                found = load_workspace_settings(self.directory)
            except DeepLensError as error:
                # Looked at again, for it may be away for a moment; told once.
                if stamp != self._told_at:
                    _log.warning("the rule and keep policy in use stay as they were", error=str(error))
                self._told_at = stamp
            else:
                self.settings = replace(self.settings, rules=found.rules, policy=found.policy)
                self._read_at = stamp
        return self.settings

    def own_paths(self) -> tuple[Path, ...]:
        """Local files and folders that belong to the workspace; a scan never enters them.

        The stores are named one by one, so that a workspace may lie in the very folder of pictures that it indexes.
        """
        files = (WORKSPACE_FILE, PRICES_FILE, OWNERS_FILE, KEPT_OUT_FILE, SIGNING_KEY_FILE, ACCESS_KEY_FILE)
        folders = (POLICIES_FOLDER, RETENTION_FOLDER, PROPOSALS_FOLDER, SPOOL_FOLDER, _BACKUPS)
        paths = [*(self.directory / name for name in (*files, *folders)), Path(self.settings.cache_dir)]
        if "://" not in self.settings.catalog_url:
            paths.append(Path(self.settings.catalog_url))
        ledger = self.settings.ledger_url
        if ledger.startswith(_SQLITE):
            paths += [Path(ledger.removeprefix(_SQLITE) + ending) for ending in ("", "-wal", "-shm", "-journal")]
        return tuple(paths)

    def kind_of(self, location: Location) -> LocationKind:
        """Open the storage behind a location."""
        return open_location(location.location_id, location.name, location.url, location.options)

    def location_names(self) -> pl.DataFrame:
        """Names by id: columns location_id, location."""
        rows = [(item.location_id, item.name) for item in self.ledger.locations(inactive=True)]
        return pl.DataFrame(rows, schema={"location_id": pl.String, "location": pl.String}, orient="row")

    def content_digest(self) -> str:
        """One value for the content of the catalog: equal for equal files under locations of equal names."""
        names = {item.location_id: item.name for item in self.ledger.locations(inactive=True)}
        return self.catalog.digest(names)

    def close(self) -> None:
        """Give the connections back; the object cannot be used afterwards."""
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_locations(workspace: Workspace, names: Sequence[str] | None = None) -> pl.DataFrame:
    """Ask every location (or those named) what can be done there.

    Returns:
        Columns location, url, state ("ok" or the code of an error), message, and what `storage.LocationCheck` has, its
        remarks as one text.
    """
    chosen = [workspace.ledger.location(name) for name in names] if names else workspace.ledger.locations()
    rows = []
    for location in chosen:
        state, message, found = "ok", "", LocationCheck()
        try:
            with contextlib.closing(workspace.kind_of(location)) as storage:
                found = storage.check()
        except (LocationError, CredentialMissingError) as error:
            state, message = error.code, redact(str(error))
        rows.append(
            {
                "location": location.name,
                "url": location.url,
                "state": state,
                "message": message,
                **{name: getattr(found, name) for name in _CHECKED},
                "remarks": redact(" ".join(found.remarks)),
            }
        )
    texts = dict.fromkeys(("location", "url", "state", "message"), pl.String())
    return pl.DataFrame(rows, schema={**texts, **_CHECKED, "remarks": pl.String()})


def _stamp(directory: Path) -> tuple[int, ...]:
    """What changes with the settings' file: it is written anew, never in place."""
    try:
        found = (directory / WORKSPACE_FILE).stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _make_stores(settings: WorkspaceSettings) -> bool:
    """Make the stores that are missing, say whether any was; one that is there, or that a team shares, is used."""
    made = False
    try:
        Ledger.open(settings.ledger_url).close()
    except WorkspaceMissingError:
        Ledger.create(settings.ledger_url).close()
        made = True
    try:
        Catalog.open(settings.catalog_url)
    except WorkspaceMissingError:
        Catalog.create(settings.catalog_url)
        made = True
    return made


def default_workers(requested: int) -> int:
    """Threads to work with: what was asked for, else all cores; in a notebook one core stays free."""
    if requested > 0:
        return requested
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1) if "ipykernel" in sys.modules else cores
