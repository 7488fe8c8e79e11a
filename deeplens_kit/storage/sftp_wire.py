"""One SFTP channel with several requests under way.

Takes paths as bytes, gives rows of folders, states and bytes; must not be imported before a location is used, because
it loads paramiko. One thread uses it at a time. Paramiko's own calls wait for each answer in turn or read ahead in
threads of their own, fail on names that are not UTF-8, and drop errors of writes that were sent ahead: so the requests
are made here, over its channel. Layouts after draft-ietf-secsh-filexfer-02, which OpenSSH speaks.
"""

from __future__ import annotations

import contextlib
import stat
import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from paramiko.client import SSHClient
from paramiko.sftp import (
    CMD_ATTRS,
    CMD_CLOSE,
    CMD_DATA,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_FSETSTAT,
    CMD_FSTAT,
    CMD_HANDLE,
    CMD_LSTAT,
    CMD_MKDIR,
    CMD_NAME,
    CMD_OPEN,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_REMOVE,
    CMD_RENAME,
    CMD_SETSTAT,
    CMD_STATUS,
    CMD_WRITE,
    SFTP_EOF,
    SFTP_FLAG_CREATE,
    SFTP_FLAG_EXCL,
    SFTP_FLAG_READ,
    SFTP_FLAG_WRITE,
    SFTP_OK,
    SFTPError,
    int64,
)
from paramiko.sftp_attr import SFTPAttributes
from paramiko.ssh_exception import SSHException

__all__ = ["FileRow", "SftpAnswer", "SftpChannel"]

_REQUEST_BYTES = 32_768  # what every server takes at once
_REQUESTS_AHEAD = 64  # two MiB
_MOST_LISTS_AHEAD = 32
_NUMBER, _LONG, _PAIR = struct.Struct(">I"), struct.Struct(">Q"), struct.Struct(">II")
_HAS_SIZE, _HAS_OWNER, _HAS_MODE, _HAS_TIMES, _HAS_MORE = 1, 2, 4, 8, 0x80000000


class SftpAnswer(Exception):
    """The server answered that something cannot be done; the channel goes on.

    Attributes:
        code: Of the protocol: 2 no such file, 3 permission denied, 4 failure, 8 not supported.
        text: What the server said.
    """

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(f"{text or 'no reason was given'} (SFTP status {code})")


class FileRow(NamedTuple):
    """An entry of a folder, or the state of a file.

    Attributes:
        name: Without folders; bytes as the server has them. Empty for a state.
        size_bytes: Bytes; None where the server does not tell.
        mode: As `os.stat` has it; 0 where the server does not tell.
        modified: Seconds since 1970, UTC; None where the server does not tell.
        owner: "user:group" in numbers; None where the server does not tell.
    """

    name: bytes
    size_bytes: int | None
    mode: int
    modified: int | None
    owner: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return stat.S_ISREG(self.mode)


class SftpChannel:
    """A channel of SFTP.

    Args:
        session: A connection of its own, logged in.
        timeout_seconds: How long any answer may take.
    """

    def __init__(self, session: SSHClient, timeout_seconds: float) -> None:
        self._session = session  # paramiko ends a connection that nobody holds
        self._client = cast(Any, session.open_sftp())
        self._client.get_channel().settimeout(timeout_seconds)
        self._answers: dict[int, tuple[int, bytes]] = {}

    def folder(self, path: bytes) -> Iterator[FileRow]:
        """The entries of a folder, but itself and the one above."""
        with self._handle(CMD_OPENDIR, path) as handle:
            pending: deque[int] = deque()
            ahead = 2
            try:
                while True:
                    while len(pending) < ahead:
                        pending.append(self._send(CMD_READDIR, handle))
                    kind, data = self._answer(pending.popleft())
                    if kind == CMD_STATUS and _status(data)[0] == SFTP_EOF:
                        return
                    _want(kind, data, CMD_NAME)
                    yield from _rows(data)
                    # Small folders are not worth many requests, and large ones should not wait.
                    ahead = min(2 * ahead, _MOST_LISTS_AHEAD)
            finally:
                self._drop(pending)

    def stat(self, path: bytes) -> FileRow:
        """The state of what has this name; a link is not followed."""
        return _state(_want(*self._ask(CMD_LSTAT, path), CMD_ATTRS))

    @contextmanager
    def opened(self, path: bytes) -> Iterator[bytes]:
        """A handle to read from."""
        with self._handle(CMD_OPEN, path, SFTP_FLAG_READ, SFTPAttributes()) as handle:
            yield handle

    def state(self, handle: bytes) -> FileRow:
        """The state of an open file."""
        return _state(_want(*self._ask(CMD_FSTAT, handle), CMD_ATTRS))

    def read(self, handle: bytes, start: int, length: int) -> bytes:
        """Bytes of an open file; fewer only at its end."""
        parts: list[bytes] = []
        end = start + length
        pending: deque[tuple[int, int]] = deque()
        sent = start
        try:
            while start < end:
                while sent < end and len(pending) < _REQUESTS_AHEAD:
                    size = min(_REQUEST_BYTES, end - sent)
                    pending.append((self._send(CMD_READ, handle, int64(sent), size), size))
                    sent += size
                number, size = pending.popleft()
                kind, data = self._answer(number)
                if kind == CMD_STATUS and _status(data)[0] == SFTP_EOF:
                    break
                _want(kind, data, CMD_DATA)
                part = data[8 : 8 + _NUMBER.unpack_from(data, 4)[0]]
                parts.append(part)
                start += len(part)
                if len(part) < size:
                    # Servers may give less than was asked for: what follows is asked for anew, from here.
                    self._drop(number for number, _ in pending)
                    pending.clear()
                    sent = start
        finally:
            self._drop(number for number, _ in pending)
        return b"".join(parts)

    def make(self, path: bytes, data: bytes) -> None:
        """Make a file that is not there yet; what was written of it stays where that fails."""
        flags = SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | SFTP_FLAG_EXCL
        with self._handle(CMD_OPEN, path, flags, SFTPAttributes()) as handle:
            pending: deque[int] = deque()
            view = memoryview(data)
            try:
                for at in range(0, len(data), _REQUEST_BYTES):
                    if len(pending) >= _REQUESTS_AHEAD:
                        _want_done(*self._answer(pending.popleft()))
                    part = bytes(view[at : at + _REQUEST_BYTES])
                    pending.append(self._send(CMD_WRITE, handle, int64(at), part))
                while pending:
                    _want_done(*self._answer(pending.popleft()))
            finally:
                self._drop(pending)

    def set_modified(self, handle: bytes, seconds: int) -> None:
        """Set the times of an open file: that of the last modification, and that of the last reading with it."""
        times = SFTPAttributes()
        times.st_atime = times.st_mtime = seconds
        _want_done(*self._ask(CMD_FSETSTAT, handle, times))

    def rename(self, path: bytes, target: bytes) -> None:
        """Give another name; OpenSSH refuses one that is taken, other servers may not."""
        _want_done(*self._ask(CMD_RENAME, path, target))

    def set_mode(self, path: bytes, mode: int) -> None:
        """Set the permission bits of a file."""
        bits = SFTPAttributes()
        bits.st_mode = mode
        _want_done(*self._ask(CMD_SETSTAT, path, bits))

    def remove(self, path: bytes) -> None:
        """Remove a file."""
        _want_done(*self._ask(CMD_REMOVE, path))

    def make_folder(self, path: bytes, mode: int | None = None) -> None:
        """Make one folder, with these permission bits or those that the server gives."""
        bits = SFTPAttributes()
        if mode is not None:
            bits.st_mode = mode
        _want_done(*self._ask(CMD_MKDIR, path, bits))

    def space(self, path: bytes) -> tuple[int, int] | None:
        """Bytes of the storage of a folder, and those that the user may still write; None where it does not tell."""
        kind, data = self._ask(CMD_EXTENDED, b"statvfs@openssh.com", path)
        if kind != CMD_EXTENDED_REPLY:
            return None
        _, unit, blocks, _, available = struct.unpack_from(">5Q", data, 4)
        return unit * blocks, unit * available

    def close(self) -> None:
        """End the connection."""
        self._session.close()

    @contextmanager
    def _handle(self, command: int, *arguments: Any) -> Iterator[bytes]:
        data = _want(*self._ask(command, *arguments), CMD_HANDLE)
        handle = data[8 : 8 + _NUMBER.unpack_from(data, 4)[0]]
        try:
            yield handle
        except (OSError, EOFError, SSHException):
            raise  # nobody is there to be asked
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong before is what has to be told
                self._ask(CMD_CLOSE, handle)
            raise
        # A server may tell only now that there was no space.
        _want_done(*self._ask(CMD_CLOSE, handle))

    def _ask(self, command: int, *arguments: Any) -> tuple[int, bytes]:
        return self._answer(self._send(command, *arguments))

    def _send(self, command: int, *arguments: Any) -> int:
        number: int = self._client._async_request(self, command, *arguments)
        return number

    def _answer(self, number: int) -> tuple[int, bytes]:
        while number not in self._answers:
            self._client._read_response()
        return self._answers.pop(number)

    def _async_response(self, kind: int, message: Any, number: int) -> None:
        """Called by the client for each answer, in whatever order the server gives them."""
        self._answers[number] = kind, message.asbytes()

    def _drop(self, numbers: Any) -> None:
        """Fetch answers that nobody wants any more, so that the next request does not meet them."""
        with contextlib.suppress(Exception):  # the first that does not come says that none will
            for number in numbers:
                self._answer(number)


def _want(kind: int, data: bytes, wanted: int) -> bytes:
    if kind == CMD_STATUS:
        raise SftpAnswer(*_status(data))
    if kind != wanted:
        raise SFTPError(f"answer {kind} came where {wanted} was due")
    return data


def _want_done(kind: int, data: bytes) -> None:
    if kind != CMD_STATUS:
        raise SFTPError(f"answer {kind} came where a status was due")
    code, text = _status(data)
    if code != SFTP_OK:
        raise SftpAnswer(code, text)


def _status(data: bytes) -> tuple[int, str]:
    code: int = _NUMBER.unpack_from(data, 4)[0]
    length = _NUMBER.unpack_from(data, 8)[0] if len(data) >= 12 else 0
    return code, data[12 : 12 + length].decode("utf-8", "replace")


def _rows(data: bytes) -> Iterator[FileRow]:
    (count,) = _NUMBER.unpack_from(data, 4)
    at = 8
    for _ in range(count):
        (length,) = _NUMBER.unpack_from(data, at)
        name = data[at + 4 : at + 4 + length]
        at += 4 + length
        (length,) = _NUMBER.unpack_from(data, at)  # a line as `ls -l` prints it
        row, at = _attributes(data, at + 4 + length, name)
        if name not in (b".", b".."):
            yield row


def _state(data: bytes) -> FileRow:
    return _attributes(data, 4, b"")[0]


def _attributes(data: bytes, at: int, name: bytes) -> tuple[FileRow, int]:
    (flags,) = _NUMBER.unpack_from(data, at)
    at += 4
    size, mode, modified, owner = None, 0, None, None
    if flags & _HAS_SIZE:
        (size,) = _LONG.unpack_from(data, at)
        at += 8
    if flags & _HAS_OWNER:
        owner = "{}:{}".format(*_PAIR.unpack_from(data, at))
        at += 8
    if flags & _HAS_MODE:
        (mode,) = _NUMBER.unpack_from(data, at)
        at += 4
    if flags & _HAS_TIMES:
        _, modified = _PAIR.unpack_from(data, at)
        at += 8
    if flags & _HAS_MORE:
        (count,) = _NUMBER.unpack_from(data, at)
        at += 4
        for _ in range(2 * count):
            at += 4 + _NUMBER.unpack_from(data, at)[0]
    return FileRow(name, size, mode, modified, owner), at
