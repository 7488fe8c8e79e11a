"""What clarity measures, against plain numpy, and what it flags."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from deeplens_kit.features.clarity import FLAT_STEP, MIN_SIDE_PX, TONE_LEVELS, Clarity


def flagged(picture: Image.Image | NDArray[np.uint8]) -> bool:
    return bool(Clarity().extract([np.asarray(picture)])["low_information"][0])


@settings(max_examples=80, deadline=None)
@given(height=st.integers(3, 60), width=st.integers(3, 60), seed=st.integers(0, 2**32 - 1), step=st.integers(1, 255))
def test_measures_are_those_of_their_definitions(height: int, width: int, seed: int, step: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, step + 1, (height, width, 3)).astype(np.uint8)
    grey = np.asarray(Image.fromarray(pixels).convert("L")).astype(np.int64)
    inner = grey[1:-1, 1:-1]
    bends = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    steps = np.maximum(np.abs(np.diff(grey, axis=1))[:-1], np.abs(np.diff(grey, axis=0))[:, :-1])
    tones = [((grey >= low) & (grey < low + TONE_LEVELS)).mean() for low in range(257 - TONE_LEVELS)]
    found = Clarity().extract([pixels])
    assert found["sharpness"][0] == pytest.approx(bends.var(), rel=1e-5, abs=1e-3)
    assert found["flatness"][0] == pytest.approx((steps <= FLAT_STEP).mean(), abs=1e-6)
    assert found["dominant_tone"][0] == pytest.approx(max(tones), abs=1e-6)
    red, green, blue = np.moveaxis(pixels.astype(np.float64), 2, 0)
    opponents = np.stack([red - green, (red + green) / 2 - blue]).reshape(2, -1)
    spread, middle = np.sqrt(opponents.var(axis=1).sum()), np.sqrt((opponents.mean(axis=1) ** 2).sum())
    assert found["colourfulness"][0] == pytest.approx(spread + 0.3 * middle, rel=1e-5, abs=1e-3)


def test_a_picture_loses_its_colourfulness_with_its_colours(pictures: dict[str, NDArray[np.uint8]]) -> None:
    for name in ("astronaut", "coffee", "cat"):
        colour = Image.fromarray(pictures[name])
        shades = [ImageEnhance.Color(colour).enhance(share) for share in (0.0, 0.5, 1.0, 1.6)]
        measured = Clarity().extract([np.asarray(shade) for shade in shades])["colourfulness"]
        assert measured[0] == 0.0 and (np.diff(measured) > 0).all(), name
        assert measured[1] == pytest.approx(measured[2] / 2, rel=0.05), name


def test_photographs_and_pages_of_text_are_not_flagged(pictures: dict[str, NDArray[np.uint8]]) -> None:
    for name in ("astronaut", "camera", "cat", "coffee", "coins", "grass", "page", "rocket", "text"):
        assert not flagged(pictures[name]), name


def test_a_strongly_blurred_photograph_is_not_flagged(pictures: dict[str, NDArray[np.uint8]]) -> None:
    for name in ("astronaut", "coffee", "rocket"):
        assert not flagged(Image.fromarray(pictures[name]).filter(ImageFilter.GaussianBlur(5))), name


def test_blank_pages_are_flagged() -> None:
    white = np.full((384, 271, 3), 255, dtype=np.uint8)
    noise = np.random.default_rng(2).normal(240, 1.6, (384, 271, 1)).clip(0, 255).astype(np.uint8)
    specks = white.copy()
    specks[50:53, 60:62] = specks[300:302, 9:12] = 40
    gradient = np.linspace(180, 255, 384)[:, None, None].repeat(271, 1).repeat(3, 2).astype(np.uint8)
    for page in (white, np.zeros_like(white), noise.repeat(3, axis=2), specks, gradient):
        assert flagged(page)


def icon(shape: str) -> Image.Image:
    picture = Image.new("RGB", (1024, 1024), "white")
    draw = ImageDraw.Draw(picture)
    if shape == "disc":
        draw.ellipse((200, 200, 824, 824), fill=(200, 30, 40))
    elif shape == "cross":
        draw.line((200, 200, 824, 824), fill="black", width=90)
        draw.line((824, 200, 200, 824), fill="black", width=90)
    else:
        draw.polygon([(512, 180), (850, 480), (170, 480)], fill=(60, 90, 200))
        draw.rectangle((280, 480, 740, 860), fill=(230, 200, 120), outline="black", width=12)
        draw.rectangle((460, 640, 560, 860), fill=(90, 50, 20))
    return picture.resize((384, 384), Image.Resampling.LANCZOS)


@pytest.mark.parametrize("shape", ["disc", "cross", "house"])
def test_plain_icons_are_flagged(shape: str) -> None:
    assert flagged(icon(shape))


def test_a_form_with_many_words_is_not_flagged() -> None:
    form = Image.new("RGB", (768, 1086), "white")
    draw = ImageDraw.Draw(form)
    for line in range(40):
        draw.text(
            (60, 30 + 26 * line), f"{line:03d}  item number {line * 7919 % 1000}    {line * 613 % 97}.50", fill="black"
        )
    assert not flagged(form.resize((271, 384), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("size", [(MIN_SIDE_PX - 1, 200), (200, MIN_SIDE_PX - 1), (1, 1)])
def test_slivers_are_flagged(size: tuple[int, int]) -> None:
    assert flagged(np.random.default_rng(4).integers(0, 256, (*size, 3), dtype=np.uint8))


def test_noise_of_the_smallest_allowed_side_is_not_flagged() -> None:
    assert not flagged(np.random.default_rng(4).integers(0, 256, (MIN_SIDE_PX, 200, 3), dtype=np.uint8))
