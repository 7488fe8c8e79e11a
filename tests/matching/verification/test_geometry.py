"""Geometry: the movement that was made is the one that is found, to a pixel or two."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from looked_pictures import corners, look, moved, saved, sized
from numpy.typing import NDArray
from PIL import Image, ImageOps

from deeplens_kit.matching.verification.geometry import Model, dihedral_model, fit_model
from deeplens_kit.matching.verification.local_features import look_at


def model(a: Image.Image, b: Image.Image, *, mirrored: bool = False, negative: bool = False) -> Model:
    found = fit_model(look(a), look(b), mirrored=mirrored, negative=negative)
    assert found is not None
    return found


def error_px(found: Model, picture: Image.Image, truth: NDArray[np.float64]) -> float:
    """The farthest that a corner lies from where it should."""
    off = moved(found.matrix, corners(picture)) - moved(truth, corners(picture))
    return float(np.hypot(*off.T).max())


@pytest.mark.parametrize(
    "matrix",
    [
        [[1.0, 0.0, 12.0], [0.0, 1.0, -7.0]],
        [[0.7, 0.0, 40.0], [0.0, 0.7, 30.0]],
        [[0.85, -0.25, 90.0], [0.2, 0.9, 10.0]],
        [[0.6, 0.0, 5.0], [0.0, 0.9, 5.0]],
        [[-0.8, 0.1, 520.0], [-0.1, -0.8, 560.0]],
    ],
    ids=["moved", "smaller", "sheared", "squeezed", "upside-down"],
)
def test_a_known_movement_is_found(matrix: list[list[float]]) -> None:
    picture, truth = sized("astronaut"), np.array(matrix)
    warped = cv2.warpAffine(np.asarray(picture), truth, picture.size, flags=cv2.INTER_AREA)
    found = model(picture, saved(Image.fromarray(warped), 80))
    assert error_px(found, picture, truth) < 2.5
    assert found.inliers >= 40
    assert not found.mirrored


def test_a_crop_lies_where_it_was_cut() -> None:
    picture = sized("coffee")
    crop = picture.crop((150, 80, 470, 330))
    found = model(crop, picture)
    assert error_px(found, crop, np.array([[1.0, 0, 150], [0, 1, 80]])) < 1.5


def test_a_mirror_image_is_found_when_it_is_looked_for() -> None:
    picture = sized("chelsea")
    mirror = ImageOps.mirror(picture)
    found = model(picture, mirror, mirrored=True)
    assert found.mirrored
    assert error_px(found, picture, np.array([[-1.0, 0, picture.width - 1], [0, 1, 0]])) < 1.0
    straight = fit_model(look(picture), look(mirror), mirrored=False, negative=False)
    assert straight is None or straight.inliers < found.inliers / 5


def test_a_negative_is_found_when_it_is_looked_for() -> None:
    picture = sized("chelsea")
    found = model(picture, ImageOps.invert(picture), negative=True)
    assert found.inliers >= 40
    assert error_px(found, picture, np.eye(2, 3)) < 1.0


@pytest.mark.parametrize(("one", "other"), [("astronaut", "coffee"), ("rocket", "chelsea"), ("camera", "gravel")])
def test_pictures_without_anything_in_common_share_few_points(one: str, other: str) -> None:
    found = fit_model(look(sized(one)), look(sized(other)), mirrored=False, negative=False)
    assert found is None or found.inliers < 8


def test_a_blank_picture_has_no_model() -> None:
    blank = look_at(np.full((300, 300), 240, np.uint8))
    assert fit_model(look(sized("coffee")), blank, mirrored=False, negative=False) is None


def test_the_same_pictures_always_give_the_same_model() -> None:
    one, other = look(sized("rocket")), look(saved(sized("rocket").resize((300, 200)), 60))
    first, second = (fit_model(one, other, mirrored=False, negative=False) for _ in range(2))
    assert first is not None and second is not None
    np.testing.assert_array_equal(first.matrix, second.matrix)
    assert (first.inliers, first.tentative) == (second.inliers, second.tentative)


TURNS = [
    None, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_90,
    Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
]  # fmt: skip


@pytest.mark.parametrize("orientation", range(8))
def test_whole_views_lie_on_one_another_in_each_orientation(orientation: int) -> None:
    picture = sized("rocket")
    turn = TURNS[orientation]
    turned = picture if turn is None else picture.transpose(turn)
    found = dihedral_model(look(picture), look(turned), orientation)
    place = np.array([[37.0, 59.0]])
    (x, y), grey = np.rint(moved(found.matrix, place)[0]).astype(int), np.asarray(turned.convert("L"))
    assert grey[y, x] == np.asarray(picture.convert("L"))[59, 37]
    assert found.mirrored == (orientation >= 4)
