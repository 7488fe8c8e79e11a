"""What a conversion is asked for, what it gives, and what each format can hold.

Takes the words of a user, gives frozen values of plain types, so that they travel between processes; must not load
a codec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deeplens_kit.errors import SettingsError, UnknownNameError

__all__ = ["DEFAULT_QUALITY", "TARGETS", "ConversionTarget", "Converted", "TargetFormat"]

DEFAULT_QUALITY = 90
"""Of lossy formats, where none is asked for: on photographs the difference is looked for, not seen."""

_HIGHEST_QUALITY = 100  # inclusive


@dataclass(frozen=True, slots=True)
class TargetFormat:
    """What a format that is written can hold.

    Attributes:
        format: As `signature.sniff` names it; "JXL" for JPEG XL.
        ending: Of file names, with the point.
        bits: The most of a sample.
        alpha: Transparency.
        grey: One channel, as opposed to three that are equal.
        grey_alpha: One channel with transparency.
        animation: Frames of an animation.
        keeps_all: Always keeps every sample; else where that is asked for.
        can_keep_all: Keeps every sample where that is asked for.
        profile: A colour profile; else samples are brought to sRGB.
        longest_side_px: Inclusive.
        largest_block_bytes: Of EXIF or XMP, inclusive.
    """

    format: str
    ending: str
    bits: int = 8
    alpha: bool = True
    grey: bool = True
    grey_alpha: bool = True
    animation: bool = False
    keeps_all: bool = False
    can_keep_all: bool = True
    profile: bool = True
    longest_side_px: int = 2**31 - 1
    largest_block_bytes: int = 2**30


TARGETS: Mapping[str, TargetFormat] = {
    "avif": TargetFormat("AVIF", ".avif", bits=12, grey=False, grey_alpha=False, animation=True, longest_side_px=65536),
    "heif": TargetFormat("HEIF", ".heic", bits=10, grey_alpha=False, longest_side_px=16384),
    # A segment of JPEG holds 65,533 bytes, of which the name of XMP takes 29.
    "jpeg": TargetFormat(
        "JPEG",
        ".jpg",
        alpha=False,
        grey_alpha=False,
        can_keep_all=False,
        longest_side_px=65500,
        largest_block_bytes=65504,
    ),
    "jxl": TargetFormat("JXL", ".jxl", bits=16, profile=False),
    "png": TargetFormat("PNG", ".png", bits=16, animation=True, keeps_all=True),
    "tiff": TargetFormat("TIFF", ".tif", bits=16, keeps_all=True),
    "webp": TargetFormat("WEBP", ".webp", grey=False, grey_alpha=False, animation=True, longest_side_px=16383),
}
"""The formats that are written, by the word for them."""


@dataclass(frozen=True, slots=True)
class ConversionTarget:
    """What a picture is to become.

    Attributes:
        format: A name of `TARGETS`.
        quality: 1..100 as the format's encoder counts, of lossy formats alone; None for `DEFAULT_QUALITY`.
        lossless: Keep every sample.
        max_side_px: The long side is reduced to this; None keeps the size. Nothing is enlarged.
        strip_metadata: Leave out EXIF and XMP, and with them position, serial numbers and names; the colour profile
            stays, without which the colours would be others.

    Raises:
        SettingsError: A value that is not allowed, or two that contradict each other.
    """

    format: str
    quality: int | None = None
    lossless: bool = False
    max_side_px: int | None = None
    strip_metadata: bool = False

    def __post_init__(self) -> None:
        if self.format not in TARGETS:
            raise UnknownNameError("format to convert to", self.format, TARGETS)
        held = TARGETS[self.format]
        if self.quality is not None:
            if not 1 <= self.quality <= _HIGHEST_QUALITY:
                raise SettingsError(f"The quality is {self.quality}; it must be 1 to {_HIGHEST_QUALITY}.")
            if self.lossless or held.keeps_all:
                what = f"{self.format} keeps every sample" if held.keeps_all else "lossless keeps every sample"
                raise SettingsError(f"A quality of {self.quality} says nothing here: {what}; leave it out.")
        if self.lossless and not held.can_keep_all:
            able = ", ".join(sorted(name for name, other in TARGETS.items() if other.can_keep_all))
            raise SettingsError(f"{self.format} cannot keep every sample; lossless formats: {able}.")
        if self.max_side_px is not None and self.max_side_px < 1:
            raise SettingsError(f"The longest side is {self.max_side_px} px; it must be at least 1.")

    @property
    def held(self) -> TargetFormat:
        """What the format can hold."""
        return TARGETS[self.format]

    @property
    def keeps_all(self) -> bool:
        """Whether encoding is to change no sample."""
        return self.lossless or self.held.keeps_all

    @property
    def asked_quality(self) -> int:
        """The quality of a lossy encoding."""
        return DEFAULT_QUALITY if self.quality is None else self.quality


@dataclass(frozen=True, slots=True)
class Converted:
    """A converted copy and what it is beside its source; all of it was found by decoding the copy again.

    Attributes:
        data: The file.
        format: Of the copy, as `TargetFormat.format`.
        source_format: Of the source.
        width_px: Of the copy, upright.
        height_px: Of the copy, upright.
        source_width_px: Upright.
        source_height_px: Upright.
        frames: Of the copy.
        source_frames: Frames, pages or pictures of the source.
        bits: Of a sample of the copy.
        source_bits: Of a sample of the source.
        exact: Every sample of the source is in the copy, frame by frame.
        psnr_db: Peak signal-to-noise ratio against the source at the copy's size, both in sRGB on white, over all
            frames; None where they show no difference.
        ssim: Structural similarity of the same in luma, -1..1, mean over squares of 8 px.
        has_position: The copy says where it was taken.
        lost: What is not in the copy, one thing each, in words.
    """

    data: bytes
    format: str
    source_format: str
    width_px: int
    height_px: int
    source_width_px: int
    source_height_px: int
    frames: int
    source_frames: int
    bits: int
    source_bits: int
    exact: bool
    psnr_db: float | None
    ssim: float
    has_position: bool
    lost: tuple[str, ...]

    def without_data(self) -> Converted:
        """The same facts without the bytes, which are large."""
        return replace(self, data=b"")
