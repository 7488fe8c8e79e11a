"""What stands behind the end of a picture: pictures of their own, filling, a phone's notes, or nobody knows what.

Takes the bytes of one file and where its picture ends; says of each piece behind it what it is, as far as that is
certain. Must not decode anything, and must not raise: what cannot be followed is unknown, never nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deeplens_kit.decode.formats.boxes import boxes_of

__all__ = ["FILLING", "has_unknown_box", "holds_notes_alone", "is_filling", "picture_end", "pictures_behind"]

FILLING = b"\x00\r\n \xff"
"""Bytes that writers fill a file up with."""

_START_OF_PICTURE, _END_OF_PICTURE = b"\xff\xd8\xff", b"\xff\xd9"
_SCAN = 0xDA
_MAX_PICTURES = 64  # own bound, inclusive; files of several pictures hold up to a dozen
_NOT_FILLING = re.compile(rb"[^\x00\r\n \xff]")

# Samsung's notes: a directory that ends in SEFT, before it SEFH and for each block a kind, how far before SEFH it
# stands and how long it is.
_NOTES_START, _NOTES_END, _NOTE_BYTES = b"SEFH", b"SEFT", 12
_LONGEST_NOTE = 1024  # own bound, inclusive: the time, the network, the mode; no picture, sound or map is so short

_BOXES = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip", b"wide", b"pdin", b"mini", b"moov", b"mpvd"})
"""Boxes of a HEIF-family file that are looked into elsewhere, or hold nothing."""

_METADATA_UUIDS = (
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),  # XMP
    bytes.fromhex("d8fec3d61b0e483c92975828877ec481"),  # C2PA: where the picture comes from
)


def is_filling(data: bytes, start: int = 0, end: int | None = None) -> bool:
    """Whether nothing but filling, or the end of a picture said twice, is between two places."""
    stop = len(data) if end is None else end
    found = _NOT_FILLING.search(data, start, stop)
    if found and data[found.start() - 1 : found.end()] == _END_OF_PICTURE and found.start() > start:
        found = _NOT_FILLING.search(data, found.end(), stop)
    return found is None


def picture_end(data: bytes, start: int) -> int | None:
    """Where the JPEG ends that starts at `start`; None where that cannot be told."""
    at = start + 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            # Coded data never holds FF followed by the code of a marker.
            end = data.find(_END_OF_PICTURE, at)
            return end + 2 if end >= 0 else None
    return None


def pictures_behind(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of every JPEG that stands behind `at` with nothing but filling before it.

    The last pair is (where the rest begins, `len(data)`) and may be empty or filling.
    """
    for _ in range(_MAX_PICTURES):
        start = data.find(_START_OF_PICTURE, at)
        end = picture_end(data, start) if start >= 0 and is_filling(data, at, start) else None
        if end is None:
            break
        yield start, end
        at = end
    yield at, len(data)


def holds_notes_alone(data: bytes, start: int) -> bool:
    """Whether all from `start` on is Samsung's short notes, as behind every picture of its phones."""
    body = data[start:].rstrip(FILLING)
    head = body.rfind(_NOTES_START)
    if not body.endswith(_NOTES_END) or head < 0:
        return False
    count = int.from_bytes(body[head + 8 : head + 12], "little")
    if head + 12 + count * _NOTE_BYTES + 8 != len(body):
        return False
    places = (head + 12 + number * _NOTE_BYTES for number in range(count))
    fields = [
        (int.from_bytes(body[at + 4 : at + 8], "little"), int.from_bytes(body[at + 8 : at + 12], "little"))
        for at in places
    ]
    # Blocks follow one another from the first byte on, so that nothing stands between them.
    expected = head
    for before, length in sorted(fields):
        if length > _LONGEST_NOTE or head - before + length != expected:
            return False
        expected = head - before
    return is_filling(body, 0, expected)


def has_unknown_box(data: bytes) -> bool:
    """Whether a HEIF-family file has a box outside its picture that is not known, or bytes in no box at all."""
    end = 0
    for kind, start, stop in boxes_of(data):
        end = stop
        if kind in _BOXES or is_filling(data, start, stop):
            continue
        if kind == b"uuid" and data[start : start + 16] in _METADATA_UUIDS:
            continue
        if kind == b"sefd" and holds_notes_alone(data[start:stop], 0):
            continue
        return True
    return not is_filling(data, end)
