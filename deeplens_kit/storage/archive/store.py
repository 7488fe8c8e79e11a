"""What all kinds of archive have in common: an archive is opened once, read by several threads, and opened anew when it
changed.

Takes the path of an archive and what reads its kind; implements `storage.store.Store` over it. Every change token names
the state of the archive, so that all is read again after a change: a CRC-32 is no proof that a member stayed as it was.
"""

from __future__ import annotations

import errno
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, BinaryIO

from deeplens_kit.storage.archive.members import Member, Members
from deeplens_kit.storage.file_url import file_of_url, is_openable, place_of_file, url_of_file
from deeplens_kit.storage.listing import Entry
from deeplens_kit.storage.options import LocationOptions, RemoteOptions
from deeplens_kit.storage.paths import display_path, encode_path
from deeplens_kit.storage.remote import RemoteLocation
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault
from deeplens_kit.storage.store import Cursor, Page, Store

__all__ = ["Archive", "ArchiveLocation", "ArchiveOptions", "ArchiveStore"]

_LOST = (errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EAGAIN, errno.EINTR)


@dataclass(frozen=True, slots=True)
class ArchiveOptions(LocationOptions):
    """Options of an archive: those that every location has."""


class Archive(ABC):
    """An open archive; several threads read it.

    Attributes:
        members: What it holds.
    """

    members: Members[Any]

    @abstractmethod
    def read(self, member: Member[Any], start: int, length: int) -> bytes:
        """Bytes of a member; fewer than `length` only at its end."""

    def close(self) -> None:  # noqa: B027 - the file itself is closed by who opened it
        """Give back what it holds."""


class ArchiveStore(Store):
    """An archive of one kind; see `storage.store.Store`.

    Args:
        file: Native path.
        prefix: What the members are beneath; empty, or ends in '/'.
    """

    writes = False
    reads_conditionally = True

    def __init__(self, file: str, prefix: str) -> None:
        self.file, self._prefix = file, prefix
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    @abstractmethod
    def open_archive(self, file: BinaryIO) -> Archive:
        """Read what an archive holds.

        Raises:
            KnownFault: It cannot be read: another format, cut off, damaged.
        """

    def page(self, cursor: Cursor | None) -> Page:
        """All members at once: they are in memory anyway."""
        with self._lent() as opened:
            cut, members = len(self._prefix), opened.archive.members
            entries = [
                _entry(path[cut:], member, opened.state)
                for path, member in members.by_path.items()
                if path.startswith(self._prefix)
            ]
        return Page(entries, special=members.special, links=members.links)

    def stat(self, path: str) -> Entry:
        """One member."""
        with self._lent() as opened:
            return _entry(path, self._member(opened, path), opened.state)

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """Bytes of a member, which the archive held the whole time."""
        with self._lent() as opened:
            member = self._member(opened, path)
            if token and _entry(path, member, opened.state).change_token != token:
                raise KnownFault(FaultKind.CHANGED, "the archive changed")
            left = max(0, member.size_bytes - start)
            data = opened.archive.read(member, start, left if length is None else min(length, left))
            if _state_of(os.fstat(opened.file.fileno())) != opened.state:
                raise KnownFault(FaultKind.CHANGED, "the archive changed")
        return data

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate what reading a file meets."""
        if not isinstance(error, OSError):
            return None
        reason = error.strerror or str(error)
        if error.errno in _LOST:
            return Fault(FaultKind.PASSING, reason)
        shown = display_path(encode_path(self.file))
        advice = "connect its disk, allow reading it, or mend the URL"
        return Fault(FaultKind.LOCATION, f"the archive {shown!r} cannot be opened: {reason}; {advice}")

    def close(self) -> None:
        """Close the archive; it is opened again when it is asked for."""
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                opened.retire()

    def _member(self, opened: _Opened, path: str) -> Member[Any]:
        member = opened.archive.members.by_path.get(self._prefix + path)
        if member is None:
            raise KnownFault(FaultKind.GONE, "the archive no longer holds it")
        return member

    @contextmanager
    def _lent(self) -> Iterator[_Opened]:
        """The archive as it is now; one that others still read is closed by the last of them."""
        with self._lock:
            found = os.stat(self.file)  # noqa: PTH116 - a native path
            if not is_openable(found):
                raise KnownFault(FaultKind.LOCATION, "what its URL names is no regular file")
            state = _state_of(found)
            opened = self._opened
            if opened is None or opened.state != state:
                if opened is not None:
                    self._opened = None
                    opened.retire()
                # Nobody can read before it is known what there is, so the lock is held meanwhile.
                opened = self._opened = self._open()
            opened.users += 1
        try:
            yield opened
        finally:
            with self._lock:
                opened.users -= 1
                opened.close_unused()

    def _open(self) -> _Opened:
        file = open(self.file, "rb")  # noqa: PTH123, SIM115 - a native path; closed by its last user
        try:
            state = _state_of(os.fstat(file.fileno()))
            archive = self.open_archive(file)
            if _state_of(os.fstat(file.fileno())) != state:
                archive.close()
                raise KnownFault(FaultKind.PASSING, "the archive changed while it was listed")
        except BaseException:
            file.close()
            raise
        return _Opened(state, file, archive)


class ArchiveLocation(RemoteLocation):
    """An archive as a location.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: `SCHEME:///PATH`.
        options: Fields of `ArchiveOptions`.

    Attributes:
        scheme: Of its URLs.
        example: A file's name, for messages.
        store_class: What reads the kind.
    """

    options_class = ArchiveOptions
    scheme: str
    example: str
    store_class: type[ArchiveStore]

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        given = ArchiveOptions.of(options)
        file = file_of_url(url, self.scheme, self.example)
        prefix = given.base_path.strip("/") + "/" if given.base_path.strip("/") else ""
        # A file has no timeouts, and is not tried again: what is asked of it twice answers the same.
        whole = RemoteOptions(**{item.name: getattr(given, item.name) for item in fields(given)}, retries=0)
        place = place_of_file(self.scheme, file) + encode_path(prefix)
        super().__init__(
            location_id, name, url_of_file(self.scheme, file), place, whole, self.store_class(file, prefix)
        )

    @property
    def readers(self) -> int | None:
        """It makes no difference."""
        return None

    @property
    def over_network(self) -> bool:
        """It lies on this machine."""
        return False


class _Opened:
    """An open archive with those who read it; the store's lock guards it."""

    def __init__(self, state: str, file: BinaryIO, archive: Archive) -> None:
        self.state, self.file, self.archive = state, file, archive
        self.users, self._retired = 0, False

    def retire(self) -> None:
        self._retired = True
        self.close_unused()

    def close_unused(self) -> None:
        if self._retired and not self.users:
            self.archive.close()
            self.file.close()


def _state_of(stat: os.stat_result) -> str:
    return f"{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ino}"


def _entry(path: str, member: Member[Any], state: str) -> Entry:
    return Entry(path, member.size_bytes, f"{state}|{member.number}", member.modified_at)
