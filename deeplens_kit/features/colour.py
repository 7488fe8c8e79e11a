"""Colour: how much of each colour a picture holds, wherever in it; computed by rule, not enabled by default.

Takes thumbnails and gives L2-normalised vectors: the square roots of the shares of 294 colours, evenly spaced in
L*a*b*, each pixel shared among the eight around it. So the cosine of two vectors is the Bhattacharyya coefficient of
the two histograms, 1 for equal and 0 for disjoint ones, and their Euclidean distance is the square root of 2 times the
Hellinger distance. Two pictures of one beach on two days are near each other: it must never be evidence for a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.lab_colours import lab
from deeplens_kit.features.sscd import unit_vectors
from deeplens_kit.schemas import FeatureSpec

__all__ = ["Colour", "histogram"]

_FIRST = np.array([0.0, -90.0, -105.0], dtype=np.float32)
_STEP = np.array([20.0, 30.0, 35.0], dtype=np.float32)
_COUNTS = (6, 7, 7)
"""L* 0..100, a* -90..90, b* -105..105: finer in L*, in which pictures differ most; all of sRGB but a rim of a*."""

DIMENSIONS = 294

_SPEC = FeatureSpec(
    name="colour",
    version=1,
    kind="vector",
    size=DIMENSIONS,
    columns=(),
    metric="cosine",
    preprocessing="thumbnail-384/square-64-area/lab",
    weights="",
    source="Swain and Ballard, Color Indexing, IJCV 1991, in L*a*b* with shared bins; Bhattacharyya 1943",
)


@dataclass(frozen=True, slots=True)
class Colour:
    """Gives {"vector": (n, 294) float16}; entries of a vector are square roots of shares that add up to 1."""

    spec: FeatureSpec = _SPEC

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Describe each thumbnail by its colours."""
        require_thumbnails(thumbnails)
        rows = np.empty((len(thumbnails), DIMENSIONS), dtype=np.float32)
        for index, pixels in enumerate(thumbnails):
            rows[index] = np.sqrt(histogram(lab(pixels)))
        return {"vector": unit_vectors(rows)}


def histogram(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares of the 294 colours among (n, 3) L*a*b* pixels, n at least 1; they add up to 1."""
    places = np.clip((colours - _FIRST) / _STEP, 0, np.array(_COUNTS, dtype=np.float32) - 1)
    below = np.minimum(places.astype(np.int64), np.array(_COUNTS) - 2)
    part = places - below
    counts = np.zeros(DIMENSIONS, dtype=np.float64)
    parts = (1 - part, part)
    for lightness, green_red, blue_yellow in product((0, 1), repeat=3):
        weight = parts[lightness][:, 0] * parts[green_red][:, 1] * parts[blue_yellow][:, 2]
        cell = (below[:, 0] + lightness) * _COUNTS[1] + below[:, 1] + green_red
        cell = cell * _COUNTS[2] + below[:, 2] + blue_yellow
        counts += np.bincount(cell, weights=weight, minlength=DIMENSIONS)
    return (counts / len(colours)).astype(np.float32)
