"""Workspaces, locations and leases that cannot be used.

Takes what an error speaks of, gives classes; the tree and what a message says are told in the package.
"""

from __future__ import annotations

from deeplens_kit.errors.base import DeepLensError

__all__ = [
    "BackupError",
    "LeaseHeldError",
    "LocationEmptiedError",
    "LocationError",
    "LocationReadOnlyError",
    "LocationUnavailableError",
    "StoreFullError",
    "WorkspaceError",
    "WorkspaceMissingError",
    "WorkspaceSchemaError",
]


class WorkspaceError(DeepLensError):
    """The workspace cannot be used as it is."""

    code = "workspace"
    exit_code = 3


class WorkspaceMissingError(WorkspaceError):
    """The folder holds no `workspace.toml`."""

    code = "workspace_missing"


class WorkspaceSchemaError(WorkspaceError):
    """The stores have another schema version than this release of DeepLens."""

    code = "workspace_schema"

    def __init__(self, store: str, found: str, expected: str, *, newer: bool) -> None:
        self.store, self.found, self.expected, self.newer = store, found, expected, newer
        advice = (
            "this workspace was made by a newer DeepLens; install that version"
            if newer
            else "run `deeplens upgrade` (it makes a backup first)"
        )
        super().__init__(f"The {store} has schema {found}, this DeepLens uses {expected}; {advice}.")


class BackupError(WorkspaceError):
    """A backup is not there, is damaged, or cannot be restored to where it should."""

    code = "backup"


class StoreFullError(WorkspaceError):
    """A store or cache cannot be written because the disk or quota is full."""

    code = "store_full"


class LocationError(DeepLensError):
    """A location cannot be used."""

    code = "location"
    exit_code = 4

    def __init__(self, location: str, message: str) -> None:
        self.location = location
        super().__init__(message)


class LocationUnavailableError(LocationError):
    """A location cannot be reached or listed; nothing is marked as gone."""

    code = "location_unavailable"


class LocationEmptiedError(LocationError):
    """A location lists empty where it held objects; nothing is marked as gone."""

    code = "location_emptied"


class LocationReadOnlyError(LocationError):
    """A location is not opened for what was asked (option `permissions`), or its kind of storage cannot do it."""

    code = "location_read_only"


class LeaseHeldError(DeepLensError):
    """Another run holds the lease on a location.

    Args:
        location: Name of the location.
        holder: Who holds it, as "user@host pid N".
        age_seconds: Seconds since the holder took the lease.
    """

    code = "lease_held"
    exit_code = 5

    def __init__(self, location: str, holder: str, age_seconds: float) -> None:
        self.location, self.holder, self.age_seconds = location, holder, age_seconds
        super().__init__(
            f"Location {location!r} is being indexed by {holder} for {age_seconds:.0f} s; "
            "wait for it to end, or stop it and run again."
        )
