"""Local features: found in every picture that shows something, and told for its mirror image and negative too."""

from __future__ import annotations

import numpy as np
import pytest
from looked_pictures import grey_of, look, sized
from numpy.typing import NDArray
from PIL import Image, ImageOps

from data.drawings import blank_page
from deeplens_kit.matching.verification.base import Look
from deeplens_kit.matching.verification.local_features import (
    FEATURE_SIDE_PX,
    MAX_FEATURES,
    flipped_descriptors,
    look_at,
    negative_descriptors,
    with_levels,
)


def likeness_at(points: NDArray[np.float64], described: NDArray[np.uint8], other: Look) -> NDArray[np.float64]:
    """For each point that the other picture has too, how like its description is to the likest one there."""
    found = []
    for point, row in zip(points, described.astype(np.float64) / 255, strict=True):
        near = np.flatnonzero(np.hypot(*(other.points - point).T) < 1.5)
        if len(near):
            found.append((other.descriptors[near].astype(np.float64) / 255 @ row).max())
    return np.array(found)


def test_the_mirror_image_is_described_by_the_picture_itself() -> None:
    picture = sized("astronaut")
    own, mirrored = look(picture), look(ImageOps.mirror(picture))
    places = own.points * [-1, 1] + [picture.width - 1, 0]
    flipped = likeness_at(places, flipped_descriptors(own.descriptors), mirrored)
    assert len(flipped) > 0.6 * len(own.points)
    assert np.median(flipped) > 0.97
    assert np.median(likeness_at(places, own.descriptors, mirrored)) < 0.8


def test_the_negative_is_described_by_the_picture_itself() -> None:
    picture = sized("astronaut")
    own, negative = look(picture), look(ImageOps.invert(picture))
    described = likeness_at(own.points, negative_descriptors(own.descriptors), negative)
    assert len(described) > 0.8 * len(own.points)
    assert np.median(described) > 0.99
    assert np.median(likeness_at(own.points, own.descriptors, negative)) < 0.8


def test_mirroring_twice_and_inverting_twice_gives_the_same() -> None:
    own = look(sized("coffee")).descriptors
    np.testing.assert_array_equal(flipped_descriptors(flipped_descriptors(own)), own)
    np.testing.assert_array_equal(negative_descriptors(negative_descriptors(own)), own)


def test_features_are_bounded_within_the_picture_and_of_one_length() -> None:
    found = look(sized("gravel"))
    assert 100 < len(found.points) <= MAX_FEATURES
    assert (found.points > -1).all() and (found.points < [found.width, found.height]).all()
    assert len(found.sizes) == len(found.angles) == len(found.descriptors) == len(found.points)
    np.testing.assert_allclose(np.linalg.norm(found.descriptors / 255.0, axis=1), 1.0, atol=0.03)


@pytest.mark.parametrize("side", [24, 48, 96])
def test_a_thumbnail_has_features_in_its_own_pixels(side: int) -> None:
    small = ImageOps.contain(sized("astronaut"), (side, side))
    found = look(small)
    assert len(found.points) >= 8
    assert (found.points < [small.width, small.height]).all()


def test_a_blank_picture_has_none() -> None:
    assert len(look_at(np.full((400, 300), 250, np.uint8)).points) == 0
    assert len(look(blank_page(1)).points) <= 3


def test_a_picture_of_one_pixel_is_no_trouble() -> None:
    found = look_at(np.zeros((1, 1), np.uint8))
    assert (found.width, found.height, len(found.points)) == (1, 1, 0)


def test_the_same_picture_always_gives_the_same_features() -> None:
    first, second = look(sized("rocket")), look(sized("rocket"))
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.descriptors, second.descriptors)


def test_levels_are_halves_of_the_picture() -> None:
    grey = grey_of(Image.effect_mandelbrot((600, 400), (-2, -1.5, 1, 1.5), 60))
    levels = with_levels(grey)
    assert [level.shape for level in levels] == [(400, 600), (200, 300), (100, 150), (50, 75)]
    np.testing.assert_allclose(levels[1], grey.reshape(200, 2, 300, 2).mean(axis=(1, 3)), atol=0.51)
    assert FEATURE_SIDE_PX < 600
