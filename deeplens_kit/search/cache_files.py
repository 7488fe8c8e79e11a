"""Files and folders of a cache that are whole or not there, and whether they are still what was written.

Takes bytes, arrays and folders. A file is written under a temporary name, brought to the disk, and renamed; none is
ever changed; and so is a folder of files. One that another process has mapped may be unlinked: on POSIX its pages stay
until that process lets go, elsewhere the unlinking fails and is done by a later sweep.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FileFacts",
    "alone_in",
    "facts_of",
    "fsync_folder",
    "is_as_written",
    "mark_used",
    "moved_into_place",
    "reserved",
    "sweep",
    "temporary_name",
    "to_disk",
    "used_last",
    "whole_folder",
    "without",
    "write_array",
    "write_bytes",
    "write_json",
]

TEMPORARY = ".new-"
_LOCK = ".lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP}
_WHOLE_BYTES, _SAMPLES, _SAMPLE_BYTES = 2**23, 64, 2**16
_RETRY_SECONDS = 0.05
# What a process that was killed was writing; one that still writes after so long is none of ours.
_ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What tells a file from a damaged one.

    Attributes:
        bytes: Its length.
        sha256: Of its content up to 8 MiB; of 64 pieces of 64 KiB, evenly spread from the first to the last, where it
            is longer: a gigabyte is checked in 10 ms. Damage between the pieces is not seen.
    """

    bytes: int
    sha256: str


def facts_of(path: Path) -> FileFacts:
    """The facts of a file as it is now."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        length = os.fstat(stream.fileno()).st_size
        if length <= _WHOLE_BYTES:
            digest.update(stream.read())
        else:
            for number in range(_SAMPLES):
                stream.seek((length - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
                digest.update(stream.read(_SAMPLE_BYTES))
    return FileFacts(length, digest.hexdigest())


def is_as_written(path: Path, known: Mapping[str, object]) -> bool:
    """Whether a file has the facts that were written down of it."""
    if path.stat().st_size != known["bytes"]:
        return False
    return facts_of(path).sha256 == known["sha256"]


def temporary_name(folder: Path) -> Path:
    """A name in a folder that nobody else takes."""
    return folder / f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"


def write_bytes(target: Path, *pieces: bytes | memoryview) -> None:
    """Write a file at once; one that is there is replaced."""
    temporary = temporary_name(target.parent)
    try:
        with temporary.open("xb") as stream:
            for piece in pieces:
                stream.write(piece)
            to_disk(stream)
        moved_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: Path, value: object) -> None:
    """The same with a value in JSON."""
    write_bytes(target, json.dumps(value, indent=1, sort_keys=True).encode())


def write_array(target: Path, values: NDArray[np.generic]) -> None:
    """Write an array as numpy does into a folder that is still being filled; `np.load` maps or reads it."""
    with target.open("xb") as stream:
        np.save(stream, values, allow_pickle=False)
        to_disk(stream)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which takes the name of `target` when the block has ended well.

    Where another process was faster, what it made stays.

    Raises:
        OSError: The disk refuses.
    """
    temporary = temporary_name(target.parent)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():
                raise
        fsync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sweep(folder: Path, kept: Collection[str]) -> None:
    """Remove all from a folder but what has these names, the right to write there, and what others are writing now."""
    old, stays = time.time() - _ABANDONED_SECONDS, {*kept, _LOCK}
    for path in folder.iterdir():
        # Others sweep too.
        with suppress(FileNotFoundError):
            if path.name not in stays and not (path.name.startswith(TEMPORARY) and path.stat().st_mtime > old):
                without(path)


def used_last(paths: Iterable[Path], count: int) -> list[str]:
    """Names of the so many files that were written or marked as used last, for `sweep` to keep."""
    times: list[tuple[float, str]] = []
    for path in paths:
        with suppress(OSError):
            times.append((path.stat().st_mtime, path.name))
    return [name for _, name in sorted(times, reverse=True)[:count]]


def mark_used(path: Path) -> None:
    """Say that a file is in use, for `used_last`; a cache that cannot be written stays as it is."""
    with suppress(OSError):
        os.utime(path)


def reserved(path: Path, length: int) -> None:
    """Make a file of a length whose place on the disk is taken: writing to it when mapped cannot run out of space."""
    with path.open("xb") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, length)
        else:
            stream.truncate(length)


def moved_into_place(source: Path, target: Path) -> None:
    """Rename, and see to it that the name outlives a power cut."""
    source.replace(target)
    fsync_folder(target.parent)


def fsync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; some systems cannot."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def without(path: Path) -> None:
    """Remove a file or a folder of the cache; where it cannot be, a later sweep does."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


@contextmanager
def alone_in(folder: Path, *, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Hold the right to write in a folder; gives False where another process or thread has it.

    The operating system holds it, so that a killed process leaves none behind. Where it has no locks everybody may
    write: what is written is right in any order, and only work is done twice.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield True
        return
    import fcntl

    deadline = time.monotonic() + wait_seconds
    with (folder / _LOCK).open("ab") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield False
                    return
                time.sleep(_RETRY_SECONDS)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                break
            else:
                break
        yield True


def to_disk(stream: BinaryIO) -> None:
    """See to it that what was written outlives a power cut."""
    stream.flush()
    os.fsync(stream.fileno())
