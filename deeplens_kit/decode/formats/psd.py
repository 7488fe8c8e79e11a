"""Photoshop PSD and PSB: the composite picture that Photoshop keeps for other programs.

Takes the bytes of one file, gives header and composite; must not look into layers, which only Photoshop can put
together, nor make up a composite where the file was saved without one. (Adobe Photoshop File Formats Specification,
2019.)
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.colour import linear_to_srgb
from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.signature import unsupported

__all__ = ["PsdReader"]

_HEADER = struct.Struct(">4sH6xHIIHH")
_BITMAP, _GREY, _INDEXED, _COLOUR, _INK, _DUOTONE, _LAB = 0, 1, 2, 3, 4, 8, 9
_CHANNELS = {_BITMAP: 1, _GREY: 1, _INDEXED: 1, _COLOUR: 3, _INK: 4, _DUOTONE: 1, _LAB: 3}
_MODES = {_GREY: "L", _DUOTONE: "L", _COLOUR: "RGB", _INK: "CMYK", _LAB: "LAB"}
_MODE_NAMES = {7: "multichannel"}
_MAX_CHANNELS = 56  # of the specification, inclusive
_ICC, _VERSION_INFO, _EXIF = 1039, 1057, 1058
_FLOATING_BITS = 32
_RAW, _RUNS, _ZIP, _ZIP_DIFFERENCES = range(4)


@dataclass(frozen=True, slots=True)
class _Layers:
    """The section of layers: how many, whether the first channel behind the colours is transparency, where it ends."""

    count: int
    transparency: bool
    end: int


class PsdReader:
    """Reads one PSD or PSB.

    Raises:
        ValueError: A section is cut off, or the header says what does not exist.
        UnsupportedFormatError: It was saved without a composite, or in a mode that no picture can be made of.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        _, version, channels, self._height, self._width, self._depth, self._mode = _HEADER.unpack_from(data)
        self._big = version == 2
        if not 1 <= channels <= _MAX_CHANNELS or self._depth not in (1, 8, 16, 32):
            raise ValueError(f"{channels} channels of {self._depth} bits")
        if self._mode not in _CHANNELS:
            raise unsupported(f"Photoshop picture in {_MODE_NAMES.get(self._mode, 'unknown')} mode")
        if channels < _CHANNELS[self._mode] or (self._depth == 1) != (self._mode == _BITMAP):
            raise ValueError(f"{channels} channels of {self._depth} bits in mode {self._mode}")
        self._channels = channels
        palette_at = _HEADER.size + 4
        palette_end = palette_at + self._length(_HEADER.size)
        self._palette = data[palette_at:palette_end]
        resources_end = palette_end + 4 + self._length(palette_end)
        self._resources = _resources(data, palette_end + 4, resources_end)
        self._layers = self._read_layers(resources_end)
        version_info = self._resources.get(_VERSION_INFO, b"")
        if (len(version_info) > 4 and not version_info[4]) or self._layers.end + 2 > len(data):
            raise unsupported("Photoshop picture saved without a composite; save it again to 'maximize compatibility'")

    @property
    def layers(self) -> int:
        """How many layers it has; 0 where it is flat."""
        return self._layers.count

    @property
    def unused_channels(self) -> int:
        """How many channels are neither colours nor the transparency of the picture: saved selections, spot inks."""
        channels: int = self._channels - _CHANNELS[self._mode] - self._layers.transparency
        return max(0, channels)

    @property
    def header(self) -> Header:
        """The header."""
        return Header(
            width_px=self._width,
            height_px=self._height,
            frames=1,
            has_alpha=self._has_alpha,
            lossless=True,
            icc=self._resources.get(_ICC) or None,
            exif=parse_exif(self._resources.get(_EXIF)),
            bits=self._depth,
            floating=self._depth == _FLOATING_BITS,
            # Photoshop keeps all channels; those behind the colours are unpacked with them.
            largest_buffer_px=self._width * self._height * max(1, self._channels // 4),
        )

    @property
    def _has_alpha(self) -> bool:
        known = self._mode in (_GREY, _COLOUR)
        return known and self._layers.transparency and self._channels > _CHANNELS[self._mode]

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the composite; always at full size."""
        if self._mode == _BITMAP:
            rows = self._unpacked((self._width + 7) // 8, 1)[0]
            bits = np.unpackbits(rows, axis=1)[:, : self._width]
            return Image.fromarray(np.where(bits == 1, 0, 255).astype(np.uint8))
        wanted = _CHANNELS[self._mode] + self._has_alpha
        planes = self._eight_bits(self._unpacked(self._width * self._depth // 8, wanted))
        if self._mode == _INDEXED:
            image = Image.fromarray(planes[0], "P")
            image.putpalette(np.frombuffer(self._palette[:768].ljust(768, b"\0"), np.uint8).reshape(3, 256).T.tobytes())
            return image
        if self._mode == _INK:
            planes = 255 - planes  # stored as what is left of the paper
        mode = _MODES[self._mode] + ("A" if self._has_alpha else "")
        return Image.merge(mode, [Image.fromarray(plane) for plane in planes])

    def _eight_bits(self, planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._depth == 16:
            return np.ascontiguousarray(planes[:, :, ::2])  # the high bytes, as of 16-bit colour elsewhere
        if self._depth == 32:
            # 32 bits are light itself, however bright; 1 is the white of a screen. Transparency stays as it is.
            values = planes.view(">f4").astype(np.float32)
            shown = np.stack([linear_to_srgb(plane) for plane in values])
            if self._has_alpha:
                shown[-1] = (np.clip(np.nan_to_num(values[-1]), 0, 1) * 255 + 0.5).astype(np.uint8)
            return shown
        return planes

    def _unpacked(self, row_bytes: int, wanted: int) -> NDArray[np.uint8]:
        """(wanted, height, row_bytes) uint8: the first channels of the composite."""
        at = self._layers.end
        kind: int = struct.unpack_from(">H", self._data, at)[0]
        size = wanted * self._height * row_bytes
        body = memoryview(self._data)[at + 2 :]
        if kind == _RAW:
            plain = bytes(body[:size])
        elif kind == _RUNS:
            plain = self._unrun(body, wanted, size)
        elif kind in (_ZIP, _ZIP_DIFFERENCES):
            plain = zlib.decompressobj().decompress(body, size)
        else:
            raise ValueError(f"compression {kind} does not exist")
        if len(plain) < size:
            raise ValueError("its composite is cut off")
        planes = np.frombuffer(plain, np.uint8, size).reshape(wanted, self._height, row_bytes)
        return self._summed(planes) if kind == _ZIP_DIFFERENCES else planes

    def _unrun(self, body: memoryview, wanted: int, size: int) -> bytes:
        import imagecodecs

        # The lengths of all rows come first; rows end where runs end, so that all can be unpacked as one.
        kind = np.dtype(">u4" if self._big else ">u2")
        rows = self._height * self._channels
        if len(body) < rows * kind.itemsize:
            raise ValueError("its composite is cut off")
        lengths = np.frombuffer(body, kind, rows).astype(np.int64)
        start = rows * kind.itemsize
        packed = int(lengths[: self._height * wanted].sum())
        if start + packed > len(body):
            raise ValueError("its composite is cut off")
        return bytes(imagecodecs.packbits_decode(bytes(body[start : start + packed]), out=size))

    def _summed(self, planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Rows that hold differences to the sample on the left."""
        if self._depth == 16:
            values = np.cumsum(planes.view(">u2").astype(np.uint32), axis=2).astype(np.uint16)
            return values.astype(">u2").view(np.uint8)
        summed = np.cumsum(planes, axis=2, dtype=np.uint8)
        if self._depth == 32:
            # Differences of bytes; the four bytes of all samples of a row stand apart.
            apart = summed.reshape(*summed.shape[:2], 4, -1)
            return np.ascontiguousarray(apart.swapaxes(2, 3)).reshape(summed.shape)
        return summed

    def _length(self, at: int, width: int = 4) -> int:
        if at + width > len(self._data):
            raise ValueError("the file is cut off")
        return int.from_bytes(self._data[at : at + width], "big")

    def _read_layers(self, at: int) -> _Layers:
        width = 8 if self._big else 4
        size = self._length(at, width)
        end = at + width + size
        if size == 0:
            return _Layers(0, False, end)
        inner = self._length(at + width, width)
        start = at + 2 * width
        count = struct.unpack_from(">h", self._data, start)[0] if inner >= 2 and start + 2 <= len(self._data) else 0
        transparency = count < 0
        if not inner:
            # Of 16 and 32 bits the layers stand in a block of their own.
            kinds = (signature + key for signature in (b"8BIM", b"8B64") for key in (b"Lr16", b"Lr32"))
            block = max(self._data.find(kind, start, end) for kind in kinds)
            if block >= 0:
                block += 8 + width
                count = struct.unpack_from(">h", self._data, block)[0] if block + 2 <= len(self._data) else 0
                transparency = count < 0
        return _Layers(abs(count), transparency, end)


def _resources(data: bytes, at: int, end: int) -> dict[int, bytes]:
    """The image resources by number; what does not fit ends them."""
    found: dict[int, bytes] = {}
    while at + 12 <= min(end, len(data)) and data[at : at + 4] == b"8BIM":
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        at += 6 + (data[at + 6] + 2) // 2 * 2  # a name of even length with its length before it
        size = int.from_bytes(data[at : at + 4], "big")
        found.setdefault(number, data[at + 4 : min(end, at + 4 + size)])
        at += 4 + size + (size & 1)
    return found
