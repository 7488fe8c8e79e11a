"""Clarity: how sharp a picture is, how flat, how colourful, and whether it shows too little to be told from others.

Takes thumbnails and gives five plain numbers each; must not judge whether pictures are copies. A blank page, a plain
gradient or a simple icon has so little in it that unrelated ones hash alike: such a picture is flagged, and the copy
tier leaves it out. What is flagged loses candidates, so the limits are set where photographs and scans of text pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.schemas import FeatureSpec

__all__ = ["Clarity"]

# Origin of the constants: the development benchmark's 30 near-blank pictures, 100 icons, 329 scanned receipts and
# 1,245 photographs, edited copies included, as thumbnails of 384 px; shares flagged: 100 %, 65 %, 1.5 %, 0.08 %.

FLAT_STEP = 4
"""A step between neighbours of at most this many of 255 grey levels is no gradient (inclusive): paper grain, noise."""

EDGE_STEP = 16
"""A step of more than this many grey levels is an edge (exclusive)."""

MIN_SIDE_PX = 8
"""Below it (exclusive) a side has fewer pixels than a 64-bit hash has rows: always low information."""

BLANK_EDGES = 0.003
"""Blank: at most this share of edges (inclusive). Specks of dust reach 0.0013; strongly blurred photographs 0.0."""

BLANK_FLATNESS = 0.97
"""Blank: at least this flat (inclusive): pages and gradients 0.98 to 1, strongly blurred photographs up to 0.924."""

BLANK_DEVIATION = 5.0
"""Blank: or at most this standard deviation of grey (inclusive): noise on one colour 1.6, photographs from 16 up."""

ICON_FLATNESS = 0.6
"""Plain icon: at least this flat (inclusive) ..."""

ICON_COLOUR_BITS = 3.0
"""... with at most this entropy of its colours in 4 bits a channel (inclusive): 1 % of photographs are below 3.3 ..."""

ICON_STROKES = 7.0
"""... and at most this many strokes on an average line that has any (inclusive): lines of text have 8 to 30."""

TONE_LEVELS = 24
"""Grey levels, of 256, that count as one tone: about what paper spreads over in a scan."""

_MEAN_WEIGHT = 0.3
"""What the mean of the opponent colours counts for beside their spread, fitted by Hasler and Süsstrunk."""

_GREYS = 256
_COLOURS = 4096
_LAPLACIAN_SIDE_PX = 3
"""The Laplacian needs a neighbour on each side."""


_SPEC = FeatureSpec(
    name="clarity",
    version=2,
    kind="measure",
    size=5,
    columns=("sharpness", "flatness", "dominant_tone", "colourfulness", "low_information"),
    metric="none",
    preprocessing="thumbnail-384/grey",
    weights="",
    source="variance of the Laplacian: Pech-Pacheco et al., ICPR 2000; colourfulness: Hasler and Süsstrunk, "
    "Human Vision and Electronic Imaging 2003, equation 5; flags: DeepLens",
)


@dataclass(frozen=True, slots=True)
class Clarity:
    """Columns `sharpness`, `flatness`, `dominant_tone`, `colourfulness`, (n,) float32, `low_information`, (n,) bool.

    Sharpness is the variance of the 4-neighbour Laplacian of the grey thumbnail over its inner pixels, 0 where a side
    is under 3 px. Flatness is the share of pixels whose steps to the right and down are at most FLAT_STEP,
    1 where a side is under 3 px. The dominant tone is the greatest share of grey pixels in any TONE_LEVELS
    consecutive levels: the paper of a page. Colourfulness is 0 for grey, about 15 for slightly and 60 for
    quite colourful pictures.
    """

    spec: FeatureSpec = _SPEC

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Measure each thumbnail."""
        require_thumbnails(thumbnails)
        measured = [_measure(pixels) for pixels in thumbnails]
        return {
            "sharpness": np.array([item.sharpness for item in measured], dtype=np.float32),
            "flatness": np.array([item.flatness for item in measured], dtype=np.float32),
            "dominant_tone": np.array([item.dominant_tone for item in measured], dtype=np.float32),
            "colourfulness": np.array([item.colourfulness for item in measured], dtype=np.float32),
            "low_information": np.array([item.low_information for item in measured], dtype=np.bool_),
        }


class _Measured(NamedTuple):
    sharpness: float
    flatness: float
    dominant_tone: float
    colourfulness: float
    low_information: bool


def _measure(pixels: Thumbnail) -> _Measured:
    from deeplens_kit.features.kernels import clarity_sums

    height, width = pixels.shape[:2]
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    tone, colourfulness = _dominant_tone(grey), _colourfulness(pixels)
    if min(height, width) < _LAPLACIAN_SIDE_PX:
        return _Measured(0.0, 1.0, tone, colourfulness, True)
    sums = np.empty(9, dtype=np.int64)
    clarity_sums(grey, FLAT_STEP, EDGE_STEP, sums)
    bend, bend_squares, flat, edges, row_strokes, rows, column_strokes, columns, places = map(int, sums)
    inner = (height - 2) * (width - 2)
    sharpness = bend_squares / inner - (bend / inner) ** 2
    flatness = flat / places
    strokes = max(row_strokes / max(rows, 1), column_strokes / max(columns, 1))
    blank = edges / places <= BLANK_EDGES and (flatness >= BLANK_FLATNESS or float(grey.std()) <= BLANK_DEVIATION)
    low = (
        min(height, width) < MIN_SIDE_PX
        or blank
        or (flatness >= ICON_FLATNESS and strokes <= ICON_STROKES and _colour_bits(pixels) <= ICON_COLOUR_BITS)
    )
    return _Measured(sharpness, flatness, tone, colourfulness, low)


def _dominant_tone(grey: NDArray[np.uint8]) -> float:
    """Share of the pixels in the fullest run of TONE_LEVELS consecutive grey levels."""
    below = np.concatenate([[0], np.cumsum(np.bincount(grey.ravel(), minlength=_GREYS))])
    return float((below[TONE_LEVELS:] - below[:-TONE_LEVELS]).max() / grey.size)


def _colourfulness(pixels: NDArray[np.uint8]) -> float:
    """Spread of the opponent colours R - G and (R + G) / 2 - B plus 0.3 of the distance of their mean from grey.

    Source: Hasler and Süsstrunk, "Measuring colourfulness in natural images", 2003, equation 5.
    """
    from deeplens_kit.features.kernels import opponent_sums

    sums = np.empty(4, dtype=np.int64)
    opponent_sums(np.ascontiguousarray(pixels), sums)
    places = pixels.shape[0] * pixels.shape[1]
    means = float(sums[0]) / places, float(sums[2]) / (2 * places)
    squares = float(sums[1]) / places, float(sums[3]) / (4 * places)
    variance = sum(square - mean**2 for square, mean in zip(squares, means, strict=True))
    return math.sqrt(max(variance, 0.0)) + _MEAN_WEIGHT * math.hypot(*means)


def _colour_bits(pixels: NDArray[np.uint8]) -> float:
    """Entropy in bits of the colours of a picture, each channel cut to its 4 upper bits."""
    red, green, blue = (pixels[:, :, channel].astype(np.uint16) >> 4 for channel in range(3))
    counts = np.bincount(((red << 8) | (green << 4) | blue).ravel(), minlength=_COLOURS)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())
