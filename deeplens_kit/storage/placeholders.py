"""Files of which a cloud client keeps only the name on this machine, while their bytes lie in its cloud.

Takes the name and the open handle of a file, says whether it is one; must not read a byte of it, because that is what
makes the client download the file, one after the other, until the disk or the allowance is used up.
"""

from __future__ import annotations

import os
import stat

from deeplens_kit.errors import PlaceholderError

__all__ = ["RECALLED_ATTRIBUTES", "names_placeholder", "refuse_placeholder"]

# iCloud Drive before macOS 14 keeps `photo.jpg` as the hidden property list `.photo.jpg.icloud`.
_ICLOUD = ".icloud"
# Nextcloud and ownCloud without the help of the system: `photo.jpg.nextcloud`, of at most a byte.
_ENDINGS = (".nextcloud", ".owncloud")
_ENDED_BYTES = 1  # inclusive
# File Provider of macOS (iCloud Drive, Dropbox, OneDrive, Google Drive): sys/stat.h, SF_DATALESS.
_DATALESS = 0x40000000
# Windows, by itself or through a share: OFFLINE, RECALL_ON_OPEN, RECALL_ON_DATA_ACCESS (winnt.h).
RECALLED_ATTRIBUTES = 0x1000 | 0x40000 | 0x400000
"""Attributes of Windows of a file whose bytes are elsewhere and come back when it is opened or read."""
# Where Linux shows these attributes of a share and of a mounted NTFS: little-endian numbers.
_ATTRIBUTES = ("user.cifs.dosattrib", "system.ntfs_attrib")


def names_placeholder(name: str) -> bool:
    """Whether a name is one that only placeholders have, so that it is listed though it is hidden."""
    return name.endswith(_ICLOUD) and name[name.rfind("/") + 1] == "."


def refuse_placeholder(name: str, file: int) -> None:
    """Raise where a file is a placeholder.

    Args:
        name: Its native name, without folders.
        file: Its open handle; opening alone downloads nothing.

    Raises:
        PlaceholderError: It is one; the message says what to do.
    """
    state = os.fstat(file)
    ended = name.endswith(_ENDINGS) and state.st_size <= _ENDED_BYTES
    flags = getattr(state, "st_flags", 0) & _DATALESS
    if names_placeholder(name) or ended or flags or _windows_attributes(file, state) & RECALLED_ATTRIBUTES:
        raise PlaceholderError(
            "Its bytes are in the cloud and only its name is here; have the cloud client keep it on this device, or "
            "add the cloud storage itself as a location."
        )


def _windows_attributes(file: int, state: os.stat_result) -> int:
    found: int = getattr(state, "st_file_attributes", 0)
    if found or not hasattr(os, "getxattr") or not stat.S_ISREG(state.st_mode):
        return found
    for name in _ATTRIBUTES:
        try:
            return int.from_bytes(os.getxattr(file, name)[:4], "little")
        except OSError:
            continue  # most file systems have no such attribute
    return 0
