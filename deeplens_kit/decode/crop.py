"""A part of an upright picture, as a thumbnail of its own.

Takes samples and shares of their sides, gives samples; must not decode.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.picture import THUMBNAIL_SIDE_PX, fitted, reduced
from deeplens_kit.errors import LimitExceededError

__all__ = ["LEAST_CROP_PX", "crop_rgb", "cut", "decoded_side_px", "thumbnail_of"]

LEAST_CROP_PX = 8
"""A part with a shorter side has nothing to compare."""

_LONGEST_DECODED_PX = 4096

_Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom; shares 0..1 of the sides."""


def decoded_side_px(box: _Box, side_px: int = THUMBNAIL_SIDE_PX, *, longest_px: int = _LONGEST_DECODED_PX) -> int:
    """The long side at which a picture is decoded so that a part of it has the side that is wanted, within bounds.

    Args:
        box: The part.
        side_px: Of the part.
        longest_px: Of the picture.
    """
    left, top, right, bottom = box
    return min(math.ceil(side_px / min(right - left, bottom - top)), longest_px)


def cut(samples: NDArray[np.uint8], box: _Box) -> NDArray[np.uint8]:
    """The part of a picture, a pixel at least on each side.

    Args:
        samples: (height, width) or (height, width, 3) uint8, upright.
        box: The part.
    """
    height, width = samples.shape[:2]
    left, top = min(width - 1, round(box[0] * width)), min(height - 1, round(box[1] * height))
    right, bottom = max(left + 1, round(box[2] * width)), max(top + 1, round(box[3] * height))
    return np.ascontiguousarray(samples[top:bottom, left:right])


def thumbnail_of(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture, (height, width, 3) uint8, its long side at most `THUMBNAIL_SIDE_PX`."""
    height, width = rgb.shape[:2]
    return np.array(reduced(Image.fromarray(rgb), fitted((width, height), THUMBNAIL_SIDE_PX)), dtype=np.uint8)


def crop_rgb(rgb: NDArray[np.uint8], box: _Box) -> NDArray[np.uint8]:
    """The part of a picture, its long side at most `THUMBNAIL_SIDE_PX`.

    Args:
        rgb: (height, width, 3) uint8, upright.
        box: The part.

    Raises:
        LimitExceededError: The part is too small.
    """
    part = cut(rgb, box)
    height, width = part.shape[:2]
    if min(height, width) < LEAST_CROP_PX:
        raise LimitExceededError(
            f"the part is {width} x {height} pixels; give one of at least {LEAST_CROP_PX} x {LEAST_CROP_PX}"
        )
    return thumbnail_of(part)
