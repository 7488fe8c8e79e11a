"""Any pixel mode to 8-bit sRGB on white.

Takes a Pillow image in the mode of its file and gives RGB; must not fail on a broken colour profile, which is
then ignored. Samples of 16 bits are scaled, never clipped. Transforms are built once per profile and shared by
all threads: Little CMS keeps what a running transform changes on the stack of its caller.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from deeplens_kit.decode.measured import shares

__all__ = ["any_transparent", "linear_to_srgb", "plain_mode", "to_srgb"]

_KEPT_MODES: Final = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "LAB"})
_ICC_SPACE = {"L": b"GRAY", "RGB": b"RGB ", "CMYK": b"CMYK", "LAB": b"Lab "}
_ICC_HEADER_BYTES = 128  # ICC.1:2022, 7.2
_SPACE_OFFSET = 16
_IDENTITY_TOLERANCE = 1  # inclusive, of 255: rounding inside the transform of a profile that is sRGB itself
_WHITE = (255, 255, 255)
_OPAQUE = 255


def plain_mode(image: Image.Image) -> Image.Image:
    """Bring an image to a mode that can be resampled: L, LA, RGB, RGBA, CMYK or LAB, 8 bits a sample.

    Args:
        image: Loaded, in any mode.

    Returns:
        The same picture; transparency of a palette or of one colour becomes an alpha channel.
    """
    if image.mode.startswith("I;16"):
        return _high_bytes(image)
    if image.mode in ("I", "F"):
        return _stretched(np.asarray(image))
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("RGBA")
    if image.mode in _KEPT_MODES:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def any_transparent(image: Image.Image) -> bool:
    """Whether any sample of an image in a mode that `plain_mode` gives is transparent, if only a little."""
    if image.mode not in ("LA", "RGBA"):
        return False
    least, _ = cast("tuple[int, int]", image.getchannel("A").getextrema())
    return least < _OPAQUE


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Bring a plain image to sRGB and lay it on white.

    Args:
        image: In a mode that `plain_mode` gives.
        icc: The colour profile of the samples, or None; ignored where it is broken or of another colour space.

    Returns:
        RGB, 8 bits.
    """
    if image.mode in ("LA", "RGBA"):
        alpha = image.getchannel("A")
        opaque = to_srgb(image.convert(image.mode[:-1]), icc)
        return Image.composite(opaque, Image.new("RGB", image.size, _WHITE), alpha)
    transform = _transform(icc, image.mode) if icc else None
    if transform is None and image.mode == "LAB":
        transform = _build(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")
    if transform is not None:
        return transform.apply(image)
    return image.convert("RGB")


def _high_bytes(image: Image.Image) -> Image.Image:
    # The high byte, as Pillow takes it of 16-bit colour.
    samples = np.asarray(image).astype(np.uint16, copy=False)
    return Image.fromarray((samples >> 8).astype(np.uint8))


def _stretched(samples: NDArray[Any]) -> Image.Image:
    """Grey of measured values: their natural range where it is evident, their own range otherwise."""
    return Image.fromarray((shares(samples) * 255 + 0.5).astype(np.uint8))


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _build(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(profile, _srgb(), mode, "RGB")


@lru_cache(maxsize=64)  # a library holds the profiles of a few cameras, scanners and programs
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    if len(icc) < _ICC_HEADER_BYTES or icc[_SPACE_OFFSET : _SPACE_OFFSET + 4] != _ICC_SPACE[mode]:
        return None
    try:
        transform = _build(ImageCms.ImageCmsProfile(io.BytesIO(icc)), mode)
        return None if _changes_nothing(transform, mode) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    if mode not in ("L", "RGB"):
        return False
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = steps if mode == "L" else np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    probe = Image.fromarray(np.ascontiguousarray(grid[np.newaxis]))
    before, after = np.asarray(probe.convert("RGB"), np.int16), np.asarray(transform.apply(probe), np.int16)
    return bool(np.abs(before - after).max() <= _IDENTITY_TOLERANCE)


def linear_to_srgb(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Light in linear numbers to 8 bits with the curve of sRGB (IEC 61966-2-1), clipped to 0..1; NaN is black.

    Args:
        values: Any shape; 1 is white.
    """
    bounded = np.clip(np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    curved = np.where(bounded <= 0.0031308, bounded * 12.92, 1.055 * bounded ** (1 / 2.4) - 0.055)
    return (curved * 255 + 0.5).astype(np.uint8)
