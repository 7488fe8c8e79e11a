"""Drawn shapes in colours, and two small features of them that need no model: outlines, and colours that have words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from deeplens_kit.features import Columns, Thumbnail
from deeplens_kit.schemas import FeatureSpec

__all__ = ["COLOURS", "OUTLINES", "SHAPES", "WORD_COLOURS", "Outlines", "WordColours", "draw", "write_drawn"]

COLOURS = {
    "red": (220, 30, 30), "green": (30, 160, 50), "blue": (30, 60, 220), "yellow": (235, 215, 40),
    "purple": (130, 40, 150), "orange": (245, 140, 20), "black": (10, 10, 10), "white": (255, 255, 255),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "cross", "bar")
OUTLINES, WORD_COLOURS = "outlines", "word_colours"
_SIDE_PX, _GRID = 96, 12
_NOISE = 40


def draw(shape: str, colour: str, seed: int = 0) -> Image.Image:
    """A shape on white, each seed a little elsewhere."""
    random = np.random.default_rng([seed, SHAPES.index(shape)])
    image = Image.new("RGB", (_SIDE_PX, _SIDE_PX), COLOURS["white"])
    x, y = (20 + int(step) for step in random.integers(-4, 5, 2))
    box, fill = (x, y, x + 56, y + 56), COLOURS[colour]
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse(box, fill)
    elif shape == "square":
        pen.rectangle(box, fill)
    elif shape == "triangle":
        pen.polygon([(x, y + 56), (x + 28, y), (x + 56, y + 56)], fill)
    elif shape == "cross":
        pen.rectangle((x + 20, y, x + 36, y + 56), fill)
        pen.rectangle((x, y + 20, x + 56, y + 36), fill)
    else:
        pen.rectangle((x, y + 20, x + 56, y + 36), fill)
    return image


def write_drawn(folder: Path) -> Path:
    """Two of each shape in three colours, and beside them pictures of all kinds of blots."""
    folder.mkdir(parents=True)
    for shape in SHAPES:
        for colour in ("red", "green", "blue"):
            for seed in (1, 2):
                draw(shape, colour, seed).save(folder / f"{colour} {shape} {seed}.png")
    random = np.random.default_rng(5)
    for number in range(_NOISE):
        coarse = random.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        blots = Image.fromarray(coarse).resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC)
        blots.save(folder / f"blots {number}.png")
    return folder


class Outlines:
    """Where a picture is not white."""

    spec = FeatureSpec(OUTLINES, 1, "vector", _GRID * _GRID, (), "euclidean", "grid", "", "the tests")

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """See `Extractor.extract`."""
        grids = [
            np.asarray(Image.fromarray(pixels).convert("L").resize((_GRID, _GRID), Image.Resampling.BOX), np.float64)
            for pixels in thumbnails
        ]
        rows = np.array([255.0 - grid.reshape(-1) for grid in grids]).reshape(len(thumbnails), -1)
        return {"vector": _unit(rows)}


class WordColours:
    """How much of a picture has each of a few colours, and which of them words name."""

    spec = FeatureSpec(WORD_COLOURS, 1, "vector", len(COLOURS), (), "cosine", "nearest", "", "the tests")

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """See `Extractor.extract`."""
        palette = np.array(list(COLOURS.values()), np.float64)
        rows = np.zeros((len(thumbnails), len(COLOURS)))
        for row, pixels in zip(rows, thumbnails, strict=True):
            distances = np.linalg.norm(pixels.reshape(-1, 1, 3) - palette, axis=2)
            row[:] = np.bincount(distances.argmin(axis=1), minlength=len(COLOURS))
        # Paper says nothing of what is drawn on it.
        rows[:, -1] *= 0.05
        return {"vector": _unit(rows)}

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """See `TextExtractor.embed_texts`."""
        return _unit(np.array([[float(text.split().count(name)) for name in COLOURS] for text in texts]))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float16]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float16)
