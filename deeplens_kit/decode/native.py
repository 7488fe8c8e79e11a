"""The samples of a still picture as its file holds them: channels and depth kept, palettes laid out.

Takes a file that a reader has accepted, gives an array; must not scale, cut or convert a sample. None where that
cannot be told for certain. Pillow cuts 16-bit colour to 8 bits: there OpenCV reads, and is believed only where its
high bytes are what Pillow gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.formats import Reader
from deeplens_kit.decode.formats.jpeg import JpegReader
from deeplens_kit.decode.formats.png import PngReader
from deeplens_kit.decode.formats.tiff import TiffReader

__all__ = ["Samples", "laid_out", "still_samples"]

_BITS, _PHOTOMETRIC, _EXTRA_SAMPLES, _PLANES, _KIND_OF_SAMPLE = 258, 262, 338, 284, 339
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _COLOURS = 0, 1, 2
_UNASSOCIATED = 2.0  # alpha that colours were not multiplied by
_GREY, _PALETTE, _GREY_ALPHA = 0, 3, 4  # colour types of PNG
_WHOLE_MODES = {"L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "CMYK": "CMYK"}


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of one picture, not upright.

    Attributes:
        channels: "L", "LA", "RGB", "RGBA" or "CMYK".
        array: (height, width) or (height, width, channels), uint8 or uint16.
    """

    channels: str
    array: NDArray[np.uint8] | NDArray[np.uint16]


def still_samples(format_name: str, data: bytes, reader: Reader) -> Samples | None:
    """The native samples of the first frame; None where they cannot be told for certain.

    Args:
        format_name: As `signature.sniff` names it.
        data: The whole file.
        reader: Of this file.

    Raises:
        Exception: Whatever the decoder meets; `picture.translating` translates.
    """
    return _SPECIAL.get(format_name, _plain_file)(data, reader)


def laid_out(image: Image.Image) -> Samples | None:
    """The samples of an image of 8 bits or fewer, palettes and bits as the colours they stand for."""
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode == "1" and not image.has_transparency_data:
        image = image.convert("L")
    elif image.mode == "RGB" and image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode == "L" and image.has_transparency_data:
        return _with_one_transparent(image)
    channels = _WHOLE_MODES.get(image.mode)
    return None if channels is None else Samples(channels, np.asarray(image))


def _with_one_transparent(image: Image.Image) -> Samples | None:
    """Grey of which one level is transparent."""
    level = image.info.get("transparency")
    if not isinstance(level, int):
        return None
    grey = np.asarray(image)
    return Samples("LA", np.stack([grey, np.where(grey == level, 0, 255).astype(np.uint8)], axis=-1))


def _plain_file(data: bytes, reader: Reader) -> Samples | None:
    return laid_out(reader.pixels(None))


def _jpeg(data: bytes, reader: Reader) -> Samples | None:
    # Other depths are scaled on the way.
    return laid_out(reader.pixels(None)) if cast(JpegReader, reader).is_plain else None


def _png(data: bytes, reader: Reader) -> Samples | None:
    file = cast(PngReader, reader)
    depth, colour = data[24], data[25]
    image = file.pixels(None)
    if depth == 16:
        # Which colour is transparent is said in 16 bits, and nobody is asked to check what a decoder makes of it.
        return None if file.chunk(b"tRNS") is not None else _deep(image, file.samples_alone(), colour == _GREY)
    if colour == _GREY and depth < 8 and file.chunk(b"tRNS") is not None:
        return None
    if colour == _PALETTE and int(np.asarray(image).max()) >= len(file.chunk(b"PLTE") or b"") // 3:
        return None
    return laid_out(image)


def _tiff(data: bytes, reader: Reader) -> Samples | None:
    file = cast(TiffReader, reader)
    bits, photometric = set(file.numbers(_BITS)) or {1}, file.numbers(_PHOTOMETRIC)[:1]
    plain_numbers = set(file.numbers(_KIND_OF_SAMPLE)) <= {1}
    if not plain_numbers or file.numbers(_EXTRA_SAMPLES) not in ((), (_UNASSOCIATED,)):
        return None
    if not file.by_pillow:
        return None  # scaled on the way
    image = file.pixels(None)
    if bits == {16}:
        chunky = file.numbers(_PLANES) in ((), (1,))
        grey = photometric == (_BLACK_IS_ZERO,)
        if not chunky or not (grey or photometric == (_COLOURS,)):
            return None
        return _deep(image, file.samples_alone(), grey)
    return laid_out(image) if bits in ({1}, {2}, {4}, {8}) else None


def _heif(data: bytes, reader: Reader) -> Samples | None:
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    if len(file) != 1:
        return None
    picture = file[file.primary_index]
    name, _, deep = picture.mode.partition(";")
    if name not in _WHOLE_MODES or deep not in ("", "16"):
        return None
    kind = np.dtype("<u2" if deep else "u1")
    content = bytes(picture.data)  # decodes; the size may be corrected by it
    width, height = picture.size
    rows = np.frombuffer(content, kind).reshape(height, picture.stride // kind.itemsize)
    whole = rows[:, : width * len(name)]
    return Samples(name, whole if name == "L" else whole.reshape(height, width, len(name)))


def _deep(image: Image.Image, lean: bytes, is_grey: bool) -> Samples | None:
    """Samples of 16 bits.

    Args:
        image: What Pillow makes of the file.
        lean: The file, its samples alone.
        is_grey: One channel.
    """
    if is_grey:
        # Pillow keeps one channel of 16 bits whole, in the byte order of the file.
        return Samples("L", np.asarray(image).astype("<u2")) if image.mode.startswith("I;16") else None
    found = _by_opencv(lean)
    cut = np.asarray(image)
    if found is None or image.mode not in ("LA", "RGB", "RGBA") or found.ndim != 3 or found.dtype != np.uint16:
        return None
    # OpenCV gives blue, green, red; grey with alpha comes as colour with alpha.
    order = {("LA", 4): [2, 3], ("RGB", 3): [2, 1, 0], ("RGBA", 4): [2, 1, 0, 3]}.get((image.mode, found.shape[2]))
    if order is None:
        return None
    samples = found[..., order]
    if samples.shape != cut.shape or not np.array_equal((samples >> 8).astype(np.uint8), cut):
        return None
    return Samples(image.mode, samples)


def _by_opencv(lean: bytes) -> NDArray[Any] | None:
    import cv2

    try:
        return cast("NDArray[Any] | None", cv2.imdecode(np.frombuffer(lean, np.uint8), cv2.IMREAD_UNCHANGED))
    except cv2.error:
        return None


_SPECIAL: Mapping[str, Callable[[bytes, Reader], Samples | None]] = {
    "HEIF": _heif,
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
}
