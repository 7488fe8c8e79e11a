"""Writers beside each other, the sweep alone.

Takes the address of a catalog and gives a lock held by the operating system, so that a killed process leaves
none behind; must not guard the tables themselves (Lance does). On object storage and on file systems without
locks there is none: there, sweep only while nothing writes.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["local_folder", "writing_lock"]

_LOCK_FILE = ".writing.lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP}


def local_folder(url: str) -> Path | None:
    """The folder that a catalog address names; None for object storage."""
    if url.startswith("file://"):
        return Path(url.removeprefix("file://"))
    return None if "://" in url else Path(url)


@contextmanager
def writing_lock(url: str, *, alone: bool) -> Iterator[None]:
    """Hold the catalog's lock: shared by writers, or alone for the sweep.

    A batch is visible to the sweep only when its objects are written; between its pictures and its objects the
    pictures look like rubbish.

    Raises:
        OSError: The lock file cannot be made.
    """
    folder = local_folder(url)
    if folder is None or sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / _LOCK_FILE).open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield
