"""New files in a folder, each whole or not there at all, and never in the place of another.

Takes a folder, a name and bytes; gives a file that appears under its name only when it is complete and on the disk.
Must not replace, change or remove a file that it did not make.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from deeplens_kit.errors import ObjectError, StoreFullError

__all__ = ["NewFiles", "rename_to_free_name"]

_NEW_FILE_MODE = 0o666  # before the user's umask
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
# File systems without hard links (exFAT, some network shares) say one of these.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
# Linux' renameat2 is not in Python's os module; some file systems, as old kernels, do not know the flag.
_RENAME_NOREPLACE = 1
_NO_SUCH_RENAME = frozenset({errno.EINVAL, errno.ENOSYS})
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

    def create(self, name: str, data: bytes | Iterable[bytes], *, modified_ns: int | None = None) -> None:
        """Make one file.

        Args:
            name: Native, without a folder.
            data: What it holds, whole or part by part; where giving a part fails nothing is made.
            modified_ns: Its time of modification, nanoseconds since 1970; None for now.

        Raises:
            FileExistsError: The name is taken; what has it is as it was.
            StoreFullError: No space is left, or a quota is reached.
            ObjectError: It cannot be written.
        """
        temporary = f".deeplens-{os.getpid()}-{secrets.token_hex(8)}"
        try:
            self._write(temporary, data, modified_ns)
            self._name(temporary, name)
            self._keep_name()
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno in _FULL:
                raise StoreFullError(
                    f"There is no space left in {self.folder!r} for {name!r}; free some, or name another folder."
                ) from error
            raise ObjectError(f"It cannot be written in {self.folder!r}: {error.strerror or error}.") from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=self._handle)

    def _write(self, temporary: str, data: bytes | Iterable[bytes], modified_ns: int | None) -> None:
        descriptor = os.open(temporary, _FLAGS, _NEW_FILE_MODE, dir_fd=self._handle)
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines([data] if isinstance(data, bytes) else data)
            stream.flush()
            if modified_ns is not None:
                os.utime(stream.fileno(), ns=(modified_ns, modified_ns))
            os.fsync(stream.fileno())

    def _name(self, temporary: str, name: str) -> None:
        """Give the file its name, which a link does only where the name is free."""
        folder = self._handle
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._rename(temporary, name)

    def _rename(self, temporary: str, name: str) -> None:
        """As `_name`, without hard links: in one step where the system can, so that a kill leaves nothing half."""
        folder = self._handle
        try:
            rename_to_free_name(folder, temporary, folder, name)
        except OSError as error:
            if error.errno not in _NO_SUCH_RENAME:
                raise
            # The name is taken by an empty file of our own, which the whole one then replaces.
            os.close(os.open(name, _FLAGS, _NEW_FILE_MODE, dir_fd=folder))
            try:
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                os.unlink(name, dir_fd=folder)
                raise

    def _keep_name(self) -> None:
        """Have the name on the disk too; the file is whole where the file system cannot be asked for that."""
        try:
            os.fsync(self._handle)
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
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    call.restype = ctypes.c_int
    if call(folder, os.fsencode(old), target, os.fsencode(new), _RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
