"""Bytes that came in and wait for their job: a folder of the workspace.

Takes names and bytes, gives entries that a job's parameters hold. What `put` or `writing` returned from is on the disk:
whoever was told that a picture was taken would not send it again. It is no cache: nothing else has these bytes.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from deeplens_kit.errors import ObjectGoneError, SettingsError, StoreFullError, WorkspaceError
from deeplens_kit.pipeline.workspace import SPOOL_FOLDER

__all__ = ["PART", "Spool", "SpoolFile", "plain_name"]

_ID_BYTES = 12
_LONGEST_NAME_BYTES = 200
PART = ".part"
"""Name of a file that is being written; no file that is whole has it."""

# Name of a file that holds a link.
_LINK = "link"
_NO_SPACE = (28, 122)
"""ENOSPC and EDQUOT."""


class SpoolFile:
    """A file that is being written.

    Attributes:
        entry: What a job's parameters hold; it counts once the block of `Spool.writing` has ended.
        size_bytes: Written so far.
    """

    def __init__(self, stream: BinaryIO, entry: str) -> None:
        self._stream, self.entry, self.size_bytes = stream, entry, 0

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._stream.write(data)
        self.size_bytes += len(data)


class Spool:
    """The spool of a workspace.

    Args:
        directory: Of the workspace.
    """

    def __init__(self, directory: Path) -> None:
        self._root = directory / SPOOL_FOLDER

    def put(self, name: str, data: bytes) -> str:
        """Keep bytes until their job is done; gives their entry."""
        with self.writing(name) as file:
            file.write(data)
        return file.entry

    def put_link(self, link: str) -> str:
        """Keep a link that may hold a key, for its owner alone to read, until its job is done; gives its entry.

        The ledger keeps what it is told for ever, and its backups; here it lies as long as it is needed.
        """
        with self.writing(_LINK, mode=0o600) as file:
            file.write(link.encode())
        return file.entry

    def link_of(self, entry: str) -> str:
        """The link of an entry.

        Raises:
            ObjectGoneError: It is not here any more.
        """
        try:
            return self.path(entry).read_text(encoding="utf-8")
        except OSError as error:
            raise ObjectGoneError(_LINK, "The link is not kept any more; ask for the picture again.") from error

    @contextmanager
    def writing(self, name: str, *, mode: int = 0o666) -> Iterator[SpoolFile]:
        """Write bytes as they come; where the block raises, nothing is kept.

        Args:
            name: What the sender calls it.
            mode: Who may read the file, less what the system takes away.

        Raises:
            StoreFullError: There is no room.
            WorkspaceError: The spool cannot be written.
        """
        folder = self._root / secrets.token_hex(_ID_BYTES)
        kept = folder / plain_name(name)
        part = folder / PART
        try:
            folder.mkdir(parents=True)
            with open(part, "wb", opener=partial(os.open, mode=mode)) as stream:
                yield SpoolFile(stream, f"{folder.name}/{kept.name}")
                stream.flush()
                os.fsync(stream.fileno())
            part.rename(kept)
            for place in (folder, self._root):
                _sync(place)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise _translated(error) from error
            raise

    def path(self, entry: str) -> Path:
        """The file of an entry.

        Raises:
            SettingsError: It is none.
        """
        parts = PurePosixPath(entry).parts
        if len(parts) != 2 or ".." in parts or entry.startswith("/"):
            raise SettingsError(f"{entry!r} is no entry of the spool; upload the picture again.")
        return self._root / parts[0] / parts[1]

    def folder_of(self, job_id: str) -> Path:
        """The folder of a job, for what it has to keep until it is done; made where there is none."""
        folder = self._root / f"job-{job_id}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def remove(self, job_id: str, entries: Collection[str]) -> None:
        """Forget what a job that is done has taken."""
        for name in (f"job-{job_id}", *(entry.partition("/")[0] for entry in entries)):
            if name and name not in (".", ".."):
                shutil.rmtree(self._root / name, ignore_errors=True)

    def prune(self, wanted: Collection[str], older_than_seconds: float) -> int:
        """Forget what no job wants any more; gives how many folders went.

        Args:
            wanted: Entries of jobs that are not done, and their ids.
            older_than_seconds: What is younger may be about to get a job.
        """
        if not self._root.is_dir():
            return 0
        kept = {entry.partition("/")[0] for entry in wanted} | {f"job-{entry}" for entry in wanted}
        before, removed = time.time() - older_than_seconds, 0
        for folder in self._root.iterdir():
            with suppress(FileNotFoundError):
                # Its job may end, or its request fail, at this moment.
                if folder.name not in kept and folder.stat().st_mtime < before:
                    shutil.rmtree(folder, ignore_errors=True)
                    removed += 1
        return removed


def plain_name(name: str) -> str:
    """A name as a file of the spool may have it; the sender's folders do not count.

    Args:
        name: Anything that somebody calls a picture.
    """
    last = name.replace("\\", "/").rpartition("/")[2].replace("\x00", "")
    last = last.encode("utf-8", "backslashreplace")[:_LONGEST_NAME_BYTES].decode("utf-8", "ignore").strip()
    return last if last not in ("", ".", "..", PART) else "picture"


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _translated(error: OSError) -> WorkspaceError:
    if error.errno in _NO_SPACE:
        return StoreFullError("What was sent cannot be kept: the disk or quota is full. Make room and send it again.")
    return WorkspaceError(f"What was sent cannot be kept: {error.strerror or error}.")
