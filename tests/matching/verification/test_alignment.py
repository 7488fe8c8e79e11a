"""Alignment: a model that is a little off is put right, and squares say what a plain reading of them says."""

from __future__ import annotations

import numpy as np
import pytest
from looked_pictures import corners, grey_of, look, moved, saved, sized
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from data.drawings import form
from data.edits import scaled
from deeplens_kit.matching.verification.alignment import FINE_LEVELS, PAGE_LEVELS, align
from deeplens_kit.matching.verification.alignment_kernels import CELL_FIELDS, compare_cells

NOISE = 4.0


def plain_cells(
    a: NDArray[np.float32], b: NDArray[np.float32], inside: NDArray[np.uint8], side: int, step: int, reach: int
) -> NDArray[np.float64]:
    """`compare_cells` as its documentation defines it, with whole pixels for shifts."""
    height, width = a.shape
    rows, columns = (height - side) // step + 1, (width - side) // step + 1
    out = np.zeros((rows, columns, len(CELL_FIELDS)))
    for i, j in np.ndindex(rows, columns):
        top, left = i * step, j * step
        covered = inside[top : top + side, left : left + side].mean()
        out[i, j, 5] = covered
        if covered < 0.75:
            continue
        square_b = b[top : top + side, left : left + side].astype(np.float64)
        found = {}
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                if 0 <= top + dy <= height - side and 0 <= left + dx <= width - side:
                    square_a = a[top + dy : top + dy + side, left + dx : left + dx + side].astype(np.float64)
                    both = ((square_a - square_a.mean()) * (square_b - square_b.mean())).mean()
                    found[dx, dy] = both / np.sqrt((square_a.var() + NOISE) * (square_b.var() + NOISE))
        (dx, dy), best = max(found.items(), key=lambda item: item[1])
        own = a[top : top + side, left : left + side].astype(np.float64)
        out[i, j, :5] = best, own.std(), square_b.std(), dx, dy
    return out


@pytest.mark.parametrize(("side", "step", "reach"), [(16, 12, 1), (16, 16, 2), (8, 6, 2)])
def test_squares_agree_with_a_plain_reading(side: int, step: int, reach: int) -> None:
    whole = grey_of(sized("coffee")).astype(np.float32)[40:180, 60:260]
    a, b = np.ascontiguousarray(whole[2:120, 1:170]), np.ascontiguousarray(whole[1:119, 0:169])
    inside = np.ones(a.shape, np.uint8)
    inside[:, :21] = 0
    expected = plain_cells(a, b, inside, side, step, reach)
    found = np.zeros(expected.shape, np.float32)
    compare_cells(a, b, inside, side, step, reach, NOISE, 0.0, found)
    np.testing.assert_allclose(found[..., [0, 1, 2, 5]], expected[..., [0, 1, 2, 5]], atol=0.01)
    # The vertex of a parabola lies within half a pixel of the best whole one.
    likely = expected[..., 0] > 0.95
    assert likely.sum() > 20
    assert (np.abs(found[likely][:, 3:5] - expected[likely][:, 3:5]) <= 0.51).all()
    assert (np.round(found[likely][:, 3:5]) == -1).mean() > 0.8  # but at the border, where it would lie outside


def test_along_a_ruled_line_the_nearest_shift_is_meant() -> None:
    ruled = np.full((48, 48), 255, np.float32)
    ruled[:, 20:23] = 0
    found = np.zeros((2, 2, len(CELL_FIELDS)), np.float32)
    a, b = ruled[4:36, 3:35].copy(), ruled[4:36, 4:36].copy()
    compare_cells(a, b, np.ones((32, 32), np.uint8), 24, 4, 2, NOISE, 0.015, found)
    likeness, shift_x, shift_y = found[1, 1, [0, 3, 4]]
    assert likeness > 0.99
    assert (shift_x, shift_y) == pytest.approx((1, 0), abs=0.1)


def off_by_px(a: Image.Image, b: Image.Image, matrix: NDArray[np.float64]) -> float:
    truth = np.array([[b.width / a.width, 0, b.width / a.width / 2 - 0.5], [0, b.height / a.height, 0]])
    truth[1, 2] = b.height / a.height / 2 - 0.5
    return float(np.hypot(*(moved(matrix, corners(a)) - moved(truth, corners(a))).T).max())


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("wrong", [[[1.03, 0, 0], [0, 1.0, 0]], [[1.0, 0.01, 0], [-0.01, 1.0, 3]]])
def test_a_model_that_is_a_little_off_is_put_right(name: str, wrong: list[list[float]]) -> None:
    picture = sized(name)
    other = saved(picture.resize((480, round(480 * picture.height / picture.width))), 70)
    start = np.array(wrong)
    start[:, :2] *= 480 / picture.width
    found = align(look(picture), look(other), start, FINE_LEVELS)
    assert found is not None
    assert off_by_px(picture, other, start) > 4
    assert off_by_px(picture, other, found.matrix) < 1.3
    assert found.correlation > 0.9


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_a_ruled_form_does_not_drift(share: float) -> None:
    page = form((("Name", "Maria Keller"), ("Purpose", "Trade fair"), ("Amount", "418.60"), ("Date", "14 March")), 3)
    small = scaled(page, share)
    start = np.array([[1 / share, 0, 0.5 / share - 0.5], [0, 1 / share, 0.5 / share - 0.5]])
    found = align(look(small), look(page), start, PAGE_LEVELS)
    assert found is not None
    assert off_by_px(small, page, found.matrix) < 1.0


def test_a_negative_agrees_with_its_sign_turned() -> None:
    picture = sized("chelsea")
    found = align(look(picture), look(ImageOps.invert(picture)), np.eye(2, 3))
    assert found is not None
    assert found.correlation < -0.95
    assert np.median(found.cells[..., 0]) > 0.95


def test_a_blurred_copy_agrees_as_the_sharp_picture_is_blurred_too() -> None:
    picture = sized("chelsea")
    found = align(look(picture), look(picture.filter(ImageFilter.GaussianBlur(2.5))), np.eye(2, 3))
    assert found is not None
    assert found.correlation > 0.9
    assert np.median(found.cells[..., 0]) > 0.9


def test_what_does_not_overlap_is_not_aligned() -> None:
    picture = look(sized("chelsea"))
    assert align(picture, picture, np.array([[1.0, 0, 5000], [0, 1, 0]])) is None
    assert align(picture, picture, np.array([[1.0, 0, picture.width - 4.0], [0, 1, 0]])) is None
