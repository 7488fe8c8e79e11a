"""TIFF and BigTIFF: directories read here, the first page decoded by Pillow and libtiff from a cleaned directory.

Takes the bytes of one TIFF, gives header and pixels of the first page; must not take a camera's RAW file, whose
first page is only a preview, for a picture. The cleaned directory holds the tags that say how samples are laid
out and no other, each with its value inside the file.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

from PIL import Image, TiffImagePlugin

from deeplens_kit.decode.exif import exif_facts
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.ifd import Directory, Entry, TiffStructure
from deeplens_kit.decode.signature import unsupported

__all__ = ["TiffReader"]

_WIDTH, _LENGTH, _COMPRESSION, _EXTRA_SAMPLES = 256, 257, 259, 338
_BITS = 258
_MAKE, _SUBFILE_TYPE, _SUB_DIRECTORIES, _ICC = 271, 254, 330, 34675
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_DNG_VERSION = 50706
_PHOTOMETRIC = 262
_RAW_PHOTOMETRICS = frozenset({32803, 34892})  # colour filter array (TIFF/EP), linear RAW (DNG)
_MAX_BESIDE = 64  # own bound: directories looked at beside the first; cameras write up to five
_RAW_COMPRESSIONS = frozenset({32767, 34713, 65535})  # Sony, Nikon, Pentax
_RAW_MAKERS = ("nikon", "sony", "pentax", "canon", "hasselblad", "leaf", "phase one", "kodak", "samsung", "epson")
_LOSSLESS = frozenset({1, 2, 3, 4, 5, 8, 32771, 32773, 32946, 34925, 50000})
_TRANSPARENCY = frozenset({1, 2})  # associated, unassociated alpha; 0 is "unspecified"

# TIFF 6.0 sections 8-16, 20-23 and technical note 2: how samples are laid out, and nothing about the picture.
_LAYOUT_TAGS = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325}
    | {332, 338, 339, 347, 529, 530, 531, 532, *range(512, 522)}
)
MAX_PAGES_WALKED = 2**17
"""Directories followed when pages are counted, inclusive; above any limit that a person would set on frames."""


class TiffReader:
    """Reads one TIFF.

    Raises:
        ValueError: The directory is broken, or a strip or tile lies beyond the end of the file.
        UnsupportedFormatError: It is a camera's RAW file.
    """

    def __init__(self, data: bytes) -> None:
        self._structure = TiffStructure(data)
        pages = list(self._structure.chain(MAX_PAGES_WALKED))
        if not pages:
            raise ValueError("its first directory is cut off")
        self._page = pages[0]
        self._frames = len(pages)
        raw = _raw_kind(self._structure, pages)
        if raw:
            raise unsupported(raw)
        self._check_extents()

    @property
    def header(self) -> Header:
        """The header."""
        extra = self.numbers(_EXTRA_SAMPLES)
        icc = self._page.entries.get(_ICC)
        tile = self._number(_TILE_WIDTH, 0) * self._number(_TILE_LENGTH, 0)
        return Header(
            width_px=self._number(_WIDTH, 0),
            height_px=self._number(_LENGTH, 0),
            frames=self._frames,
            has_alpha=any(sample in _TRANSPARENCY for sample in extra),
            lossless=self._number(_COMPRESSION, 1) in _LOSSLESS,
            icc=self._structure.raw(icc) if icc else None,
            exif=exif_facts(self._structure, self._page),
            largest_buffer_px=tile,
            bits=self._number(_BITS, 1),
        )

    def samples_alone(self) -> bytes:
        """The file with a directory that says nothing but how the samples of the first page are laid out."""
        return _cleaned(self._structure, self._page)

    def numbers(self, tag: int) -> tuple[float, ...]:
        """The values of a tag of the first page; empty where it is missing or holds no numbers."""
        return self._structure.numbers(self._page.entries.get(tag))

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first page; always at full size."""
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(self.samples_alone()))
        # Pillow checks a size against a global of the process only where it makes the buffer itself.
        image.im = Image.new(image.mode, image.size).im
        image.load()
        return image

    def _number(self, tag: int, missing: int) -> int:
        numbers = self.numbers(tag)
        return int(numbers[0]) if numbers else missing

    def _check_extents(self) -> None:
        # libtiff fills what a JPEG strip lacks with grey; a strip beyond the end is truncation.
        for offsets, counts in ((_STRIP_OFFSETS, _STRIP_COUNTS), (_TILE_OFFSETS, _TILE_COUNTS)):
            starts, lengths = self.numbers(offsets), self.numbers(counts)
            if any(start + length > len(self._structure.data) for start, length in zip(starts, lengths, strict=False)):
                raise ValueError("samples lie beyond the end of the file")


def _raw_kind(structure: TiffStructure, pages: Sequence[Directory]) -> str | None:
    page = pages[0]
    places = structure.numbers(page.entries.get(_SUB_DIRECTORIES))[:_MAX_BESIDE]
    beside = [structure.directory(at) for at in places if isinstance(at, int)]
    for one in (*pages[:_MAX_BESIDE], *(found for found in beside if found)):
        if _DNG_VERSION in one.entries:
            return "camera RAW (DNG)"
        # What a sensor saw, before it is made into colours, makes a RAW of whatever else the file holds.
        compression = structure.numbers(one.entries.get(_COMPRESSION))[:1]
        photometric = structure.numbers(one.entries.get(_PHOTOMETRIC))[:1]
        if _RAW_COMPRESSIONS.intersection(compression) or _RAW_PHOTOMETRICS.intersection(photometric):
            return "camera RAW"
    reduced = structure.numbers(page.entries.get(_SUBFILE_TYPE))[:1] == (1,)
    maker = structure.text(page.entries.get(_MAKE)).casefold()
    if reduced and _SUB_DIRECTORIES in page.entries and maker.startswith(_RAW_MAKERS):
        return f"camera RAW ({maker.split(' ')[0].capitalize()})"
    return None


def _cleaned(structure: TiffStructure, page: Directory) -> bytes:
    """The file with a new first directory at its end that holds the layout tags alone."""
    data, order, big = structure.data, structure.order, structure.big
    kept = sorted((entry for tag, entry in page.entries.items() if tag in _LAYOUT_TAGS), key=lambda entry: entry.tag)
    start = len(data) + (len(data) & 1)
    count = struct.pack(order + ("Q" if big else "H"), len(kept))
    body = b"".join(_packed(structure, entry) for entry in kept)
    directory = count + body + bytes(8 if big else 4)
    pointer = struct.pack(order + ("Q" if big else "I"), start)
    at = 8 if big else 4
    return b"".join([data[:at], pointer, data[at + len(pointer) :], bytes(start - len(data)), directory])


def _packed(structure: TiffStructure, entry: Entry) -> bytes:
    order, big = structure.order, structure.big
    inline = 8 if big else 4
    head = struct.pack(order + ("HHQ" if big else "HHI"), entry.tag, entry.type, entry.count)
    if entry.size <= inline:
        return head + structure.raw(entry).ljust(inline, b"\x00")
    return head + struct.pack(order + ("Q" if big else "I"), entry.offset)
