"""Shares of sides say the same as pixels of any size, and the way back is the way back."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from looked_pictures import corners, moved, sized
from PIL import Image

from data.edits import scaled
from deeplens_kit.matching.verification.shares import inverse_transform, pixel_matrix, shares_of
from deeplens_kit.schemas import PAIRS

SIDE = st.integers(1, 20_000)
SIZE = st.tuples(SIDE, SIDE)
NUMBER = st.floats(-8, 8, allow_subnormal=False)
PLACE = st.floats(-30_000, 30_000, allow_subnormal=False)
MATRIX = st.tuples(NUMBER, NUMBER, PLACE, NUMBER, NUMBER, PLACE).map(lambda six: np.array(six).reshape(2, 3))
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@given(MATRIX, SIZE, SIZE)
def test_a_map_between_pixels_comes_back_from_shares(
    matrix: np.ndarray, size_a: tuple[int, int], size_b: tuple[int, int]
) -> None:
    back = pixel_matrix(shares_of(matrix, size_a, size_b), size_a, size_b)
    np.testing.assert_allclose(back, matrix, rtol=1e-10, atol=1e-8)


@given(MATRIX, SIZE, SIZE, SIZE, SIZE, st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_place_is_the_same_place_at_any_size(
    matrix: np.ndarray,
    size_a: tuple[int, int],
    size_b: tuple[int, int],
    full_a: tuple[int, int],
    full_b: tuple[int, int],
    place: tuple[float, float],
) -> None:
    """Pixels of the compared pictures, shares, and pixels of the full pictures name one place in b."""
    transform = shares_of(matrix, size_a, size_b)
    in_b = moved(np.reshape(transform, (2, 3)), np.array([place]))
    for a, b in ((size_a, size_b), (full_a, full_b)):
        pixels = np.array([place]) * a - 0.5
        shares = (moved(pixel_matrix(transform, a, b), pixels) + 0.5) / b
        np.testing.assert_allclose(shares, in_b, rtol=1e-7, atol=1e-7)


@given(MATRIX, SIZE, SIZE)
def test_the_inverse_undoes_it(matrix: np.ndarray, size_a: tuple[int, int], size_b: tuple[int, int]) -> None:
    assume(abs(np.linalg.det(matrix[:, :2])) > 1e-3)
    transform = shares_of(matrix, size_a, size_b)
    back = inverse_transform(transform)
    assert back is not None
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.3, 0.9]])
    there = moved(np.reshape(transform, (2, 3)), points)
    np.testing.assert_allclose(moved(np.reshape(back, (2, 3)), there), points, rtol=1e-4, atol=1e-4)


def test_a_whole_picture_resized_has_the_shares_of_itself() -> None:
    for size in ((1024, 683), (3000, 2001), (1, 1)):
        there = size[0] / 1024, size[1] / 683
        resized = np.array([[there[0], 0, there[0] / 2 - 0.5], [0, there[1], there[1] / 2 - 0.5]])
        assert shares_of(resized, (1024, 683), size) == pytest.approx(IDENTITY)
    assert inverse_transform(IDENTITY) == pytest.approx(IDENTITY)


def test_what_lays_a_picture_on_a_line_has_no_inverse() -> None:
    assert inverse_transform((1.0, 2.0, 0.0, 2.0, 4.0, 0.0)) is None


def test_the_full_pictures_corners_are_those_of_its_grey_one() -> None:
    full, small = sized("coffee"), scaled(sized("coffee"), 0.37)
    turned = np.array([[0.0, -1.0, small.height - 1.0], [1.0, 0.0, 0.0]])
    transform = shares_of(turned, small.size, small.size[::-1])
    where = moved(pixel_matrix(transform, full.size, full.size[::-1]), corners(full))
    np.testing.assert_allclose(
        where, np.roll(corners(full.transpose(Image.Transpose.ROTATE_90)), -1, axis=0), atol=1e-9
    )


def test_a_frame_keeps_every_digit() -> None:
    six = (1 / 3, -1e-17, 2.0**-40, 0.1 + 0.2, 5e3, -7.0)
    kept = pl.DataFrame({"transform": [six, None]}, schema={"transform": PAIRS.polars["transform"]})
    assert tuple(kept["transform"][0].to_list()) == six
    assert kept["transform"][1] is None
