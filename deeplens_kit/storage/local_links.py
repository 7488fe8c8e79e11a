"""Names of a folder that stand for files: hard links, symbolic links, and files that share their blocks.

Takes the handle of a root and native relative paths; must not take a name that is taken, nor follow a link.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import PurePosixPath

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.facts import QUARANTINE_FOLDER
from deeplens_kit.storage.local_attributes import keep_attributes
from deeplens_kit.storage.local_changing import expect_state, parent_of
from deeplens_kit.storage.local_listing import local_stat
from deeplens_kit.storage.local_reading import open_regular
from deeplens_kit.storage.local_swapping import CHANGED, remove_exactly, take_place
from deeplens_kit.storage.new_files import NO_LINKS, NewFiles, keep_names, unfinished_name

__all__ = [
    "ReflinkError",
    "change_symlink",
    "hard_link",
    "link_text",
    "read_symlink",
    "reflink",
    "remove_symlink",
    "shares_blocks",
    "symlink",
    "symlinks_below",
]

_CLONE = 0x40049409
"""FICLONE of Linux (ioctl_ficlone(2)), which Python has no name for."""
_NO_CLONE = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS, errno.EPERM})
_CHANGED = "It changed since it was listed; nothing was linked."
_TRIAL_BYTES = 4096


class ReflinkError(Exception):
    """The file system cannot let two files share their blocks."""


def link_text(path: str, target: str) -> str:
    """What a symbolic link at `target` says to lead to `path`: the way from its folder."""
    return os.path.relpath(f"/{path}", f"/{PurePosixPath(target).parent}")


def hard_link(root: int, path: str, target: str, expected: ObjectStat) -> None:
    """Give a file in the expected state a second name.

    Raises:
        FileExistsError: The name is taken.
        ObjectChangedError: It is in another state.
        ObjectUnreadableError: There it has no hard links.
        OSError: As the system has it.
    """
    with parent_of(root, path) as (old_folder, old), parent_of(root, target, make=True) as (folder, name):
        expect_state(old_folder, old, expected)
        try:
            os.link(old, name, src_dir_fd=old_folder, dst_dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            raise ObjectUnreadableError(
                "No hard link can be made: its file system has none, the file has as many as it may, or the name lies "
                "on another file system. Nothing was made; symlink is possible."
            ) from error
        state = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if local_stat(state).change_token != expected.change_token:
            # Another file took its name meanwhile; the second name goes again, unless it is the only one left.
            if state.st_nlink > 1:
                remove_exactly(folder, name, local_stat(state).change_token)
            raise ObjectChangedError(_CHANGED)
        keep_names(folder)


def symlink(root: int, text: str, target: str, file: int, expected: ObjectStat | None) -> None:
    """Make a symbolic link of a free name.

    Args:
        root: Handle of the root.
        text: What it says.
        target: The name.
        file: The open file that it shall lead to.
        expected: The state that this must be in; None for any.

    Raises:
        FileExistsError: The name is taken.
        ObjectChangedError: The file is in another state.
        OSError: As the system has it.
    """
    if expected is not None and local_stat(os.fstat(file)).change_token != expected.change_token:
        raise ObjectChangedError(_CHANGED)
    with parent_of(root, target, make=True) as (folder, name):
        os.symlink(text, name, dir_fd=folder)
        keep_names(folder)


def read_symlink(root: int, path: str) -> str | None:
    """What a symbolic link says; None where none has this name. Raises OSError as the system has it."""
    try:
        with parent_of(root, path) as (folder, name):
            return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
            return None
        raise


def remove_symlink(root: int, path: str, text: str) -> None:
    """Remove a symbolic link that says `text`.

    Raises:
        ObjectChangedError: It says something else, or is no link.
        OSError: As the system has it.
    """
    with parent_of(root, path) as (folder, name):
        state = os.stat(name, dir_fd=folder, follow_symlinks=False)
        _expect_text(folder, name, text)
        if not remove_exactly(folder, name, local_stat(state).change_token):
            raise ObjectChangedError(CHANGED)
        keep_names(folder)


def change_symlink(root: int, path: str, text: str, expected: str) -> None:
    """Have a symbolic link that says `expected` say `text`, in one move; its own time stays.

    Raises:
        ObjectChangedError: It says something else, or is no link.
        OSError: As the system has it.
    """
    with parent_of(root, path) as (folder, name):
        # Before it is read: what goes is in this state.
        state = os.stat(name, dir_fd=folder, follow_symlinks=False)
        _expect_text(folder, name, expected)
        made = unfinished_name()
        os.symlink(text, made, dir_fd=folder)
        try:
            os.utime(made, ns=(state.st_atime_ns, state.st_mtime_ns), dir_fd=folder, follow_symlinks=False)
        except BaseException:
            os.unlink(made, dir_fd=folder)
            raise
        take_place(folder, made, name, local_stat(state).change_token)
        keep_names(folder)


def _expect_text(folder: int, name: str, expected: str) -> None:
    try:
        found = os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ObjectChangedError("It is no symbolic link any more; it was left as it is.") from error
    if found != expected:
        raise ObjectChangedError("The link leads elsewhere than it did; it was left as it is.")


def symlinks_below(root: int, *, hidden: bool) -> dict[str, str]:
    """The symbolic links beneath a root with what each says, by native path; none of a quarantine.

    Args:
        root: Handle of the root.
        hidden: Also those whose names, or the folders that they lie in, begin with '.'.
    """
    found: dict[str, str] = {}
    for folder, folders, files, handle in os.fwalk(".", dir_fd=root, follow_symlinks=False):
        for name in (*folders, *files):
            path = os.path.normpath(f"{folder}/{name}")
            if name == QUARANTINE_FOLDER or (name.startswith(".") and not hidden):
                continue
            with contextlib.suppress(OSError):
                # What is no link is no error: only links can be read so.
                found[path] = os.readlink(name, dir_fd=handle)
        folders[:] = [name for name in folders if name != QUARANTINE_FOLDER and (hidden or not name.startswith("."))]
    return found


def reflink(root: int, path: str, target: str, expected: ObjectStat) -> None:
    """Make a file of a free name that shares the blocks of one in the expected state, and is like it in all else.

    Raises:
        ReflinkError: The file system cannot do that; nothing was made.
        FileExistsError: The name is taken.
        ObjectChangedError: It is in another state, or changed meanwhile; nothing was made.
        OSError: As the system has it.
    """
    with (
        open_regular(root, path) as source,
        parent_of(root, target, make=True) as (folder, name),
        NewFiles.at(folder, target) as files,
    ):

        def share(made: int) -> None:
            before = os.fstat(source)
            if local_stat(before).change_token != expected.change_token:
                raise ObjectChangedError(_CHANGED)
            _clone(source, made)
            if os.fstat(source).st_ctime_ns != before.st_ctime_ns:
                raise ObjectChangedError(_CHANGED)
            keep_attributes(source, made)

        if files.holds(name):
            raise FileExistsError
        files.create(name, b"", finish=share)


def shares_blocks(folder: int) -> bool:
    """Whether files of a folder may share blocks; tried with two that have no names."""
    flags = getattr(os, "O_TMPFILE", os.O_DIRECTORY) | os.O_RDWR | os.O_CLOEXEC
    with contextlib.ExitStack() as stack:
        try:
            made = []
            for _ in range(2):
                made.append(os.open(".", flags, 0o600, dir_fd=folder))
                stack.callback(os.close, made[-1])
            os.write(made[0], bytes(_TRIAL_BYTES))
            _clone(*made)
        except (OSError, ReflinkError):
            return False
    return True


def _clone(source: int, target: int) -> None:
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError as error:
        if error.errno in _NO_CLONE:
            raise ReflinkError from error
        raise
