"""Objects of a storage behind a network, read one by one.

Takes a store (one kind's library) and options; retries, holds states against each other, and gives states and bytes.
Must not know any library, list, or change anything: `remote` and `remote_changing` do.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import BinaryIO, TypeVar, cast

from deeplens_kit.errors import LimitExceededError, ObjectChangedError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.facts import KeptAfter, ObjectFacts
from deeplens_kit.storage.listing import settled
from deeplens_kit.storage.options import Permission, RemoteOptions
from deeplens_kit.storage.paths import decode_path, encode_path
from deeplens_kit.storage.ranges import RangeReader
from deeplens_kit.storage.resilience import Attempts, PassingFault
from deeplens_kit.storage.store import Store

__all__ = ["CHANGED", "ReadLocation"]

_Result = TypeVar("_Result")

_BLOCK_BYTES = 2**20  # of a file that is read and sought in
CHANGED = "It changed while it was read, or since it was listed; it is taken up again by the next `deeplens index`."
"""Of an object that is in another state than the one that was asked for."""


class ReadLocation:
    """What of `storage.base.LocationKind` reads single objects of a store; see `remote.RemoteLocation`.

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
    def takes_writing(self) -> bool:
        """As its kind has it."""
        return self.store.writes

    @property
    def may_create(self) -> bool:
        """Whether it is opened for new objects, and its kind can take them."""
        return self.store.writes and self.options.permissions != Permission.READ

    @property
    def may_change(self) -> bool:
        """Whether it is opened for changes, and its kind can be changed."""
        return self.store.writes and self.options.permissions == Permission.CHANGE

    @property
    def proves_by_token(self) -> bool:
        """As its kind has it."""
        return self.store.proves_by_token

    def root_id(self) -> str | None:
        """The address, where a service stands for what it names; a server may show any folder of its own under it."""
        return self.place if self.store.proves_by_token else None

    @property
    def keeps_times_on_move(self) -> bool:
        """As its kind has it."""
        return self.store.keeps_times_on_move

    @property
    def can_set_storage_class(self) -> bool:
        """As its kind has it."""
        return self.store.sets_storage_class

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

    def about(self, path: str) -> ObjectFacts:
        """Tell what an object has beside its bytes; see `LocationKind.about`."""
        native = decode_path(path)
        return self._of_object(lambda: self.store.about(native), path)

    def identity(self, path: str) -> str:
        """Name the object itself; see `LocationKind.identity`."""
        native = decode_path(path)

        def identify() -> str:
            entry = self.store.stat(native)
            return entry.link_id or self.place + encode_path(self.store.one_form(entry))

        return self._of_object(identify, path)

    def kept_after_removal(self, path: str) -> KeptAfter | None:
        """Tell what the storage keeps besides what is listed; see `LocationKind.kept_after_removal`."""
        native = decode_path(path)
        return self._of_object(lambda: self.store.kept_after_removal(native), path)

    def close(self) -> None:
        """Give connections back."""
        self.store.close()

    def _read_whole(self, native: str, state: ObjectStat) -> bytes:
        token = settled(state.change_token)
        # One byte more than there should be, so that a file that grew is noticed and never held in memory whole.
        length = None if self.store.reads_conditionally else state.size_bytes + 1
        data = self.store.read(native, 0, length, token)
        if self.store.reads_conditionally and len(data) == state.size_bytes:
            return data
        if settled(self.store.stat(native).change_token) != token:
            raise ObjectChangedError(CHANGED)
        if len(data) != state.size_bytes:
            raise PassingFault(f"{len(data)} bytes came of {state.size_bytes}")
        return data

    def _read_part(self, native: str, start: int, length: int, state: ObjectStat) -> bytes:
        token = settled(state.change_token)
        data = self.store.read(native, start, length, token)
        if not self.store.reads_conditionally and settled(self.store.stat(native).change_token) != token:
            raise ObjectChangedError(CHANGED)
        if len(data) != length:
            raise PassingFault(f"{len(data)} bytes came of {length}")
        return data

    def _of_object(self, work: Callable[[], _Result], path: str) -> _Result:
        with self._slots:
            return self._attempts.of_object(work, path)

    def _of_location(self, work: Callable[[], _Result], what: str) -> _Result:
        with self._slots:
            return self._attempts.of_location(work, what)
