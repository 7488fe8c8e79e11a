"""The portable maps of Netpbm: PBM, PGM, PPM, PAM and PFM.

Takes the bytes of one file, gives header and pixels of its first picture; must not scale before `pixels` is called.
Samples of 16 bits and floating-point ones are read here, plain text ones by Pillow.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PpmImagePlugin

from deeplens_kit.decode.colour import linear_to_srgb
from deeplens_kit.decode.exif import ExifFacts
from deeplens_kit.decode.formats.base import Header

__all__ = ["PnmReader"]

_HEAD_BYTES = 1 << 16  # own bound: comments before the samples
_GAP = rb"(?:[ \t\r\n\v\f]|#[^\n\r]*[\n\r])+"
_PLAIN = re.compile(rb"P([1-6])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})")
_GREATEST = re.compile(_GAP + rb"(\d{1,5})")
_FLOATING = re.compile(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+(-?[\d.eE+-]{1,32})\s")
_ARBITRARY = re.compile(rb"P7\s*\n((?:[^\n]*\n)*?)ENDHDR[ \t\r]*\n")
_FURTHER = re.compile(rb"\s*P[1-7Ff]\s")
_FURTHER_IN_TEXT = re.compile(rb"\sP[1-7Ff]\s")
_UINT16_MAX = 65535


@dataclass(frozen=True, slots=True)
class _Layout:
    """How samples lie: `kind` is the second letter of the file."""

    kind: str
    width: int
    height: int
    channels: int
    greatest: int
    start: int
    scale: float = 0.0


class PnmReader:
    """Reads one portable map.

    Raises:
        ValueError: Its header is broken.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._layout = _read_layout(data[:_HEAD_BYTES])

    @property
    def end(self) -> int | None:
        """Where its binary samples end; None for samples in text."""
        return None if self.size_bytes is None else self._layout.start + self.size_bytes

    @property
    def has_more(self) -> bool:
        """Whether a further picture follows the first, as in files that are put together from several."""
        if self.end is None:
            return _FURTHER_IN_TEXT.search(self._data, self._layout.start) is not None
        return _FURTHER.match(self._data, self.end) is not None

    @property
    def size_bytes(self) -> int | None:
        """Bytes of the samples; None for samples in text."""
        layout = self._layout
        if layout.kind in "123":
            return None
        if layout.kind == "4":
            return (layout.width + 7) // 8 * layout.height
        return layout.width * layout.height * layout.channels * self._type.itemsize

    @property
    def is_exact(self) -> bool:
        """Whether Pillow gives every sample as it is stored: bits, or bytes that use their whole range."""
        return self._layout.kind == "4" or (self._layout.kind in "56" and self._layout.greatest == 255)

    @property
    def header(self) -> Header:
        """The header."""
        layout = self._layout
        return Header(
            width_px=layout.width,
            height_px=layout.height,
            frames=1,
            has_alpha=layout.channels in (2, 4),
            lossless=True,
            icc=None,
            exif=ExifFacts(),
            bits=32 if layout.kind in "Ff" else 16 if layout.greatest > 255 else 8,
            floating=layout.kind in "Ff",
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first picture; always at full size."""
        layout = self._layout
        if self.end is not None and len(self._data) < self.end:
            raise ValueError("its samples are cut off")
        if layout.kind in "1234" or self.is_exact:
            image = PpmImagePlugin.PpmImageFile(io.BytesIO(self._data))
            image.load()
            return image
        count = layout.width * layout.height * layout.channels
        stored = np.frombuffer(self._data, self._type, count, layout.start)
        samples = stored.reshape(layout.height, layout.width, layout.channels)
        if layout.kind in "Ff":
            upright = samples[::-1].astype(np.float32)  # the lowest row comes first
            if layout.channels == 1:
                return Image.fromarray(np.ascontiguousarray(upright[:, :, 0]))  # distances more often than light
            return _image(linear_to_srgb(upright))
        if layout.channels == 1 and layout.greatest > 255:
            scaled = samples[:, :, 0].astype(np.uint32) * _UINT16_MAX // layout.greatest
            return Image.fromarray(np.minimum(scaled, _UINT16_MAX).astype(np.uint16))
        scaled = np.minimum(samples.astype(np.uint32) * 255 // layout.greatest, 255)
        return _image(scaled.astype(np.uint8))

    @property
    def _type(self) -> np.dtype[np.generic]:
        if self._layout.kind in "Ff":
            return np.dtype("<f4" if self._layout.scale < 0 else ">f4")
        return np.dtype(">u2" if self._layout.greatest > 255 else "u1")


def _image(samples: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else np.ascontiguousarray(samples))


def _read_layout(head: bytes) -> _Layout:
    if head.startswith(b"P7"):
        return _read_arbitrary(head)
    floating = _FLOATING.match(head)
    if floating:
        kind, scale = floating[1].decode(), float(floating[4])
        if not scale:
            raise ValueError("its scale is 0")
        return _Layout(kind, int(floating[2]), int(floating[3]), 3 if kind == "F" else 1, 1, floating.end(), scale)
    plain = _PLAIN.match(head)
    if not plain:
        raise ValueError("its header is broken")
    kind, greatest, end = plain[1].decode(), 1, plain.end()
    if kind not in "14":
        found = _GREATEST.match(head, end)
        if not found or not 1 <= int(found[1]) <= _UINT16_MAX:
            raise ValueError("its greatest sample is none")
        greatest, end = int(found[1]), found.end()
    return _Layout(kind, int(plain[2]), int(plain[3]), 3 if kind in "36" else 1, greatest, end + 1)


def _read_arbitrary(head: bytes) -> _Layout:
    found = _ARBITRARY.match(head)
    if not found:
        raise ValueError("its header is broken")
    lines = (line.split(None, 1) for line in found[1].split(b"\n") if line.strip() and not line.startswith(b"#"))
    said = {line[0]: line[1].strip() for line in lines if len(line) == 2}
    width, height, depth, greatest = (int(said[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
    if not 1 <= depth <= 4 or not 1 <= greatest <= _UINT16_MAX:
        raise ValueError(f"{depth} channels up to {greatest}")
    return _Layout("7", width, height, depth, greatest, found.end())
