"""Files that go to another file system: copied with all that they have, compared, and only then removed.

Takes handles of folders and names in them; must not remove the old file before the new one is whole, on the disk and
read back. A crash leaves both, or the old one and a temporary name beside the new one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress

from deeplens_kit.errors import ObjectChangedError, ObjectError
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.local_attributes import keep_attributes
from deeplens_kit.storage.local_listing import local_stat
from deeplens_kit.storage.local_reading import open_regular, read_blocks
from deeplens_kit.storage.local_swapping import remove_exactly
from deeplens_kit.storage.new_files import NewFiles, keep_names

__all__ = ["carry_over"]

_BLOCK_BYTES = 2**20
_CHANGED = "It changed while it was moved to another file system; it was left as it is."


def carry_over(old_folder: int, old: str, new_folder: int, new: str, expected: ObjectStat) -> None:
    """Move a file in the expected state to a free name in a folder of another file system.

    Args:
        old_folder: Handle of the folder that has it.
        old: Its name there.
        new_folder: Handle of the folder that gets it.
        new: The free name.
        expected: The state that it must be in.

    Raises:
        FileExistsError: The name is taken.
        ObjectChangedError: It is in another state, or changed meanwhile; nothing was made.
        ObjectError: It cannot be written, or not with all that it has; nothing was made.
        StoreFullError: No space.
        OSError: As the system has it.
    """
    with open_regular(old_folder, old) as source, NewFiles.at(new_folder, new) as files:
        if files.holds(new):
            raise FileExistsError  # before all of it is copied
        before = os.fstat(source)
        digest, tokens = hashlib.sha256(), list[str]()

        def read() -> Iterator[bytes]:
            for block in read_blocks(source, expected):
                digest.update(block)
                yield block

        def finish(made: int) -> None:
            keep_attributes(source, made)
            os.fsync(made)
            if hasattr(os, "posix_fadvise"):  # what is read back shall come from the disk
                os.posix_fadvise(made, 0, 0, os.POSIX_FADV_DONTNEED)
            if _digest_of(made) != digest.digest():
                raise ObjectError("What was written on the other file system is not what was read; nothing was moved.")
            os.utime(made, ns=(before.st_atime_ns, before.st_mtime_ns))
            tokens.append(local_stat(os.fstat(made)).change_token)

        files.create(new, read(), finish=finish)
        try:
            now = os.stat(old, dir_fd=old_folder, follow_symlinks=False)
            unchanged = local_stat(now).change_token == expected.change_token and now.st_ctime_ns == before.st_ctime_ns
            gone = unchanged and remove_exactly(old_folder, old, expected.change_token)
        except FileNotFoundError:
            gone = True  # somebody took the old name away
        if not gone:
            with suppress(FileNotFoundError):
                remove_exactly(new_folder, new, tokens[-1])
            raise ObjectChangedError(_CHANGED)
        keep_names(old_folder)


def _digest_of(file: int) -> bytes:
    digest, at = hashlib.sha256(), 0
    while block := os.pread(file, _BLOCK_BYTES, at):
        digest.update(block)
        at += len(block)
    return digest.digest()
