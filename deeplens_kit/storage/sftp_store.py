"""A folder that is reached by SSH as a store: its folders, states and bytes, over connections lent to one thread each.

Takes native paths; must not follow links. A new file is written under a temporary name beside its own and renamed, by
the rename that refuses a name that is taken: whether a server's does is tried before the first is written.
"""

from __future__ import annotations

import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deeplens_kit.errors import (
    DeepLensError,
    ExtraMissingError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectUnreadableError,
    StoreFullError,
)
from deeplens_kit.storage.connections import ConnectionPool
from deeplens_kit.storage.facts import QUARANTINE_FOLDER, ObjectFacts
from deeplens_kit.storage.listing import Entry, unsettled
from deeplens_kit.storage.resilience import Fault, FaultKind, KnownFault
from deeplens_kit.storage.sftp import SftpAddress, SftpOptions
from deeplens_kit.storage.store import Page, Probe, TreeStore, limit_carried

if TYPE_CHECKING:
    from deeplens_kit.storage.sftp_wire import FileRow, SftpChannel

__all__ = ["SftpStore"]

_GRANULARITY_SECONDS = 60.0
"""Times come in whole seconds; but SFTP does not tell the server's clock, which may differ from ours by this much."""
_TEMPORARY = ".deeplens-"
_QUARANTINE = QUARANTINE_FOLDER.encode()
_CLOSED_FOLDER_MODE = 0o700
_NO_SUCH_FILE, _PERMISSION_DENIED, _FAILURE = 2, 3, 4
_FULL = frozenset({14, 15})  # no space and no quota, as later drafts have them
_SPARE_BYTES = 2**20  # with less left, what a file system needs besides the bytes of a file may be missing
# Answers that mean that the server lost its own storage's connection (draft-ietf-secsh-filexfer-02, section 7).
_LOST = frozenset({6, 7})
_CHANGED = "It changed while it was read, or since it was listed; it is taken up again by the next `deeplens index`."
_EXISTS = "Something has this name already; it was left as it is."


class SftpStore(TreeStore):
    """A folder; see `storage.store.TreeStore`.

    Args:
        address: Of the server.
        root: The folder, absolute or relative to that of the user.
        options: How to log in, and how long to wait.
    """

    reads_conditionally = True
    keeps_times_on_move = True
    sets_times = True
    removes_exactly = False

    def __init__(self, address: SftpAddress, root: bytes, options: SftpOptions) -> None:
        self._address, self._root, self._options = address, root, options
        self._pool: ConnectionPool[SftpChannel] = ConnectionPool(
            self._connect, lambda channel: channel.close(), _is_answer
        )
        self._renames_safely = self._renewed = False

    def folder(self, path: str) -> Page:
        """The entries of a folder; those of which the server does not tell what they are, are asked for one by one."""
        entries: list[Entry] = []
        folders: list[str] = []
        special = links = 0
        now = datetime.now(UTC)
        folder = self._native(path.rstrip("/"))
        with self._pool.lent() as channel:
            for listed in list(channel.folder(folder)):
                row = listed
                if not row.mode or row.size_bytes is None:
                    row = channel.stat(folder + b"/" + listed.name)
                name = path + listed.name.decode("utf-8", "surrogateescape")
                if stat.S_ISREG(row.mode):
                    entries.append(_entry(name, row, now))
                elif stat.S_ISDIR(row.mode):
                    folders.append(f"{name}/")
                elif stat.S_ISLNK(row.mode):
                    links += 1
                else:
                    special += 1
        return Page(entries, folders, special=special, links=links)

    def stat(self, path: str) -> Entry:
        """One request."""
        with self._pool.lent() as channel:
            return _entry(path, _regular(channel.stat(self._native(path))), datetime.now(UTC))

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """The bytes of the state that the token names, which the open file must have before, and the name after."""
        native = self._native(path)
        with self._pool.lent() as channel:
            with channel.opened(native) as handle:
                state = _regular(channel.state(handle))
                _expect(state, token)
                left = max(0, (state.size_bytes or 0) - start)
                data = channel.read(handle, start, left if length is None else min(left, length))
            if token is not None:
                _expect(_regular(channel.stat(native)), token)
        return data

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Written beside its name, and then renamed."""
        native = self._native(path)
        folder, slash, _ = native.rpartition(b"/")
        beside = folder + slash + _temporary()
        with self._pool.lent() as channel, _telling_of_space(channel, (folder, self._root), len(data)):
            self._make_folders(channel, folder)
            self._try_renaming(channel, folder + slash)
            try:
                channel.make(beside, data)
                _rename(channel, beside, native)
            except BaseException:
                with suppress(Exception):  # what went wrong before is what has to be told
                    channel.remove(beside)
                raise

    def copy(self, path: str, target: str, token: str) -> None:
        """Through this machine: the protocol has no copy."""
        limit_carried(self.stat(path).size_bytes)
        self.create(target, self.read(path, 0, None, token), {})

    def move(self, path: str, target: str, token: str) -> None:
        """Renamed to a free name."""
        native, goal = self._native(path), self._native(target)
        folder, slash, _ = goal.rpartition(b"/")
        with self._pool.lent() as channel, _telling_of_space(channel, (folder, self._root), 0):
            self._make_folders(channel, folder)
            self._try_renaming(channel, folder + slash)
            _expect(_regular(channel.stat(native)), token)
            _rename(channel, native, goal)

    def remove(self, path: str, token: str) -> None:
        """Removed in the state of a moment before."""
        native = self._native(path)
        with self._pool.lent() as channel:
            _expect(_regular(channel.stat(native)), token)
            channel.remove(native)

    def about(self, path: str) -> ObjectFacts:
        """Permissions, owner and time."""
        with self._pool.lent() as channel:
            row = _regular(channel.stat(self._native(path)))
        mode = stat.S_IMODE(row.mode) if row.mode else None
        return ObjectFacts(mode=mode, modified_at=_time(row), owner=row.owner)

    def set_times(self, path: str, modified_at: datetime, token: str) -> None:
        """Set to a second; the protocol keeps no more."""
        with self._pool.lent() as channel, channel.opened(self._native(path)) as handle:
            row = _regular(channel.state(handle))
            _expect(row, token)
            seconds = int(modified_at.timestamp() // 1)
            if row.modified != seconds:  # else the fraction that the server keeps would be lost
                channel.set_modified(handle, seconds)

    def make_alike(self, path: str, made: str) -> None:
        """Give it the same permissions."""
        with self._pool.lent() as channel:
            row = _regular(channel.stat(self._native(path)))
            if row.mode:
                channel.set_mode(self._native(made), stat.S_IMODE(row.mode))

    def probe(self) -> Probe:
        """The space, where the server is OpenSSH or tells it as that does."""
        from deeplens_kit.storage.sftp_wire import SftpAnswer

        space = None
        with self._pool.lent() as channel, suppress(SftpAnswer):
            space = channel.space(self._root)
        capacity_bytes, free_bytes = space or (None, None)
        return Probe(capacity_bytes=capacity_bytes, free_bytes=free_bytes)

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate the errors of paramiko, and the answers of the protocol."""
        if isinstance(error, DeepLensError):
            return None
        from paramiko import AuthenticationException, SSHException
        from paramiko.sftp import SFTPError

        from deeplens_kit.storage.sftp_wire import SftpAnswer

        if isinstance(error, SftpAnswer):
            return _meaning(error.code, error.text)
        if isinstance(error, AuthenticationException):
            reason = str(error).rstrip(".").lower()
            return Fault(FaultKind.CREDENTIALS, f"the server does not let the user in: {reason}")
        if isinstance(error, TimeoutError):
            return Fault(FaultKind.PASSING, "the server did not answer in time")
        if isinstance(error, (SSHException, SFTPError, OSError, EOFError)):
            return Fault(FaultKind.PASSING, str(error) or "the connection was closed")
        return None

    def renew(self) -> None:
        """Forget the connections, and take no credential from a cache any more."""
        self._renewed = True
        self.close()

    def close(self) -> None:
        """Give connections back."""
        self._pool.close()

    def _connect(self) -> SftpChannel:
        try:
            from deeplens_kit.storage.sftp_login import connect
        except ImportError as error:
            raise ExtraMissingError("A location that is reached by SSH (SFTP)", "sftp") from error
        return connect(self._address, self._options, fresh=self._renewed)

    def _native(self, path: str) -> bytes:
        parts = path.split("/") if path else []
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise ObjectUnreadableError("No file can have this path: none of its parts may be empty, '.' or '..'.")
        root = self._root.rstrip(b"/")
        return b"/".join([root, *(part.encode("utf-8", "surrogateescape") for part in parts)]) or b"/"

    def _make_folders(self, channel: SftpChannel, folder: bytes) -> None:
        from deeplens_kit.storage.sftp_wire import SftpAnswer

        missing = []
        while len(folder) > len(self._root):
            try:
                channel.stat(folder)
                break
            except SftpAnswer as error:
                if error.code != _NO_SUCH_FILE:
                    raise
            missing.append(folder)
            folder = folder.rpartition(b"/")[0]
        for name in reversed(missing):
            try:
                # Closed to others: a file may be in quarantine only because its own folder hides it.
                channel.make_folder(name, _CLOSED_FOLDER_MODE if _QUARANTINE in name.split(b"/") else None)
            except SftpAnswer:
                # Another may have made it meanwhile, which the protocol calls a failure like any other.
                if not stat.S_ISDIR(channel.stat(name).mode):
                    raise

    def _try_renaming(self, channel: SftpChannel, folder: bytes) -> None:
        """Make sure, once, that the server refuses to rename to a name that is taken."""
        from deeplens_kit.storage.sftp_wire import SftpAnswer

        if self._renames_safely:
            return
        first, second = folder + _temporary(), folder + _temporary()
        try:
            channel.make(first, b"")
            channel.make(second, b"")
            try:
                channel.rename(first, second)
            except SftpAnswer:
                self._renames_safely = True
        finally:
            for name in (first, second):
                with suppress(SftpAnswer):
                    channel.remove(name)
        if not self._renames_safely:
            raise KnownFault(
                FaultKind.BROKEN,
                "the server writes over a file when another is renamed to its name, so nothing is written there",
            )


def _rename(channel: SftpChannel, path: bytes, target: bytes) -> None:
    from deeplens_kit.storage.sftp_wire import SftpAnswer

    try:
        channel.rename(path, target)
    except SftpAnswer as error:
        # "Failure" says nothing; a name that is there says why.
        try:
            channel.stat(target)
        except SftpAnswer:
            raise error from None
        raise ObjectExistsError(_EXISTS) from error


@contextmanager
def _telling_of_space(channel: SftpChannel, folders: Sequence[bytes], size_bytes: int) -> Iterator[None]:
    """Tell a storage that is full from other failures, which OpenSSH calls the same."""
    from deeplens_kit.storage.sftp_wire import SftpAnswer

    try:
        yield
    except SftpAnswer as error:
        full = error.code in _FULL or any(words in error.text.lower() for words in ("no space", "quota"))
        for folder in folders if error.code == _FAILURE else ():
            with suppress(SftpAnswer):  # it is not there, or the server tells no space
                space = channel.space(folder or b"/")
                full = full or (space is not None and space[1] < size_bytes + _SPARE_BYTES)
        if full:
            raise StoreFullError(
                "The storage has no space for new objects, or the user's quota is used up; free some and try again."
            ) from error
        raise


def _temporary() -> bytes:
    return f"{_TEMPORARY}{secrets.token_hex(8)}".encode()


def _entry(path: str, row: FileRow, now: datetime) -> Entry:
    modified = _time(row)
    return Entry(path, row.size_bytes or 0, unsettled(_token(row), modified, _GRANULARITY_SECONDS, now), modified)


def _time(row: FileRow) -> datetime | None:
    return None if row.modified is None else datetime.fromtimestamp(row.modified, UTC)


def _token(row: FileRow) -> str:
    return f"{row.size_bytes}-{row.modified}"


def _regular(row: FileRow) -> FileRow:
    if row.is_file or not row.mode:
        return row
    raise ObjectUnreadableError("It is not a file any more: a folder, a link or a device has its name.")


def _expect(row: FileRow, token: str | None) -> None:
    if token is not None and _token(row) != token:
        raise ObjectChangedError(_CHANGED)


def _meaning(code: int, text: str) -> Fault:
    said = f"{text.rstrip('.').lower() or 'no reason was given'} (SFTP status {code})"
    if code == _NO_SUCH_FILE:
        return Fault(FaultKind.GONE, said)
    if code == _PERMISSION_DENIED:
        return Fault(FaultKind.FORBIDDEN, f"the user may not do this in the file system of the server: {said}")
    return Fault(FaultKind.PASSING if code in _LOST else FaultKind.BROKEN, said)


def _is_answer(error: BaseException) -> bool:
    return isinstance(error, DeepLensError) or type(error).__name__ == "SftpAnswer"
