"""HEIC (ISO/IEC 23008-12 with HEVC) through libheif.

Takes the bytes of one file, gives header and pixels of its primary picture, or of the first frame of a sequence that
has none; must not turn it: libheif applies the container's own rotation, beside which the EXIF orientation is only a
remark, so it is reported as 1.
"""

from __future__ import annotations

from dataclasses import replace

import pillow_heif
from PIL import Image

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.boxes import top_boxes
from deeplens_kit.decode.formats.heif_sequence import read_sequence, still_of

__all__ = ["HeifReader"]


class HeifReader:
    """Reads one HEIC.

    Raises:
        Exception: Whatever libheif says of a broken container.
    """

    def __init__(self, data: bytes) -> None:
        sequence = read_sequence(data)
        self._frames = sequence.frames if sequence else 0
        if sequence and b"meta" not in top_boxes(data):
            data = still_of(data, sequence)  # libheif reads what is an item; this has only frames
        self._file = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
        if not len(self._file):
            raise ValueError("holds no picture")

    @property
    def header(self) -> Header:
        """The header."""
        width, height = self._file.size
        info = self._file.info
        return Header(
            width_px=width,
            height_px=height,
            frames=max(len(self._file), self._frames),
            has_alpha=bool(self._file.has_alpha),
            lossless=False,
            icc=info.get("icc_profile") or None,
            exif=replace(parse_exif(info.get("exif")), orientation=1),
            bits=int(info.get("bit_depth", 8)),
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the primary picture; always at full size."""
        primary = self._file[self._file.primary_index]
        samples = primary.data  # decodes; the size may be corrected by it
        return Image.frombytes(primary.mode, primary.size, bytes(samples), "raw", primary.mode, primary.stride)
