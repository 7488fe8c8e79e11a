"""A converted copy decoded again, and how near it comes to its source.

Takes two sets of samples, gives whether they are equal and how far apart they are; must not trust an encoder. Works
on bands of rows, so that memory does not grow with the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.converting.preparing import shown_srgb
from deeplens_kit.decode.converting.source import AllSamples, all_samples
from deeplens_kit.decode.exif import parse_exif
from deeplens_kit.decode.formats import Header
from deeplens_kit.decode.formats.boxes import boxes_of
from deeplens_kit.decode.picture import translating
from deeplens_kit.decode.samples import upright_samples
from deeplens_kit.settings import DecodeSettings

__all__ = ["Nearness", "read_back", "same_hidden", "same_samples", "seen_nearness"]

_BAND_PX = 512  # rows at a time, a multiple of a square's side
_SQUARE_PX = 8
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # Wang et al. 2004, for 8 bits
_CHANNELS = {2: "LA", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near two pictures come to each other as they are shown.

    Attributes:
        psnr_db: None where they are equal.
        ssim: -1..1.
    """

    psnr_db: float | None
    ssim: float


def read_back(format_name: str, data: bytes, settings: DecodeSettings, *, animated: bool) -> AllSamples:
    """Decode a copy again.

    Args:
        format_name: Its format, as it was encoded.
        data: The copy.
        settings: Limits.
        animated: Read all frames.

    Raises:
        ObjectError: It cannot be decoded.
    """
    if format_name != "JXL":
        return all_samples(data, settings, animated=animated)
    with translating(format_name):
        return _jxl(data)


def _jxl(data: bytes) -> AllSamples:
    import imagecodecs

    frame = np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1))
    channels = "L" if frame.ndim == 2 else _CHANNELS[frame.shape[2]]
    exif = next((data[at + 4 : end] for kind, at, end in boxes_of(data, 0, len(data)) if kind == b"Exif"), None)
    header = Header(
        width_px=frame.shape[1],
        height_px=frame.shape[0],
        frames=1,
        has_alpha="A" in channels,
        lossless=False,
        icc=None,
        exif=parse_exif(exif),
        bits=8 * frame.itemsize,
    )
    # libjxl turns by itself, as the codestream says.
    return AllSamples("JXL", (upright_samples(frame, 1),), channels, (), None, 1, header.bits, None, header, ())


def same_samples(one: Sequence[NDArray[Any]], other: Sequence[NDArray[Any]]) -> bool:
    """Whether all frames are equal to the last bit; grey equals three equal channels, and opaque alpha equals none."""
    return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape[:2] != other.shape[:2] or one.dtype.itemsize != other.dtype.itemsize:
        return False
    for first in range(0, one.shape[0], _BAND_PX):
        band = slice(first, first + _BAND_PX)
        if not np.array_equal(_four(one[band]), _four(other[band])):
            return False
    return True


def _four(frame: NDArray[Any]) -> NDArray[Any]:
    """Colours and alpha, whatever channels there are."""
    planes = frame if frame.ndim == 3 else frame[..., np.newaxis]
    count = planes.shape[2]
    colours = planes[..., :3] if count > 2 else np.repeat(planes[..., :1], 3, axis=2)
    full = np.full((*frame.shape[:2], 1), np.iinfo(frame.dtype).max, dtype=frame.dtype)
    return np.concatenate([colours, planes[..., -1:] if count in (2, 4) else full], axis=2)


def same_hidden(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether the colours under full transparency are equal; so where nothing is hidden, or the sizes differ."""
    if one.shape[:2] != other.shape[:2] or one.dtype != other.dtype:
        return True
    for first in range(0, one.shape[0], _BAND_PX):
        left, right = (_four(frame[first : first + _BAND_PX]) for frame in (one, other))
        hidden = left[..., 3] == 0
        if not np.array_equal(left[hidden][:, :3], right[hidden][:, :3]):
            return False
    return True


def seen_nearness(source: AllSamples, copy: AllSamples) -> Nearness:
    """How near a copy comes to its source as both are shown; the source is brought to the size of the copy.

    Frames are compared in order, as many as both have.
    """
    squares: list[tuple[float, int]] = []
    error, samples = 0.0, 0
    for one, other in zip(source.frames, copy.frames, strict=False):
        size = (other.shape[1], other.shape[0])
        wanted, found = _sized(shown_srgb(one, source.icc), size), shown_srgb(other, copy.icc)
        for left, right in _bands(wanted, found):
            error += float(np.square(left - right).sum(dtype=np.float64))
            samples += left.size
            squares.append(_similarity(left @ _LUMA, right @ _LUMA))
    count = sum(number for _, number in squares)
    similarity = sum(total for total, _ in squares) / count if count else 1.0
    psnr = 10 * math.log10(255**2 * samples / error) if error else None
    return Nearness(psnr, similarity)


def _sized(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS), dtype=np.uint8)


def _bands(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.float32], ...]]:
    for first in range(0, one.shape[0], _BAND_PX):
        yield tuple(frame[first : first + _BAND_PX].astype(np.float32) for frame in (one, other))


def _similarity(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, int]:
    """The sum of the structural similarities of whole squares, and how many there are."""
    rows, columns = (side // _SQUARE_PX for side in one.shape)
    if not rows or not columns:
        return 0.0, 0
    tiles = [
        plane[: rows * _SQUARE_PX, : columns * _SQUARE_PX]
        .reshape(rows, _SQUARE_PX, columns, _SQUARE_PX)
        .swapaxes(1, 2)
        .reshape(rows * columns, -1)
        for plane in (one, other)
    ]
    means = [tile.mean(axis=1) for tile in tiles]
    apart = [tile - mean[:, np.newaxis] for tile, mean in zip(tiles, means, strict=True)]
    variances = [np.square(tile).mean(axis=1) for tile in apart]
    covariance = (apart[0] * apart[1]).mean(axis=1)
    found = (2 * means[0] * means[1] + _C1) * (2 * covariance + _C2)
    found /= (means[0] ** 2 + means[1] ** 2 + _C1) * (variances[0] + variances[1] + _C2)
    return float(found.sum(dtype=np.float64)), len(found)
