"""Real pictures, as the decoder would hand them on."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

NAMES = (
    "astronaut",
    "camera",
    "cat",
    "cell",
    "clock",
    "coffee",
    "coins",
    "colorwheel",
    "grass",
    "hubble_deep_field",
    "immunohistochemistry",
    "moon",
    "page",
    "rocket",
    "text",
)


@pytest.fixture(scope="session")
def pictures() -> dict[str, NDArray[np.uint8]]:
    """Name -> thumbnail (height, width, 3) uint8, long side at most 384."""
    thumbnails = {}
    for name in NAMES:
        picture = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
        picture.thumbnail((384, 384), Image.Resampling.BICUBIC)
        thumbnails[name] = np.asarray(picture)
    return thumbnails
