"""New, moved, replaced and removed files beneath a root folder.

Takes the handle of a root and native relative paths; must not follow a symbolic link beneath the root, replace
anything but in `replace_file`, or touch a file that is not in the state that is expected. What is done is on the disk
when it returns: a line that tells of it must not outlive it. Whether it is allowed is asked in `local`.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.facts import QUARANTINE_FOLDER, in_quarantine
from deeplens_kit.storage.local_attributes import keep_attributes
from deeplens_kit.storage.local_carrying import carry_over
from deeplens_kit.storage.local_listing import local_stat
from deeplens_kit.storage.local_reading import open_regular, read_blocks
from deeplens_kit.storage.local_swapping import CHANGED, clear_left_overs, has_state, remove_exactly, take_place
from deeplens_kit.storage.new_files import (
    NO_LINKS,
    NO_SUCH_RENAME,
    NewFiles,
    keep_names,
    rename_to_free_name,
    unfinished_name,
)

__all__ = [
    "copy_file",
    "create_file",
    "expect_state",
    "missing_folder",
    "move_file",
    "parent_of",
    "remove_empty_folders",
    "remove_file",
    "remove_made_folders",
    "remove_unfinished",
    "replace_file",
]

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FOLDER_MODE = 0o777  # before the user's umask
_CLOSED_FOLDER_MODE = 0o700


def create_file(root: int, path: str, data: bytes, finish: Callable[[int], None] | None = None) -> None:
    """Make a new file, and the folders that lead to it.

    Args:
        root: Handle of the root.
        path: Relative to it.
        data: What it holds.
        finish: As for `NewFiles.create`.

    Raises:
        FileExistsError: The name is taken.
        StoreFullError: No space.
        ObjectError: It cannot be written.
        OSError: As the system has it.
    """
    with parent_of(root, path, make=True) as (folder, name), NewFiles.at(folder, path) as files:
        files.create(name, data, finish=finish)


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
        parent_of(root, target, make=True) as (folder, name),
        NewFiles.at(folder, target) as files,
    ):
        if files.holds(name):
            raise FileExistsError  # before all of it is copied
        files.create(name, read_blocks(source, expected))


def move_file(root: int, path: str, target: str, expected: ObjectStat) -> None:
    """Give a file in the expected state a free name, with all that it has, also on another file system.

    Raises:
        FileExistsError: The name is taken.
        ObjectChangedError: It is in another state, or was replaced meanwhile.
        ObjectError: On the other file system it cannot be written, or not with all that it has.
        StoreFullError: No space there.
        OSError: As the system has it.
    """
    with (
        parent_of(root, path) as (old_folder, old),
        parent_of(root, target, make=True, beside=path) as (new_folder, new),
    ):
        expect_state(old_folder, old, expected)
        try:
            rename_to_free_name(old_folder, old, new_folder, new)
        except OSError as error:
            if error.errno == errno.EXDEV:
                carry_over(old_folder, old, new_folder, new, expected)
                return
            if error.errno not in NO_SUCH_RENAME:
                raise
            _move_by_link(old_folder, old, new_folder, new, expected)
        else:
            _give_back_another(old_folder, old, new_folder, new, expected)
        # The new name first: a crash between the two may leave both, never none.
        keep_names(new_folder)
        keep_names(old_folder)


def remove_file(root: int, path: str, expected: ObjectStat) -> None:
    """Remove a file in the expected state.

    Raises:
        ObjectChangedError: It is in another state.
        OSError: As the system has it.
    """
    with parent_of(root, path) as (folder, name):
        expect_state(folder, name, expected)
        if not remove_exactly(folder, name, expected.change_token):
            raise ObjectChangedError(CHANGED)
        keep_names(folder)


def remove_empty_folders(root: int, path: str) -> None:
    """Remove a folder with the folders in it, as far as they hold nothing else; rmdir removes no other.

    Raises:
        ObjectUnreadableError: A path that leaves the root.
        OSError: As the system has it.
    """
    try:
        with parent_of(root, path) as (folder, name):
            _remove_empty(folder, name)
    except (FileNotFoundError, NotADirectoryError):
        return  # gone already


def missing_folder(root: int, path: str) -> str | None:
    """The first folder on the way to a path that is not there; None where none.

    Raises:
        ObjectUnreadableError: A path that leaves the root.
        OSError: As the system has it.
    """
    folders = path.split("/")[:-1]
    for count in range(1, len(folders) + 1):
        try:
            with parent_of(root, "/".join([*folders[:count], path.rpartition("/")[2]])):
                continue
        except FileNotFoundError:
            return "/".join(folders[:count])
    return None


def remove_made_folders(root: int, path: str, first: str) -> None:
    """Remove the folders on the way to a path up to `first`, the innermost first, until one holds something.

    Raises:
        ObjectUnreadableError: A path that leaves the root.
    """
    folder = path.rpartition("/")[0]
    with suppress(OSError):
        while f"{folder}/".startswith(f"{first}/"):
            with parent_of(root, folder) as (parent, name):
                os.rmdir(name, dir_fd=parent)
                keep_names(parent)
            folder = folder.rpartition("/")[0]


def remove_unfinished(root: int, path: str) -> int:
    """End what processes of this machine, dead by now, left in the folder of a path; see `clear_left_overs`.

    Raises:
        OSError: As the system has it.
    """
    with parent_of(root, path) as (folder, name):
        count = clear_left_overs(folder, name)
        if count:
            keep_names(folder)
    return count


def _remove_empty(parent: int, name: str) -> None:
    handle = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    try:
        with os.scandir(handle) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        for inner in folders:
            _remove_empty(handle, inner)
    finally:
        os.close(handle)
    with suppress(OSError):
        os.rmdir(name, dir_fd=parent)


def replace_file(root: int, path: str, data: bytes, expected: ObjectStat) -> None:
    """Put a new content in the place of a file in the expected state; all but its times stays as it was.

    Raises:
        ObjectChangedError: It is in another state; it stays.
        StoreFullError: No space.
        ObjectError: The new content cannot be written, or not with what the file has.
        OSError: As the system has it.
    """
    with (
        open_regular(root, path) as file,
        parent_of(root, path) as (folder, name),
        NewFiles.at(folder, path) as files,
    ):
        expect_state(folder, name, expected)
        made = unfinished_name()
        files.create(made, data, finish=lambda handle: keep_attributes(file, handle, times=False))
        take_place(folder, made, name, expected.change_token)
        keep_names(folder)


def _move_by_link(old_folder: int, old: str, new_folder: int, new: str, expected: ObjectStat) -> None:
    """Move without the call that renames to a free name: by a second name, which fails where it is taken."""
    _second_name(old_folder, old, new_folder, new)
    made = os.stat(new, dir_fd=new_folder, follow_symlinks=False)
    if has_state(made, expected.change_token):
        keep_names(new_folder)  # before the old one goes
        try:
            if remove_exactly(old_folder, old, expected.change_token):
                return
        except FileNotFoundError:
            return  # somebody took the old name away; the file has the new one
    # Another file has the old name, or it was written to. The new name goes, unless it is the last of another file.
    made = os.stat(new, dir_fd=new_folder, follow_symlinks=False)
    if made.st_nlink < 2 and not has_state(made, expected.change_token):
        raise ObjectChangedError(f"Another file took its name while it was moved, and now lies in {new!r}.")
    remove_exactly(new_folder, new, local_stat(made).change_token)
    raise ObjectChangedError(CHANGED)


def _second_name(old_folder: int, old: str, new_folder: int, new: str) -> None:
    try:
        os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        raise ObjectUnreadableError(
            "Its file system can neither rename without the risk of replacing something nor make hard links, so "
            "nothing is moved there; it was left as it is."
        ) from error


def _give_back_another(old_folder: int, old: str, new_folder: int, new: str, expected: ObjectStat) -> None:
    """Undo a rename that caught a file that took the name after the states were compared."""
    if has_state(os.stat(new, dir_fd=new_folder, follow_symlinks=False), expected.change_token):
        return
    try:
        rename_to_free_name(new_folder, new, old_folder, old)
    except OSError as error:
        raise ObjectChangedError(
            f"Another file took its name while it was moved, and now lies in {new!r}: its own name was taken again."
        ) from error
    raise ObjectChangedError(CHANGED)


def expect_state(folder: int, name: str, expected: ObjectStat) -> None:
    """Compare the state of a name in a folder, given by its handle.

    Raises:
        ObjectChangedError: It is another than the expected one.
        OSError: As the system has it.
    """
    state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if local_stat(state).change_token != expected.change_token:
        raise ObjectChangedError(CHANGED)


@contextmanager
def parent_of(root: int, path: str, *, make: bool = False, beside: str | None = None) -> Iterator[tuple[int, str]]:
    """The handle of the folder that holds a path, each part opened from the one before it; and the name in it.

    Args:
        root: Handle of the root.
        path: Relative to it.
        make: Make the folders that are missing. In a quarantine they are closed to others: a file may be there only
            because its own folder hides it.
        beside: Where the file is now that goes into a quarantine, or leaves it: what is made is like its folders, so
            that a folder that went meanwhile comes back as it was.
    """
    *folders, name = path.split("/")
    if any(part in ("", ".", "..") for part in (*folders, name)) or "\0" in path:
        raise ObjectUnreadableError("A path may hold no empty, '.' or '..' parts and no NUL.")
    handle = os.dup(root)
    try:
        for count, folder in enumerate(folders, 1):
            made = make and _make_folder(handle, folder, closed=QUARANTINE_FOLDER in folders[:count])
            inner = os.open(folder, _FOLDER_FLAGS, dir_fd=handle)
            os.close(handle)
            handle = inner
            if made and beside is not None:
                _make_alike(root, handle, _counterpart("/".join(folders[:count]), path, beside))
        yield handle, name
    finally:
        os.close(handle)


def _make_folder(parent: int, name: str, *, closed: bool) -> bool:
    try:
        os.mkdir(name, _CLOSED_FOLDER_MODE if closed else _NEW_FOLDER_MODE, dir_fd=parent)
    except FileExistsError:
        return False
    keep_names(parent)
    return True


def _counterpart(folder: str, path: str, other: str) -> str | None:
    """The folder on the way to `other` that stands for one on the way to `path`, where one is the other in quarantine.

    "a" for ".deeplens-quarantine/1/a", and the other way round.
    """
    if other.endswith(f"/{path}") and in_quarantine(other):
        return other.removesuffix(path) + folder
    if path.endswith(f"/{other}") and in_quarantine(path):
        return folder.removeprefix(path.removesuffix(other)) if len(folder) >= len(path) - len(other) else None
    return None


def _make_alike(root: int, made: int, model: str | None) -> None:
    """Give a new folder owner, permissions and attributes of another, as far as this user may; its time is its own."""
    if model is None:
        return
    with suppress(OSError, ObjectUnreadableError), parent_of(root, f"{model}/-") as (like, _):
        try:
            keep_attributes(like, made, times=False)
        except ObjectUnreadableError:
            # Of another owner: whoever of its group could enter still can, or nobody.
            state = os.fstat(like)
            os.fchown(made, -1, state.st_gid)
            os.fchmod(made, stat.S_IMODE(state.st_mode) | _CLOSED_FOLDER_MODE)
