"""Pictures for tests of the close look: photographs of a modest size, what is done to them, and what is found."""

from __future__ import annotations

import io
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from data.photographs import photograph
from deeplens_kit.matching.verification.base import Grey, Look
from deeplens_kit.matching.verification.comparison import Findings, compare_looks
from deeplens_kit.matching.verification.local_features import look_at

LONG_SIDE_PX = 600


@cache
def sized(name: str) -> Image.Image:
    """A photograph, its long side `LONG_SIDE_PX`."""
    return ImageOps.contain(photograph(name), (LONG_SIDE_PX, LONG_SIDE_PX), Image.Resampling.LANCZOS)


def grey_of(picture: Image.Image) -> Grey:
    """As the pipeline hands it to verification."""
    return np.asarray(picture.convert("L"))


def look(picture: Image.Image) -> Look:
    """The picture prepared for comparison."""
    grey = grey_of(picture)
    return _looked_at(grey.tobytes(), grey.shape)


# Preparing costs as much as comparing, and one picture is held against many, in either order.
@lru_cache(maxsize=32)
def _looked_at(pixels: bytes, shape: tuple[int, ...]) -> Look:
    return look_at(np.frombuffer(pixels, np.uint8).reshape(shape))


def compared(a: Image.Image, b: Image.Image) -> Findings:
    """What is found in two pictures that have something in common."""
    found = compare_looks(look(a), look(b))
    assert found is not None
    return found


def saved(picture: Image.Image, quality: int) -> Image.Image:
    """After a way through JPEG."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def inset(
    ground: Image.Image, small: Image.Image, place: tuple[int, int], *, edge_px: int, colour: str, shadow_px: int
) -> Image.Image:
    """One picture put into another with an edge of one colour and a soft shadow, either of 0 px for none."""
    left, top = place
    box = (left - edge_px, top - edge_px, left + small.width + edge_px, top + small.height + edge_px)
    both = ground.copy()
    if shadow_px:
        shade = Image.new("L", ground.size, 0)
        ImageDraw.Draw(shade).rectangle(tuple(side + shadow_px // 2 for side in box), fill=150)
        soft = shade.filter(ImageFilter.GaussianBlur(shadow_px))
        both = Image.composite(Image.new("RGB", ground.size, "black"), both, soft)
    both.paste(Image.new("RGB", (box[2] - box[0], box[3] - box[1]), colour), box[:2])
    both.paste(small, place)
    return both


def moved(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 2) where an affine matrix takes them."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def corners(picture: Image.Image) -> NDArray[np.float64]:
    """Of a picture, in pixel centres."""
    right, bottom = picture.width - 1.0, picture.height - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])
