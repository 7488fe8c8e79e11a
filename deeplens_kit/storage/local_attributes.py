"""What a file has beside its bytes: owner, permissions, extended attributes and times; and which file it is.

Takes handles of open files; must not write a byte of their contents.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import re
import stat
from datetime import UTC, datetime, timedelta

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.facts import ObjectFacts
from deeplens_kit.storage.local_listing import local_stat
from deeplens_kit.storage.local_reading import open_regular

__all__ = ["facts_of", "give_attributes", "identity_of", "keep_attributes", "set_modified"]

_TIME_IN_TOKEN = re.compile(r"\d+-(-?\d+)-\d+")  # as `local_listing.local_stat` writes them
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_ATTRIBUTES = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
# Labels that the system gives every new file by its own rules, and that others than root may not set.
_GIVEN_BY_SYSTEM = "security."
_BASE64 = "base64:"
# Of a file that another user may own now, without the bits that have it run as its owner.
_PERMISSIONS = 0o777


def facts_of(file: int) -> ObjectFacts:
    """What is told of an open file."""
    state = os.fstat(file)
    return ObjectFacts(
        metadata={name: _text(value) for name, value in _attributes(file).items()},
        mode=stat.S_IMODE(state.st_mode),
        modified_at=local_stat(state).modified_at,
        owner=f"{state.st_uid}:{state.st_gid}",
    )


def identity_of(file: int) -> str | None:
    """File system and inode; None where the file system numbers no files.

    The id of a file system outlives restarts and is the same at whatever folder it is mounted; a device's number is
    neither, and stands in only where the file system has no id.
    """
    state, system = os.fstat(file), os.fstatvfs(file).f_fsid
    if not state.st_ino:
        return None
    return f"{system:x}:{state.st_ino}" if system else f"device {state.st_dev}:{state.st_ino}"


def keep_attributes(source: int, target: int, *, times: bool = True) -> None:
    """Give one open file owner, permissions, extended attributes and times of another.

    Raises:
        ObjectUnreadableError: One of them cannot be kept; which is said.
        OSError: As the system has it.
    """
    state, made = os.fstat(source), os.fstat(target)
    if (state.st_uid, state.st_gid) != (made.st_uid, made.st_gid):
        try:
            os.fchown(target, state.st_uid, state.st_gid)
        except PermissionError as error:
            raise ObjectUnreadableError(
                f"It belongs to user {state.st_uid} and group {state.st_gid}, which a copy of yours cannot: run as "
                "that user. It was left as it is."
            ) from error
    for name, value in _attributes(source).items():
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            if name.startswith(_GIVEN_BY_SYSTEM):
                continue
            raise ObjectUnreadableError(
                f"Its extended attribute {name!r} cannot be kept on the other file system "
                f"({(error.strerror or 'refused').lower()}); it was left as it is."
            ) from error
    os.fchmod(target, stat.S_IMODE(state.st_mode))
    if times:
        os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))


def give_attributes(target: int, facts: ObjectFacts) -> list[str]:
    """Give an open file permissions and extended attributes of another, as far as its file system takes them.

    Returns:
        What it did not take: "permissions", "extended attributes", or both.
    """
    left = []
    for name, text in facts.metadata.items():
        try:
            os.setxattr(target, name, _bytes(text))
        except (OSError, AttributeError):
            if not name.startswith(_GIVEN_BY_SYSTEM):
                left.append("extended attributes")
    if facts.mode is not None:
        wanted = facts.mode & _PERMISSIONS
        with contextlib.suppress(OSError):
            os.fchmod(target, wanted)
        # Some file systems take the call and keep what they have.
        if stat.S_IMODE(os.fstat(target).st_mode) != wanted:
            left.append("permissions")
    return sorted(set(left))


def set_modified(root: int, path: str, modified_at: datetime, expected: ObjectStat, was: str | None = None) -> None:
    """Set the time of the last modification of a file in the expected state, and have it on the disk.

    Args:
        root: Handle of the root.
        path: Relative to it.
        modified_at: The time, to the microsecond.
        expected: The state that it must be in.
        was: The change token of a file with that time, which tells its nanoseconds.

    Raises:
        ObjectChangedError: It is in another state.
        OSError: As the system has it.
    """
    with open_regular(root, path) as file:
        state = os.fstat(file)
        if local_stat(state).change_token != expected.change_token:
            raise ObjectChangedError("It changed since it was listed; it was left as it is.")
        microseconds = (modified_at - _EPOCH) // timedelta(microseconds=1)
        if state.st_mtime_ns // 1000 != microseconds:  # else its nanoseconds would be lost
            told = _TIME_IN_TOKEN.fullmatch(was or "")
            time_ns = int(told[1]) if told and int(told[1]) // 1000 == microseconds else microseconds * 1000
            os.utime(file, ns=(state.st_atime_ns, time_ns))
            os.fsync(file)


def _attributes(file: int) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file)}
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return {}
        raise


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    plain = text.isprintable() and text and not text.startswith(_BASE64)
    return text if plain else _BASE64 + base64.b64encode(value).decode()


def _bytes(text: str) -> bytes:
    """What `_text` was given."""
    return base64.b64decode(text.removeprefix(_BASE64)) if text.startswith(_BASE64) else text.encode()
