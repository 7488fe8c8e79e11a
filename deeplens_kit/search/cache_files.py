"""Files that are whole or not there, and whether they are still what was written.

Takes bytes and folders of this cache. A file is written under a temporary name, brought to the disk, and renamed; none
is ever changed. One that another process has mapped may be unlinked: on POSIX its pages stay until that process lets
go, elsewhere the unlinking fails and is done by a later sweep.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "FileFacts",
    "alone_in",
    "facts_of",
    "fsync_folder",
    "is_as_written",
    "moved_into_place",
    "reserved",
    "temporary_name",
    "without",
    "write_bytes",
    "write_json",
]

TEMPORARY = ".new-"
_LOCK = ".lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP}
_WHOLE_BYTES, _SAMPLES, _SAMPLE_BYTES = 2**23, 64, 2**16
_RETRY_SECONDS = 0.05


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
            _to_disk(stream)
        moved_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: Path, value: object) -> None:
    """The same with a value in JSON."""
    write_bytes(target, json.dumps(value, indent=1, sort_keys=True).encode())


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


def _to_disk(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())
