"""The interface of a kind of location; the frozen values that cross it are those of `values` and `facts`.

Every kind takes a location's URL and options and gives a listing (a frame, what could not be listed, what was left
out), the state of one object, and its bytes; it must not decode what it reads, and writes only where the location is
opened for it (option `permissions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from deeplens_kit.storage.facts import QUARANTINE_FOLDER, KeptAfter, LinkForm, ObjectFacts
from deeplens_kit.storage.values import (
    UNSETTLED,
    Listing,
    ListingProblem,
    LocationCheck,
    ObjectStat,
    SkippedFolder,
    SkipReason,
)

__all__ = [
    "QUARANTINE_FOLDER",
    "UNSETTLED",
    "KeptAfter",
    "LinkForm",
    "Listing",
    "ListingProblem",
    "LocationCheck",
    "LocationKind",
    "ObjectFacts",
    "ObjectStat",
    "SkipReason",
    "SkippedFolder",
]


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
    def takes_writing(self) -> bool:
        """Whether its kind can be opened for new objects and changes at all."""
        ...

    @property
    def may_create(self) -> bool:
        """Whether it is opened for new objects, and its kind can take them."""
        ...

    @property
    def may_change(self) -> bool:
        """Whether it is opened for changes, and its kind can be changed."""
        ...

    @property
    def proves_by_token(self) -> bool:
        """Whether a token that is unchanged under a conditional request proves that the content is unchanged.

        A token that ends in UNSETTLED proves nothing anywhere.
        """
        ...

    @property
    def keeps_times_on_move(self) -> bool:
        """Whether an object that is moved keeps the time of its last modification."""
        ...

    @property
    def can_set_storage_class(self) -> bool:
        """Whether objects have a storage class here that can be changed."""
        ...

    @property
    def can_link(self) -> frozenset[LinkForm]:
        """The links that can be made here; empty where it is not opened for changes."""
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

    def create_like(self, path: str, data: bytes, facts: ObjectFacts) -> tuple[ObjectStat, tuple[str, ...]]:
        """Make a new object as `create`, with what a file has beside its bytes, as far as the kind can.

        It has no name before it has its permissions: nobody reads it meanwhile whom they shut out.

        Returns:
            Its state, and what of that could not be kept, in words: "permissions", "extended attributes".
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
        """Give an object a free name at the same location; raises as `copy`, needs permission to change.

        Permissions, extended attributes, metadata, tags and storage class go with it. Where it takes a copy and a
        removal, a crash leaves both, and nothing else.
        """
        ...

    def remove(self, path: str, *, expected: ObjectStat) -> None:
        """Remove an object that is in the expected state.

        Raises:
            ObjectChangedError: It is not.
            LocationReadOnlyError: Not opened for changing, or the kind cannot.
        """
        ...

    def replace(self, path: str, data: bytes, *, expected: ObjectStat) -> ObjectStat:
        """Put a new content in the place of an object that is in the expected state, whole or not at all.

        The only call that replaces anything. What the object has beside its bytes stays, but its times.

        Raises:
            ObjectChangedError: It is not in that state.
            LocationReadOnlyError: Not opened for changing, or the kind cannot.
            StoreFullError: No space.
        """
        ...

    def about(self, path: str) -> ObjectFacts:
        """Tell what an object has beside its bytes. Raises as `stat`."""
        ...

    def set_times(self, path: str, modified_at: datetime, *, expected: ObjectStat, was: str | None = None) -> bool:
        """Set the time of the last modification of an object in the expected state; its token may be another then.

        With `was`, the change token that it had at that time, to what the token tells below a microsecond.

        Returns:
            Whether it was set, as exactly as the storage keeps it; False where the kind cannot. Raises as `remove`.
        """
        ...

    def set_storage_class(self, path: str, storage_class: str, *, expected: ObjectStat) -> ObjectStat:
        """Keep an object in another storage class, named as the storage names it; raises as `remove`."""
        ...

    def kept_after_removal(self, path: str) -> KeptAfter | None:
        """Tell what the storage keeps under a path besides what is listed.

        None where the kind keeps no such thing that it could tell of; of snapshots of a file system nothing is known.
        What a storage cannot or may not tell is `KeptAfter.unknown`, never zero. Raises as `stat` where it cannot be
        asked.
        """
        ...

    def identity(self, path: str) -> str:
        """Name the file itself, as surely as the kind can: two names of one file have one identity.

        To be compared within one location, and between locations on the same machine's file systems. Raises as `stat`.
        """
        ...

    def root_id(self) -> str | None:
        """Name what stands at the root now, for comparing: a folder is another one where another disk is mounted there.

        Returns:
            None where nothing tells cheaply; the same root may have another name after its storage was connected anew.

        Raises:
            LocationUnavailableError: Nothing stands there, or it cannot be reached.
        """
        ...

    def link(self, path: str, target: str, how: LinkForm, *, expected: ObjectStat) -> ObjectStat:
        """Have a free name stand for an object that is in the expected state.

        Args:
            path: The object.
            target: The free name.
            how: By which kind of link; one of `can_link`.
            expected: The state that the object must be in.

        Returns:
            The state of what the name leads to.

        Raises:
            ObjectChangedError: It is not in that state.
            ObjectExistsError: The name is taken.
            LocationReadOnlyError: Not opened for changing, or links of this kind cannot be made.
        """
        ...

    def link_to(self, file: Path, target: str) -> None:
        """Make a symbolic link of a free name to a file outside, given by its absolute path; raises as `link`."""
        ...

    def remove_link(self, path: str, expected_target: str) -> None:
        """Remove a symbolic link that `link` or `link_to` made.

        Args:
            path: Of the link.
            expected_target: What it must lead to: a path of the location, or the absolute native path of a file.

        Raises:
            ObjectChangedError: It leads elsewhere, or is no symbolic link.
            ObjectGoneError: Nothing has this name.
            LocationReadOnlyError: As `link`.
        """
        ...

    def link_target(self, path: str) -> str | None:
        """Tell what a symbolic link says, a native path; None where no such link has this name or the kind has none."""
        ...

    def symlinks(self) -> Mapping[str, str]:
        """The symbolic links of the location with what each says, both encoded; empty where the kind tells of none."""
        ...

    def relink(self, path: str, text: str, *, expected: str) -> None:
        """Have a symbolic link that says `expected` say `text`, whole or not at all; raises as `remove_link`."""
        ...

    def remove_unfinished(self, path: str) -> int:
        """End what a killed process of ours left in the folder of `path` under private names; give their number.

        Unfinished files are removed; a file that was caught while it had the name of `path` gets it back where it is
        free. What is not known to be ours stays, and so does what living processes, other machines and other
        containers work on, what was left before a restart, and everything of a kind that cannot tell.
        """
        ...

    def remove_empty_folders(self, path: str) -> None:
        """Remove a folder beneath `QUARANTINE_FOLDER`, or that, where it holds no file; where kinds cannot: nothing."""
        ...

    def missing_folder(self, path: str) -> str | None:
        """Tell the first folder on the way to a path that is not there; None where none, or where kinds cannot."""
        ...

    def remove_made_folders(self, path: str, first: str) -> None:
        """Remove the folders on the way to a path, up to `first`, that hold nothing; where kinds cannot: nothing."""
        ...

    def close(self) -> None:
        """Give connections back; the location can be used again afterwards."""
        ...
