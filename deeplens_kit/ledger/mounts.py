"""Which file system a path is on, and whether SQLite may live there.

Takes a path and the system's table of mounts and gives the type of file system; must not touch the file. SQLite
needs working locks and shared memory between all its users: over a network it loses data without an error.
"""

from __future__ import annotations

import re
from pathlib import Path

from deeplens_kit.errors import WorkspaceError

__all__ = ["NETWORK_FILE_SYSTEMS", "file_system_of", "refuse_network_file_system"]

# 9p shares a host's folder with a virtual machine (also WSL); as the root itself it is a sandbox's own disk.
NETWORK_FILE_SYSTEMS = frozenset(
    "9p afs beegfs ceph cifs davfs fuse.ceph fuse.cephfs fuse.davfs fuse.gcsfuse fuse.glusterfs fuse.goofys "
    "fuse.juicefs fuse.mount-s3 fuse.rclone fuse.s3fs fuse.s3ql fuse.seaweedfs fuse.sshfs fuse.blobfuse "
    "fuse.blobfuse2 gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs pvfs2 smb2 smb3 smbfs".split()
)
_MOUNT_TABLE = Path("/proc/self/mountinfo")
# Columns before the separator: ids, device, root, mount point, options.
_MOUNT_POINT = 4
# The table writes space, tab, newline and backslash as three octal digits.
_OCTAL = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path, mountinfo: str | None = None) -> tuple[str, str] | None:
    """The file system that holds a path, or would hold it.

    Args:
        path: A file or folder; symbolic links are followed as far as they exist.
        mountinfo: Table of mounts as in proc(5), "/proc/self/mountinfo"; read from the system by default.

    Returns:
        Mount point and type; None where the system has no such table.
    """
    if mountinfo is None:
        try:
            mountinfo = _MOUNT_TABLE.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return None
    resolved = path.resolve()
    found: tuple[str, str] | None = None
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        columns = left.split()
        if not separator or len(columns) <= _MOUNT_POINT or not right:
            continue
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), columns[_MOUNT_POINT])
        # A later mount on the same point hides the earlier one.
        if resolved.is_relative_to(point) and (found is None or len(point) >= len(found[0])):
            found = (point, right.split()[0])
    return found


def refuse_network_file_system(path: Path, mountinfo: str | None = None) -> None:
    """Raise where SQLite must not be.

    Raises:
        WorkspaceError: The path is on a network file system.
    """
    found = file_system_of(path, mountinfo)
    if found is None or found[1] not in NETWORK_FILE_SYSTEMS or found == ("/", "9p"):
        return
    raise WorkspaceError(
        f"The ledger {str(path)!r} would be on a network file system ({found[1]} at {found[0]!r}), where SQLite "
        "loses data; put it on a local disk, or set ledger_url to a PostgreSQL server."
    )
