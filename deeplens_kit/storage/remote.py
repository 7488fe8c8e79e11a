"""A location behind a network: what all such kinds have in common.

Takes a store (one kind's library) and options; implements `storage.base.LocationKind` over it: retries and the breaker,
filters, states that are held against each other, permissions. Must not know any library.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from deeplens_kit.errors import (
    LocationError,
    LocationUnavailableError,
    ObjectError,
    ObjectForbiddenError,
    StoreFullError,
)
from deeplens_kit.storage.base import Listing, LocationCheck, ObjectStat
from deeplens_kit.storage.facts import ObjectFacts
from deeplens_kit.storage.listing import ListingBuilder, refuse_quarantine, settled
from deeplens_kit.storage.remote_replacing import ReplacingLocation
from deeplens_kit.storage.store import Cursor, Page, TreeStore
from deeplens_kit.storage.tree import list_tree, take

__all__ = ["RemoteLocation"]

_Remarks: TypeAlias = "list[str]"  # `list` is a method of the class below

_PROBE_PREFIX = ".deeplens-check-"
_READ_BY_ALL = 0o004
_FOLDERS_TRIED = 4  # in search of an object, where the root of a location holds only folders


class RemoteLocation(ReplacingLocation):
    """A location over a store; implements `storage.base.LocationKind`.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: Normalised, without credentials.
        place: What names the root, whatever leads to it; ends in '/'.
        options: Of its kind.
        store: The storage.
    """

    def create_like(self, path: str, data: bytes, facts: ObjectFacts) -> tuple[ObjectStat, tuple[str, ...]]:
        """Make a new object, without the other's permissions and extended attributes; see `LocationKind`.

        That all may read what all could read before is nothing to be told.
        """
        shut = ("permissions",) if facts.mode is not None and not facts.mode & _READ_BY_ALL else ()
        return self.create(path, data), (*shut, *(("extended attributes",) if facts.metadata else ()))

    def check(self) -> LocationCheck:
        """Say what can be done here; see `LocationKind.check`."""
        self._attempts.reset()
        first = self._of_location(lambda: self.store.page(None), "listed")
        probe = self._of_location(self.store.probe, "used")
        remarks, may_read, skew = list(probe.remarks), None, None
        if (some := self._some_object(first)) is not None:
            may_read = self._tried_reading(some, remarks)
        may_write = self._tried_writing(remarks) if self.may_create else None
        if probe.now is not None:
            skew = (probe.now - datetime.now(UTC)).total_seconds()
        return LocationCheck(may_read, may_write, skew, probe.capacity_bytes, probe.free_bytes, tuple(remarks))

    def list(self, *, skip: Sequence[Path] = (), exclude: Sequence[str] = ()) -> Listing:
        """List every object; see `LocationKind.list`. What lies on this machine (`skip`) is never here."""
        builder = ListingBuilder(self.options, exclude)
        refuse_quarantine(self.name, self.place)
        self._attempts.reset()
        if isinstance(self.store, TreeStore):
            list_tree(self._page, self.store.problem_of, builder)
        else:
            cursor: Cursor | None = None
            while True:
                page = self._page(cursor)
                take(page, builder)
                if page.after is None:
                    break
                cursor = page.after
        return builder.listing()

    def _page(self, cursor: Cursor | None) -> Page:
        """A page; of the root or of a flat listing all that goes wrong makes the location unavailable."""
        if cursor is None or cursor == "" or not isinstance(self.store, TreeStore):
            return self._of_location(lambda: self.store.page(cursor), "listed")
        return self._of_object(lambda: self.store.page(cursor), str(cursor))

    def _some_object(self, first: Page) -> str | None:
        """The native path of an object to try reading with, from the first folders where the root holds none."""
        page = first
        for _ in range(_FOLDERS_TRIED):
            if page.entries or not page.folders:
                break
            folder = page.folders[0]
            try:
                page = self._page(folder)
            except (ObjectError, LocationUnavailableError):
                break
        return page.entries[0].path if page.entries else None

    def _tried_reading(self, native: str, remarks: _Remarks) -> bool:
        try:
            self._of_object(lambda: self.store.read(native, 0, 1, None), native)
        except ObjectForbiddenError as error:
            remarks.append(f"Objects can be listed but not read: {error}")
            return False
        except ObjectError:
            pass  # gone or empty meanwhile: that says nothing about what is allowed
        return True

    def _tried_writing(self, remarks: _Remarks) -> bool:
        """Make a new object and take it away again: the only certain way to know, and it touches nothing else."""
        native = _PROBE_PREFIX + secrets.token_hex(8)
        try:
            self._of_object(lambda: self.store.create(native, b"deeplens", {}), native)
        except (ObjectError, LocationError, StoreFullError) as error:
            remarks.append(f"New objects cannot be made: {error}")
            return False
        try:
            entry = self._of_object(lambda: self.store.stat(native), native)
            self._of_object(lambda: self.store.remove(native, settled(entry.change_token)), native)
        except (ObjectError, LocationUnavailableError) as error:
            remarks.append(f"The object {native!r} was made as a trial and cannot be removed: {error}")
        return True
