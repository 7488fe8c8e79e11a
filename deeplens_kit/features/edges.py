"""Edges: where in a picture lines run in which direction; computed by rule, not enabled by default.

Takes thumbnails and gives L2-normalised vectors: histograms of gradient directions over 8 x 8 parts of the picture,
the square root of each entry. They do not change with the colours and hardly with the light, so that two drawings of
one outline are near each other, whatever they are filled with. It must never be evidence for a copy: the facades of
two houses are near each other too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.sscd import unit_vectors
from deeplens_kit.schemas import FeatureSpec

__all__ = ["CELL_PX", "DIRECTIONS", "SIDE_PX", "Edges", "cell_histograms"]

SIDE_PX = 96
"""Side of the square that a picture is squeezed to, so that a part of one is held against the same part of another."""

CELL_PX = 12
DIRECTIONS = 9
"""Of 180 degrees: a line has no sign (Dalal and Triggs, section 6.3)."""

FLOOR = 8.0
"""Levels over two pixels, inclusive, that are no edge but noise or traces of compression: without a floor a sheet of
paper is described by its grain. What is above it counts by how much: a little more light makes a little change."""

_CELLS = SIDE_PX // CELL_PX
DIMENSIONS = _CELLS * _CELLS * DIRECTIONS

_SPEC = FeatureSpec(
    name="edges",
    version=1,
    kind="vector",
    size=DIMENSIONS,
    columns=(),
    metric="cosine",
    preprocessing="thumbnail-384/square-96-area/luma-601",
    weights="",
    source="Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005; one scale for all cells",
)


@dataclass(frozen=True, slots=True)
class Edges:
    """Gives {"vector": (n, 576) float16}; a picture without any edge has the zero vector, near nothing."""

    spec: FeatureSpec = _SPEC

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Describe each thumbnail by its edges."""
        require_thumbnails(thumbnails)
        rows = np.empty((len(thumbnails), DIMENSIONS), dtype=np.float32)
        for index, pixels in enumerate(thumbnails):
            rows[index] = np.sqrt(cell_histograms(_grey(pixels))).ravel()
        return {"vector": unit_vectors(rows)}


def cell_histograms(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean gradient by cell and direction of a (96, 96) grey picture, (8, 8, 9) float32 in levels a pixel.

    Central differences, 0 on the border, less `FLOOR`; each is shared by the two directions that it lies between: with
    one direction for each the 1st percentile of the cosine of a picture with its thumbnail is 0.977, so it is 0.991.
    Direction 0 is centred on 10 degrees from the horizontal axis.
    """
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    down[1:-1] = grey[2:] - grey[:-2]
    strength = np.maximum(np.hypot(across, down) - np.float32(FLOOR), 0)
    turned = (np.rad2deg(np.arctan2(down, across)) % 180) * (DIRECTIONS / 180) - 0.5
    below = np.floor(turned)
    part = turned - below
    cell = np.arange(SIDE_PX) // CELL_PX
    first = (cell[:, None] * _CELLS + cell[None, :]) * DIRECTIONS
    sums = np.zeros(DIMENSIONS)
    for direction, weight in ((below, 1 - part), (below + 1, part)):
        place = first + direction.astype(np.int64) % DIRECTIONS
        sums += np.bincount(place.ravel(), weights=(strength * weight).ravel(), minlength=DIMENSIONS)
    return (sums / (CELL_PX * CELL_PX)).reshape(_CELLS, _CELLS, DIRECTIONS).astype(np.float32)


def _grey(pixels: Thumbnail) -> NDArray[np.float32]:
    import cv2

    luma = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    height, width = luma.shape
    # Where a side shrinks, areas are averaged: no pattern of an over-fine texture becomes an edge.
    shrinks = height >= SIDE_PX and width >= SIDE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(luma, (SIDE_PX, SIDE_PX), interpolation=how), dtype=np.float32)
