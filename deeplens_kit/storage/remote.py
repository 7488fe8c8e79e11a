"""A location behind a network: what all such kinds have in common.

Takes a store (one kind's library) and options; implements `storage.base.LocationKind` over it: retries and the breaker,
filters, states that are held against each other, permissions. Must not know any library.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar, cast

from deeplens_kit.errors import (
    LimitExceededError,
    LocationError,
    LocationReadOnlyError,
    LocationUnavailableError,
    ObjectChangedError,
    ObjectError,
    ObjectExistsError,
    ObjectForbiddenError,
    ObjectGoneError,
    StoreFullError,
)
from deeplens_kit.storage.base import Listing, LocationCheck, ObjectStat
from deeplens_kit.storage.listing import ListingBuilder, settled
from deeplens_kit.storage.options import Permission, RemoteOptions
from deeplens_kit.storage.paths import decode_path, new_path
from deeplens_kit.storage.ranges import RangeReader
from deeplens_kit.storage.resilience import Attempts, PassingFault
from deeplens_kit.storage.store import Cursor, Page, Store, TreeStore
from deeplens_kit.storage.tree import list_tree, take

__all__ = ["RemoteLocation"]

_Result = TypeVar("_Result")
_Remarks: TypeAlias = "list[str]"  # `list` is a method of the class below

_BLOCK_BYTES = 2**20  # of a file that is read and sought in
_COMPARED_BYTES = 2**23  # of each of two objects that are held against each other, at once
_PROBE_PREFIX = ".deeplens-check-"
_FOLDERS_TRIED = 4  # in search of an object, where the root of a location holds only folders
_CHANGED = "It changed while it was read, or since it was listed; it is taken up again by the next `deeplens index`."
_TAKEN = "Something has this name already; it was left as it is."


class RemoteLocation:
    """A location over a store; implements `storage.base.LocationKind`.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: Normalised, without credentials.
        place: What names the root, whatever leads to it; ends in '/'.
        options: Of its kind.
        store: The storage.
    """

    def __init__(
        self,
        location_id: str,
        name: str,
        url: str,
        place: str,
        options: RemoteOptions,
        store: Store,
    ) -> None:
        self.location_id, self.name, self.url, self.place = location_id, name, url, place
        self.options, self.store = options, store
        self._attempts = Attempts(
            name, options.retries, store.fault_of, renew=store.renew, first_wait_seconds=options.retry_wait_seconds
        )
        # However many threads come, so many requests go out.
        self._slots = threading.BoundedSemaphore(options.connections)

    @property
    def readers(self) -> int | None:
        """As many as it has connections."""
        return self.options.connections

    @property
    def over_network(self) -> bool:
        """It does."""
        return True

    @property
    def may_create(self) -> bool:
        """Whether it is opened for new objects, and its kind can take them."""
        return self.store.writes and self.options.permissions != Permission.READ

    @property
    def lists_checksums(self) -> bool:
        """As its kind has it."""
        return self.store.lists_checksums

    @property
    def max_bytes_per_second(self) -> int:
        """How fast it may be read; 0 for no limit."""
        return self.options.max_bytes_per_second

    @property
    def retried(self) -> int:
        """Requests that were tried again so far."""
        return self._attempts.retried

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

    def stat(self, path: str) -> ObjectStat:
        """Give the state of one object; see `LocationKind.stat`."""
        native = decode_path(path)
        return self._of_object(lambda: self.store.stat(native), path).state()

    def read(self, path: str, *, expected: ObjectStat | None = None, max_bytes: int) -> bytes:
        """Read one object whole; see `LocationKind.read`."""
        native = decode_path(path)
        state = expected or self.stat(path)
        if state.size_bytes > max_bytes:
            raise LimitExceededError(
                f"{state.size_bytes} bytes are more than the limit of {max_bytes} (decode.max_bytes)."
            )
        return self._of_object(lambda: self._read_whole(native, state), path)

    def open(self, path: str) -> BinaryIO:
        """Open one object for reading and seeking; see `LocationKind.open`."""
        state = self.stat(path)
        ranges = RangeReader(lambda start, length: self.read_range(path, start, length, state), state.size_bytes)
        return cast(BinaryIO, io.BufferedReader(ranges, _BLOCK_BYTES))

    def read_range(self, path: str, start: int, length: int, expected: ObjectStat) -> bytes:
        """Read a part of one object.

        Args:
            path: As the listing gave it.
            start: First byte.
            length: At most so many.
            expected: The state that the bytes must belong to.

        Raises:
            ObjectChangedError: It has another state; as `read` besides.
        """
        native = decode_path(path)
        # A range that begins at the end is an error for many storages.
        length = min(length, expected.size_bytes - start)
        if length <= 0:
            return b""
        return self._of_object(lambda: self._read_part(native, start, length, expected), path)

    def checksum(self, path: str) -> str | None:
        """Ask for an announced checksum; see `LocationKind.checksum`."""
        native = decode_path(path)
        return self._of_object(lambda: self.store.checksum(native), path)

    def create(self, path: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> ObjectStat:
        """Make a new object; see `LocationKind.create`."""
        self._permit(Permission.CREATE, "new files")
        native = new_path(path)
        tried = 0

        def make() -> None:
            nonlocal tried
            tried += 1
            self.store.create(native, data, metadata or {})

        try:
            self._of_object(make, path)
        except ObjectExistsError:
            # The answer to an attempt that went well may have been lost: then what is there is ours.
            if tried == 1 or not self._holds(path, data):
                raise
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
        self.remove(path, expected=expected)
        return made

    def remove(self, path: str, *, expected: ObjectStat) -> None:
        """Remove an object; see `LocationKind.remove`."""
        self._permit(Permission.CHANGE, "changes")
        native = decode_path(path)
        tried = 0

        def remove() -> None:
            nonlocal tried
            tried += 1
            self._expect(native, expected)
            self.store.remove(native, settled(expected.change_token))

        try:
            self._of_object(remove, path)
        except ObjectGoneError:
            # The answer to an attempt that went well may have been lost.
            if tried == 1:
                raise

    def close(self) -> None:
        """Give connections back."""
        self.store.close()

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
        tried = 0

        def rearrange() -> None:
            nonlocal tried
            tried += 1
            self._expect(source, expected)
            act(source, goal, settled(expected.change_token))

        try:
            self._of_object(rearrange, path)
        except ObjectExistsError:
            # As with `create`: what is there is ours where it is the same. Of a rename the old name would be gone.
            if tried == 1 or renames or not self._is_copy(path, target, expected):
                raise
        except ObjectGoneError:
            # The answer to a rename that went well may have been lost; the new name was free before.
            if tried == 1 or not renames or not self._has_size(target, expected.size_bytes):
                raise
        return self.stat(target)

    def _expect(self, native: str, expected: ObjectStat) -> None:
        """Compare states within an attempt: before another one something else may stand there."""
        if settled(self.store.stat(native).change_token) != settled(expected.change_token):
            raise ObjectChangedError(_CHANGED)

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

    def _page(self, cursor: Cursor | None) -> Page:
        """A page; of the root or of a flat listing all that goes wrong makes the location unavailable."""
        if cursor is None or cursor == "" or not isinstance(self.store, TreeStore):
            return self._of_location(lambda: self.store.page(cursor), "listed")
        return self._of_object(lambda: self.store.page(cursor), str(cursor))

    def _read_whole(self, native: str, state: ObjectStat) -> bytes:
        token = settled(state.change_token)
        # One byte more than there should be, so that a file that grew is noticed and never held in memory whole.
        length = None if self.store.reads_conditionally else state.size_bytes + 1
        data = self.store.read(native, 0, length, token)
        if self.store.reads_conditionally and len(data) == state.size_bytes:
            return data
        if settled(self.store.stat(native).change_token) != token:
            raise ObjectChangedError(_CHANGED)
        if len(data) != state.size_bytes:
            raise PassingFault(f"{len(data)} bytes came of {state.size_bytes}")
        return data

    def _read_part(self, native: str, start: int, length: int, state: ObjectStat) -> bytes:
        token = settled(state.change_token)
        data = self.store.read(native, start, length, token)
        if not self.store.reads_conditionally and settled(self.store.stat(native).change_token) != token:
            raise ObjectChangedError(_CHANGED)
        if len(data) != length:
            raise PassingFault(f"{len(data)} bytes came of {length}")
        return data

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

    def _of_object(self, work: Callable[[], _Result], path: str) -> _Result:
        with self._slots:
            return self._attempts.of_object(work, path)

    def _of_location(self, work: Callable[[], _Result], what: str) -> _Result:
        with self._slots:
            return self._attempts.of_location(work, what)
