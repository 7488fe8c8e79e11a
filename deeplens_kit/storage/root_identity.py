"""What stands at the root of a folder: which file system, and which folder of it.

Takes an opened folder, gives a text to compare; must not write anything there. It is the same when a disk is plugged in
again, as far as the machine tells: a mount by network, or a file system without an identity, may get another each time.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["root_identity"]

_BY_UUID = Path("/dev/disk/by-uuid")


def root_identity(folder: int) -> str:
    """Name the folder behind a handle; another text where another disk, or none, is mounted there."""
    state = os.fstat(folder)
    uuid = _uuid_of(state.st_dev)
    # A number of the device alone is given to whatever is plugged in next.
    volume = f"uuid:{uuid}" if uuid else f"{os.fstatvfs(folder).f_fsid:x}-{state.st_dev:x}"
    return f"{volume}:{state.st_ino}"


def _uuid_of(device: int) -> str | None:
    """What Linux calls the file system on a device; None where it does not tell."""
    try:
        for link in _BY_UUID.iterdir():
            if link.stat().st_rdev == device:
                return link.name
    except OSError:
        return None
    return None
