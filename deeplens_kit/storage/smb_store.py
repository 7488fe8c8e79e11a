"""A share as a store: its folders, states and bytes, over connections that are lent to one thread each.

Takes native paths; must not follow links, nor read a byte of a file whose bytes the server would first have to call
back from a cloud or from tape. What is written appears whole or not at all, and never in the place of another.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from deeplens_kit.errors import (
    DeepLensError,
    ExtraMissingError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectUnreadableError,
    PlaceholderError,
    StoreFullError,
)
from deeplens_kit.storage.connections import ConnectionPool
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.storage.listing import Entry, unsettled
from deeplens_kit.storage.placeholders import RECALLED_ATTRIBUTES
from deeplens_kit.storage.resilience import Fault, FaultKind
from deeplens_kit.storage.smb_faults import FULL, TAKEN, breaks_connection, fault_of_status
from deeplens_kit.storage.smb_rows import REPARSE_POINT, FolderRow
from deeplens_kit.storage.store import Page, Probe, TreeStore, limit_carried

if TYPE_CHECKING:
    from deeplens_kit.storage.smb_wire import OpenFile, Share

__all__ = ["SmbStore"]

_Result = TypeVar("_Result")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_TICKS = 116_444_736_000_000_000  # 100 ns from 1601 to 1970
_TICKS = 10_000_000  # a second
_FOLDER = 0x10
_STANDS_FOR_A_NAME = 0x20000000  # IsReparseTagNameSurrogate: links and junctions, not files that a server keeps smaller
# Sockets, pipes and devices as Windows keeps them for NFS and for Linux (MS-FSCC 2.1.2.1).
_SPECIAL_TAGS = frozenset({0x80000014, 0x80000023, 0x80000024, 0x80000025, 0x80000026})
_FORBIDDEN = re.compile(r'[\\:*?"<>|\x00-\x1f]')
_CHANGED = "It changed while it was read, or since it was listed; it is taken up again by the next `deeplens index`."
_IN_THE_CLOUD = (
    "Its bytes are in the cloud or on tape and only its name is on the share; have the server keep it, or add the "
    "cloud storage itself as a location."
)


class SmbStore(TreeStore):
    """A folder of a share; see `storage.store.TreeStore`.

    Args:
        server: Name or address.
        port: Where it listens.
        share: Name of the share.
        path: Native path of the folder, '/' between its parts.
        user: With its domain; empty for a Kerberos ticket.
        password: Reference to it.
        encrypt: Whether everything is encrypted.
        timeout_seconds: How long any answer may take.
    """

    reads_conditionally = True
    keeps_times_on_move = True
    links = True
    sets_times = True

    def __init__(
        self,
        server: str,
        port: int,
        share: str,
        path: str,
        user: str,
        password: str,
        *,
        encrypt: bool,
        timeout_seconds: float,
    ) -> None:
        self._server, self._port, self._share = server, port, share
        self._root = path.replace("/", "\\")
        self._user, self._password = user, password
        self._encrypt, self._timeout_seconds = encrypt, timeout_seconds
        self._pool: ConnectionPool[Share] = ConnectionPool(self._connect, lambda share: share.close(), _is_answer)
        self._clock_ahead_seconds, self._renewed = 0.0, False

    def folder(self, path: str) -> Page:
        """The entries of a folder, of those that are folders also their numbers: Samba follows links."""
        entries: list[Entry] = []
        folders: list[str] = []
        folder_ids: dict[str, str] = {}
        special = links = 0
        with self._lent() as share:
            now = self._now()
            for row in share.folder(self._native(path.rstrip("/"))):
                if row.name == ".":
                    folder_ids[path] = _folder_id(row)
                elif row.tag & _STANDS_FOR_A_NAME or (row.attributes & REPARSE_POINT and not row.tag):
                    links += 1
                elif row.tag in _SPECIAL_TAGS:
                    special += 1
                elif not row.attributes & _FOLDER:
                    entries.append(self._entry(path + row.name, row, now))
                else:
                    folders.append(f"{path}{row.name}/")
                    folder_ids[folders[-1]] = _folder_id(row)
        return Page(entries, folders, special=special, links=links, folder_ids=folder_ids, may_loop=True)

    def stat(self, path: str) -> Entry:
        """One request."""
        with self._lent() as share:
            return self._entry(path, share.stat(self._native(path)), self._now())

    def read(self, path: str, start: int, length: int | None, token: str | None) -> bytes:
        """The bytes of the state that the token names, which must be that of the open file before and after."""
        from deeplens_kit.storage.smb_wire import Access

        with self._lent() as share:
            with share.opened(self._native(path), Access.FILE_READ_DATA) as file:
                _refuse_recall(file)
                self._expect(file, token)
                left = max(0, file.size_bytes - start)
                data = share.read(file, start, left if length is None else min(left, length))
                share.settle(file)
            self._expect(file, token)
        return data

    def create(self, path: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """A new file, which the server removes by itself until all of it is written."""
        with self._lent() as share, self._making(share, path) as file:
            share.write(file, data)

    def copy(self, path: str, target: str, token: str) -> None:
        """Within the server; through this machine where it cannot."""
        from deeplens_kit.storage.smb_wire import Access

        with self._lent() as share, share.opened(self._native(path), Access.FILE_READ_DATA, writers=False) as source:
            _refuse_recall(source)
            self._expect(source, token)
            with self._making(share, target) as made:
                if not share.copy(source, made):
                    limit_carried(source.size_bytes)
                    share.write(made, share.read(source, 0, source.size_bytes))

    def move(self, path: str, target: str, token: str) -> None:
        """Renamed while nobody writes it."""
        from deeplens_kit.storage.smb_wire import Access

        native = self._native(target)
        with self._lent() as share, share.opened(self._native(path), Access.DELETE, writers=False) as file:
            self._expect(file, token)
            self._with_folders(share, target, lambda: share.rename(file, native))

    def link(self, path: str, target: str, token: str) -> None:
        """A second name, given while nobody writes it."""
        from deeplens_kit.storage.smb_wire import Access

        native = self._native(target)
        with (
            self._lent() as share,
            share.opened(self._native(path), Access.FILE_WRITE_ATTRIBUTES, writers=False) as file,
        ):
            self._expect(file, token)
            self._with_folders(share, target, lambda: share.link(file, native))

    def remove(self, path: str, token: str) -> None:
        """Removed while nobody writes it."""
        from deeplens_kit.storage.smb_wire import Access

        with self._lent() as share, share.opened(self._native(path), Access.DELETE, writers=False) as file:
            self._expect(file, token)
            share.remove(file)

    def set_times(self, path: str, modified_at: datetime, token: str) -> None:
        """Set while nobody writes it, to 100 ns."""
        from deeplens_kit.storage.smb_wire import Access

        ticks = _EPOCH_TICKS + (modified_at - _EPOCH) // timedelta(microseconds=1) * 10
        access = Access.FILE_WRITE_ATTRIBUTES
        with self._lent() as share, share.opened(self._native(path), access, writers=False) as file:
            self._expect(file, token)
            if file.written // 10 != ticks // 10:  # else its last digit would be lost
                share.set_written(file, ticks)

    def probe(self) -> Probe:
        """The clock of the server when it was connected to, and the space of the share."""
        with self._lent() as share:
            capacity_bytes, free_bytes = share.space(self._root)
            now = self._now() if share.told else None
        return Probe(now=now, capacity_bytes=capacity_bytes, free_bytes=free_bytes)

    def fault_of(self, error: BaseException) -> Fault | None:
        """Translate the errors of smbprotocol."""
        if isinstance(error, DeepLensError):
            return None
        from smbprotocol.exceptions import SMBAuthenticationError, SMBException, SMBResponseException

        if isinstance(error, SMBResponseException):
            return fault_of_status(error.status)
        if isinstance(error, SMBAuthenticationError):
            return Fault(FaultKind.CREDENTIALS, str(error))
        if isinstance(error, SMBException) and "timeout" in str(error):
            return Fault(FaultKind.PASSING, "the server did not answer in time")
        if isinstance(error, SMBException):
            return Fault(FaultKind.LOCATION if "guest" in str(error) else FaultKind.PASSING, str(error))
        if isinstance(error, UnicodeError):
            return Fault(FaultKind.BROKEN, "the name cannot be sent to the server")
        # The library tells a failure to connect so.
        if isinstance(error, (OSError, EOFError)) or (isinstance(error, ValueError) and error.__cause__ is not None):
            return Fault(FaultKind.PASSING, str(error))
        return None

    def renew(self) -> None:
        """Forget the connections, and take no credential from a cache any more."""
        self._renewed = True
        self.close()

    def close(self) -> None:
        """Give connections back."""
        self._pool.close()

    def _connect(self) -> Share:
        try:
            from deeplens_kit.storage.smb_wire import Share
        except ImportError as error:
            raise ExtraMissingError("A location on a share (SMB)", "smb") from error
        share = Share(
            self._server,
            self._port,
            self._share,
            self._user,
            resolve(self._password, fresh=self._renewed),
            encrypt=self._encrypt,
            timeout_seconds=self._timeout_seconds,
        )
        if share.told:
            passed = timedelta(seconds=time.monotonic() - share.connected_at)
            self._clock_ahead_seconds = (share.told + passed - datetime.now(UTC)).total_seconds()
        return share

    @contextmanager
    def _lent(self) -> Iterator[Share]:
        with self._pool.lent() as share:
            try:
                yield share
            except Exception as error:
                status = getattr(error, "status", None)
                if isinstance(status, int) and status in FULL:
                    reason = fault_of_status(status).reason
                    raise StoreFullError(f"Nothing new can be stored: {reason}; free some and try again.") from error
                raise

    @contextmanager
    def _making(self, share: Share, path: str) -> Iterator[OpenFile]:
        from smbprotocol.exceptions import SMBResponseException

        native = self._native(path)
        with ExitStack() as stack:
            try:
                file = self._with_folders(share, path, lambda: stack.enter_context(share.made(native)))
            except SMBResponseException as error:
                if error.status in TAKEN:
                    raise ObjectExistsError("Something has this name already; it was left as it is.") from error
                raise
            yield file

    def _with_folders(self, share: Share, path: str, act: Callable[[], _Result]) -> _Result:
        """Do something that needs the folders of a path; they are made where they are missing."""
        from smbprotocol.exceptions import ObjectNameCollision, ObjectPathNotFound

        try:
            return act()
        except ObjectPathNotFound:
            parts = self._native(path).split("\\")
            for count in range(1, len(parts)):
                with suppress(ObjectNameCollision):
                    share.make_folder("\\".join(parts[:count]))
        return act()

    def _native(self, path: str) -> str:
        parts = path.split("/") if path else []
        if any(part in ("", ".", "..") or part[-1] in ". " or _FORBIDDEN.search(part) for part in parts):
            raise ObjectUnreadableError(
                "A share can have no such name: no part may be '.' or '..', end in a dot or a space, or hold a control "
                'character or any of \\ : * ? " < > |.'
            )
        return "\\".join([self._root, *parts] if self._root else parts)

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._clock_ahead_seconds)

    def _entry(self, path: str, state: FolderRow | OpenFile, now: datetime) -> Entry:
        modified = _time(state.written)
        # FAT and some network storage keep whole seconds, and FAT every second one; the rest is as good as exact, but
        # Samba notes what is written over an open file up to two seconds late.
        step_seconds = 0.0 if state.written % _TICKS else 2.0
        token = unsettled(_token(state), modified, step_seconds, now)
        link_id = f"smb:{self._server}/{self._share.lower()}:{state.file_id}" if state.file_id else None
        return Entry(path, state.size_bytes, token, modified, link_id=link_id)

    def _expect(self, file: OpenFile, token: str | None) -> None:
        if token is not None and _token(file) != token:
            raise ObjectChangedError(_CHANGED)


def _folder_id(row: FolderRow) -> str:
    return str(row.file_id) if row.file_id else ""


def _token(state: FolderRow | OpenFile) -> str:
    return f"{state.size_bytes}-{state.written}-{state.file_id}"


def _time(ticks: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=(ticks - _EPOCH_TICKS) // 10)
    except OverflowError:
        return None


def _refuse_recall(file: OpenFile) -> None:
    if file.attributes & RECALLED_ATTRIBUTES:
        raise PlaceholderError(_IN_THE_CLOUD)


def _is_answer(error: BaseException) -> bool:
    if isinstance(error, DeepLensError):
        return True
    status = getattr(error, "status", None)
    return isinstance(status, int) and not breaks_connection(status)
