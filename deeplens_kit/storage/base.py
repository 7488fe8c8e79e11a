"""The interface of a kind of location, and the frozen values that cross it.

Every kind takes a location's URL and options and gives a listing (a frame, what could not be listed, what was left
out), the state of one object, and its bytes; it must not decode what it reads, and writes only where the location is
opened for it (option `permissions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl

__all__ = [
    "UNSETTLED",
    "Listing",
    "ListingProblem",
    "LocationCheck",
    "LocationKind",
    "ObjectStat",
    "SkipReason",
    "SkippedFolder",
]

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


class LocationKind(Protocol):
    """One location; safe to use from several threads."""

    @property
    def location_id(self) -> str:
        """Stable id, the same when the location is renamed."""
        ...

    @property
    def name(self) -> str:
        """The name that people gave it."""
        ...

    @property
    def url(self) -> str:
        """The normalised URL; opening it again gives the same location."""
        ...

    @property
    def place(self) -> str:
        """Names the root itself, whatever alias leads to it: places of overlapping locations begin alike.

        It ends in '/', and `place + path` names one file.
        """
        ...

    @property
    def readers(self) -> int | None:
        """How many threads read from it at once; None where it makes no difference (a local disk).

        One alone reads in the order of the listing (an archive that can only be unpacked forwards).
        """
        ...

    @property
    def over_network(self) -> bool:
        """Whether what is read comes from another machine, or from a server as if from one: it has its price."""
        ...

    @property
    def may_create(self) -> bool:
        """Whether it is opened for new objects, and its kind can take them."""
        ...

    @property
    def lists_checksums(self) -> bool:
        """Whether its listing may tell what an object holds, so that others are better read first."""
        ...

    @property
    def max_bytes_per_second(self) -> int:
        """How fast it may be read; 0 for no limit."""
        ...

    def check(self) -> LocationCheck:
        """Say what can be done here; raise LocationUnavailableError with the reason when it cannot be listed."""
        ...

    def list(self, *, skip: Sequence[Path] = (), exclude: Sequence[str] = ()) -> Listing:
        """List every object.

        Args:
            skip: Files and folders of the workspace: never entered, never listed.
            exclude: Globs left out besides those of the location's options.

        Raises:
            LocationUnavailableError: The location cannot be listed at all.
        """
        ...

    def stat(self, path: str) -> ObjectStat:
        """Give the state of one object.

        Raises:
            ObjectUnreadableError: It is gone, not a regular file, or not allowed.
            LocationUnavailableError: The location itself is gone.
        """
        ...

    def read(self, path: str, *, expected: ObjectStat | None = None, max_bytes: int) -> bytes:
        """Read one object whole.

        Args:
            path: As the listing gave it.
            expected: The state that the bytes must belong to; None takes what is there.
            max_bytes: Largest object that is read, inclusive.

        Raises:
            LimitExceededError: It is larger than `max_bytes`; nothing was read.
            ObjectChangedError: It differs from `expected`, or changed while it was read.
            ObjectUnreadableError: The bytes cannot be had.
            LocationUnavailableError: The location itself is gone.
        """
        ...

    def open(self, path: str) -> BinaryIO:
        """Open one object for reading and seeking; the caller closes it. Raises as `stat`."""
        ...

    def checksum(self, path: str) -> str | None:
        """Ask for the checksum of the content that a listing only announced ('sha256:?'); costs one request.

        Returns:
            'sha256:' and 64 hexadecimal digits of the whole content, or None where it keeps none. Raises as `stat`.
        """
        ...

    def create(self, path: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> ObjectStat:
        """Make a new object, whole or not at all, and never in the place of another.

        Args:
            path: Encoded, relative to the location; folders are made.
            data: What it holds.
            metadata: Kept with the object where the kind can; ASCII names, any texts.

        Raises:
            ObjectExistsError: The name is taken.
            LocationReadOnlyError: Not opened for creating, or the kind cannot.
            StoreFullError: No space.
        """
        ...

    def copy(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Copy an object to a free name at the same location, on the storage's side where it can.

        Raises:
            ObjectChangedError: It is not in the expected state.
            ObjectExistsError: The name is taken.
            LocationReadOnlyError: Not opened for creating, or the kind cannot.
        """
        ...

    def move(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Give an object a free name at the same location; raises as `copy`, needs permission to change."""
        ...

    def remove(self, path: str, *, expected: ObjectStat) -> None:
        """Remove an object that is in the expected state.

        Raises:
            ObjectChangedError: It is not.
            LocationReadOnlyError: Not opened for changing, or the kind cannot.
        """
        ...

    def close(self) -> None:
        """Give connections back; the location can be used again afterwards."""
        ...
