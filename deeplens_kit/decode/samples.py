"""A digest of the native samples of one file: equal digests, equal pictures, whatever the container or the metadata.

Takes the bytes of one file, gives a text; must not lose a bit on the way, or there is no digest. What goes into it:
the channels and their depth, width and height upright, every sample with the colours under transparency, every frame
of an animation with its duration and the number of loops, and what the file says about its colours. A palette and
grey of fewer than 8 bits count as the colours they stand for; grey and RGB of equal values, and RGB with and without
an opaque alpha channel, stay different. An animation counts as the canvases that it shows, with alpha.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, GifImagePlugin, PngImagePlugin, WebPImagePlugin

from deeplens_kit.decode.covered import is_covered
from deeplens_kit.decode.formats import Header, Reader
from deeplens_kit.decode.formats.boxes import item_facts, without_exif_item
from deeplens_kit.decode.formats.png import PngReader
from deeplens_kit.decode.formats.tiff import TiffReader
from deeplens_kit.decode.native import still_samples
from deeplens_kit.decode.picture import open_picture, translating
from deeplens_kit.errors import UnsupportedFormatError
from deeplens_kit.settings import DecodeSettings

__all__ = ["OPEN_ANIMATION", "SAMPLES_VERSION", "native_samples", "upright_samples"]

SAMPLES_VERSION = "2"
"""Begins every digest; raised when the same bytes would give another one."""

_ROWS_AT_ONCE = 256
_TRANSFER, _WHITE_POINT, _PRIMARIES = 301, 318, 319


def native_samples(data: bytes, settings: DecodeSettings) -> str:
    """The digest of a file's native samples.

    Args:
        data: The whole file.
        settings: Limits, each inclusive; an animation whose canvases together have more than `max_pixels` has no
            digest.

    Returns:
        `SAMPLES_VERSION`, a dash and 64 hexadecimal digits. Empty where the samples are not all that the file shows
        or cannot be read natively for certain: camera RAW, layers, several pages, auxiliary pictures, something
        behind the end of the picture.

    Raises:
        ObjectError: As `picture.decode_picture`; but a file of a kind that is not read has no digest.
    """
    try:
        format_name, reader, header = open_picture(data, settings)
    except UnsupportedFormatError:
        return ""
    with translating(format_name):
        if not is_covered(format_name, data):
            return ""
        colours = _colours(format_name, data, reader, header)
        if colours is None:
            return ""
        digest = hashlib.blake2b(colours, digest_size=32)
        if header.frames > 1 or (format_name == "PNG" and cast(PngReader, reader).chunk(b"acTL") is not None):
            whole = _add_animation(digest, format_name, data, header, settings.max_pixels)
        else:
            whole = _add_still(digest, format_name, data, reader, header.exif.orientation)
        return f"{SAMPLES_VERSION}-{digest.hexdigest()}" if whole else ""


def _add_still(digest: hashlib.blake2b, format_name: str, data: bytes, reader: Reader, orientation: int) -> bool:
    found = still_samples(format_name, data, reader)
    if found is None:
        return False
    array = upright_samples(found.array, orientation)
    digest.update(f"\nstill {found.channels} {8 * array.itemsize} {array.shape[1]}x{array.shape[0]}\n".encode())
    _add_rows(digest, array)
    return True


def _add_animation(digest: hashlib.blake2b, format_name: str, data: bytes, header: Header, max_pixels: int) -> bool:
    opened = OPEN_ANIMATION.get(format_name)
    deep = format_name == "PNG" and data[24] == 16
    if opened is None or deep or header.frames * header.width_px * header.height_px > max_pixels:
        return False
    with opened(data) as image:
        # The default image of a PNG may stand outside of its animation: it is shown where animations are not.
        apart = bool(image.info.get("default_image"))
        if image.n_frames != header.frames + apart:
            return False
        digest.update(f"\nanimation {apart} {image.n_frames} loops {image.info.get('loop')}\n".encode())
        for number in range(image.n_frames):
            image.seek(number)
            canvas = image.convert("RGBA")  # loads the frame, which says its duration
            array = upright_samples(np.asarray(canvas), header.exif.orientation)
            seconds = float(image.info.get("duration") or 0) / 1000
            digest.update(f"\n{seconds:.6f} s {array.shape[1]}x{array.shape[0]}\n".encode())
            _add_rows(digest, array)
    return True


def _add_rows(digest: hashlib.blake2b, array: NDArray[Any]) -> None:
    little = array.dtype.newbyteorder("<")
    for first in range(0, len(array), _ROWS_AT_ONCE):
        digest.update(np.ascontiguousarray(array[first : first + _ROWS_AT_ONCE], dtype=little).tobytes())


def upright_samples(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """A view of stored samples turned as EXIF says; nothing is resampled."""
    if orientation >= 5:
        array = array.swapaxes(0, 1)
    # 5 to 8 are swapped first: then 5 is upright, 6 mirrored, 7 turned over, 8 upside down.
    down = {3: True, 4: True, 7: True, 8: True}.get(orientation, False)
    across = {2: True, 3: True, 6: True, 7: True}.get(orientation, False)
    return array[:: -1 if down else 1, :: -1 if across else 1]


def _colours(format_name: str, data: bytes, reader: Reader, header: Header) -> bytes | None:
    """What the file says about the colours of its samples; None where that is broken."""
    if header.icc:
        said = [b"icc", hashlib.blake2b(header.icc).digest()]
    elif format_name == "PNG":
        said = _png_colours(cast(PngReader, reader))
    elif format_name == "TIFF":
        tags = (cast(TiffReader, reader).numbers(tag) for tag in (_TRANSFER, _WHITE_POINT, _PRIMARIES))
        said = [repr(numbers).encode() for numbers in tags if numbers]
    else:
        said = []
    if not header.icc and header.exif.colour_space:
        # Cameras say Adobe RGB by EXIF alone; whether it is shown so or not, the same numbers in sRGB are others.
        said.append(f"exif {header.exif.colour_space}".encode())
    if _lost_profile(format_name, data, reader, header):
        return None
    if format_name in ("HEIF", "AVIF"):
        facts = item_facts(data)
        said += facts.colours if facts else []
    if format_name == "PNG":
        said += _chunks(cast(PngReader, reader), b"cICP", b"mDCV", b"cLLI")
    return b"\x00".join([b"colours", *said])


def _png_colours(reader: PngReader) -> list[bytes]:
    # sRGB says what is taken for granted where nothing is said; beside it the others only repeat it.
    return [] if reader.chunk(b"sRGB") is not None else _chunks(reader, b"gAMA", b"cHRM")


def _chunks(reader: PngReader, *kinds: bytes) -> list[bytes]:
    found = ((kind, reader.chunk(kind)) for kind in kinds)
    return [kind + body for kind, body in found if body is not None]


def _lost_profile(format_name: str, data: bytes, reader: Reader, header: Header) -> bool:
    """Whether a colour profile is there that could not be read."""
    if header.icc:
        return False
    if format_name == "PNG":
        return cast(PngReader, reader).chunk(b"iCCP") is not None
    return format_name == "JPEG" and b"ICC_PROFILE\x00" in data


OPEN_ANIMATION: Mapping[str, Callable[[bytes], Any]] = {
    "AVIF": lambda data: AvifImagePlugin.AvifImageFile(io.BytesIO(without_exif_item(data))),
    "GIF": lambda data: GifImagePlugin.GifImageFile(io.BytesIO(data)),
    "PNG": lambda data: PngImagePlugin.PngImageFile(io.BytesIO(data)),
    "WEBP": lambda data: WebPImagePlugin.WebPImageFile(io.BytesIO(data)),
}
"""Opens an animation of a format, frame by frame."""
