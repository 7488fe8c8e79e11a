"""Names of a folder that are taken from one very file, while others may save under them at any moment.

Takes handles of folders, names, and the token of the file that is meant. No system removes or replaces a name only
where it is that of a known file, so a file is renamed to a private name first, looked at there, and removed only where
it is the one. Must not remove another: that gets its name back, or stays under the private one, which is said.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress

from deeplens_kit.errors import ObjectChangedError, ObjectUnreadableError
from deeplens_kit.storage.local_listing import local_stat
from deeplens_kit.storage.new_files import (
    NO_LINKS,
    NO_SUCH_RENAME,
    exchange_names,
    is_left_over,
    is_of_dead_process,
    private_name,
    rename_to_free_name,
    unfinished_name,
)

__all__ = ["CHANGED", "clear_left_overs", "has_state", "remove_exactly", "take_place"]

CHANGED = "It changed since it was listed; it was left as it is."
_CAUGHT = re.compile(r"(\.deeplens-.+)-([0-9a-f]{12})-([0-9a-f]{16})(?:-([0-9a-f]{16}))?")


def has_state(state: os.stat_result, token: str) -> bool:
    """Whether a file that was renamed is the one of a token.

    Without the inode: file systems that make one up of the path give the same file another one by then.
    """
    return _size_and_time(local_stat(state).change_token) == _size_and_time(token)


def remove_exactly(folder: int, name: str, token: str) -> bool:
    """Remove the file of a token from its name; False where another had the name, which has it still.

    Args:
        folder: Handle of the folder.
        name: The name; a symbolic link is not followed.
        token: The `change_token` of what shall go.

    Raises:
        FileNotFoundError: Nothing has the name.
        ObjectChangedError: Another file had it, and could not get it back; it says where that is now.
        OSError: As the system has it.
    """
    caught = _name_of_caught(name, token)
    done = False
    try:
        os.rename(name, caught, src_dir_fd=folder, dst_dir_fd=folder)
        if has_state(_state(folder, caught), token):
            os.unlink(caught, dir_fd=folder)
            done = True
    finally:
        if not done:
            _put_back(folder, caught, name)
    return done


def take_place(folder: int, made: str, name: str, token: str) -> None:
    """Give a file that was made a moment ago the name of the file of a token, which goes.

    Where the file system can exchange names it is one step. Elsewhere nothing has the name for a moment.

    Args:
        folder: Handle of the folder.
        made: The `unfinished_name` of the new file; removed where it does not get the name.
        name: The name.
        token: The `change_token` of what has it.

    Raises:
        ObjectChangedError: Another file has the name, and keeps it; or it says where that is now.
        ObjectUnreadableError: The file system can do it neither way.
        OSError: As the system has it.
    """
    # Once names are exchanged anything may lie there, so it is none of the names that are removed by their form.
    ours = _mark(_state(folder, made))
    beside = f"{_name_of_caught(name, token)}-{ours}"
    os.rename(made, beside, src_dir_fd=folder, dst_dir_fd=folder)
    try:
        exchange_names(folder, beside, name)
    except BaseException as error:
        if not isinstance(error, OSError) or error.errno not in NO_SUCH_RENAME:
            try:
                _end_exchange(folder, beside, name, token, ours)
            except ObjectChangedError as told:
                if isinstance(error, OSError):
                    raise
                error.add_note(str(told))  # who stops the program must not be kept waiting
            raise
        _take_free_place(folder, beside, name, token)
    else:
        _end_exchange(folder, beside, name, token, ours)


def clear_left_overs(folder: int, name: str) -> int:
    """End what processes of this machine, dead by now, left in a folder when they worked on a name; gives the number.

    Unfinished files are removed; what was caught under the name gets it back where it is free, and is removed only
    where it is known: the file that was to go or to come, or a second name of the one that has the name.

    Raises:
        OSError: As the system has it.
    """
    count = 0
    for left in os.listdir(folder):
        with suppress(FileNotFoundError):
            if is_left_over(left):
                os.unlink(left, dir_fd=folder)
                count += 1
            elif (match := _CAUGHT.fullmatch(left)) and match[2] == _digest(name, 12) and is_of_dead_process(match[1]):
                count += _end_caught(folder, left, name, match[3], match[4])
    return count


def _end_caught(folder: int, caught: str, name: str, old: str, made: str | None) -> bool:
    """As `clear_left_overs`, of one file; `old` and `made` are the marks of what was to go and to come."""
    state = _state(folder, caught)
    known = _mark(state) == made
    if not known:
        try:
            known = _is_same(_state(folder, name), state) or _mark(state) == old
        except FileNotFoundError:
            with suppress(FileExistsError, ObjectUnreadableError):
                _give_free_name(folder, caught, name)
                return True
            return False
    if known:
        os.unlink(caught, dir_fd=folder)
    return known


def _end_exchange(folder: int, beside: str, name: str, token: str, ours: str) -> None:
    """Remove what the name was taken from, or what did not get the name; another file gets its name back."""
    try:
        caught = _state(folder, beside)
        if _mark(caught) == ours or has_state(caught, token):
            os.unlink(beside, dir_fd=folder)
            return
        exchange_names(folder, beside, name)
        if _mark(_state(folder, beside)) != ours:
            # Another one was saved in the place of ours: the last one saved is the one that has the name.
            exchange_names(folder, beside, name)
            raise ObjectChangedError(_left_as(beside))
        os.unlink(beside, dir_fd=folder)
    except FileNotFoundError:
        _put_back(folder, beside, name)  # somebody took the name away
    except OSError as error:
        raise ObjectChangedError(_left_as(beside)) from error
    raise ObjectChangedError(CHANGED)


def _take_free_place(folder: int, beside: str, name: str, token: str) -> None:
    """As `take_place`, where names cannot be exchanged."""
    made = unfinished_name()
    try:
        _give_free_name(folder, beside, made)  # where this cannot be done, nothing is touched
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=folder)
        raise
    caught = _name_of_caught(name, token)
    done = False
    try:
        os.rename(name, caught, src_dir_fd=folder, dst_dir_fd=folder)
        if not has_state(_state(folder, caught), token):
            raise ObjectChangedError(CHANGED)
        try:
            _give_free_name(folder, made, name)
        except FileExistsError as error:
            raise ObjectChangedError(CHANGED) from error
        os.unlink(caught, dir_fd=folder)
        done = True
    finally:
        if not done:
            with suppress(FileNotFoundError):
                os.unlink(made, dir_fd=folder)
            _put_back(folder, caught, name)


def _put_back(folder: int, caught: str, name: str) -> None:
    """Give a file that was caught its name again; where it is taken the file stays as it is called."""
    try:
        _give_free_name(folder, caught, name)
    except FileNotFoundError:
        return  # nothing was caught
    except (OSError, ObjectUnreadableError) as error:
        raise ObjectChangedError(_left_as(caught)) from error


def _give_free_name(folder: int, old: str, new: str) -> None:
    """Rename where the new name is free: by one call of the system, or by a second name.

    Raises:
        FileExistsError: It is taken.
        ObjectUnreadableError: The file system can neither.
        OSError: As the system has it.
    """
    try:
        rename_to_free_name(folder, old, folder, new)
    except OSError as error:
        if error.errno not in NO_SUCH_RENAME:
            raise
    else:
        return
    try:
        os.link(old, new, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        raise ObjectUnreadableError(
            "Its file system can neither rename without the risk of replacing something nor make hard links, so "
            "nothing is replaced there; it was left as it is."
        ) from error
    os.unlink(old, dir_fd=folder)


def _left_as(private: str) -> str:
    return (
        f"Another file took its name meanwhile, and now lies beside it as {private!r}: it could not get the name "
        "back. Nothing of it was removed; look at it, and rename it."
    )


def _name_of_caught(name: str, token: str) -> str:
    """A private name that tells whose work it is, on which name, and which file was to go."""
    return f"{private_name()}-{_digest(name, 12)}-{_digest(token, 16)}"


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:digits]


def _mark(state: os.stat_result) -> str:
    return _digest(local_stat(state).change_token, 16)


def _state(folder: int, name: str) -> os.stat_result:
    return os.stat(name, dir_fd=folder, follow_symlinks=False)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _size_and_time(token: str) -> str:
    return token.rpartition("-")[0]
