"""An enlargement resolves no more than what it was made of; a picture resolves more than its reduction."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from data.photographs import photograph
from deeplens_kit.matching.verification.resolution import resolution_ratio

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SMALL_PX = (400, 300)


def small(name: str, size: tuple[int, int] = SMALL_PX) -> Image.Image:
    """A photograph with every pixel sharp."""
    return photograph(name).resize(size, Image.Resampling.LANCZOS)


def saved(image: Image.Image, kind: str, quality: int) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, kind, quality=quality)
    return Image.open(stream).convert("RGB")


def scaled(image: Image.Image, factor: float, kernel: str) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), KERNELS[kernel])


def luma(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("L"))


def whole_view(source: Image.Image, target: Image.Image) -> NDArray[np.float64]:
    """The matrix that lays all of one picture on all of another."""
    across, down = target.width / source.width, target.height / source.height
    return np.array([[across, 0, across / 2 - 0.5], [0, down, down / 2 - 0.5]])


def ratio(first: Image.Image, second: Image.Image, matrix: NDArray[Any] | None = None) -> float:
    way = whole_view(first, second) if matrix is None else matrix
    return resolution_ratio(luma(first), luma(second), way)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [1.5, 2, 3.2])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "gravel"])
def test_an_enlargement_resolves_no_more(name: str, factor: float, kernel: str) -> None:
    original = saved(small(name), "JPEG", 90)
    enlarged = saved(scaled(original, factor, kernel), "WEBP", 85)
    assert ratio(enlarged, original) <= 1.0
    assert ratio(original, enlarged) >= 1.0


def drawn_receipt() -> Image.Image:
    """A page with few lines of text and two ruled lines, each three pixels thick."""
    page = Image.new("RGB", (700, 1000), (250, 249, 246))
    draw = ImageDraw.Draw(page)
    for top, size, text in (
        (40, 32, "EXAMPLE STORES"),
        (90, 20, "12 Market Road, Hill Town"),
        (180, 22, "Receipt 004711    03.05.2024"),
        *((240 + 44 * number, 22, f"Article {number}      {number}.{20 + 7 * number}") for number in range(5)),
        (780, 30, "TOTAL      14.50"),
        (900, 22, "Thank you, please come again"),
    ):
        draw.text((60, top), text, (30, 30, 30), ImageFont.load_default(size))
    for top in (160, 760):
        draw.line((40, top, 660, top), 0, 3)
    return page


@pytest.mark.parametrize(("quality", "kernel"), [(75, "lanczos"), (85, "bicubic"), (75, "bicubic"), (60, "lanczos")])
def test_a_drawn_page_is_never_taken_for_an_enlargement_of_its_reduction(quality: int, kernel: str) -> None:
    page = drawn_receipt()
    found = ratio(saved(page, "JPEG", 75), saved(scaled(page, 0.8, kernel), "JPEG", quality))
    assert math.isnan(found) or found == pytest.approx(1.25, rel=0.02)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("factor", [1.5, 2, 3.2])
@pytest.mark.parametrize("name", ["astronaut", "coffee", "camera", "chelsea"])
def test_a_picture_resolves_more_than_its_reduction(name: str, factor: float, kernel: str) -> None:
    original = saved(photograph(name), "JPEG", 90)
    reduced = saved(scaled(original, 1 / factor, kernel), "WEBP", 85)
    assert ratio(original, reduced) == pytest.approx(factor, rel=0.02)
    assert ratio(reduced, original) == pytest.approx(1 / factor, rel=0.02)


def test_texture_reduced_by_leaving_pixels_out_is_never_taken_for_the_better_picture() -> None:
    for name in ("gravel", "brick", "grass"):
        original = saved(photograph(name), "JPEG", 90)
        for factor in (1.5, 2, 3.2):
            assert not ratio(original, scaled(original, 1 / factor, "nearest")) < 1.05


@pytest.mark.parametrize("factor", [1.5, 2, 3.2])
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda image: image.filter(ImageFilter.UnsharpMask(2, 120, 0)), id="sharpened"),
        pytest.param(lambda image: saved(image, "JPEG", 60), id="jpeg60"),
        pytest.param(lambda image: saved(image, "AVIF", 60), id="avif60"),
    ],
)
def test_what_is_done_to_an_enlargement_adds_nothing(changed: Any, factor: float) -> None:
    for name in ("astronaut", "coffee", "chelsea"):
        original = saved(small(name), "JPEG", 90)
        assert not ratio(changed(scaled(original, factor, "bicubic")), original) > 1.0


@pytest.mark.parametrize("size", [(128, 96), (640, 427)])
def test_small_and_large_sources_are_told_alike(size: tuple[int, int]) -> None:
    original = saved(small("rocket", size), "JPEG", 90)
    assert ratio(scaled(original, 2, "bicubic"), original) <= 1.0
    assert ratio(original, scaled(original, 0.5, "bicubic")) == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored_views_are_compared_as_they_lie(turns: int, mirrored: bool) -> None:
    original = small("coffee")
    enlarged, reduced = luma(scaled(original, 2, "bicubic")), luma(scaled(original, 0.5, "bicubic"))
    for larger, smaller, expected in ((enlarged, luma(original), 1.0), (luma(original), reduced, 2.0)):
        way = np.vstack([whole_view(Image.fromarray(larger), Image.fromarray(smaller)), [0, 0, 1]])
        height, width = smaller.shape
        if mirrored:
            smaller = smaller[:, ::-1]
            way = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]]) @ way
        for _ in range(turns):
            way = np.array([[0, 1, 0], [-1, 0, width - 1], [0, 0, 1]]) @ way
            height, width = width, height
        found = resolution_ratio(larger, np.ascontiguousarray(np.rot90(smaller, turns)), way[:2])
        assert found == pytest.approx(expected, rel=0.02)


def test_a_part_is_compared_where_both_show_it() -> None:
    original = photograph("astronaut")
    part = original.crop((100, 40, 420, 360))
    place = np.array([[0.5, 0, 100 - 0.25], [0, 0.5, 40 - 0.25]])
    assert ratio(scaled(part, 2, "lanczos"), original, place) <= 1.0
    reduced = scaled(original, 0.5, "lanczos")
    place = np.array([[0.5, 0, 50 - 0.25], [0, 0.5, 20 - 0.25]])
    assert ratio(part, reduced, place) == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("off", [(1.5, -1.0), (-2.0, 2.0)])
def test_a_transform_that_is_a_little_wrong_is_put_right(off: tuple[float, float]) -> None:
    original = photograph("coffee")
    enlarged, reduced = scaled(original, 2, "bicubic"), scaled(original, 0.5, "bicubic")
    for larger, smaller, expected in ((enlarged, original, 1.0), (original, reduced, 2.0)):
        way = whole_view(larger, smaller)
        way[:, 2] += off
        assert ratio(larger, smaller, way) == pytest.approx(expected, rel=0.02)


def test_of_one_size_the_one_blown_up_resolves_less() -> None:
    for name in ("astronaut", "rocket"):
        original = small(name)
        blown_up = saved(scaled(scaled(original, 0.5, "box"), 2, "bicubic"), "JPEG", 95)
        assert ratio(blown_up, original) < 0.95
        assert ratio(original, blown_up) > 1 / 0.95


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda image: saved(image, "JPEG", 75), id="jpeg75"),
        pytest.param(lambda image: saved(image, "WEBP", 80), id="webp80"),
        pytest.param(lambda image: image.filter(ImageFilter.SHARPEN), id="sharpened"),
        pytest.param(lambda image: image.convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB"), id="palette"),
        pytest.param(lambda image: image.point(lambda level: level // 2 + 60), id="low contrast"),
    ],
)
def test_of_one_size_a_copy_resolves_as_much(changed: Any) -> None:
    for name in ("astronaut", "coffee", "chelsea", "gravel"):
        original = small(name)
        assert ratio(original, changed(original)) == pytest.approx(1, rel=0.01)


def test_noise_is_no_detail() -> None:
    original = small("chelsea")
    noise = np.random.default_rng(3).normal(0, 8, (SMALL_PX[1], SMALL_PX[0], 1))
    noisy = Image.fromarray(np.clip(np.asarray(original) + noise, 0, 255).astype(np.uint8))
    assert not ratio(scaled(noisy, 2, "bicubic"), noisy) > 1
    assert not ratio(original, noisy) < 0.95


def test_nothing_is_said_where_nothing_is_seen() -> None:
    original = small("coffee")
    flat = Image.new("RGB", SMALL_PX, (90, 90, 90))
    assert math.isnan(ratio(scaled(flat, 2, "bicubic"), flat))
    tiny = original.resize((40, 30))
    assert math.isnan(ratio(scaled(tiny, 1.5, "bicubic"), tiny))
    assert math.isnan(ratio(scaled(original, 1.08, "bicubic"), original))
    other = small("astronaut")
    assert math.isnan(ratio(scaled(original, 2, "bicubic"), other))
    nowhere = np.array([[0.5, 0, 5000], [0, 0.5, 5000]])
    assert math.isnan(ratio(original, original, nowhere))
    assert math.isnan(ratio(original, original, np.zeros((2, 3))))


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
@pytest.mark.parametrize(("share", "reduced"), [(0.25, 0.5), (0.25, 0.6), (0.4, 0.6), (0.4, 0.75)])
def test_what_was_enlarged_from_still_less_does_not_resolve_more(share: float, reduced: float, kernel: str) -> None:
    for name in ("astronaut", "coffee", "rocket", "hubble"):
        original = photograph(name)
        enlarged = scaled(original, share, "lanczos").resize(original.size, KERNELS[kernel])
        copy = saved(scaled(original, reduced, "lanczos"), "JPEG", 80)
        assert not ratio(saved(enlarged, "JPEG", 95), copy) > 1.05
