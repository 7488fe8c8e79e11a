"""A part of an upright picture, as a thumbnail of its own.

Takes samples and shares of their sides, gives samples; must not decode.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.decode.picture import THUMBNAIL_SIDE_PX, fitted, reduced
from deeplens_kit.errors import LimitExceededError

__all__ = ["LEAST_CROP_PX", "crop_rgb", "decoded_side_px"]

LEAST_CROP_PX = 8
"""A part with a shorter side has nothing to compare."""

_LONGEST_DECODED_PX = 4096


def decoded_side_px(box: tuple[float, float, float, float]) -> int:
    """The long side at which a picture is decoded so that a part of it fills a thumbnail, within bounds.

    Args:
        box: Left, top, right, bottom; shares 0..1.
    """
    left, top, right, bottom = box
    return min(math.ceil(THUMBNAIL_SIDE_PX / min(right - left, bottom - top)), _LONGEST_DECODED_PX)


def crop_rgb(rgb: NDArray[np.uint8], box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    """The part of a picture, its long side at most `THUMBNAIL_SIDE_PX`.

    Args:
        rgb: (height, width, 3) uint8, upright.
        box: Left, top, right, bottom; shares 0..1 of the sides.

    Raises:
        LimitExceededError: The part is too small.
    """
    height, width = rgb.shape[:2]
    left, right = (round(box[0] * width), round(box[2] * width))
    top, bottom = (round(box[1] * height), round(box[3] * height))
    if min(right - left, bottom - top) < LEAST_CROP_PX:
        raise LimitExceededError(
            f"the part is {right - left} x {bottom - top} pixels; give one of at least {LEAST_CROP_PX} x "
            f"{LEAST_CROP_PX}"
        )
    part = np.ascontiguousarray(rgb[top:bottom, left:right])
    target = fitted((right - left, bottom - top), THUMBNAIL_SIDE_PX)
    return np.array(reduced(Image.fromarray(part), target), dtype=np.uint8)
