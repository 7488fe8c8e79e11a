"""Objects of a storage behind a network, made, moved, replaced and removed.

Takes a store (one kind's library) by `remote_reading`; says whether each act is allowed, and where the answer to a
request was lost finds out what became of it. Must not know any library, replace anything but in `replace`, or touch
what is not in the expected state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from deeplens_kit.errors import (
    LocationReadOnlyError,
    ObjectChangedError,
    ObjectError,
    ObjectExistsError,
    ObjectGoneError,
    ObjectUnreadableError,
)
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.facts import LinkForm
from deeplens_kit.storage.listing import settled
from deeplens_kit.storage.options import Permission
from deeplens_kit.storage.paths import decode_path, new_path
from deeplens_kit.storage.remote_reading import CHANGED, ReadLocation
from deeplens_kit.storage.store import Store
from deeplens_kit.storage.values import ANNOUNCED

__all__ = ["ChangingLocation"]

_COMPARED_BYTES = 2**23  # of each of two objects that are held against each other, at once
_TAKEN = "Something has this name already; it was left as it is."


class ChangingLocation(ReadLocation):
    """What of `storage.base.LocationKind` changes single objects of a store; see `remote.RemoteLocation`."""

    def create(self, path: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> ObjectStat:
        """Make a new object; see `LocationKind.create`."""
        self._permit(Permission.CREATE, "new files")
        native = new_path(path)

        def make() -> None:
            self.store.create(native, data, metadata or {})

        self._done(make, path, {ObjectExistsError: lambda: self._holds(path, data)})
        return self.stat(path)

    def copy(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Copy an object to a free name; see `LocationKind.copy`."""
        self._permit(Permission.CREATE, "copies")
        return self._rearranged(self.store.copy, path, target, expected)

    def move(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Give an object a free name; see `LocationKind.move`."""
        self._permit(Permission.CHANGE, "changes")
        # What is found there after an answer was lost is then ours, and no other name of the object itself.
        self._expect_free(target)
        if type(self.store).move is not Store.move:
            return self._rearranged(self.store.move, path, target, expected, renames=True)
        # Each step for itself: a step that is tried again must not find what the one before it made.
        made = self._rearranged(self.store.copy, path, target, expected)
        self._compare_copy(made, expected)
        self.remove(path, expected=expected)
        return made

    def remove(self, path: str, *, expected: ObjectStat) -> None:
        """Remove an object; see `LocationKind.remove`."""
        self._permit(Permission.CHANGE, "changes")
        native = decode_path(path)

        def remove() -> None:
            self._expect(native, expected)
            self.store.remove(native, settled(expected.change_token))

        self._done(remove, path, {ObjectGoneError: lambda: True})

    def set_times(self, path: str, modified_at: datetime, *, expected: ObjectStat, was: str | None = None) -> bool:
        """Set the time of the last modification; see `LocationKind.set_times`. No token tells more of it."""
        if not self.store.sets_times:
            return False
        self._permit(Permission.CHANGE, "changes")
        native = decode_path(path)

        def set_times() -> None:
            self._expect(native, expected)
            self.store.set_times(native, modified_at, settled(expected.change_token))

        self._done(set_times, path, {ObjectChangedError: lambda: self._has_time(path, modified_at, expected)})
        return True

    def set_storage_class(self, path: str, storage_class: str, *, expected: ObjectStat) -> ObjectStat:
        """Keep an object in another storage class; see `LocationKind.set_storage_class`."""
        self._permit(Permission.CHANGE, "changes")
        if not self.store.sets_storage_class:
            raise LocationReadOnlyError(
                self.name, f"Location {self.name!r} has no storage classes: its kind of storage knows none."
            )
        native = decode_path(path)

        def set_class() -> None:
            self._expect(native, expected)
            self.store.set_storage_class(native, storage_class, settled(expected.change_token))

        self._done(set_class, path, {ObjectChangedError: lambda: self._has_class(path, storage_class, expected)})
        return self.stat(path)

    def link_target(self, path: str) -> str | None:
        """None: symbolic links of a server are not read."""
        return None

    def remove_unfinished(self, path: str) -> int:
        """Nothing: whether another process still works on it cannot be told."""
        return 0

    def remove_empty_folders(self, path: str) -> None:
        """Nothing: an object store has no folders, and those of a server stay; see `LocationKind`."""

    def missing_folder(self, path: str) -> str | None:
        """None: folders stay."""
        return None

    def remove_made_folders(self, path: str, first: str) -> None:
        """Nothing, as `remove_empty_folders`."""

    @property
    def can_link(self) -> frozenset[LinkForm]:
        """Hard links where the protocol has them and tells later that two names are one file."""
        return frozenset({LinkForm.HARDLINK}) if self.may_change and self.store.links else frozenset()

    def link(self, path: str, target: str, how: LinkForm, *, expected: ObjectStat) -> ObjectStat:
        """Have a free name stand for an object; see `LocationKind.link`."""
        if how not in self.can_link:
            raise self._linkless(how)
        self._expect_free(target)
        return self._rearranged(self.store.link, path, target, expected)

    def link_to(self, file: Path, target: str) -> None:
        """Refused; see `LocationKind.link_to`."""
        raise self._linkless(LinkForm.SYMLINK)

    def remove_link(self, path: str, expected_target: str) -> None:
        """Refused; see `LocationKind.remove_link`."""
        raise self._linkless(LinkForm.SYMLINK)

    def symlinks(self) -> Mapping[str, str]:
        """None; see `LocationKind.symlinks`."""
        return {}

    def relink(self, path: str, text: str, *, expected: str) -> None:
        """Refused; see `LocationKind.relink`."""
        raise self._linkless(LinkForm.SYMLINK)

    def _linkless(self, how: LinkForm) -> LocationReadOnlyError:
        self._permit(Permission.CHANGE, "changes")
        possible = " and ".join(sorted(self.can_link)) or "no links"
        return LocationReadOnlyError(
            self.name,
            f"Location {self.name!r} cannot hold a {how}: its kind has {possible}, folders of this machine have all. "
            "Use the action remove, or a redirect entry.",
        )

    def _compare_copy(self, made: ObjectStat, expected: ObjectStat) -> None:
        """Refuse to remove what a copy does not equal, as far as the storage tells."""
        told = self.store.copies_have_equal_checksums and made.checksum is not None and expected.checksum is not None
        if made.size_bytes != expected.size_bytes or (told and made.checksum != expected.checksum):
            raise ObjectUnreadableError(
                "The storage's copy is not what was copied; the object was left as it is, and the copy beside it."
            )

    def _done(
        self,
        act: Callable[[], None],
        path: str,
        leaves: Mapping[type[ObjectError], Callable[[], bool]],
    ) -> None:
        """Do an act, also where its answer is lost and another try meets what the first one left.

        Args:
            act: One try of it, raising where what it expects is not there.
            path: Of the object.
            leaves: What another try raises once the act went well, each with what tells that it was ours.
        """
        tried = 0

        def attempt() -> None:
            nonlocal tried
            tried += 1
            act()

        try:
            self._of_object(attempt, path)
        except tuple(leaves) as error:
            ours = next(told for kind, told in leaves.items() if isinstance(error, kind))
            if tried == 1 or not ours():
                raise

    def _has_time(self, path: str, modified_at: datetime, expected: ObjectStat) -> bool:
        now = self.stat(path)
        return (
            now.size_bytes == expected.size_bytes
            and now.modified_at is not None
            and abs((now.modified_at - modified_at).total_seconds()) < 1
        )

    def _has_class(self, path: str, storage_class: str, expected: ObjectStat) -> bool:
        """Whether an object is in a class and is the expected one; without checksums nobody can tell, so it is not."""
        now = self.stat(path)
        told = now.checksum is not None and now.checksum != ANNOUNCED
        same = (now.size_bytes, now.checksum) == (expected.size_bytes, expected.checksum)
        return told and same and now.storage_class == storage_class

    def _rearranged(
        self,
        act: Callable[[str, str, str], None],
        path: str,
        target: str,
        expected: ObjectStat,
        *,
        renames: bool = False,
    ) -> ObjectStat:
        source, goal = decode_path(path), new_path(target)
        if source == goal:
            raise ObjectExistsError(_TAKEN)

        def rearrange() -> None:
            self._expect(source, expected)
            act(source, goal, settled(expected.change_token))

        # Of a rename the old name is gone, and the new one was free before; of a copy what is there is the same.
        leaves: dict[type[ObjectError], Callable[[], bool]] = (
            {ObjectGoneError: lambda: self._has_size(target, expected.size_bytes)}
            if renames
            else {ObjectExistsError: lambda: self._is_copy(path, target, expected)}
        )
        self._done(rearrange, path, leaves)
        return self.stat(target)

    def _expect(self, native: str, expected: ObjectStat) -> None:
        """Compare states within an attempt: before another one something else may stand there."""
        if settled(self.store.stat(native).change_token) != settled(expected.change_token):
            raise ObjectChangedError(CHANGED)

    def _expect_free(self, path: str) -> None:
        try:
            self.stat(path)
        except ObjectGoneError:
            return
        raise ObjectExistsError(_TAKEN)

    def _has_size(self, path: str, size_bytes: int) -> bool:
        try:
            return self.stat(path).size_bytes == size_bytes
        except ObjectGoneError:
            return False

    def _holds(self, path: str, data: bytes) -> bool:
        """Whether an object has this content; of either little is held in memory at once."""
        made, view = self.stat(path), memoryview(data)
        return made.size_bytes == len(data) and all(
            self.read_range(path, at, _COMPARED_BYTES, made) == view[at : at + _COMPARED_BYTES]
            for at in range(0, len(data), _COMPARED_BYTES)
        )

    def _is_copy(self, path: str, target: str, expected: ObjectStat) -> bool:
        """Whether two objects have the same content; of neither much is held in memory at once."""
        made, size_bytes = self.stat(target), expected.size_bytes
        return made.size_bytes == size_bytes and all(
            self.read_range(path, at, _COMPARED_BYTES, expected) == self.read_range(target, at, _COMPARED_BYTES, made)
            for at in range(0, size_bytes, _COMPARED_BYTES)
        )

    def _permit(self, wanted: Permission, what: str) -> None:
        granted = list(Permission)
        if not self.store.writes:
            raise LocationReadOnlyError(
                self.name, f"Location {self.name!r} can only be read: its kind takes no {what}."
            )
        if granted.index(self.options.permissions) < granted.index(wanted):
            raise LocationReadOnlyError(
                self.name,
                f"Location {self.name!r} is opened to {self.options.permissions} only and takes no {what}; open it "
                f"with `deeplens locations set {self.name} --option permissions={wanted}`.",
            )
