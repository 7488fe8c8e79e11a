"""WebP (RFC 9649): RIFF chunks read here, the first frame decoded by libwebp through Pillow.

Takes the bytes of one WebP, gives header and pixels; must not open the decoder before the header was read,
because opening it allocates the canvas.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image, WebPImagePlugin

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.errors import LimitExceededError

__all__ = ["WebpReader"]

_LOSSY, _LOSSLESS, _EXTENDED = b"VP8 ", b"VP8L", b"VP8X"
_ALPHA_FLAG = 0x10
_FRAME_HEADER_BYTES = 16


class WebpReader:
    """Reads one WebP.

    Raises:
        ValueError: The container is cut off or its first chunk is unknown.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        end = 8 + int.from_bytes(data[4:8], "little")
        if end > len(data):
            raise ValueError("the file is cut off")
        self._chunks = list(_chunks(data, 12, end))
        if not self._chunks or self._chunks[0][0] not in (_LOSSY, _LOSSLESS, _EXTENDED):
            raise ValueError("starts with no picture chunk")

    @property
    def header(self) -> Header:
        """The header."""
        kind, start, _ = self._chunks[0]
        width, height, alpha = _dimensions(kind, self._data[start : start + 10])
        frames = [chunk for chunk in self._chunks if chunk[0] == b"ANMF"]
        exif, icc = self._chunk(b"EXIF"), self._chunk(b"ICCP")
        return Header(
            width_px=width,
            height_px=height,
            frames=max(len(frames), 1),
            has_alpha=alpha,
            lossless=self._coding(frames) == _LOSSLESS,
            icc=icc or None,
            exif=parse_exif(exif),
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first frame; always at full size."""
        try:
            image = WebPImagePlugin.WebPImageFile(io.BytesIO(self._data))
        except Image.DecompressionBombError as error:
            # Pillow's own bound, a global of the process that is not ours to change.
            raise LimitExceededError(f"The WebP decoder refuses this size: {error}") from error
        image.load()
        return image

    def _chunk(self, wanted: bytes) -> bytes | None:
        for kind, start, end in self._chunks:
            if kind == wanted:
                return self._data[start:end]
        return None

    def _coding(self, frames: list[tuple[bytes, int, int]]) -> bytes:
        inner = self._chunks
        if frames:
            inner = list(_chunks(self._data, frames[0][1] + _FRAME_HEADER_BYTES, frames[0][2]))
        return next((kind for kind, _, _ in inner if kind in (_LOSSY, _LOSSLESS)), b"")


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            raise ValueError("a chunk is cut off")
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + (size & 1)


def _dimensions(kind: bytes, head: bytes) -> tuple[int, int, bool]:
    if len(head) < (5 if kind == _LOSSLESS else 10):
        raise ValueError("its first chunk is too short")
    if kind == _EXTENDED:
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (4, 7))
        return width, height, bool(head[0] & _ALPHA_FLAG)
    if kind == _LOSSY:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        return width, height, False
    bits = int.from_bytes(head[1:5], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
