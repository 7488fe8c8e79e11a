"""Reduced and enlarged back to its size, a picture looks like its original at the size of thumbnails, and is less."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from trap_workspace import found_in

from data.edits import added_noise, encoded, scaled
from data.photographs import photograph
from deeplens_kit.pipeline import Workspace

ORIGINAL = "original.jpg"
SIDE_PX = 400
BICUBIC, LANCZOS = Image.Resampling.BICUBIC, Image.Resampling.LANCZOS


@cache
def large() -> Image.Image:
    """1,600 x 1,200 px, each of them sharp: parts of photographs at their own resolution, none enlarged."""
    names = ("coffee", "rocket", "astronaut", "hubble")
    whole = Image.new("RGB", (4 * SIDE_PX, 3 * SIDE_PX))
    for row in range(3):
        for column in range(4):
            part = photograph(names[(row + column) % 4])
            left, top = (part.width - SIDE_PX) // 2, (part.height - SIDE_PX) // 2
            part = part.crop((left, top, left + SIDE_PX, top + SIDE_PX)).rotate(90 * row)
            whole.paste(part, (column * SIDE_PX, row * SIDE_PX))
    return whole


def decoded(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def stored(picture: Image.Image, form: str) -> bytes:
    if form == "lossless WEBP":
        stream = io.BytesIO()
        picture.save(stream, "WEBP", lossless=True)
        return stream.getvalue()
    return encoded(picture, form, 95)


def enlarged_back(picture: Image.Image, share: float, kernel: Image.Resampling) -> Image.Image:
    small = picture.resize((round(picture.width * share), round(picture.height * share)), LANCZOS)
    return small.resize(picture.size, kernel)


@pytest.mark.parametrize(
    ("share", "kernel", "form"),
    [
        (0.25, BICUBIC, "JPEG"),
        (0.25, LANCZOS, "PNG"),
        (0.3, BICUBIC, "lossless WEBP"),
        (0.33, LANCZOS, "JPEG"),
        (0.4, BICUBIC, "PNG"),
        (0.4, LANCZOS, "lossless WEBP"),
        (0.4, LANCZOS, "JPEG"),
    ],
)
def test_the_original_stays_beside_what_was_enlarged_back(
    tmp_path: Path, share: float, kernel: Image.Resampling, form: str
) -> None:
    original = encoded(large(), "JPEG", 85)
    files = {
        "enlarged back": stored(enlarged_back(decoded(original), share, kernel), form),
        ORIGINAL: original,
        "smaller.jpg": encoded(scaled(large(), 0.6), "JPEG", 80),
    }
    found = found_in(tmp_path, files)
    assert found.relation("enlarged back", ORIGINAL) == "whole"
    assert ORIGINAL not in found.removed
    # Whatever becomes of the enlargement, what is smaller and plainly less is found.
    assert "smaller.jpg" in found.removed


@pytest.mark.parametrize("edit", ["saved again", "noise"])
def test_a_plain_copy_of_one_size_is_proposed_as_ever(tmp_path: Path, edit: str) -> None:
    original = encoded(large(), "JPEG", 75)
    shown = decoded(original)
    copies = {
        "saved again": encoded(shown, "JPEG", 95),
        "noise": encoded(added_noise(shown, 0.02 * 255, 1), "JPEG", 75),
    }
    found = found_in(tmp_path, {ORIGINAL: original, edit: copies[edit]})
    assert found.keepers
    with Workspace.open(found.workspace) as workspace:
        pair = workspace.catalog.pairs()
        assert pair["resolution"].to_list() == pytest.approx([1.0], abs=0.01)
        # The pair tells, so that neither picture has to by itself.
        assert workspace.catalog.pictures(columns=["effective_pixels"])["effective_pixels"].null_count() == 2
        assert pair.filter(pl.col("transform").is_null()).is_empty()
