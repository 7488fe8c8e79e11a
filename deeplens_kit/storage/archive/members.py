"""What lies in an archive: members by their path, and names that are refused.

Takes names as archives have them, gives paths relative to the location; must not open anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Member", "Members", "member_path", "member_time"]

_Where = TypeVar("_Where")

_NO_SIZE = 2**63  # bytes; what a damaged or hostile archive may say is beyond any file
_DRIVE = re.compile(r"[A-Za-z]:(?:[\\/]|\Z)")


class Member(NamedTuple, Generic[_Where]):
    """A file in an archive.

    Attributes:
        number: Its place in the archive, from 0.
        size_bytes: As the archive says; no more than that is ever read.
        modified_at: UTC; None where the archive does not tell the zone.
        where: What the kind of archive needs to find its bytes.
    """

    number: int
    size_bytes: int
    modified_at: datetime | None
    where: _Where


@dataclass
class Members(Generic[_Where]):
    """The files of an archive, in its order.

    Attributes:
        by_path: Native path to member; of a name that comes twice the last, as archivers unpack it.
        special: What is no file, has a name that leads out of the archive, or was taken the place of.
        links: Symbolic and hard links, which are not followed.
    """

    by_path: dict[str, Member[_Where]] = field(default_factory=dict)
    special: int = 0
    links: int = 0

    def add(self, name: str, member: Member[_Where]) -> None:
        """Take a file."""
        path = member_path(name)
        if path is None or not 0 <= member.size_bytes < _NO_SIZE:
            self.special += 1
            return
        # Taken out first, so that the order stays that of the bytes in the archive.
        self.special += self.by_path.pop(path, None) is not None
        self.by_path[path] = member


def member_path(name: str) -> str | None:
    r"""The path of a member; None for one that leads out of the archive: '..', '/x', 'C:\x', by either slash."""
    if name.startswith(("/", "\\")) or _DRIVE.match(name) or "\0" in name or ".." in re.split(r"[\\/]", name):
        return None
    return "/".join(part for part in name.split("/") if part not in ("", ".")) or None


def member_time(seconds: float) -> datetime | None:
    """A time of modification; None outside the years 1..9999."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
