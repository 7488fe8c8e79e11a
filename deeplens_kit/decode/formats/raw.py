"""Camera RAW through LibRaw: whatever it reads, from DNG, NEF, CR2, CR3 and ARW to X3F and MRW.

Takes the bytes of one RAW file, gives its developed size and pixels: the embedded preview where that is big enough for
what is asked, else the picture that LibRaw develops. Both come upright and in sRGB. What the sensor saw is not compared
by anything, so a RAW is never taken for its preview. A preview that is missing or broken is no error.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import rawpy
from PIL import Image

from deeplens_kit.decode.camera_raw import camera_raw_kind
from deeplens_kit.decode.colour import plain_mode, to_srgb
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.jpeg import JpegReader
from deeplens_kit.decode.formats.raw_exif import raw_exif
from deeplens_kit.decode.signature import describe, unsupported

__all__ = ["RawReader"]

_QUARTER_TURNS = frozenset({5, 6})
# LibRaw's `flip` -> what Pillow does to make the stored picture upright.
_TURNS = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.ROTATE_90, 6: Image.Transpose.ROTATE_270}
_EXIF_TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
_ASPECT_TOLERANCE = 0.03  # inclusive: previews lose some lines at the sensor's border, never a side
_SENSOR_BITS = 16  # as LibRaw unpacks them, whatever of 10 to 16 the sensor gave


class RawReader:
    """Reads one RAW file.

    Raises:
        UnsupportedFormatError: LibRaw does not know it.
        Exception: Whatever LibRaw says of a broken file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        with self._opened() as raw:
            sizes = raw.sizes
        self._flip = int(sizes.flip)
        size = int(sizes.iwidth), int(sizes.iheight)
        self._size = size[::-1] if self._flip in _QUARTER_TURNS else size
        self._sensor_px = int(sizes.raw_width) * int(sizes.raw_height)
        self._preview: Image.Image | JpegReader | None = None
        self._looked = False

    @property
    def header(self) -> Header:
        """The header; its size is that of the developed picture."""
        preview = self._embedded()
        within = preview.header.exif if isinstance(preview, JpegReader) else None
        return Header(
            width_px=self._size[0],
            height_px=self._size[1],
            frames=1,
            has_alpha=False,
            lossless=True,
            icc=None,
            exif=replace(raw_exif(self._data, within), orientation=1),
            bits=_SENSOR_BITS,
            largest_buffer_px=self._sensor_px,
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """The preview where it is at least `least`, else the developed picture, at half size where that suffices."""
        if least is not None:
            preview = self._upright_preview(least)
            if preview is not None:
                return preview
        half = least is not None and all(side // 2 >= enough for side, enough in zip(self._size, least, strict=True))
        with self._opened() as raw:
            developed = np.asarray(raw.postprocess(use_camera_wb=True, half_size=half, output_bps=8))
        return Image.fromarray(developed[:, :, 0] if developed.shape[2:] == (1,) else developed)

    def _opened(self) -> Any:
        raw = rawpy.RawPy()
        try:
            raw.open_buffer(io.BytesIO(self._data))
        except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError) as error:
            raise unsupported(
                f"{camera_raw_kind(self._data) or describe(self._data)} that LibRaw cannot read"
            ) from error
        return raw

    def _embedded(self) -> Image.Image | JpegReader | None:
        """The largest embedded preview, not decoded where it is a JPEG; None where there is none to be used."""
        if not self._looked:
            self._looked = True
            try:
                with self._opened() as raw:
                    found = raw.extract_thumb()
                if found.format == rawpy.ThumbFormat.JPEG:
                    self._preview = JpegReader(found.data)
                elif found.format == rawpy.ThumbFormat.BITMAP:
                    self._preview = Image.fromarray(np.asarray(found.data))
            except Exception:  # noqa: BLE001 - whatever is wrong with a preview, the sensor's samples are still there
                self._preview = None
        return self._preview

    def _upright_preview(self, least: tuple[int, int]) -> Image.Image | None:
        preview, icc, orientation = self._embedded(), None, 1
        if preview is None:
            return None
        if isinstance(preview, JpegReader):
            header = preview.header
            size, icc, orientation = (header.width_px, header.height_px), header.icc, header.exif.orientation
        else:
            size = preview.size
        turn = self._turn(size, orientation)
        upright = size[::-1] if turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270) else size
        # A preview that claims to be larger than the sensor was never held against the limits.
        too_large = size[0] * size[1] > 2 * max(self._sensor_px, self._size[0] * self._size[1])
        if too_large or not self._same_shape(upright) or any(a < b for a, b in zip(upright, least, strict=True)):
            return None
        try:
            wanted = least if upright == size else least[::-1]
            stored = preview.pixels(wanted) if isinstance(preview, JpegReader) else preview
        except Exception:  # noqa: BLE001 - as above
            return None
        plain = to_srgb(plain_mode(stored), icc)
        return plain if turn is None else plain.transpose(turn)

    def _turn(self, size: tuple[int, int], orientation: int) -> Image.Transpose | None:
        """How a preview becomes upright: by its own EXIF where that says so, else as the sensor's picture does."""
        if orientation in _EXIF_TURNS:
            return _EXIF_TURNS[orientation]
        if self._flip in _QUARTER_TURNS and self._same_shape(size):
            return None  # it was stored upright
        return _TURNS.get(self._flip)

    def _same_shape(self, size: tuple[int, int]) -> bool:
        ours, its = self._size[0] / self._size[1], size[0] / max(1, size[1])
        return abs(its / ours - 1.0) <= _ASPECT_TOLERANCE
