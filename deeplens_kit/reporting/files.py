"""Answers written to files whole or not at all.

Takes a path and bytes; gives a file that appears under its name only when it is complete. Must not follow the name
anywhere but to a regular file, nor replace a file of another kind, nor one in a folder that belongs to somebody else:
pictures that are looked after, or the stores themselves.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from deeplens_kit.errors import SettingsError

__all__ = ["CSV_ENDINGS", "PAGE_ENDINGS", "check_target", "refuse_within", "write_atomically", "write_together"]

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
    return write_together([(path, chunks)])


def write_together(parts: Sequence[tuple[Path, Iterable[bytes]]], gone: Sequence[Path] = ()) -> int:
    """Write several files that belong together: none appears before all are whole, and the last one appears last.

    Args:
        parts: Where, and what goes there.
        gone: Files that belonged to the old ones and have no successor: removed before the last one appears.

    Returns:
        Bytes written.

    Raises:
        SettingsError: One cannot be written; the old ones, where there were any, are as they were.
    """
    targets = [check_target(path) for path, _ in parts]
    temporaries: list[Path] = []
    replaced: list[tuple[Path, Path | None]] = []
    size, at = 0, 0
    try:
        for at, (_, chunks) in enumerate(parts):
            size += _write_temporary(targets[at], chunks, temporaries)
        for file in gone:
            replaced.append((file, _spare(file)))
            file.unlink(missing_ok=True)
        for at, target in enumerate(targets):
            # A rename replaces whole: one file by itself needs no way back.
            replaced.append((target, _spare(target) if len(targets) > 1 else target))
            temporaries[at].replace(target)
    except BaseException as error:
        for target, spare in replaced:
            if spare is None:
                target.unlink(missing_ok=True)
            elif spare != target:
                spare.replace(target)
        if isinstance(error, OSError):
            path = str(parts[at][0])
            raise SettingsError(f"Cannot write {path!r}: {error.strerror or error}; name another file.") from error
        raise
    finally:
        spares = [spare for target, spare in replaced if spare is not None and spare != target]
        for leftover in (*temporaries, *spares):
            leftover.unlink(missing_ok=True)
    return size


def _write_temporary(target: Path, chunks: Iterable[bytes], temporaries: list[Path]) -> int:
    """Write what will become `target` beside it; its name is added to `temporaries` as soon as it exists."""
    temporary = _unused_name(target)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _NEW_FILE_MODE)
    temporaries.append(temporary)
    with os.fdopen(descriptor, "wb") as stream:
        size = sum(stream.write(chunk) for chunk in chunks)
        stream.flush()
        os.fsync(stream.fileno())
    if target.exists():
        temporary.chmod(target.stat().st_mode & 0o777)
    return size


def _spare(target: Path) -> Path | None:
    """A second name of the file that is about to be replaced; None where there is none."""
    if not target.exists():
        return None
    spare = _unused_name(target)
    try:
        spare.hardlink_to(target)
    except OSError:
        # A file system without hard links.
        shutil.copy2(target, spare)
    return spare


def _unused_name(target: Path) -> Path:
    return target.with_name(f".deeplens-{os.getpid()}-{secrets.token_hex(8)}")
