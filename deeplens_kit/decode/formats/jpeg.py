"""JPEG (ITU-T T.81): markers read here, samples decoded at reduced size by libjpeg-turbo's scaled DCT.

Takes the bytes of one JPEG, gives header and pixels; must not return a picture whose data ended early.
Ordinary files go through simplejpeg in its strict mode; what it cannot read (CMYK, harmless disorder between
segments) goes through Pillow's `draft`, with application segments left out. Lossless JPEG and more than eight bits go
through imagecodecs.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageChops, JpegImagePlugin

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.jpeg_quality import estimate_quality
from deeplens_kit.decode.signature import unsupported
from deeplens_kit.errors import LimitExceededError

__all__ = ["JpegReader"]

_SOS, _EOI, _DQT, _APP0, _APP1, _APP2, _APP14, _APP15, _COM = 0xDA, 0xD9, 0xDB, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
_LEAST_BITS, _MOST_BITS = 2, 16  # of lossless JPEG, inclusive; the others have 8 or 12
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TELLING = frozenset({_APP1, _APP2})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_END = bytes((0xFF, _EOI))
_ICC_PREFIX = b"ICC_PROFILE\x00"
_EXIF_PREFIX = b"Exif\x00\x00"
MAX_SCANS = 500
"""Scans of a progressive file, inclusive; encoders write about ten, and each scan costs a pass over the picture
(the bound that libjpeg-turbo's own fuzzers use)."""

# libjpeg warnings after which the samples are still all there; every other warning means lost data.
_HARMLESS_WARNINGS = ("extraneous bytes before marker", "Unknown Adobe color transform", "Inconsistent progression")
_UNUSUAL_SAMPLING = "Could not determine subsampling"  # nothing is wrong with the file: simplejpeg knows the usual ones


@dataclass(slots=True)
class _Markers:
    """What the segments before the first scan say."""

    width: int = 0
    height: int = 0
    bits: int = 0
    frame_marker: int = 0
    table_of_component: list[int] = field(default_factory=list)
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    exif: bytes | None = None
    icc_parts: dict[int, bytes] = field(default_factory=dict)
    icc_count: int = 0
    adobe: bool = False
    essential: list[tuple[int, int]] = field(default_factory=list)
    telling: list[bytes] = field(default_factory=list)
    scan_offset: int = 0

    @property
    def icc(self) -> bytes | None:
        """The profile, when all its parts are there."""
        if not self.icc_parts or sorted(self.icc_parts) != list(range(1, self.icc_count + 1)):
            return None
        return b"".join(self.icc_parts[number] for number in sorted(self.icc_parts))


class JpegReader:
    """Reads one JPEG.

    Raises:
        ValueError: The markers up to the first scan are broken.
        UnsupportedFormatError: Hierarchical, or of two or more than four components: no decoder for it is at hand.
        LimitExceededError: More scans than `MAX_SCANS`.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._markers = _read_markers(data)
        if self._markers.frame_marker in _HIERARCHICAL:
            raise unsupported("hierarchical JPEG")
        if not _LEAST_BITS <= self._markers.bits <= _MOST_BITS:
            raise ValueError(f"{self._markers.bits} bits a sample")
        if len(self._markers.table_of_component) not in (1, 3, 4):
            raise unsupported(f"JPEG of {len(self._markers.table_of_component)} components")
        _check_scans(data, self._markers)

    @property
    def is_plain(self) -> bool:
        """Whether its samples have eight bits and go through a cosine transform, as those of nearly all files."""
        return self._markers.bits == 8 and self._markers.frame_marker not in _LOSSLESS

    @property
    def end(self) -> int:
        """Where the picture ends in the bytes; their end, where no marker says so."""
        found = self._data.find(_END, self._markers.scan_offset)
        return found + len(_END) if found >= 0 else len(self._data)

    @property
    def telling(self) -> tuple[bytes, ...]:
        """Application segments that say what else the file holds: XMP, several pictures, and those of no standard."""
        return tuple(self._markers.telling)

    @property
    def header(self) -> Header:
        """The header."""
        markers = self._markers
        tables = [markers.tables[number] for number in markers.table_of_component[:2] if number in markers.tables]
        return Header(
            width_px=markers.width,
            height_px=markers.height,
            frames=1,  # further pictures of a multi-picture file (MPO) are previews or depth, not frames
            has_alpha=False,
            lossless=markers.frame_marker in _LOSSLESS,
            icc=markers.icc,
            exif=parse_exif(markers.exif),
            jpeg_quality=estimate_quality(tables) if self.is_plain else None,
            bits=markers.bits,
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode at the smallest DCT scale whose sides are at least `least`."""
        return self._pixels(least, grey=len(self._markers.table_of_component) == 1)

    def luma(self, least: tuple[int, int] | None) -> Image.Image:
        """As `pixels`, grey where luma comes without colours; CMYK and disorderly files stay coloured."""
        return self._pixels(least, grey=True)

    def _pixels(self, least: tuple[int, int] | None, *, grey: bool) -> Image.Image:
        if not self.is_plain:
            return self._pixels_by_imagecodecs()
        if len(self._markers.table_of_component) == 4:
            return self._pixels_by_pillow(least)
        width, height = least or (0, 0)
        try:
            samples = simplejpeg.decode_jpeg(
                self._data, "GRAY" if grey else "RGB", min_width=width, min_height=height, strict=True
            )
        except ValueError as error:
            if not any(words in str(error) for words in (*_HARMLESS_WARNINGS, _UNUSUAL_SAMPLING)):
                raise
            return self._pixels_by_pillow(least)
        return Image.fromarray(samples[:, :, 0] if grey else samples)

    def deep_samples(self) -> NDArray[np.uint16] | None:
        """Samples of more than 8 bits brought to 16, (height, width) or (height, width, 3); None of all others."""
        if self._markers.bits <= 8 or len(self._markers.table_of_component) == 4:
            return None
        return self._samples_by_imagecodecs()

    def _samples_by_imagecodecs(self) -> NDArray[np.uint16]:
        import imagecodecs

        if self._data.find(_END, self._markers.scan_offset) < 0:
            raise ValueError("its data ends early")  # these decoders would fill up what is missing
        try:
            samples = imagecodecs.jpeg8_decode(self._data)
        except imagecodecs.Jpeg8Error:
            if self._markers.frame_marker not in _LOSSLESS:
                raise
            samples = imagecodecs.ljpeg_decode(self._data)
        if samples.ndim == 3 and samples.shape[2] not in (1, 3, 4):
            raise unsupported(f"lossless JPEG of {samples.shape[2]} components")
        if samples.ndim == 3 and samples.shape[2] == 1:
            samples = samples[:, :, 0]
        whole = samples.astype(np.uint32) * 65535 // ((1 << self._markers.bits) - 1)
        return np.minimum(whole, 65535).astype(np.uint16)

    def _pixels_by_imagecodecs(self) -> Image.Image:
        samples = self._samples_by_imagecodecs()
        if samples.ndim == 2 and self._markers.bits > 8:
            return Image.fromarray(samples)
        shown = (samples >> 8).astype(np.uint8)
        image = Image.fromarray(shown, "CMYK") if shown.shape[2:] == (4,) else Image.fromarray(shown)
        return ImageChops.invert(image) if image.mode == "CMYK" and self._markers.adobe else image

    def _pixels_by_pillow(self, least: tuple[int, int] | None) -> Image.Image:
        markers = self._markers
        lean = b"".join(
            [
                b"\xff\xd8",
                *(self._data[start:end] for start, end in markers.essential),
                self._data[markers.scan_offset :],
            ]
        )
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(lean))
        if least:
            image.draft(None, least)
        image.load()
        if image.mode == "CMYK" and not markers.adobe:
            # Pillow takes every CMYK JPEG for one of Adobe's, which store inverted ink.
            return ImageChops.invert(image)
        return image


def _read_markers(data: bytes) -> _Markers:
    markers, at = _Markers(), 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            raise ValueError("ends before the first scan")
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI:
            raise ValueError("ends before the first scan")
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data) or end < at + 4:
            raise ValueError(f"segment {marker:#04x} is longer than the file")
        if marker == _SOS:
            markers.scan_offset = at
            break
        _read_segment(markers, marker, data[at + 4 : end])
        if not (_APP0 <= marker <= _APP15 or marker == _COM) or marker == _APP14:
            markers.essential.append((at, end))
        at = end
    if not markers.frame_marker:
        raise ValueError("no frame header before the first scan")
    return markers


def _read_segment(markers: _Markers, marker: int, body: bytes) -> None:
    if marker in _FRAMES:
        if markers.frame_marker:
            raise ValueError("two frame headers")
        if len(body) < 6 or len(body) < 6 + 3 * body[5]:
            raise ValueError("frame header is too short")
        markers.frame_marker, markers.bits = marker, body[0]
        markers.height, markers.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        markers.table_of_component = [body[8 + 3 * number] for number in range(body[5])]
    elif marker == _DQT:
        _read_tables(markers, body)
    elif marker == _APP1 and body.startswith(_EXIF_PREFIX):
        markers.exif = markers.exif or body
    elif marker == _APP2 and body.startswith(_ICC_PREFIX) and len(body) > 14:
        markers.icc_parts.setdefault(body[12], body[14:])
        markers.icc_count = body[13]
    elif marker == _APP14 and body.startswith(b"Adobe"):
        markers.adobe = True
    elif marker in _TELLING:
        markers.telling.append(body)


def _read_tables(markers: _Markers, body: bytes) -> None:
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        size = 128 if wide else 64
        values = body[at + 1 : at + 1 + size]
        if len(values) < size:
            raise ValueError("quantisation table is too short")
        steps = zip(values[::2], values[1::2], strict=True) if wide else None
        markers.tables[number] = tuple(high << 8 | low for high, low in steps) if steps else tuple(values)
        at += 1 + size


def _check_scans(data: bytes, markers: _Markers) -> None:
    if markers.frame_marker not in _PROGRESSIVE:
        return
    # Coded data never holds FF followed by a marker code, so both can be looked for as plain bytes.
    end = data.find(b"\xff\xd9", markers.scan_offset)
    scans = data.count(b"\xff\xda", markers.scan_offset, end if end >= 0 else len(data))
    if scans > MAX_SCANS:
        raise LimitExceededError(f"The JPEG has {scans} scans; {MAX_SCANS} are allowed.")
