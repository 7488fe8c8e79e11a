"""PNG (ISO/IEC 15948): chunks checked here, samples inflated by Pillow from the critical chunks alone.

Takes the bytes of one PNG, gives header and pixels of the default image; must not accept a file that ends before
IEND or whose critical chunks fail their checksum.
"""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image, PngImagePlugin

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header

__all__ = ["PngReader"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_HEADER = struct.Struct(">IIBBBBB")
MAX_PROFILE_BYTES = 4 * 2**20
"""A colour profile that inflates beyond this is taken for a bomb and ignored; printers' profiles are near 2 MB."""


class PngReader:
    """Reads one PNG or the default image of an APNG.

    Raises:
        ValueError: A chunk is cut off, out of place or fails its checksum.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kept: list[tuple[int, int]] = []
        self._ancillary: dict[bytes, tuple[int, int]] = {}
        self._read_chunks()
        fields = _HEADER.unpack(data[16:29])
        self._width, self._height, self._depth, self._colour = fields[:4]

    def _read_chunks(self) -> None:
        data, at, kind, has_samples = self._data, len(_SIGNATURE), b"", False
        while kind != b"IEND":
            if at + 12 > len(data):
                raise ValueError("ends before its last chunk")
            length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
            end = at + 12 + length
            if end > len(data):
                raise ValueError(f"chunk {kind.decode('latin-1')} is cut off")
            if at == len(_SIGNATURE) and (kind != b"IHDR" or length != _HEADER.size):
                raise ValueError("does not start with a header")
            if kind in _KEPT:
                # zlib.crc32 of a memoryview copies nothing
                checksum = zlib.crc32(memoryview(data)[at + 4 : end - 4])
                if checksum != int.from_bytes(data[end - 4 : end], "big"):
                    raise ValueError(f"chunk {kind.decode('latin-1')} fails its checksum")
                self._kept.append((at, end))
                has_samples = has_samples or kind == b"IDAT"
            if kind not in (b"IDAT", b"IEND"):
                self._ancillary.setdefault(kind, (at + 8, end - 4))
            at = end
        if not has_samples:
            raise ValueError("holds no samples")

    @property
    def end(self) -> int:
        """Where the last chunk ends in the bytes."""
        return self._kept[-1][1]

    def chunk(self, kind: bytes) -> bytes | None:
        """The body of the first chunk of a kind, samples aside; None where there is none."""
        place = self._ancillary.get(kind)
        return self._data[place[0] : place[1]] if place else None

    @property
    def header(self) -> Header:
        """The header."""
        control = self.chunk(b"acTL")
        frames = int.from_bytes(control[:4], "big") if control and len(control) == 8 else 1
        return Header(
            width_px=self._width,
            height_px=self._height,
            frames=max(frames, 1),
            has_alpha=self._colour in (4, 6) or b"tRNS" in self._ancillary,
            lossless=True,
            icc=_inflate_profile(self.chunk(b"iCCP")),
            exif=parse_exif(self.chunk(b"eXIf")),
            bits=self._depth,
        )

    def samples_alone(self) -> bytes:
        """The file without what is not samples, for decoders that would stumble over it."""
        # Pillow cuts 16-bit samples to 8 but not the transparent colour, which then matches nothing or fails.
        left_out = b"tRNS" if self._depth == 16 else b""
        kept = (self._data[start:end] for start, end in self._kept if self._data[start + 4 : start + 8] != left_out)
        return b"".join([_SIGNATURE, *kept])

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the default image; always at full size."""
        image = PngImagePlugin.PngImageFile(io.BytesIO(self.samples_alone()))
        image.load()
        return image


def _inflate_profile(chunk: bytes | None) -> bytes | None:
    if chunk is None:
        return None
    name, _, rest = chunk.partition(b"\x00")
    if not rest or len(name) > 79:
        return None
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(rest[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflater.eof else None
