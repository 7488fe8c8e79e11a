"""The boxes of an ISO base media file (ISO/IEC 14496-12): its EXIF item, and of what kinds its other items are.

Takes the bytes of a HEIF-family file, gives its EXIF block, the bytes with that item hidden, or what its items are;
must not raise: a container that cannot be followed has no EXIF and no items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["ItemFacts", "boxes_of", "find_exif_item", "item_facts", "top_boxes", "without_exif_item"]

_MAX_TEXTS = 16  # own bound, inclusive; files hold one or two
_HIDDEN_TYPE = b"none"  # an item type that no decoder knows is skipped by it


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What the items of a HEIF-family file are.

    Attributes:
        types: Four letters each, for example b"hvc1".
        references: Kinds of references between items, for example b"auxl".
        auxiliary: URNs that say what auxiliary pictures hold.
        colours: Colour descriptions, as they are stored.
        deep: A picture has more than eight bits a sample.
        texts: Contents of the MIME items (XMP).
    """

    types: frozenset[bytes]
    references: frozenset[bytes]
    auxiliary: frozenset[bytes]
    colours: tuple[bytes, ...]
    deep: bool
    texts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    item_id: int
    type_offset: int


def find_exif_item(data: bytes) -> bytes | None:
    """The EXIF block from its byte-order mark on, or None."""
    try:
        meta = _meta(data)
        item = _exif_item(data, meta) if meta else None
        if meta is None or item is None:
            return None
        payload = _item_bytes(data, meta, item.item_id)
    except IndexError:
        return None
    # ISO/IEC 23008-12, A.2.1: four bytes say how far behind them the TIFF header lies.
    start = 4 + int.from_bytes(payload[:4], "big")
    return payload[start:] or None


def without_exif_item(data: bytes) -> bytes:
    """The same file, its EXIF item renamed so that a decoder leaves it alone."""
    try:
        meta = _meta(data)
        item = _exif_item(data, meta) if meta else None
    except IndexError:
        return data
    if item is None:
        return data
    return b"".join([data[: item.type_offset], _HIDDEN_TYPE, data[item.type_offset + 4 :]])


def top_boxes(data: bytes) -> list[bytes]:
    """Kinds of the boxes of a file in order; b"" after the last that lies within it, where bytes follow."""
    kinds, end = [], 0
    for kind, _, stop in _boxes(data, 0, len(data)):
        kinds.append(kind)
        end = stop
    return [*kinds, b""] if end < len(data) else kinds


def boxes_of(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of what is in each box from `at` on; the first that does not fit ends them."""
    return _boxes(data, at, len(data) if end is None else end)


def item_facts(data: bytes) -> ItemFacts | None:
    """What the items of a file are; None where that cannot be followed."""
    try:
        meta = _meta(data)
        items = list(_items(data, meta)) if meta else []
        if meta is None or not items:
            return None
        container = _child(data, b"iprp", *meta)
        listed = _child(data, b"ipco", *container) if container else None
        properties = [(kind, data[at:end]) for kind, at, end in _boxes(data, *listed)] if listed else []
        links = _child(data, b"iref", *meta)
        references = [kind for kind, _, _ in _boxes(data, links[0] + 4, links[1])] if links else []
        mime = [item.item_id for item in items if data[item.type_offset : item.type_offset + 4] == b"mime"]
        if len(mime) > _MAX_TEXTS:  # each is looked for among all places
            return None
        return ItemFacts(
            types=frozenset(data[item.type_offset : item.type_offset + 4] for item in items),
            references=frozenset(references),
            auxiliary=frozenset(body[4:].split(b"\x00")[0] for kind, body in properties if kind == b"auxC"),
            colours=tuple(sorted(body for kind, body in properties if kind == b"colr")),
            deep=any(_is_deep(kind, body) for kind, body in properties),
            texts=tuple(_item_bytes(data, meta, item_id) for item_id in mime),
        )
    except IndexError:
        return None


def _is_deep(kind: bytes, body: bytes) -> bool:
    """Whether a property says more than eight bits: channels of `pixi`, the high bit depth of `av1C`."""
    if kind == b"pixi":
        return max(body[5:], default=0) > 8
    return kind == b"av1C" and bool(body[2] & 0x40)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        size, kind, body = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = end if size == 0 else at + size
        if stop > end or stop < body:
            return
        yield kind, body, stop
        at = stop


def _child(data: bytes, kind: bytes, at: int, end: int) -> tuple[int, int] | None:
    return next(((start, stop) for name, start, stop in _boxes(data, at, end) if name == kind), None)


def _meta(data: bytes) -> tuple[int, int] | None:
    found = _child(data, b"meta", 0, len(data))
    return (found[0] + 4, found[1]) if found else None  # behind version and flags


def _exif_item(data: bytes, meta: tuple[int, int]) -> _Item | None:
    return next((item for item in _items(data, meta) if data[item.type_offset : item.type_offset + 4] == b"Exif"), None)


def _items(data: bytes, meta: tuple[int, int]) -> Iterator[_Item]:
    info = _child(data, b"iinf", *meta)
    if info is None:
        return
    entries = info[0] + (6 if data[info[0]] == 0 else 8)
    for kind, at, end in _boxes(data, entries, info[1]):
        width = {2: 2, 3: 4}.get(data[at])  # version -> bytes of the item number
        if kind != b"infe" or width is None:
            continue
        type_offset = at + 4 + width + 2
        if type_offset + 4 <= end:
            yield _Item(int.from_bytes(data[at + 4 : at + 4 + width], "big"), type_offset)


class _Fields:
    """Reads big-endian fields one after the other."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data, self._at, self._end = data, at, end

    def take(self, width: int) -> int:
        if self._at + width > self._end:
            raise IndexError("box is too short")
        value = int.from_bytes(self._data[self._at : self._at + width], "big")
        self._at += width
        return value


def _item_bytes(data: bytes, meta: tuple[int, int], wanted: int) -> bytes:
    place = _child(data, b"iloc", *meta)
    if place is None:
        return b""
    version = data[place[0]]
    fields = _Fields(data, place[0] + 4, place[1])
    sizes, more = fields.take(1), fields.take(1)
    offset_width, length_width, base_width, index_width = sizes >> 4, sizes & 15, more >> 4, more & 15
    wide = 4 if version == 2 else 2
    for _ in range(fields.take(wide)):
        item_id = fields.take(wide)
        method = fields.take(2) & 15 if version in (1, 2) else 0
        fields.take(2)  # data reference
        base = fields.take(base_width)
        extents = []
        for _ in range(fields.take(2)):
            if version in (1, 2):
                fields.take(index_width)
            extents.append((base + fields.take(offset_width), fields.take(length_width)))
        if item_id == wanted:
            # Ten thousand extents that are the whole file each would be a bomb; those of an item do not overlap.
            if sum(length for _, length in extents) > len(data):
                raise IndexError("item is longer than the file")
            inner = _child(data, b"idat", *meta) if method == 1 else (0, len(data))
            start = inner[0] if inner else len(data)
            return b"".join(data[start + offset : start + offset + length] for offset, length in extents)
    return b""
