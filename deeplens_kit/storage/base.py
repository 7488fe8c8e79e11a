"""The interface of a kind of location, and the frozen values that cross it.

Every kind takes a location's URL and options and gives a listing (a frame, what could not be listed, what was left
out), the state of one object, and its bytes; it must not write, and must not decode what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl

__all__ = ["Listing", "ListingProblem", "LocationKind", "ObjectStat", "SkipReason", "SkippedFolder"]


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
    """

    size_bytes: int
    change_token: str
    modified_at: datetime | None = None
    link_id: str | None = None
    link_count: int = 1


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


class LocationKind(Protocol):
    """One location, opened for reading; safe to use from several threads."""

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

    def check(self) -> None:
        """Raise LocationUnavailableError with the reason when the location cannot be listed."""
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
