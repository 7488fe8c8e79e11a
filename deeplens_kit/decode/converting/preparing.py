"""Samples made ready for a format: size, colours, transparency and depth that it can hold.

Takes all samples of a source, gives the samples that are encoded, and says what each step has cost; must not do more
than the format asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from deeplens_kit.decode.colour import to_srgb
from deeplens_kit.decode.converting.base import ConversionTarget
from deeplens_kit.decode.converting.source import AllSamples
from deeplens_kit.decode.picture import fitted

__all__ = ["Prepared", "prepare", "shown_srgb"]

_BAND_PX = 256
_SPACE = slice(16, 20)  # ICC.1:2022, 7.2: the colour space of the samples
_SPACE_OF_CHANNELS = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Samples that a format can hold.

    Attributes:
        frames: One array for each frame, (height, width) or (height, width, channels), uint8, or uint16 where the
            format holds more than 8 bits.
        channels: "L", "LA", "RGB" or "RGBA".
        icc: The profile to embed, or None.
        words: What was lost on the way.
    """

    frames: tuple[NDArray[Any], ...]
    channels: str
    icc: bytes | None
    words: tuple[str, ...]


def prepare(source: AllSamples, target: ConversionTarget) -> Prepared:
    """Make samples ready; see `Prepared`."""
    held, words = target.held, [*source.notes]
    frames, channels, icc = list(source.frames), source.channels, source.icc
    # 1. Transparency: where nothing is transparent, nothing is lost without it.
    if "A" in channels and not any(_transparent(frame) for frame in frames) and len(frames) == 1:
        frames, channels = [_colours(frame) for frame in frames], channels[:-1]
    # 2. Size, before anything is rounded.
    if target.max_side_px is not None:
        frames = [_reduced(frame, target.max_side_px) for frame in frames]
    # 3. Colours: to sRGB where the profile cannot come along.
    wide = "RGB" if channels in ("L", "LA") and not _holds_grey(target, channels) else channels
    misfit = icc is not None and icc[_SPACE] != _SPACE_OF_CHANNELS[wide]
    if icc is not None and (misfit or not held.profile):
        frames, channels = [_srgb(frame, icc) for frame in frames], channels.replace("L", "RGB")
        words.append(f"the colour profile: colours became sRGB, for {target.format} holds none")
        if misfit and held.profile:
            words[-1] = "the colour profile: colours became sRGB, for it is of another kind than the samples"
        icc = None
    # 4. Depth.
    if frames[0].itemsize > 1 and held.bits <= 8:
        frames = [_to_8_bits(frame) for frame in frames]
    # 5. Channels.
    if "A" in channels and not held.alpha:
        frames, channels = [_on_white(frame) for frame in frames], channels[:-1]
        words.append(f"transparency: laid on white, for {target.format} has none")
    if channels in ("L", "LA") and not _holds_grey(target, channels):
        frames, channels = [_widened(frame) for frame in frames], channels.replace("L", "RGB")
    return Prepared(tuple(np.ascontiguousarray(frame) for frame in frames), channels, icc, tuple(words))


def shown_srgb(frame: NDArray[Any], icc: bytes | None) -> NDArray[np.uint8]:
    """A frame as it is shown: (height, width, 3) uint8, sRGB, on white."""
    eight = _to_8_bits(frame) if frame.itemsize > 1 else frame
    return np.asarray(to_srgb(Image.fromarray(np.ascontiguousarray(eight)), icc), dtype=np.uint8)


def _holds_grey(target: ConversionTarget, channels: str) -> bool:
    # libtiff's users know grey of 16 bits with alpha as little as we do: it goes as colour, where no bit is lost.
    return target.held.grey if channels == "L" else target.held.grey_alpha


def _alpha(frame: NDArray[Any]) -> NDArray[Any] | None:
    return frame[..., -1] if frame.ndim == 3 and frame.shape[2] in (2, 4) else None


def _transparent(frame: NDArray[Any]) -> bool:
    alpha = _alpha(frame)
    return alpha is not None and int(alpha.min()) < np.iinfo(frame.dtype).max


def _colours(frame: NDArray[Any]) -> NDArray[Any]:
    return frame[..., 0] if frame.shape[2] == 2 else frame[..., :3]


def _widened(frame: NDArray[Any]) -> NDArray[Any]:
    """Grey as three equal channels."""
    if frame.ndim == 2:
        return np.stack([frame] * 3, axis=-1)
    return np.concatenate([frame[..., :1]] * 3 + [frame[..., 1:]], axis=-1)


def _reduced(frame: NDArray[Any], side_px: int) -> NDArray[Any]:
    size = fitted((frame.shape[1], frame.shape[0]), side_px)
    if size == (frame.shape[1], frame.shape[0]):
        return frame
    if frame.itemsize == 1:
        # Pillow weighs colours by their alpha.
        return np.asarray(Image.fromarray(np.ascontiguousarray(frame)).resize(size, Image.Resampling.LANCZOS))
    return _reduced_deep(frame, size)


def _reduced_deep(frame: NDArray[Any], size: tuple[int, int]) -> NDArray[np.uint16]:
    """As Pillow reduces 8 bits, channel by channel in floating point."""
    alpha = _alpha(frame)
    planes = frame if frame.ndim == 3 else frame[..., np.newaxis]
    weight = None if alpha is None else _resized(alpha, size)
    reduced = []
    for number in range(planes.shape[2]):
        plane = planes[..., number].astype(np.float32)
        if alpha is None or weight is None or number == planes.shape[2] - 1:
            reduced.append(_resized(plane, size))
        else:
            share = alpha.astype(np.float32) / 65535
            laid = _resized(plane * share, size) * 65535 / np.maximum(weight, 1)
            reduced.append(laid.astype(np.float32))
    stacked = np.stack(reduced, axis=-1) if frame.ndim == 3 else reduced[0]
    return (np.clip(stacked, 0, 65535) + 0.5).astype(np.uint16)


def _resized(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS), dtype=np.float32)


def _to_8_bits(frame: NDArray[Any]) -> NDArray[np.uint8]:
    found = np.empty(frame.shape, dtype=np.uint8)
    for band in _bands(frame):
        found[band] = (frame[band].astype(np.uint32) * 255 + 32767) // 65535
    return found


def _on_white(frame: NDArray[Any]) -> NDArray[Any]:
    """Colours laid on white by their alpha, at the depth that they have."""
    white = np.uint64(np.iinfo(frame.dtype).max)
    colours = _colours(frame)
    found = np.empty(colours.shape, dtype=frame.dtype)
    for band in _bands(frame):
        share = frame[band][..., -1].astype(np.uint64)
        share = share if colours.ndim == 2 else share[..., np.newaxis]
        found[band] = (colours[band].astype(np.uint64) * share + white * (white - share) + white // 2) // white
    return found


def _bands(frame: NDArray[Any]) -> Iterator[slice]:
    """Rows at a time, so that wider numbers are held of a few alone."""
    for first in range(0, frame.shape[0], _BAND_PX):
        yield slice(first, first + _BAND_PX)


def _srgb(frame: NDArray[Any], icc: bytes) -> NDArray[Any]:
    """A frame in sRGB with three channels of colour; alpha as it is. A broken profile changes nothing."""
    alpha = _alpha(frame)
    colours = np.ascontiguousarray(frame if alpha is None else _colours(frame))
    fits = icc[_SPACE] == (b"GRAY" if colours.ndim == 2 else b"RGB ")
    if frame.itemsize == 1:
        brought: NDArray[Any] = np.asarray(to_srgb(Image.fromarray(colours), icc))
    else:
        brought = _srgb_deep(colours, icc) if fits else (_widened(colours) if colours.ndim == 2 else colours)
    return brought if alpha is None else np.dstack([brought, alpha])


def _srgb_deep(colours: NDArray[Any], icc: bytes) -> NDArray[Any]:
    import imagecodecs

    space = "gray" if colours.ndim == 2 else "rgb"
    try:
        found = imagecodecs.cms_transform(colours, icc, _srgb_profile(), colorspace=space, outcolorspace="rgb")
    except (RuntimeError, ValueError):  # CmsError is a RuntimeError: a profile that is broken
        return _widened(colours) if colours.ndim == 2 else colours
    return np.asarray(found)


@lru_cache(maxsize=1)
def _srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
