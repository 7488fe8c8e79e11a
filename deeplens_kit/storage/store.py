"""What a kind of storage behind a network does, in the words of its library.

Takes native paths and gives entries, bytes and what the library's errors mean; must not retry, filter, check
permissions or compare states: `storage.remote` does all of that for every kind alike.
"""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from deeplens_kit.errors import LimitExceededError, ObjectError
from deeplens_kit.storage.base import ListingProblem
from deeplens_kit.storage.facts import KeptAfter, ObjectFacts
from deeplens_kit.storage.listing import Entry, settled
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault

__all__ = ["MOST_CARRIED_BYTES", "Cursor", "Page", "Probe", "Store", "TreeStore", "limit_carried"]

MOST_CARRIED_BYTES = 512 * 2**20
"""Of an object that is copied through this machine's memory, where its storage has no copy that would do; inclusive."""

_NO_SUCH_NAME = frozenset({FaultKind.GONE, FaultKind.FORBIDDEN, FaultKind.BROKEN})
"""What is answered where nothing has a name, or nothing can have it."""

Cursor = object
"""Where a listing goes on; only the store that gave it understands it. None starts."""


def limit_carried(size_bytes: int) -> None:
    """Refuse to carry a copy through memory; to be called before it is read.

    Raises:
        LimitExceededError: It is larger than MOST_CARRIED_BYTES.
    """
    if size_bytes > MOST_CARRIED_BYTES:
        raise LimitExceededError(
            f"{size_bytes} bytes are more than the {MOST_CARRIED_BYTES} that are copied through this machine, which "
            "the storage leaves us to do; copy it by other means."
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing.

    Attributes:
        entries: Objects.
        folders: Native paths of folders beneath, with '/' at the end; entered where the options let them.
        special: Entries that are neither (links, devices).
        links: Symbolic links, which are not followed.
        after: Where the listing goes on; None at its end.
        problems: What is there but could not be listed.
        folder_ids: What `folders` are, and the folder of the page itself, by their paths, as far as the storage tells:
            equal where a link leads to the same folder.
        may_loop: Whether a folder without an id may be a link that leads back.
    """

    entries: Sequence[Entry]
    folders: Sequence[str] = ()
    special: int = 0
    links: int = 0
    after: Cursor | None = None
    problems: Sequence[ListingProblem] = ()
    folder_ids: Mapping[str, str] = field(default_factory=dict)
    may_loop: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """What a storage tells of itself; None where it does not.

    Attributes:
        now: Its clock, aware.
        capacity_bytes: Of the storage.
        free_bytes: Of it.
        remarks: A sentence each.
    """

    now: datetime | None = None
    capacity_bytes: int | None = None
    free_bytes: int | None = None
    remarks: tuple[str, ...] = field(default=())


class Store(ABC):
    """A storage; every method may raise the errors of its library, which `fault_of` translates.

    Safe to use from several threads. Nothing is asked of the storage before the first call.

    Attributes:
        reads_conditionally: `read` gives the bytes of the very state that its token names, or fails: nobody has to
            ask for the state again afterwards.
        writes: Whether the kind can take new objects at all.
        metadata_kept: Whether `create` keeps metadata.
        lists_checksums: Whether its listing has checksums that identify objects.
        copies_have_equal_checksums: Whether the checksums of an object and of its copy are equal, where both have one.
        proves_by_token: Whether an unchanged token under a conditional request proves unchanged content.
        keeps_times_on_move: Whether `move` keeps the time of the last modification.
        replaces_exactly: Whether `replace` can be used: it compares the state and replaces in one request.
        removes_exactly: Whether `remove` compares the state and removes in one request.
        links: Whether `link` can be used.
        sets_times: Whether `set_times` can be used.
        sets_storage_class: Whether `set_storage_class` can be used.
    """

    reads_conditionally: ClassVar[bool] = False
    writes: ClassVar[bool] = True
    metadata_kept: ClassVar[bool] = False
    lists_checksums: ClassVar[bool] = False
    copies_have_equal_checksums: ClassVar[bool] = False
    proves_by_token: ClassVar[bool] = False
    keeps_times_on_move: ClassVar[bool] = False
    replaces_exactly: ClassVar[bool] = False
    removes_exactly: ClassVar[bool] = True
    links: ClassVar[bool] = False
    sets_times: ClassVar[bool] = False
    sets_storage_class: ClassVar[bool] = False

    @abstractmethod
    def page(self, cursor: Cursor | None) -> Page:
        """A page of the listing of the whole location."""

    @abstractmethod
    def stat(self, path: str) -> Entry:
        """One object as the listing has it, with the very same token."""

    @abstractmethod
    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """Bytes of an object from `start`; fewer than `length` only at its end, None for all that follow.

        `token` is the state that they must belong to, where the kind reads conditionally. Nothing beyond `length`
        bytes is held in memory.
        """

    @abstractmethod
    def fault_of(self, error: BaseException) -> Fault | None:
        """What an error means; None for one that is not the storage's."""

    def probe(self) -> Probe:
        """What the storage tells of itself."""
        return Probe()

    def checksum(self, path: str) -> str | None:
        """The full checksum that a listing only announced."""
        return None

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Make a new object by exclusive create; the error for a name that is taken is an EXISTS fault."""
        raise _only_read()

    def copy(self, path: str, target: str, token: str) -> None:
        """Copy to a free name, on the storage's side; what has to be carried through memory: see `limit_carried`."""
        raise _only_read()

    def move(self, path: str, target: str, token: str) -> None:
        """Rename to a free name; by default a copy and a removal."""
        self.copy(path, target, token)
        self.remove(path, token)

    def remove(self, path: str, token: str) -> None:
        """Remove an object in the state that `token` names, as far as the storage can make sure of it."""
        raise _only_read()

    def replace(self, path: str, data: bytes, token: str) -> None:
        """Put a new content in the place of an object in the state that `token` names, whole or not at all.

        The error for another state is a CHANGED fault.
        """
        raise _only_read()

    def make_alike(self, path: str, made: str) -> None:  # noqa: B027 - most protocols tell nothing that could be kept
        """Give a new object what another one has beside its bytes and its times."""

    def link(self, path: str, target: str, token: str) -> None:
        """Give an object in the state that `token` names a second name, which must be free (a hard link)."""
        raise _only_read()

    def about(self, path: str) -> ObjectFacts:
        """What an object has beside its bytes."""
        return ObjectFacts(modified_at=self.stat(path).modified_at)

    def set_times(self, path: str, modified_at: datetime, token: str) -> None:
        """Set the time of the last modification."""
        raise _only_read()

    def set_storage_class(self, path: str, storage_class: str, token: str) -> None:
        """Keep an object in another storage class."""
        raise _only_read()

    def kept_after_removal(self, path: str) -> KeptAfter | None:
        """What is kept under a path besides what is listed; None where the kind keeps no such thing."""
        return None

    def one_form(self, entry: Entry) -> str:
        """The native path of an object, in a form that is the same for all names that lead to it."""
        return entry.path

    def renew(self) -> None:
        """Forget the connections and the credentials that they were made with: these may have been changed."""
        self.close()

    def close(self) -> None:  # noqa: B027 - most libraries hold nothing that has to be given back
        """Give connections back."""


def _only_read() -> KnownFault:
    """What a kind says that takes nothing; nobody gets as far where `Store.writes` is asked before."""
    return KnownFault(FaultKind.BROKEN, "this kind of storage can only be read")


class TreeStore(Store):
    """A storage of folders, of which one is listed at a time."""

    def page(self, cursor: Cursor | None) -> Page:
        """The entries of the folder that `cursor` names; `remote` enters the folders that it gives."""
        return self.folder("" if cursor is None else str(cursor))

    def one_form(self, entry: Entry) -> str:
        """Without case and forms of Unicode, where another spelling is found to lead to the same file."""
        path = entry.path
        for other in {path.swapcase(), unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)} - {path}:
            try:
                same = self.stat(other)
            except Exception as error:
                fault = error.fault if isinstance(error, KnownFault) else self.fault_of(error)
                if isinstance(error, ObjectError) or (fault is not None and fault.kind in _NO_SUCH_NAME):
                    continue
                raise
            if (same.size_bytes, settled(same.change_token)) == (entry.size_bytes, settled(entry.change_token)):
                return unicodedata.normalize("NFC", path).casefold()
        return path

    @abstractmethod
    def folder(self, path: str) -> Page:
        """The entries of one folder, by its native path relative to the location, with '/' at the end or empty."""

    def problem_of(self, folder: str, code: str, reason: str) -> ListingProblem:
        """What is said of a folder that cannot be listed."""
        from deeplens_kit.storage.paths import encode_path

        return ListingProblem(encode_path(folder), code, f"The folder cannot be listed: {reason}.")
