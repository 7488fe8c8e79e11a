"""Parts of pictures as thumbnails: where they lie, how large they are, and how large a picture is decoded for them."""

from __future__ import annotations

import numpy as np
import pytest

from deeplens_kit.decode.crop import LEAST_CROP_PX, crop_rgb, decoded_side_px
from deeplens_kit.decode.picture import THUMBNAIL_SIDE_PX
from deeplens_kit.errors import LimitExceededError


def test_a_part_holds_the_pixels_of_its_box() -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (100, 200, 3), dtype=np.uint8)
    assert np.array_equal(crop_rgb(rgb, (0.25, 0.1, 0.5, 0.6)), rgb[10:60, 50:100])
    assert np.array_equal(crop_rgb(rgb, (0.0, 0.0, 1.0, 1.0)), rgb)


def test_a_large_part_becomes_a_thumbnail() -> None:
    rgb = np.zeros((1000, 2000, 3), np.uint8)
    assert crop_rgb(rgb, (0.0, 0.0, 0.5, 1.0)).shape == (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX, 3)


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.03, 1.0), (0.5, 0.5, 0.5001, 0.5001)])
def test_a_part_with_nothing_in_it_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(LimitExceededError, match=f"at least {LEAST_CROP_PX} x {LEAST_CROP_PX}"):
        crop_rgb(np.zeros((200, 200, 3), np.uint8), box)


@pytest.mark.parametrize("box", [(0.0, 0.0, 1.0, 1.0), (0.2, 0.1, 0.7, 0.9), (0.0, 0.0, 0.15, 0.2)])
@pytest.mark.parametrize("size", [(3000, 4000), (4000, 3000), (3000, 3000)])
def test_a_picture_is_decoded_so_large_that_its_part_fills_a_thumbnail(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    side = decoded_side_px(box)
    height, width = (round(length * side / max(size)) for length in size)
    part = crop_rgb(np.zeros((height, width, 3), np.uint8), box)
    assert max(part.shape[:2]) >= THUMBNAIL_SIDE_PX - 1


def test_however_small_a_part_no_picture_is_decoded_without_bounds() -> None:
    assert decoded_side_px((0.0, 0.0, 0.0001, 0.0001)) == 4096
