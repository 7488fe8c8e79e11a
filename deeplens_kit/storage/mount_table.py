"""What is mounted at a folder, and whether it is what a URL names.

Takes folders of this machine, gives what the kernel tells of their mounts (Linux: /proc/self/mountinfo, proc(5));
elsewhere nothing is told. Must not mount anything, nor guess: only what is known to be another share is called one.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["Mount", "is_another", "mount_at", "parse_mount"]

_NFS, _SMB = frozenset({"nfs", "nfs4"}), frozenset({"cifs", "smb3"})
_NFS_SOURCE = re.compile(r"(\[[^\]/]+\]|[^:/]+):(/.*)", re.DOTALL)
_SMB_SOURCE = re.compile(r"//(\[[^\]/]+\]|[^/]+)/([^/]+)(?:/.*)?", re.DOTALL)
_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """What is mounted.

    Attributes:
        kind: Of file system, as the kernel calls it: nfs4, cifs ...
        source: What is mounted, in the words of the kind: "nas:/export", "//nas/share".
        address: Of the server; empty where it is not told.
    """

    kind: str
    source: str
    address: str = ""


def mount_at(folder: str) -> Mount | None:
    """What holds a folder; None where this machine does not tell."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_PATH", 0))
        try:
            told = Path(f"/proc/self/fdinfo/{handle}").read_text()
        finally:
            os.close(handle)
        number = next((line.split()[1] for line in told.splitlines() if line.startswith("mnt_id:")), "")
        return parse_mount(os.fsdecode(Path("/proc/self/mountinfo").read_bytes()), number)
    except OSError:
        return None


def parse_mount(table: str, number: str) -> Mount | None:
    """The mount of a number in a table as /proc/self/mountinfo has it; None where it is not there."""
    for line in table.split("\n"):
        if not line.startswith(f"{number} "):
            continue
        # Optional fields end with a dash; blanks within fields are escaped.
        kind, source, options = [*line.partition(" - ")[2].split(" "), "", "", ""][:3]
        address = next((one[5:] for one in options.split(",") if one.startswith("addr=")), "")
        return Mount(kind, _ESCAPE.sub(lambda match: chr(int(match[1], 8)), source), address)
    return None


def is_another(url: str, mount: Mount) -> bool:
    """Whether something else is mounted than a URL names.

    Args:
        url: Normal URL of an export (nfs://) or of a folder of a share (smb://).
        mount: What is mounted; a kind that we do not know may be the one or the other.
    """
    asked = urlsplit(url)
    path = [part for part in unquote(asked.path, errors="surrogateescape").split("/") if part]
    if mount.kind in _NFS and (found := _NFS_SOURCE.fullmatch(mount.source)):
        if asked.scheme != "nfs" or path != [part for part in found[2].split("/") if part]:
            return True
    elif mount.kind in _SMB and (found := _SMB_SOURCE.fullmatch(mount.source.replace("\\", "/"))):
        if asked.scheme != "smb" or path[0].lower() != found[2].lower():
            return True
    else:
        return False
    wanted, there = asked.hostname or "", found[1].strip("[]").lower()
    if wanted == there:
        return False
    # One server may have several names: only addresses tell.
    addresses = {_plain(mount.address)} if mount.address else _addresses(there)
    known = _addresses(wanted)
    return bool(addresses and known and addresses.isdisjoint(known))


def _addresses(host: str) -> set[str]:
    try:
        return {_plain(str(found[4][0])) for found in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return set()


def _plain(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return address
