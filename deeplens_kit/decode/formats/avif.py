"""AVIF through libavif and Pillow.

Takes the bytes of one file, gives header and pixels of its first frame; must not let the decoder see the EXIF
item, which Pillow parses while it opens the file and which may be broken. The rotation of the container is what
counts, as the orientation that would undo it.
"""

from __future__ import annotations

import io
from dataclasses import replace

from PIL import AvifImagePlugin, Image

from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.formats.boxes import find_exif_item, item_facts, without_exif_item

__all__ = ["AvifReader"]


class AvifReader:
    """Reads one AVIF.

    Raises:
        Exception: Whatever libavif says of a broken container.
    """

    def __init__(self, data: bytes) -> None:
        facts = item_facts(data)
        self._deep = facts is not None and facts.deep
        self._exif = parse_exif(find_exif_item(data))
        self._image = AvifImagePlugin.AvifImageFile(io.BytesIO(without_exif_item(data)))

    @property
    def header(self) -> Header:
        """The header."""
        width, height = self._image.size
        info = self._image.info
        turned = parse_exif(info.get("exif")).orientation  # Pillow words the container's rotation as EXIF
        return Header(
            width_px=width,
            height_px=height,
            frames=getattr(self._image, "n_frames", 1),
            has_alpha=self._image.mode == "RGBA",
            lossless=False,
            icc=info.get("icc_profile") or None,
            exif=replace(self._exif, orientation=turned),
            bits=16 if self._deep else 8,
        )

    def pixels(self, least: tuple[int, int] | None) -> Image.Image:
        """Decode the first frame; always at full size."""
        self._image.load()
        return self._image
