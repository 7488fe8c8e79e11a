"""A TIFF file (TIFF 6.0) of one picture: deflated strips, 8 or 16 bits, with profile, XMP and EXIF.

Takes samples and blocks, gives a file; must not move a byte of the EXIF block. The file begins with that block, whose
header it shares: so every offset in it, those within maker notes too, points where it did. The directory of the
picture comes last and takes up what the block's own main directory says of the picture.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Literal

from numpy.typing import NDArray

from deeplens_kit.decode.converting.blocks import DESCRIPTIVE_TAGS
from deeplens_kit.decode.ifd import Entry, TiffStructure
from deeplens_kit.errors import ObjectError

__all__ = ["tiff_file"]

_SHORT, _LONG, _UNDEFINED, _BYTE = 3, 4, 7, 1
_DEFLATE, _GREY, _COLOURS, _DIFFERENCES, _UNASSOCIATED = 8, 1, 2, 2, 2
_STRIP_BYTES = 2**20
_LEVEL = 6
_LARGEST = 2**32 - 1  # bytes that the offsets of a classic TIFF reach


def tiff_file(frame: NDArray[Any], icc: bytes | None, exif: bytes | None, xmp: bytes | None) -> bytes:
    """Write one picture.

    Args:
        frame: (height, width) or (height, width, channels), uint8 or uint16; the last of 2 or 4 channels is alpha.
        icc: Its colour profile.
        exif: From its byte-order mark on, sound.
        xmp: As text.

    Raises:
        ObjectError: It would be larger than 4 GiB.
    """
    order: Literal["<", ">"] = ">" if exif and exif.startswith(b"MM") else "<"
    body = bytearray(exif or (b"II*\x00" + bytes(4)))
    height, width = frame.shape[:2]
    channels = frame.shape[2] if frame.ndim == 3 else 1
    # 1. The samples.
    rows = max(1, _STRIP_BYTES // (width * channels * frame.itemsize))
    places = []
    for first in range(0, height, rows):
        strip = zlib.compress(_differences(frame[first : first + rows], order), _LEVEL)
        body += bytes(len(body) & 1)
        places.append((len(body), len(strip)))
        body += strip
        if len(body) > _LARGEST:
            raise ObjectError("The TIFF would be larger than 4 GiB; use --max-side, or another format.")
    # 2. What says how they lie there.
    entries = _Entries(order, body)
    for tag, value in ((256, width), (257, height), (278, rows)):
        entries.numbers(tag, _LONG, [value])
    entries.numbers(258, _SHORT, [8 * frame.itemsize] * channels)
    for tag, value in (
        (259, _DEFLATE),
        (262, _COLOURS if channels > 2 else _GREY),
        (274, 1),
        (277, channels),
        (284, 1),
        (317, _DIFFERENCES),
    ):
        entries.numbers(tag, _SHORT, [value])
    entries.numbers(273, _LONG, [place for place, _ in places])
    entries.numbers(279, _LONG, [size for _, size in places])
    if channels in (2, 4):
        entries.numbers(338, _SHORT, [_UNASSOCIATED])
    # 3. What is said of the picture.
    if xmp:
        entries.raw(700, _BYTE, xmp)
    if icc:
        entries.raw(34675, _UNDEFINED, icc)
    if exif:
        entries.adopt(exif)
    return entries.finish()


def _differences(strip: NDArray[Any], order: Literal["<", ">"]) -> bytes:
    """Each sample less the one before it in its row and channel, modulo the range."""
    less = strip.copy()
    less[:, 1:] -= strip[:, :-1]
    return less.astype(less.dtype.newbyteorder(order)).tobytes()


class _Entries:
    """The directory of a file that is being written."""

    def __init__(self, order: str, body: bytearray) -> None:
        self._order, self._body = order, body
        self._rows: dict[int, bytes] = {}

    def numbers(self, tag: int, kind: int, values: list[int]) -> None:
        code = "H" if kind == _SHORT else "I"
        self._add(tag, kind, len(values), struct.pack(f"{self._order}{len(values)}{code}", *values))

    def raw(self, tag: int, kind: int, value: bytes) -> None:
        self._add(tag, kind, len(value), value)

    def adopt(self, exif: bytes) -> None:
        """Take up what the block at the start of the file says of the picture; its values stay where they are."""
        structure = TiffStructure(exif)
        main = structure.directory(structure.first_offset)
        for tag, entry in main.entries.items() if main else ():
            if tag in DESCRIPTIVE_TAGS:
                self._rows.setdefault(tag, self._head(tag, entry.type, entry.count) + self._place(structure, entry))

    def finish(self) -> bytes:
        """Write the directory and point the header to it."""
        self._body += bytes(len(self._body) & 1)
        struct.pack_into(self._order + "I", self._body, 4, len(self._body))
        self._body += struct.pack(self._order + "H", len(self._rows))
        self._body += b"".join(row for _, row in sorted(self._rows.items())) + bytes(4)
        return bytes(self._body)

    def _place(self, structure: TiffStructure, entry: Entry) -> bytes:
        inline = structure.raw(entry).ljust(4, b"\x00")
        return inline if entry.size <= 4 else struct.pack(self._order + "I", entry.offset)

    def _add(self, tag: int, kind: int, count: int, value: bytes) -> None:
        if len(value) > 4:
            self._body += bytes(len(self._body) & 1)
            place = struct.pack(self._order + "I", len(self._body))
            self._body += value
        else:
            place = value.ljust(4, b"\x00")
        self._rows[tag] = self._head(tag, kind, count) + place

    def _head(self, tag: int, kind: int, count: int) -> bytes:
        return struct.pack(self._order + "HHI", tag, kind, count)
