"""Bytes of one file to an upright sRGB picture of bounded size, with its metadata.

Takes untrusted bytes and limits, gives samples; must not read a file, and lets out no error but an `ObjectError`.
There is one path for all formats, named by `DECODE_SPEC`: header, limits, decode (JPEG at the smallest DCT scale
that is not below the target), Hamming reduction, sRGB on white, orientation last because it is cheapest on the
smallest picture. The time goes into libjpeg-turbo, Pillow and Little CMS, which all release the GIL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.auxiliary import auxiliary_parts
from deeplens_kit.decode.colour import any_transparent, plain_mode, to_srgb
from deeplens_kit.decode.fault_words import fault_words
from deeplens_kit.decode.formats import Header, Reader, reader_for
from deeplens_kit.decode.metadata import PictureMetadata, describe_picture
from deeplens_kit.decode.signature import require_format
from deeplens_kit.decode.tags import PictureTags, read_tags
from deeplens_kit.errors import CorruptPictureError, LimitExceededError, ObjectError
from deeplens_kit.settings import DecodeSettings

__all__ = [
    "DECODE_SPEC",
    "THUMBNAIL_SIDE_PX",
    "DecodedPicture",
    "decode_luma",
    "decode_picture",
    "decode_preview",
    "fitted",
    "limit_message",
    "open_picture",
    "reduced",
    "translating",
    "upright",
]

THUMBNAIL_SIDE_PX = 384
"""Long side of what features are computed from; pictures below it are never enlarged."""

DECODE_SPEC = f"v4-jpeg_dct_scaled-hamming-{THUMBNAIL_SIDE_PX}"
"""Names the decode path in the catalog and in cache keys; raised when the same bytes would give other samples
or metadata, and when formats are added, so that files that were unsupported are tried again. v4 adds formats and
`auxiliary`; the samples of what v3 read are the same, to the bit, but for TIFF that Pillow misreads: planes of 16 bits,
16 bits of grey of which 0 is white, and 32 bits of grey with the highest one set."""

_REDUCING_GAP = 3.0
# Pillow averages whole blocks first where the reduction is greater than this; at 3 the result cannot be told from
# Lanczos alone (Pillow's documentation of `Image.resize`), for a third of the time on large pictures.

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """An upright picture.

    Attributes:
        rgb: (height, width, 3) uint8, sRGB, transparency on white, C-contiguous.
        metadata: Of the stored picture, not of `rgb`.
        tags: Everything that the file says about itself.
    """

    rgb: NDArray[np.uint8]
    metadata: PictureMetadata
    tags: PictureTags = field(default_factory=PictureTags)


def decode_picture(data: bytes, settings: DecodeSettings) -> DecodedPicture:
    """Decode a file for features and metadata, at `THUMBNAIL_SIDE_PX`.

    Args:
        data: The whole file.
        settings: Limits, each inclusive.

    Raises:
        UnsupportedFormatError: Not a picture format that is read.
        LimitExceededError: Bytes, pixels or frames above the limit; nothing was inflated.
        CorruptPictureError: The decoder could not make a whole picture of it.
    """
    return decode_preview(data, settings, THUMBNAIL_SIDE_PX)


def decode_preview(data: bytes, settings: DecodeSettings, side_px: int) -> DecodedPicture:
    """Decode a file for display, the long side at most `side_px`; raises as `decode_picture`."""
    if side_px < 1:
        raise ValueError(f"side_px is {side_px}; it must be at least 1")
    format_name, reader, header = open_picture(data, settings)
    target = fitted((header.width_px, header.height_px), side_px)
    with translating(format_name):
        stored = reader.pixels(target)
        plain = plain_mode(stored)
        transparent = header.has_alpha and (header.frames > 1 or any_transparent(plain))
        samples = upright(to_srgb(reduced(plain, target), header.icc), header.exif.orientation)
        beside = auxiliary_parts(format_name, data, reader, header)
        tags, dates = read_tags(data, header.icc)
        described = describe_picture(format_name, stored.mode, header, dates, transparent=transparent, auxiliary=beside)
        return DecodedPicture(np.array(samples, dtype=np.uint8), described, tags)


def decode_luma(data: bytes, settings: DecodeSettings) -> NDArray[np.uint8]:
    """Decode a file at full size to grey; raises as `decode_picture`.

    Returns:
        (height, width) uint8, as stored: not upright and in the file's own colour space.
    """
    format_name, reader, _ = open_picture(data, settings)
    with translating(format_name):
        image = plain_mode(reader.pixels(None))
        grey = image if image.mode == "L" else to_srgb(image, None).convert("L")
        return np.asarray(grey, dtype=np.uint8)


def fitted(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    """Width and height with the long side at most `side_px`, never enlarged, never below one pixel."""
    long_side = max(size)
    if long_side <= side_px:
        return size
    width, height = (max(1, round(side * side_px / long_side)) for side in size)
    return width, height


def open_picture(data: bytes, settings: DecodeSettings) -> tuple[str, Reader, Header]:
    """The format of a file, a reader of it, and its header, held against the limits; raises as `decode_picture`."""
    if len(data) > settings.max_bytes:
        raise LimitExceededError(limit_message("bytes", len(data), settings.max_bytes))
    format_name = require_format(data)
    with translating(format_name):
        reader = reader_for(format_name, data)
        header = reader.header
        _check_limits(header, settings)
    return format_name, reader, header


def _check_limits(header: Header, settings: DecodeSettings) -> None:
    if min(header.width_px, header.height_px) < 1:
        raise ValueError(f"its size is {header.width_px} x {header.height_px} pixels")
    pixels = header.width_px * header.height_px
    for unit, found, allowed in (
        ("pixels", max(pixels, header.largest_buffer_px), settings.max_pixels),
        ("frames", header.frames, settings.max_frames),
    ):
        if found > allowed:
            raise LimitExceededError(limit_message(unit, found, allowed))


def limit_message(unit: str, found: int, allowed: int) -> str:
    """What is said of a file above a limit: `unit` is the name of the limit without `max_`."""
    return (
        f"The file has {found:,} {unit}; decode.max_{unit} allows {allowed:,}: raise it if you trust the file, and run "
        "`deeplens failures retry`."
    )


def reduced(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """The picture at another size, in pixels; itself where it has that size."""
    if image.size == target:
        return image
    # As exact as Lanczos for what comes after (copies benchmark: the same figures), at half of its time.
    return image.resize(target, Image.Resampling.HAMMING, reducing_gap=_REDUCING_GAP)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as EXIF's orientation, 1..8, says."""
    method = _UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


@contextmanager
def translating(format_name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into one of our errors.

    The net is as wide as `Exception` on purpose: seven decoders over untrusted bytes raise what they like
    (SyntaxError, struct.error, KeyError, zlib.error ...), and one bad file must cost one picture, not the run.
    """
    try:
        yield
    except ObjectError:
        raise
    except MemoryError as error:
        raise LimitExceededError(
            f"This {format_name} needs more memory than a decoder may take (decode.max_memory_bytes); raise it if you "
            "trust the file, then `deeplens failures retry`."
        ) from error
    except Exception as error:
        raise CorruptPictureError(f"The {format_name} cannot be decoded: {fault_words(error)}.") from error
