"""Opening one file beneath a root folder, and reading it whole.

Takes a root and a native relative path and gives an open file or its bytes; must not leave the root, follow a
symbolic link beneath it, wait on a pipe, or write. Each part of the path is opened from the folder before it, so
that a folder that turns into a link meanwhile is met as an error, not followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from deeplens_kit.errors import (
    LimitExceededError,
    ObjectChangedError,
    ObjectForbiddenError,
    ObjectGoneError,
    ObjectUnreadableError,
)
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.local_listing import local_stat
from deeplens_kit.storage.placeholders import refuse_placeholder

__all__ = ["open_regular", "read_blocks", "read_whole", "unreadable"]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a pipe does not wait for its writer; it changes nothing for regular files.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REASONS = {
    errno.EACCES: "Permission denied; allow reading and run `deeplens index` again.",
    errno.EPERM: "Permission denied; allow reading and run `deeplens index` again.",
    errno.ENOENT: "It is no longer there; run `deeplens index` again.",
    errno.ENOTDIR: "It is no longer there; run `deeplens index` again.",
    errno.ELOOP: "A symbolic link stands in its place, and links are not followed.",
    errno.ENAMETOOLONG: "Its path is longer than the system allows; move it nearer to the location's root.",
}
_KINDS = {
    errno.EACCES: ObjectForbiddenError,
    errno.EPERM: ObjectForbiddenError,
    errno.ENOENT: ObjectGoneError,
    errno.ENOTDIR: ObjectGoneError,
}
_BLOCK_BYTES = 2**20
_NOT_REGULAR = "It is not a regular file."
_CHANGED = "It changed while it was read, or since it was listed; it is taken up again by the next `deeplens index`."


@contextmanager
def open_regular(root: int, path: str) -> Iterator[int]:
    """Open a regular file for reading and close it afterwards.

    Args:
        root: Handle of the root folder.
        path: Native, relative to the root.

    Yields:
        The file's handle.

    Raises:
        ObjectUnreadableError: Not a regular file, or a path that leaves the root.
        PlaceholderError: A cloud client keeps only its name here.
        OSError: As the system has it.
    """
    *folders, name = path.split("/")
    if any(part in ("", ".", "..") for part in (*folders, name)) or "\0" in path:
        raise ObjectUnreadableError("Its path is not one that a listing gave: empty, '.' or '..' parts, or a NUL.")
    opened: list[int] = []
    try:
        parent = root
        for folder in folders:
            parent = os.open(folder, _FOLDER_FLAGS, dir_fd=parent)
            opened.append(parent)
        # Asked before opening as well: opening a device may already do something.
        _refuse_special(os.stat(name, dir_fd=parent, follow_symlinks=False))
        file = os.open(name, _FILE_FLAGS, dir_fd=parent)
        opened.append(file)
        _refuse_special(os.fstat(file))
        refuse_placeholder(name, file)
        yield file
    finally:
        for handle in opened:
            os.close(handle)


def read_whole(file: int, *, expected: ObjectStat | None, max_bytes: int) -> bytes:
    """Read an open file into one buffer, and make sure that it held still.

    Args:
        file: Handle of a regular file at its start.
        expected: The state that the bytes must belong to; None takes what is there.
        max_bytes: Largest size that is read, inclusive.

    Raises:
        LimitExceededError: Larger than `max_bytes`; nothing was read.
        ObjectChangedError: Not in the expected state, or changed meanwhile.
        OSError: As the system has it.
    """
    before = os.fstat(file)
    if expected is not None and local_stat(before).change_token != expected.change_token:
        raise ObjectChangedError(_CHANGED)
    if before.st_size > max_bytes:
        raise LimitExceededError(f"{before.st_size} bytes are more than the limit of {max_bytes} (decode.max_bytes).")
    data = _read_up_to(file, before.st_size + 1)
    if len(data) != before.st_size or _state(os.fstat(file)) != _state(before):
        raise ObjectChangedError(_CHANGED)
    return data


def read_blocks(file: int, expected: ObjectStat) -> Iterator[bytes]:
    """Read an open file block by block, and make sure at the end that it held still.

    Args:
        file: Handle of a regular file at its start.
        expected: The state that the bytes must belong to.

    Raises:
        ObjectChangedError: Not in the expected state, or changed meanwhile.
        ObjectUnreadableError: It cannot be read.
    """
    try:
        before = os.fstat(file)
        if local_stat(before).change_token != expected.change_token:
            raise ObjectChangedError(_CHANGED)
        count = 0
        while data := os.read(file, _BLOCK_BYTES):
            count += len(data)
            if count > before.st_size:
                break  # one that grows without end
            yield data
        if count != before.st_size or _state(os.fstat(file)) != _state(before):
            raise ObjectChangedError(_CHANGED)
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> ObjectUnreadableError:
    """Say in stable words why a file cannot be read."""
    reason, kind = _REASONS.get(error.errno or 0), _KINDS.get(error.errno or 0, ObjectUnreadableError)
    return kind(reason or f"The storage failed: {(error.strerror or 'input/output error').lower()}.")


def _read_up_to(file: int, size: int) -> bytes:
    """Read until the end or `size` bytes; one call and no copy unless the system stops short."""
    data = os.read(file, size)
    if len(data) >= size - 1:
        return data
    parts = [data]
    left = size - len(data)
    while left and (data := os.read(file, left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _state(state: os.stat_result) -> tuple[int, int, int]:
    # ctime moves with every write, also where a program sets mtime back; with a new hard link too, which costs a retry
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _refuse_special(state: os.stat_result) -> None:
    if stat.S_ISLNK(state.st_mode):
        raise ObjectUnreadableError(_REASONS[errno.ELOOP])
    if not stat.S_ISREG(state.st_mode):
        raise ObjectUnreadableError(_NOT_REGULAR)
