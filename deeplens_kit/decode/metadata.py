"""What the catalog keeps of a picture beside its samples.

Takes a header that a reader gave, gives the values under the names of the `pictures` columns; must not touch
pixels. The position is private: it is kept, and shown only where a person asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deeplens_kit.decode.formats.base import Header

__all__ = ["PictureMetadata", "describe_picture", "upright_size"]

TRANSPOSED_ORIENTATIONS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


_CUT_MODES = ("LA", "RGB", "RGBA")  # of Pillow, whatever the file has


@dataclass(frozen=True, slots=True)
class PictureMetadata:
    """Fields are named as the columns of `pictures`, whose descriptions hold here.

    Attributes:
        format: As Pillow names it.
        mode: Pixel mode of the stored samples, as Pillow names it; ";16" follows where it cuts 16 bits to 8.
        width_px: Upright.
        height_px: Upright.
        frames: 1 for stills.
        orientation: EXIF 1..8 of the stored samples; 1 where the decoder turns by itself (HEIF).
        has_alpha: Some sample is transparent; of several frames, may be.
        has_icc: Holds a colour profile.
        lossless: The format keeps every sample.
        jpeg_quality: 1..100, or None for other formats.
        taken_at: By the camera's clock, without a zone.
        camera: Maker and model.
        gps_latitude: Degrees north, -90..90.
        gps_longitude: Degrees east, -180..180.
    """

    format: str
    mode: str
    width_px: int
    height_px: int
    frames: int
    orientation: int
    has_alpha: bool
    has_icc: bool
    lossless: bool
    jpeg_quality: int | None
    taken_at: datetime | None
    camera: str | None
    gps_latitude: float | None
    gps_longitude: float | None


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height after the EXIF orientation (1..8) was applied."""
    width, height = size
    return (height, width) if orientation in TRANSPOSED_ORIENTATIONS else (width, height)


def describe_picture(format_name: str, mode: str, header: Header, *, transparent: bool) -> PictureMetadata:
    """Put a header under the names of the catalog.

    Args:
        format_name: As `signature.sniff` names it.
        mode: Pillow mode of the decoded samples, before any conversion.
        header: What the reader found.
        transparent: Whether some sample is transparent; that it could be is not enough.
    """
    exif = header.exif
    width, height = upright_size((header.width_px, header.height_px), exif.orientation)
    return PictureMetadata(
        format=format_name,
        mode=f"{mode};16" if header.bits == 16 and mode in _CUT_MODES else mode,
        width_px=width,
        height_px=height,
        frames=header.frames,
        orientation=exif.orientation,
        has_alpha=transparent,
        has_icc=header.icc is not None,
        lossless=header.lossless,
        jpeg_quality=header.jpeg_quality,
        taken_at=exif.taken_at,
        camera=exif.camera,
        gps_latitude=exif.gps_latitude,
        gps_longitude=exif.gps_longitude,
    )
