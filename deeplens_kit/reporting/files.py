"""Answers written to files whole or not at all.

Takes a path and bytes; gives a file that appears under its name only when it is complete. Must not follow the name
anywhere but to a regular file, nor replace a file of another kind, nor one in a folder that belongs to somebody else:
pictures that are looked after, or the stores themselves.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from deeplens_kit.errors import SettingsError

__all__ = ["CSV_ENDINGS", "PAGE_ENDINGS", "check_target", "refuse_within", "write_atomically"]

CSV_ENDINGS = (".csv",)
PAGE_ENDINGS = (".html", ".htm")


# What `open` gives a new file before the user's umask; a replaced file keeps its own.
_NEW_FILE_MODE = 0o666


def check_target(path: Path, endings: Sequence[str] = ()) -> Path:
    """Say early whether a file could be written at `path`, before work is spent on what goes into it.

    Args:
        path: Where.
        endings: A file that is there already is replaced only where its name ends in one of these, so that a slip
            of the keyboard costs no picture; empty for any.

    Returns:
        The file that will be written: where `path` is a symlink, the file that it names.

    Raises:
        SettingsError: It is a folder or device, a file of another kind, or its parent does not exist or cannot be
            written.
    """
    target = Path(os.path.realpath(path))
    problem = _problem_of(target)
    if not problem and endings and target.exists() and target.suffix.lower() not in endings:
        problem = f"it exists, and only a file that ends in {' or '.join(endings)} is replaced; name a new file"
    if problem:
        raise SettingsError(f"Cannot write {str(path)!r}: {problem}.")
    return target


def refuse_within(path: Path, folder: Path, whose: str) -> None:
    """Refuse to write at `path` where it is `folder` or lies beneath it, by whatever name.

    Args:
        path: A file that need not exist.
        folder: A file or folder that need not exist.
        whose: What the folder is, for people.

    Raises:
        SettingsError: It lies there.
    """
    target = Path(os.path.realpath(path))
    within = Path(os.path.realpath(folder))
    if within in (target, *target.parents) or _identity(within) in {_identity(item) for item in target.parents} - {
        None
    }:
        raise SettingsError(f"Cannot write {str(path)!r}: it is {whose}; name a file elsewhere.")


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode: a folder has two names where it is mounted twice, or where case does not matter."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _problem_of(target: Path) -> str:
    parent = str(target.parent)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not os.path.isdir(parent):  # noqa: PTH112 - Path.is_dir raises where the name is too long
            return f"there is no folder {parent!r}; make it first"
    except OSError as error:
        return f"{error.strerror or error}; name another file"
    else:
        if stat.S_ISDIR(mode):
            return "it is a folder; name a file in it"
        if not stat.S_ISREG(mode):
            return "it is no regular file; name another file"
    if not os.access(parent, os.W_OK | os.X_OK):
        return f"no permission to write in {parent!r}; name another file"
    return ""


def write_atomically(path: Path, chunks: Iterable[bytes]) -> int:
    """Write `chunks` to a temporary name beside `path`, then rename; an existing file is replaced at that moment.

    Returns:
        Bytes written.

    Raises:
        SettingsError: The file cannot be written; the old one, where there was one, is as it was.
    """
    target = check_target(path)
    temporary: Path | None = None
    size = 0
    try:
        unique = target.with_name(f".deeplens-{os.getpid()}-{secrets.token_hex(8)}")
        descriptor = os.open(unique, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_FILE_MODE)
        temporary = unique
        with os.fdopen(descriptor, "wb") as stream:
            for chunk in chunks:
                size += stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except OSError as error:
        raise SettingsError(f"Cannot write {str(path)!r}: {error.strerror or error}; name another file.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return size
