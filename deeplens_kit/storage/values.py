"""The frozen values that cross the interface of a kind of location: listings, states, and what may be done.

Take nothing; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import polars as pl

__all__ = [
    "ANNOUNCED",
    "UNSETTLED",
    "Listing",
    "ListingProblem",
    "LocationCheck",
    "ObjectStat",
    "SkipReason",
    "SkippedFolder",
]

ANNOUNCED = "sha256:?"
"""The checksum of an object of which the storage keeps a SHA-256 that costs a request to ask for."""

UNSETTLED = "~"
"""Ends a change token that a later change may leave as it is, because the storage's clock is too coarse for it or tells
nothing better: such an object is read again by the next run. A weak token is never trusted."""


class SkipReason(StrEnum):
    """Why an entry of a location was left out of its listing."""

    SYMLINK = "symlink"
    HIDDEN = "hidden"
    EXCLUDED = "excluded"
    SPECIAL = "special"
    WORKSPACE = "workspace"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """The state of one object as the storage tells it; the columns of LISTING but the path.

    Attributes:
        size_bytes: Bytes.
        change_token: Changes when the content does, as far as the storage tells.
        modified_at: Last modification, UTC; None where unknown or outside the years 1..9999.
        link_id: Names the file itself, "device:inode"; None where the storage tells no such thing.
        link_count: Names that the file has.
        checksum: As the storage lists it, see LISTING.
        storage_class: As the storage calls it.
    """

    size_bytes: int
    change_token: str
    modified_at: datetime | None = None
    link_id: str | None = None
    link_count: int = 1
    checksum: str | None = None
    storage_class: str | None = None


@dataclass(frozen=True, slots=True)
class ListingProblem:
    """A folder or file that is there but could not be listed.

    Attributes:
        path: Encoded, relative to the location; a folder's ends in '/'.
        code: permission, gone, name_too_long or io.
        message: What happened and what it means, in one line.
    """

    path: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SkippedFolder:
    """A folder left out whole: the files beneath it were not counted.

    Attributes:
        path: Encoded, relative to the location, ends in '/'.
        reason: Why.
    """

    path: str
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class Listing:
    """What a location holds now.

    Attributes:
        frame: A LISTING frame: every regular file, in the order in which the storage gave it.
        problems: What could not be listed; objects beneath are unknown, not gone.
        skipped: Entries left out, by reason; a folder left out whole counts as one.
        skipped_folders: The folders among those, in order of path.
    """

    frame: pl.DataFrame
    problems: tuple[ListingProblem, ...]
    skipped: Mapping[SkipReason, int]
    skipped_folders: tuple[SkippedFolder, ...]


@dataclass(frozen=True, slots=True)
class LocationCheck:
    """What a location that can be listed lets us do; None where it was not tried or cannot be told.

    Attributes:
        may_read: An object, where there is one.
        may_write: A new object; tried only where the location is opened for creating.
        clock_skew_seconds: The storage's clock less ours.
        capacity_bytes: Of the storage.
        free_bytes: Of it.
        remarks: What else is worth knowing, a sentence each: a permission that is missing and how it is called.
    """

    may_read: bool | None = None
    may_write: bool | None = None
    clock_skew_seconds: float | None = None
    capacity_bytes: int | None = None
    free_bytes: int | None = None
    remarks: tuple[str, ...] = ()
