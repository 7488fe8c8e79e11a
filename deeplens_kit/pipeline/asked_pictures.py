"""Pictures that people searched for and that are not indexed, kept for a while: so that a link to a search works.

Takes bytes, gives them again by their digest; must not keep more than a number of bytes, nor anything for longer than a
number of days. A cache like any other: safe to delete at any time, and emptied of a picture that is forgotten.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["KEPT_DAYS", "MOST_BYTES", "asked_picture", "keep_asked_picture"]

KEPT_DAYS = 7
"""A link that is passed on works for so long after the picture was last searched for."""

MOST_BYTES = 500 * 1000**2
"""Of all of them together, inclusive; what was searched for longest ago goes first."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_SECONDS = KEPT_DAYS * 24 * 3600


def keep_asked_picture(workspace: Workspace, content: bytes) -> str:
    """Keep a picture that was searched for; its digest. A cache that cannot be written keeps nothing."""
    digest = hashlib.sha256(content).hexdigest()
    place = _place(workspace, digest)
    with suppress(OSError):
        if place.is_file():
            os.utime(place)
        elif len(content) <= MOST_BYTES:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".part-", delete=False) as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(stream.name, place)  # noqa: PTH105 - the name is a text
            # Nothing grows where one is asked for again, and looking at all of them takes as long as a search.
            _prune(place.parents[2], keep=place)
    return digest


def asked_picture(workspace: Workspace, digest: str) -> bytes | None:
    """The bytes that were kept under a digest; None where there are none, or not any more."""
    if _DIGEST.fullmatch(digest) is None:
        return None
    place = _place(workspace, digest)
    try:
        if time.time() - place.stat().st_mtime > _SECONDS:
            return None
        content = place.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None


def _place(workspace: Workspace, digest: str) -> Path:
    return Path(workspace.settings.cache_dir) / "asked" / digest[:2] / digest[2:4] / digest


def _prune(folder: Path, *, keep: Path) -> None:
    """Remove what is too old, and the oldest of what is too much."""
    held = []
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                told = path.stat()
                held.append((told.st_mtime, told.st_size, path))
    held.sort(key=lambda item: item[0], reverse=True)
    total, oldest = 0, time.time() - _SECONDS
    for at, size, path in held:
        total += size
        if path != keep and (at < oldest or total > MOST_BYTES):
            with suppress(OSError):
                path.unlink()
