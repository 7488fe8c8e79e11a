"""Real pictures for the tests of decoding, made on the spot by the libraries that the world makes them with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from data.picture_files import encode_picture
from deeplens_kit.settings import DecodeSettings

Encode = Callable[..., bytes]


@pytest.fixture(scope="session")
def encode() -> Encode:
    return encode_picture


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A photograph, 600 x 400, RGB."""
    return Image.fromarray(skimage.data.coffee())


@pytest.fixture(scope="session")
def small_photo(photo: Image.Image) -> Image.Image:
    """The photograph at 120 x 80: below the thumbnail's side, so that decoding keeps its size."""
    return photo.resize((120, 80), Image.Resampling.LANCZOS)


@pytest.fixture(scope="session")
def limits() -> DecodeSettings:
    return DecodeSettings()


@pytest.fixture(scope="session")
def difference() -> Callable[[NDArray[np.uint8], object], float]:
    """Mean absolute difference of two pictures of one shape, in grey levels."""

    def mean(found: NDArray[np.uint8], expected: object) -> float:
        wanted = np.asarray(expected, dtype=np.int16)
        assert found.shape == wanted.shape
        return float(np.abs(found.astype(np.int16) - wanted).mean())

    return mean
