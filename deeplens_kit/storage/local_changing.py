"""New, moved and removed files beneath a root folder.

Takes the handle of a root and native relative paths; must not follow a symbolic link beneath the root, replace
anything, or touch a file that is not in the state that is expected. Whether it is allowed is asked in `local`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.local_listing import local_stat
from deeplens_kit.storage.local_reading import open_regular, read_blocks
from deeplens_kit.storage.new_files import NewFiles, rename_to_free_name

__all__ = ["copy_file", "create_file", "move_file", "remove_file"]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FOLDER_MODE = 0o777  # before the user's umask
_NO_SUCH_RENAME = frozenset({errno.EINVAL, errno.ENOSYS})


def create_file(root: int, path: str, data: bytes) -> None:
    """Make a new file, and the folders that lead to it.

    Raises:
        FileExistsError: The name is taken.
        StoreFullError: No space.
        ObjectError: It cannot be written.
        OSError: As the system has it.
    """
    with _parent(root, path, make=True) as (folder, name), NewFiles.at(folder, path) as files:
        files.create(name, data)


def copy_file(root: int, path: str, target: str, expected: ObjectStat) -> None:
    """Make a new file of what one in the expected state holds, block by block.

    Raises:
        FileExistsError: The name is taken.
        ObjectChangedError: It is in another state, or changed meanwhile; nothing was made.
        StoreFullError: No space.
        ObjectError: It cannot be read or written.
        OSError: As the system has it.
    """
    with (
        open_regular(root, path) as source,
        _parent(root, target, make=True) as (folder, name),
        NewFiles.at(folder, target) as files,
    ):
        if files.holds(name):
            raise FileExistsError  # before all of it is copied
        files.create(name, read_blocks(source, expected))


def move_file(root: int, path: str, target: str, expected: ObjectStat) -> None:
    """Give a file in the expected state a free name.

    Raises:
        FileExistsError: The name is taken.
        ObjectChangedError: It is in another state.
        OSError: As the system has it.
    """
    with _parent(root, path) as (old_folder, old), _parent(root, target, make=True) as (new_folder, new):
        _expect(old_folder, old, expected)
        try:
            rename_to_free_name(old_folder, old, new_folder, new)
        except OSError as error:
            if error.errno not in _NO_SUCH_RENAME:
                raise
            # Without that call of the system: a second name first, which fails where it is taken.
            os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
            os.unlink(old, dir_fd=old_folder)


def remove_file(root: int, path: str, expected: ObjectStat) -> None:
    """Remove a file in the expected state.

    Raises:
        ObjectChangedError: It is in another state.
        OSError: As the system has it.
    """
    with _parent(root, path) as (folder, name):
        _expect(folder, name, expected)
        os.unlink(name, dir_fd=folder)


def _expect(folder: int, name: str, expected: ObjectStat) -> None:
    state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if local_stat(state).change_token != expected.change_token:
        raise ObjectChangedError("It changed since it was listed; it was left as it is.")


@contextmanager
def _parent(root: int, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The handle of the folder that holds a path, each part opened from the one before it; and the name in it."""
    *folders, name = path.split("/")
    if any(part in ("", ".", "..") for part in (*folders, name)) or "\0" in path:
        raise ObjectUnreadableError("A path may hold no empty, '.' or '..' parts and no NUL.")
    handle = os.dup(root)
    try:
        for folder in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, _NEW_FOLDER_MODE, dir_fd=handle)
            inner = os.open(folder, _FOLDER_FLAGS, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle, name
    finally:
        os.close(handle)
