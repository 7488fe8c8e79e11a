"""Metadata put into files that an encoder has made without it: PNG, JPEG XL and AVIF.

Takes a file as its encoder wrote it, gives it with colour profile, EXIF and XMP; must not touch coded samples. Of AVIF
the boxes are read strictly, as libavif writes them for a still: anything else gives None, and the blocks are lost.
"""

from __future__ import annotations

import struct
import zlib

from deeplens_kit.decode.formats.boxes import boxes_of

__all__ = ["avif_with", "jxl_with", "png_with"]

_BEHIND_HEADER = 33  # of a PNG: signature and IHDR
_XMP_TYPE = b"application/rdf+xml\x00"


def png_with(data: bytes, icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> bytes:
    """A PNG with chunks behind its header."""
    chunks = []
    if icc:
        chunks.append(_chunk(b"iCCP", b"ICC profile\x00\x00" + zlib.compress(icc)))
    if exif:
        chunks.append(_chunk(b"eXIf", exif))
    if xmp:
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + xmp))
    return b"".join([data[:_BEHIND_HEADER], *chunks, data[_BEHIND_HEADER:]])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def jxl_with(data: bytes, exif: bytes | None, xmp: bytes | None) -> bytes:
    """A JPEG XL container (ISO/IEC 18181-2) with boxes behind the picture."""
    boxes = [_box(b"Exif", bytes(4) + exif)] if exif else []
    boxes += [_box(b"xml ", xmp)] if xmp else []
    return b"".join([data, *boxes])


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def avif_with(data: bytes, icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> bytes | None:
    """An AVIF still with a colour profile and more items; None where its boxes are not as libavif writes them."""
    top = [(kind, data[at:end]) for kind, at, end in boxes_of(data, 0, len(data))]
    if [kind for kind, _ in top] != [b"ftyp", b"meta", b"mdat"]:
        return None
    meta = top[1][1]
    inner = {kind: meta[at:end] for kind, at, end in boxes_of(meta, 4, len(meta))}
    items = _Items.read(inner)
    if items is None:
        return None
    if icc:
        inner[b"iprp"] = _with_profile(inner[b"iprp"], items.primary, icc)
    payloads = [bytes(4) + exif] if exif else []
    payloads += [xmp] if xmp else []
    kinds = [b"Exif"] if exif else []
    kinds += [b"mime"] if xmp else []
    items.add(kinds, payloads)

    def whole(shift: int, behind: int) -> bytes:
        boxes = inner | items.boxes(shift, behind)
        return _box(b"meta", meta[:4] + b"".join(_box(kind, body) for kind, body in boxes.items()))

    ftyp, mdat = _box(*top[0]), _box(*top[2])
    # Offsets have a fixed width: the size of the box does not depend on what they are.
    size = len(whole(0, 0))
    shift = size - (8 + len(meta))
    behind = len(ftyp) + size + len(mdat) + 8
    more = [_box(b"mdat", b"".join(payloads))] if payloads else []
    return b"".join([ftyp, whole(shift, behind), mdat, *more])


def _with_profile(properties: bytes, item: int, icc: bytes) -> bytes:
    """The properties with one more, which belongs to an item."""
    (first, listed), (second, linked) = [
        (kind, properties[at:end]) for kind, at, end in boxes_of(properties, 0, len(properties))
    ]
    assert (first, second) == (b"ipco", b"ipma"), "checked when the items were read"
    number = len(list(boxes_of(listed, 0, len(listed)))) + 1
    listed += _box(b"colr", b"prof" + icc)
    # Version, flags and count; then of each item its number, how many properties, and the properties.
    links, at = bytearray(linked[:8]), 8
    for _ in range(int.from_bytes(linked[4:8], "big")):
        count = linked[at + 2]
        own = linked[at + 3 : at + 3 + count]
        if int.from_bytes(linked[at : at + 2], "big") == item:
            own += bytes([number])
        links += linked[at : at + 2] + bytes([len(own)]) + own
        at += 3 + count
    return _box(b"ipco", listed) + _box(b"ipma", bytes(links))


class _Items:
    """The items of an AVIF still, and where their bytes are."""

    def __init__(self, primary: int, info: bytes, places: list[tuple[int, int, int]], references: bytes) -> None:
        self.primary = primary
        self._info, self._places, self._references = info, places, references
        self._added: list[tuple[int, bytes, int]] = []

    @classmethod
    def read(cls, inner: dict[bytes, bytes]) -> _Items | None:
        """Read them; None where a box has another version than libavif writes."""
        if not {b"pitm", b"iloc", b"iinf", b"iprp"} <= set(inner):
            return None
        place, info, first = inner[b"iloc"], inner[b"iinf"], inner[b"pitm"]
        properties = list(boxes_of(inner[b"iprp"], 0, len(inner[b"iprp"])))
        plain = [kind for kind, _, _ in properties] == [b"ipco", b"ipma"]
        links = inner[b"iprp"][properties[-1][1] :] if plain else b"\x01"
        # Four bytes of offset and length, no base; all versions 0, numbers of properties of one byte.
        if any((place[0], info[0], first[0])) or place[4:6] != b"\x44\x00" or links[:4] != bytes(4):
            return None
        places = []
        for number in range(int.from_bytes(place[6:8], "big")):
            item, _, extents, offset, length = struct.unpack_from(">HHHII", place, 8 + 14 * number)
            if extents != 1:
                return None
            places.append((item, offset, length))
        return cls(int.from_bytes(first[4:6], "big"), info, places, inner.get(b"iref", bytes(4)))

    def add(self, kinds: list[bytes], payloads: list[bytes]) -> None:
        """Add items whose bytes come behind all others, in this order."""
        number = max(item for item, _, _ in self._places)
        for kind, payload in zip(kinds, payloads, strict=True):
            number += 1
            self._added.append((number, kind, len(payload)))

    def boxes(self, shift: int, behind: int) -> dict[bytes, bytes]:
        """The boxes that tell of items.

        Args:
            shift: Bytes by which the old items move.
            behind: Where the new ones begin.
        """
        places = [(item, offset + shift, length) for item, offset, length in self._places]
        info, references = self._info[6:], self._references
        for number, kind, length in self._added:
            places.append((number, behind, length))
            behind += length
            named = struct.pack(">HH", number, 0) + kind + b"\x00" + (_XMP_TYPE if kind == b"mime" else b"")
            info += _box(b"infe", b"\x02\x00\x00\x00" + named)
            references += _box(b"cdsc", struct.pack(">HHH", number, 1, self.primary))
        count = struct.pack(">H", len(places))
        located = b"".join(struct.pack(">HHHII", item, 0, 1, offset, length) for item, offset, length in places)
        found = {b"iloc": bytes(4) + b"\x44\x00" + count + located, b"iinf": self._info[:4] + count + info}
        return found | ({b"iref": references} if len(references) > 4 else {})
