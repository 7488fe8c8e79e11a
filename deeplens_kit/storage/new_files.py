"""New files in a folder, each whole or not there at all, and never in the place of another.

Takes a folder, a name and bytes; gives a file that appears under its name only when it is complete and on the disk.
Must not replace, change or remove a file that it did not make.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

from deeplens_kit.errors import ObjectError, StoreFullError

__all__ = [
    "NO_LINKS",
    "NO_SUCH_RENAME",
    "NewFiles",
    "exchange_names",
    "is_left_over",
    "is_of_dead_process",
    "keep_names",
    "private_name",
    "rename_to_free_name",
    "unfinished_name",
]

_Finish: TypeAlias = Callable[[int], None]

_NEW_FILE_MODE = 0o666  # before the user's umask
_UNFINISHED_MODE = 0o600
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_TMPFILE it is a folder that would be written, which every system refuses.
_NAMELESS_FLAGS = os.O_RDWR | getattr(os, "O_TMPFILE", os.O_DIRECTORY) | os.O_CLOEXEC
_NO_NAMELESS = frozenset({errno.EISDIR, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS})
_PRIVATE = re.compile(r"\.deeplens-([0-9a-f]{16})-(\d{1,10})-[0-9a-f]{16}")
_UNFINISHED = ".part"
_BLOCK_BYTES = 2**20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
"""File systems without hard links (exFAT, some network shares) say one of these, and two file systems."""
# Linux' renameat2 is not in Python's os module; some file systems, as old kernels, do not know the flag.
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2
NO_SUCH_RENAME = frozenset({errno.EINVAL, errno.ENOSYS})
"""What `rename_to_free_name` and `exchange_names` say where there is no such call."""
# File systems that cannot write a folder out on demand (some FUSE mounts) say one of these.
_NO_FOLDER_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


class NewFiles:
    """A folder that new files are put into; use it as a context manager. Safe to share between threads.

    Args:
        folder: Native path of a folder; held open, so that all files go into this very folder.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @classmethod
    def at(cls, handle: int, folder: str) -> Self:
        """The folder of an open handle, of which a copy is made; `folder` names it in messages."""
        files = cls.__new__(cls)
        files.folder, files._handle = folder, os.dup(handle)
        return files

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    def holds(self, name: str) -> bool:
        """Whether anything has this name, a link that leads nowhere included."""
        try:
            os.stat(name, dir_fd=self._handle, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # whatever it is, it is not free
        return True

    def create(
        self,
        name: str,
        data: bytes | Iterable[bytes],
        *,
        modified_ns: int | None = None,
        finish: _Finish | None = None,
    ) -> None:
        """Make one file.

        Args:
            name: Native, without a folder.
            data: What it holds, whole or part by part; where giving a part fails nothing is made.
            modified_ns: Its time of modification, nanoseconds since 1970; None for now.
            finish: Called with the file's handle, for reading and writing, once all is written and before it has a
                name; until then nobody but its owner may read it. Where it fails nothing is made.

        Raises:
            FileExistsError: The name is taken; what has it is as it was.
            StoreFullError: No space is left, or a quota is reached.
            ObjectError: It cannot be written.
        """
        try:
            if not self._create_nameless(name, data, modified_ns, finish):
                self._create_named(name, data, modified_ns, finish)
            keep_names(self._handle)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno in _FULL:
                raise StoreFullError(
                    f"There is no space left in {self.folder!r} for {name!r}; free some, or name another folder."
                ) from error
            raise ObjectError(f"It cannot be written in {self.folder!r}: {error.strerror or error}.") from error

    def _create_nameless(
        self, name: str, data: bytes | Iterable[bytes], modified_ns: int | None, finish: _Finish | None
    ) -> bool:
        """Give it its only name once it is whole, so that a kill leaves nothing; False where the system cannot."""
        mode = _NEW_FILE_MODE if finish is None else _UNFINISHED_MODE
        try:
            descriptor = os.open(".", _NAMELESS_FLAGS, mode, dir_fd=self._handle)
        except OSError as error:
            if error.errno in _NO_NAMELESS:
                return False
            raise
        with os.fdopen(descriptor, "w+b") as stream:
            _fill(stream, data, modified_ns, finish)
            try:
                os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=self._handle)
            except FileExistsError:
                raise
            except OSError as error:
                if error.errno not in NO_LINKS | {errno.ENOENT}:
                    raise
                # What was given part by part is not given twice.
                stream.seek(0)
                self._create_named(name, iter(lambda: stream.read(_BLOCK_BYTES), b""), modified_ns, finish)
        return True

    def _create_named(
        self, name: str, data: bytes | Iterable[bytes], modified_ns: int | None, finish: _Finish | None
    ) -> None:
        temporary = unfinished_name()
        mode = _NEW_FILE_MODE if finish is None else _UNFINISHED_MODE
        try:
            descriptor = os.open(temporary, _FLAGS, mode, dir_fd=self._handle)
            with os.fdopen(descriptor, "w+b") as stream:
                _fill(stream, data, modified_ns, finish)
            self._name(temporary, name)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._handle)

    def _name(self, temporary: str, name: str) -> None:
        """Give the file its name, which a link does only where the name is free."""
        folder = self._handle
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            self._rename(temporary, name)

    def _rename(self, temporary: str, name: str) -> None:
        """As `_name`, without hard links: in one step where the system can, so that a kill leaves nothing half."""
        folder = self._handle
        try:
            rename_to_free_name(folder, temporary, folder, name)
        except OSError as error:
            if error.errno not in NO_SUCH_RENAME:
                raise
            # The name is taken by an empty file of our own, which the whole one then replaces.
            os.close(os.open(name, _FLAGS, _NEW_FILE_MODE, dir_fd=folder))
            try:
                if not self._is_empty(name):
                    raise FileExistsError  # somebody saved under the name meanwhile
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                if self._is_empty(name):
                    os.unlink(name, dir_fd=folder)
                raise

    def _is_empty(self, name: str) -> bool:
        state = os.stat(name, dir_fd=self._handle, follow_symlinks=False)
        return stat.S_ISREG(state.st_mode) and not state.st_size


def _fill(stream: BinaryIO, data: bytes | Iterable[bytes], modified_ns: int | None, finish: _Finish | None) -> None:
    stream.writelines([data] if isinstance(data, bytes) else data)
    stream.flush()
    if modified_ns is not None:
        os.utime(stream.fileno(), ns=(modified_ns, modified_ns))
    if finish is not None:
        finish(stream.fileno())
    os.fsync(stream.fileno())


def private_name() -> str:
    """A name that no other file has; tells which process of which machine gave it."""
    return f".deeplens-{_machine()}-{os.getpid()}-{secrets.token_hex(8)}"


def unfinished_name() -> str:
    """A private name for a file that is not whole yet, and that never had another name."""
    return private_name() + _UNFINISHED


def is_left_over(name: str) -> bool:
    """Whether a name is one of a file that a process of this machine left unfinished when it died."""
    return name.endswith(_UNFINISHED) and is_of_dead_process(name.removesuffix(_UNFINISHED))


def is_of_dead_process(name: str) -> bool:
    """Whether a private name was given by a process of this machine that is gone.

    Processes before a restart, in other containers or on other machines are unknown here, so they may live.
    """
    match = _PRIVATE.fullmatch(name)
    if match is None or match[1] != _machine():
        return False
    try:
        os.kill(int(match[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it lives, as another user's
    return False


@functools.cache
def _machine() -> str:
    """What tells the processes that this one can see from all others: a start of a machine, and a container in it."""
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        told = f"{start} {Path('/proc/self/ns/pid').readlink()} {os.uname().nodename}"
    except OSError:
        return secrets.token_hex(8)  # then no process can be told from those elsewhere
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def keep_names(folder: int) -> None:
    """Have the names of a folder on the disk, given its handle; files are whole where it cannot be asked for that.

    Raises:
        OSError: The disk failed.
    """
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def rename_to_free_name(folder: int, old: str, target: int, new: str) -> None:
    """Rename, by one call of the system that fails where the new name is taken.

    Args:
        folder: Handle of the folder that has `old`.
        old: A name in it.
        target: Handle of the folder that gets it.
        new: Its name there.

    Raises:
        FileExistsError: It is taken.
        OSError: ENOSYS where the system has no such call, EINVAL where the file system has not, or another fault.
    """
    _rename(folder, old, target, new, _RENAME_NOREPLACE)


def exchange_names(folder: int, one: str, other: str) -> None:
    """Give each of two files of a folder the name of the other, in one step; raises OSError as `rename_to_free_name`.

    Args:
        folder: Its handle.
        one: A name in it.
        other: Another.
    """
    _rename(folder, one, folder, other, _RENAME_EXCHANGE)


def _rename(folder: int, old: str, target: int, new: str, flag: int) -> None:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    call.restype = ctypes.c_int
    if call(folder, os.fsencode(old), target, os.fsencode(new), flag) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
