"""TIFF and BigTIFF: directories read here, the first page decoded by Pillow and libtiff from a cleaned directory.

Takes the bytes of one TIFF, gives header and pixels of the first page; must not be given a camera's RAW file, whose
first page is only a preview. What Pillow cannot lay out goes to tifffile. The cleaned directory holds the tags that say
how samples are laid out and no other, each with its value inside the file.
"""

from __future__ import annotations

import io
import struct
from typing import cast

from PIL import Image, TiffImagePlugin

from deeplens_kit.decode.exif import exif_facts
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.tiff_page import decode_page
from deeplens_kit.decode.ifd import Directory, Entry, TiffStructure

__all__ = ["TiffReader"]

_WIDTH, _LENGTH, _COMPRESSION, _EXTRA_SAMPLES = 256, 257, 259, 338
_BITS, _CHANNELS, _ICC = 258, 277, 34675
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS = 273, 279, 324, 325
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_LOSSLESS = frozenset({1, 2, 3, 4, 5, 8, 32771, 32773, 32946, 34925, 50000})
_TRANSPARENCY = frozenset({1, 2})  # associated, unassociated alpha; 0 is "unspecified"

# TIFF 6.0 sections 8-16, 20-23 and technical note 2: how samples are laid out, and nothing about the picture.
_LAYOUT_TAGS = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325}
    | {332, 338, 339, 347, 529, 530, 531, 532, *range(512, 522)}
)
_PHOTOMETRIC, _PLANES, _KIND_OF_SAMPLE = 262, 284, 339
_SEPARATE, _UNSIGNED = 2, 1
_FLOATING = frozenset({3.0, 6.0})  # plain and complex numbers
_BY_TIFFFILE = frozenset({50001})  # WebP, which the libtiff of Pillow lacks
_UNKNOWN_LAYOUT = (SyntaxError, KeyError)  # of Pillow, where no mode of its own is like the samples
MAX_PAGES_WALKED = 2**17
"""Directories followed when pages are counted, inclusive; above any limit that a person would set on frames."""


class TiffReader:
    """Reads one TIFF.

    Raises:
        ValueError: The directory is broken, or a strip or tile lies beyond the end of the file.
    """

    def __init__(self, data: bytes) -> None:
        self._structure = TiffStructure(data)
        pages = list(self._structure.chain(MAX_PAGES_WALKED))
        if not pages:
            raise ValueError("its first directory is cut off")
        self._page = pages[0]
        self._frames = len(pages)
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
            # The limit is one of pictures of four channels; more of them take as much more.
            largest_buffer_px=max(tile, self._number(_WIDTH, 0) * self._number(_LENGTH, 0))
            * max(1, self._number(_CHANNELS, 1) // 4),
            bits=int(max(self.numbers(_BITS), default=1)),
            floating=not _FLOATING.isdisjoint(self.numbers(_KIND_OF_SAMPLE)),
        )

    def samples_alone(self) -> bytes:
        """The file with a directory that says nothing but how the samples of the first page are laid out."""
        return _cleaned(self._structure, self._page)

    def numbers(self, tag: int) -> tuple[float, ...]:
        """The values of a tag of the first page; empty where it is missing or holds no numbers."""
        return self._structure.numbers(self._page.entries.get(tag))

    @property
    def by_pillow(self) -> bool:
        """Whether Pillow knows how the samples are laid out, and gives them as they are stored."""
        if self._misread():
            return False
        try:
            self._by_pillow()
        except _UNKNOWN_LAYOUT:
            return False
        return True

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first page; always at full size."""
        if self._misread():
            return decode_page(self.samples_alone())
        try:
            image = self._by_pillow()
        except _UNKNOWN_LAYOUT:
            return decode_page(self.samples_alone())
        # Pillow checks a size against a global of the process only where it makes the buffer itself.
        image.im = Image.new(image.mode, image.size).im
        image.load()
        if image.mode == "I" and set(self.numbers(_KIND_OF_SAMPLE)) <= {_UNSIGNED}:
            darkest, _ = cast("tuple[int, int]", image.getextrema())
            if darkest < 0:
                return decode_page(self.samples_alone())  # Pillow's integers have a sign, these have none
        return image

    def _misread(self) -> bool:
        """Whether Pillow takes the samples of the page for others, or cannot read its directory at all."""
        bits, kind = self._number(_BITS, 1), self._number(_PHOTOMETRIC, 1)
        if self._structure.big and self._structure.order == ">":
            return True  # Pillow knows BigTIFF in one byte order alone
        deep_planes = bits > 8 and self._number(_PLANES, 1) == _SEPARATE and self._number(_CHANNELS, 1) > 1
        return deep_planes or (bits > 8 and kind == 0) or self._number(_COMPRESSION, 1) in _BY_TIFFFILE

    def _by_pillow(self) -> TiffImagePlugin.TiffImageFile:
        return TiffImagePlugin.TiffImageFile(io.BytesIO(self.samples_alone()))

    def _number(self, tag: int, missing: int) -> int:
        numbers = self.numbers(tag)
        return int(numbers[0]) if numbers else missing

    def _check_extents(self) -> None:
        # libtiff fills what a JPEG strip lacks with grey; a strip beyond the end is truncation.
        for offsets, counts in ((_STRIP_OFFSETS, _STRIP_COUNTS), (_TILE_OFFSETS, _TILE_COUNTS)):
            starts, lengths = self.numbers(offsets), self.numbers(counts)
            if any(start + length > len(self._structure.data) for start, length in zip(starts, lengths, strict=False)):
                raise ValueError("samples lie beyond the end of the file")


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
