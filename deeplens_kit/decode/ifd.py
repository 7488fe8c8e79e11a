"""TIFF directories (TIFF 6.0, BigTIFF), the structure that TIFF files and EXIF blocks share.

Takes bytes and gives the entries of a directory whose values lie within them; must not trust a count, an
offset or a type: an entry that does not fit is left out and never an error, because a broken tag must not cost
the picture.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Directory", "Entry", "TiffStructure"]

# TIFF 6.0 p. 15 and BigTIFF: type -> (bytes per value, struct code; "" for rationals and opaque bytes).
_TYPES: dict[int, tuple[int, str]] = {
    1: (1, "B"),
    2: (1, ""),
    3: (2, "H"),
    4: (4, "I"),
    5: (8, ""),
    6: (1, "b"),
    7: (1, ""),
    8: (2, "h"),
    9: (4, "i"),
    10: (8, ""),
    11: (4, "f"),
    12: (8, "d"),
    13: (4, "I"),
    16: (8, "Q"),
    17: (8, "q"),
    18: (8, "Q"),
}
_UNSIGNED_RATIONAL, _SIGNED_RATIONAL = 5, 10
MAX_ENTRIES = 4096  # own bound, inclusive; real directories hold some dozens


@dataclass(slots=True)  # not frozen: a directory makes hundreds, and freezing doubles their cost
class Entry:
    """One tag: where its value lies in the bytes; `size` is in bytes and within them."""

    tag: int
    type: int
    count: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of one directory by tag, the offset of the next one, 0 at the end, where its own bytes end, and how
    many entries it says it has: more than there are where some are broken or come twice."""

    entries: dict[int, Entry]
    next_offset: int
    end_offset: int
    count: int


class TiffStructure:
    """Read access to the directories of a TIFF file or EXIF block.

    Args:
        data: The bytes from the byte-order mark on.

    Raises:
        ValueError: The header is not that of a TIFF structure.
    """

    def __init__(self, data: bytes) -> None:
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 8:
            raise ValueError("no TIFF header")
        version = struct.unpack_from(order + "H", data, 2)[0]
        if version not in (42, 43) or (version == 43 and len(data) < 16):
            raise ValueError(f"TIFF version {version}")
        self.data, self.order, self.big = data, order, version == 43
        self.first_offset: int = struct.unpack_from(order + ("Q" if self.big else "I"), data, 8 if self.big else 4)[0]

    def directory(self, offset: int) -> Directory | None:
        """The directory at `offset`, or None where none can lie."""
        count_code, size, pointer = ("Q", 20, "Q") if self.big else ("H", 12, "I")
        count_size = struct.calcsize("<" + count_code)
        if not 0 < offset <= len(self.data) - count_size:
            return None
        count: int = struct.unpack_from(self.order + count_code, self.data, offset)[0]
        start = offset + count_size
        if count > MAX_ENTRIES or start + count * size > len(self.data):
            return None
        end = start + count * size
        entries = self._entries(start, end)
        width = struct.calcsize("<" + pointer)
        following = struct.unpack_from(self.order + pointer, self.data, end)[0] if end + width <= len(self.data) else 0
        return Directory(entries, following, min(end + width, len(self.data)), count)

    def chain(self, limit: int) -> Iterator[Directory]:
        """The directories one after the other, at most `limit`; a loop ends the chain."""
        offset, seen = self.first_offset, set[int]()
        while offset and offset not in seen and len(seen) < limit:
            seen.add(offset)
            directory = self.directory(offset)
            if directory is None:
                return
            yield directory
            offset = directory.next_offset

    def raw(self, entry: Entry) -> bytes:
        """The bytes of the value as they are stored."""
        return self.data[entry.offset : entry.offset + entry.size]

    def numbers(self, entry: Entry | None) -> tuple[float, ...]:
        """The values as numbers; a rational over zero is NaN; empty where the entry is missing or is no number."""
        if entry is None:
            return ()
        if entry.type in (_UNSIGNED_RATIONAL, _SIGNED_RATIONAL):
            code = "I" if entry.type == _UNSIGNED_RATIONAL else "i"
            parts = struct.unpack_from(f"{self.order}{2 * entry.count}{code}", self.data, entry.offset)
            pairs = zip(parts[::2], parts[1::2], strict=True)
            return tuple(top / bottom if bottom else float("nan") for top, bottom in pairs)
        code = _TYPES[entry.type][1]
        if not code:
            return ()
        return struct.unpack_from(f"{self.order}{entry.count}{code}", self.data, entry.offset)

    def text(self, entry: Entry | None) -> str:
        """The value as text up to its first zero byte, without control characters; empty where it is none."""
        if entry is None or entry.type not in (1, 2, 7):
            return ""
        raw = self.raw(entry)[:1024].split(b"\x00", 1)[0]
        decoded = raw.decode("utf-8", "replace").replace("\ufffd", "")
        return " ".join("".join(c if c.isprintable() else " " for c in decoded).split())

    def _entries(self, start: int, end: int) -> dict[int, Entry]:
        inline, layout = (8, "HHQQ") if self.big else (4, "HHII")
        entries: dict[int, Entry] = {}
        length, at = len(self.data), start + (12 if self.big else 8)
        step = 12 + inline if self.big else 8 + inline
        for tag, kind, count, offset in struct.iter_unpack(self.order + layout, self.data[start:end]):
            if kind in _TYPES and count and tag not in entries:
                size = count * _TYPES[kind][0]
                place = at if size <= inline else offset
                if place + size <= length:
                    entries[tag] = Entry(tag, kind, count, place, size)
            at += step
        return entries
