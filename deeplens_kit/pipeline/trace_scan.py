"""Looking for a digest in the files of a workspace, byte by byte.

Takes files and folders, gives those that hold the digest, as text or as bytes, in their content or their name; must
not change anything. Tables in compressed files are read as tables.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

__all__ = ["FoundIn", "Scan", "scan_files"]


@dataclass(frozen=True, slots=True)
class FoundIn:
    """A file that holds it.

    Attributes:
        path: The file.
        times: How often it stands in it, as 64 hexadecimal digits or as 32 bytes; once where it is in the name.
    """

    path: Path
    times: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What was looked at.

    Attributes:
        found: Files that hold the digest.
        files: How many were looked at.
        size_bytes: Of all of them.
        unread: Files that could not be read.
    """

    found: tuple[FoundIn, ...]
    files: int
    size_bytes: int
    unread: tuple[Path, ...]


def scan_files(places: Iterable[Path], digest: str) -> Scan:
    """Look into every file.

    Args:
        places: Files, and folders with all that is beneath; what is not there is passed over.
        digest: 64 hexadecimal digits, lower case.
    """
    found, unread = [], []
    files = size_bytes = 0
    for path in _each(places):
        try:
            size = path.stat().st_size
            times = _times(path, size, digest)
        except FileNotFoundError:
            continue  # a temporary file of somebody else
        except OSError:
            unread.append(path)
            continue
        files, size_bytes = files + 1, size_bytes + size
        if times:
            found.append(FoundIn(path, times))
    return Scan(tuple(found), files, size_bytes, tuple(unread))


def _each(places: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for place in places:
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and path not in seen:
                seen.add(path)
                yield path


def _times(path: Path, size: int, digest: str) -> int:
    times = int(digest in path.name.lower())
    if size:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for needle in (digest.encode(), digest.upper().encode(), bytes.fromhex(digest)):
                times += _count(content, needle)
    return times or _in_table(path, digest)


def _count(content: mmap.mmap, needle: bytes) -> int:
    times, at = 0, content.find(needle)
    while at >= 0:
        times += 1
        at = content.find(needle, at + len(needle))
    return times


def _in_table(path: Path, digest: str) -> int:
    """How many values of a compressed table are the digest; 0 where it is no table that can be read."""
    try:
        if path.suffix == ".parquet":
            frame = pl.read_parquet(path, memory_map=False)
        elif path.suffix == ".arrow":
            frame = pl.read_ipc(path)
        else:
            return 0
    except (OSError, pl.exceptions.PolarsError):
        return 0
    texts = [int((frame[name] == digest).sum()) for name, kind in frame.schema.items() if kind == pl.String]
    raw = bytes.fromhex(digest)
    return sum(texts) + sum(int((frame[name] == raw).sum()) for name, k in frame.schema.items() if k == pl.Binary)
