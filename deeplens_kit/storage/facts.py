"""What acting on files needs to know beyond a listing: what an object has beside its bytes, and what removing leaves.

Frozen values without a connection; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

__all__ = ["QUARANTINE_FOLDER", "KeptAfter", "LinkForm", "ObjectFacts", "in_quarantine"]

QUARANTINE_FOLDER = ".deeplens-quarantine"
"""The folder that removed files are kept in; no listing enters a folder of this name, at whatever depth it lies."""


class LinkForm(StrEnum):
    """How one name may stand for the file of another. `REFLINK`: a file of its own that shares the other's blocks."""

    HARDLINK = "hardlink"
    SYMLINK = "symlink"
    REFLINK = "reflink"


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What an object has beside its bytes, as far as its storage tells.

    Attributes:
        metadata: Given by users; of a file its extended attributes, `base64:` before those that are no text.
        tags: Of an object store.
        content_type: As the storage serves it.
        mode: Permission bits of a file.
        modified_at: Last modification, UTC.
        owner: As the storage calls it; of a file "user:group" in numbers.
        headers: What else an object store serves with it: Cache-Control, Content-Encoding and their like.
    """

    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    mode: int | None = None
    modified_at: datetime | None = None
    owner: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptAfter:
    """What a storage still keeps, and bills, under a path after what it showed there was removed.

    Attributes:
        versions: Versions, generations and snapshots that can be had back, those deleted softly included; None where
            the storage cannot or may not tell, which is no proof that there are none.
        bytes: Of all of them; None likewise.
        soft_deleted: Whether the storage removes any of them by itself later, or they lie behind a delete marker.
        note: What that means, a sentence; empty where nothing is kept.
    """

    versions: int | None
    bytes: int | None
    soft_deleted: bool
    note: str

    @classmethod
    def unknown(cls, note: str) -> Self:
        """Of a storage that cannot say; `note` tells why, and what helps."""
        return cls(None, None, False, note)


def in_quarantine(path: str) -> bool:
    """Whether a native or encoded path, of a folder with '/' at its end, lies in a quarantine or is one."""
    # A file of that name is no quarantine.
    return f"/{QUARANTINE_FOLDER}/" in f"/{path}"
