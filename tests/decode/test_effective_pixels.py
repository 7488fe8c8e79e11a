"""An enlargement adds no detail, and what is told of it stays near what it was made from."""

from __future__ import annotations

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from deeplens_kit.decode import effective_pixels
from deeplens_kit.decode.detail import effective_share
from deeplens_kit.errors import CorruptPictureError
from deeplens_kit.settings import DecodeSettings

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "gravel")
NEAR = (0.65, 1.25)  # per side, against the size enlarged from: what each single photograph keeps to
NEAR_ON_AVERAGE = (0.77, 1.15)
SHARP = 0.85


def _photograph(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)()).convert("RGB")


def _jpeg(image: Image.Image, quality: int = 85) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _enlarged(image: Image.Image, factor: float, kernel: str) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), KERNELS[kernel])


def _side_share(found: int, image: Image.Image) -> float:
    """Effective over real side length, as the geometric mean of both."""
    return float((found / (image.width * image.height)) ** 0.5)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_sharp_photograph_counts_nearly_whole(name, limits):
    image = _photograph(name)
    assert SHARP <= _side_share(effective_pixels(_jpeg(image, 95), limits), image) <= 1


@pytest.mark.parametrize("kernel", sorted(KERNELS))
@pytest.mark.parametrize("factor", [1.5, 2, 4])
def test_an_enlargement_counts_as_what_it_was_made_from(kernel, factor, limits):
    shares = []
    for name in PHOTOGRAPHS:
        image = _photograph(name)
        shares.append(_side_share(effective_pixels(_jpeg(_enlarged(image, factor, kernel)), limits), image))
    low, high = NEAR
    assert all(low <= share <= high for share in shares), shares
    low, high = NEAR_ON_AVERAGE
    assert low <= float(np.mean(shares)) <= high, shares


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_reduction_counts_less_than_its_original(name, limits):
    image = _photograph(name)
    whole = effective_pixels(_jpeg(image), limits)
    for factor in (0.75, 0.5):
        reduced = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
        assert effective_pixels(_jpeg(reduced), limits) < whole


def test_blur_counts_less(limits):
    image = _photograph("coffee")
    counts = [effective_pixels(_jpeg(image.filter(ImageFilter.GaussianBlur(sigma))), limits) for sigma in (0, 1, 2, 4)]
    assert counts == sorted(counts, reverse=True)
    assert counts[3] < counts[0] / 8


def test_never_more_than_there_are_and_never_none(limits):
    noise = np.random.default_rng(7).integers(0, 256, (200, 300), dtype=np.uint8)
    for image in (
        Image.fromarray(noise),
        Image.new("L", (300, 200), 128),
        Image.new("L", (1, 1)),
        Image.new("L", (5, 900), 3),
        Image.fromarray(noise[:31, :31]),
        Image.fromarray(noise[:33, :]),
    ):
        stream = io.BytesIO()
        image.save(stream, "PNG")
        assert effective_pixels(stream.getvalue(), limits) == image.width * image.height


def test_stripes_are_not_taken_for_repeats():
    rng = np.random.default_rng(3)
    stripes = np.repeat(rng.integers(0, 256, 300, dtype=np.uint8), 2)[:, np.newaxis].repeat(600, axis=1)
    picture = np.clip(stripes.astype(int) + rng.normal(0, 12, stripes.shape), 0, 255).astype(np.uint8)
    assert effective_share(picture)[0] > SHARP


def test_the_count_is_deterministic(limits):
    data = _jpeg(_photograph("chelsea"))
    assert len({effective_pixels(data, limits) for _ in range(3)}) == 1


def test_orientation_does_not_matter(limits):
    image = _enlarged(_photograph("coffee"), 2, "bicubic")
    stream, turned = io.BytesIO(), io.BytesIO()
    image.save(stream, "PNG")
    image.transpose(Image.Transpose.ROTATE_180).transpose(Image.Transpose.TRANSPOSE).save(turned, "PNG")
    assert effective_pixels(turned.getvalue(), limits) == pytest.approx(
        effective_pixels(stream.getvalue(), limits), rel=0.15
    )


def test_damage_is_told_as_everywhere():
    with pytest.raises(CorruptPictureError):
        effective_pixels(_jpeg(_photograph("coffee"))[:5000], DecodeSettings())
