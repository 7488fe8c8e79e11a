"""What the catalog keeps of a picture beside its samples.

Takes a header that a reader gave, gives the values under the names of the `pictures` columns; must not touch
pixels. The position is private: it is kept, and shown only where a person asks for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from deeplens_kit.decode.formats.base import Header
from deeplens_kit.decode.tags.dates import PictureDates
from deeplens_kit.decode.tags.icc import profile_name

__all__ = ["PictureMetadata", "describe_picture", "upright_size"]

TRANSPOSED_ORIENTATIONS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


_CUT_MODES = ("L", "LA", "RGB", "RGBA", "CMYK", "LAB")  # of Pillow, whatever the file has
_GREY_DEPTHS = {(16, False): "I;16", (32, False): "I", (32, True): "F"}  # bits, floating: as Pillow names it


@dataclass(frozen=True, slots=True)
class PictureMetadata:
    """Fields are named as the columns of `pictures`, whose descriptions hold here.

    Attributes:
        format: As Pillow names it.
        mode: Pixel mode of the stored samples, as Pillow names it; where they have more than 8 bits, ";16", ";32" or
            ";64" follows, with an "f" for floating-point numbers. Grey of 16 bits is "I;16", of 32 "I", floating "F".
        width_px: Upright.
        height_px: Upright.
        frames: 1 for stills.
        orientation: EXIF 1..8 of the stored samples; 1 where the decoder turns by itself (HEIF).
        has_alpha: Some sample is transparent; of several frames, may be.
        has_icc: Holds a colour profile.
        icc_name: What the profile calls itself.
        lossless: The format keeps every sample.
        jpeg_quality: 1..100, or None for other formats.
        taken_at: By the camera's clock, without a zone or fractions: EXIF alone, so that what an editor wrote never
            makes a copy look like another photograph.
        dated_at: When the picture was made as far as any block says, by the clock of the place.
        taken_at_utc: `dated_at` in UTC, where a zone is known.
        taken_at_origin: The fields that `dated_at` and its zone come from.
        camera: Maker and model.
        gps_latitude: Degrees north, -90..90.
        gps_longitude: Degrees east, -180..180.
        auxiliary: What the file holds beside its picture, words of `auxiliary.KINDS`, sorted, joined by ", ".
    """

    format: str
    mode: str
    width_px: int
    height_px: int
    frames: int
    orientation: int
    has_alpha: bool
    has_icc: bool
    icc_name: str | None
    lossless: bool
    jpeg_quality: int | None
    taken_at: datetime | None
    dated_at: datetime | None
    taken_at_utc: datetime | None
    taken_at_origin: str | None
    camera: str | None
    gps_latitude: float | None
    gps_longitude: float | None
    auxiliary: str = ""


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height after the EXIF orientation (1..8) was applied."""
    width, height = size
    return (height, width) if orientation in TRANSPOSED_ORIENTATIONS else (width, height)


def _stored_mode(mode: str, header: Header) -> str:
    """The mode that Pillow gives, with the depth of the stored samples, so that no deeper picture passes for it."""
    bits = next((depth for depth in (8, 16, 32) if header.bits <= depth), 64)
    if header.floating:
        bits = max(bits, 16)
    elif bits == 8:
        return mode
    grey = "L" if mode in ("I", "F") or mode.startswith("I;16") else mode
    if grey not in _CUT_MODES:
        return mode
    if grey == "L" and (bits, header.floating) in _GREY_DEPTHS:
        return _GREY_DEPTHS[bits, header.floating]
    return f"{grey};{bits}{'f' if header.floating else ''}"


def describe_picture(
    format_name: str,
    mode: str,
    header: Header,
    dates: PictureDates,
    *,
    transparent: bool,
    auxiliary: Collection[str] = (),
) -> PictureMetadata:
    """Put a header under the names of the catalog.

    Args:
        format_name: As `signature.sniff` names it.
        mode: Pillow mode of the decoded samples, before any conversion.
        header: What the reader found.
        dates: What its tags say of when it was made.
        transparent: Whether some sample is transparent; that it could be is not enough.
        auxiliary: What the file holds beside its picture.
    """
    exif = header.exif
    width, height = upright_size((header.width_px, header.height_px), exif.orientation)
    return PictureMetadata(
        format=format_name,
        mode=_stored_mode(mode, header),
        width_px=width,
        height_px=height,
        frames=header.frames,
        orientation=exif.orientation,
        has_alpha=transparent,
        has_icc=header.icc is not None or header.has_profile,
        icc_name=profile_name(header.icc),
        lossless=header.lossless,
        jpeg_quality=header.jpeg_quality,
        taken_at=exif.taken_at,
        dated_at=dates.dated_at,
        taken_at_utc=dates.taken_at_utc,
        taken_at_origin=dates.origin,
        camera=exif.camera,
        gps_latitude=exif.gps_latitude,
        gps_longitude=exif.gps_longitude,
        auxiliary=", ".join(sorted(auxiliary)),
    )
