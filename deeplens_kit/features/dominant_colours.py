"""Dominant colours: the few colours that make up most of a picture, by name; by rule, not enabled by default.

Takes thumbnails and gives L2-normalised vectors of 24 numbers, one for each named colour: the square root of its share
among the picture's dominant colours, 0 where it is a detail. So a vector can be made of words ("two thirds
navy, one third white"), `shares` gives the shares back, by which one can filter, and the cosine is the Bhattacharyya
coefficient of two palettes. It must never be evidence for a copy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.features.base import Columns, Thumbnail, require_thumbnails
from deeplens_kit.features.lab_colours import lab, lab_of_rgb
from deeplens_kit.features.sscd import unit_vectors
from deeplens_kit.schemas import FeatureSpec

__all__ = ["NAMED_COLOURS", "DominantColours", "palette_vector", "shares"]

NAMED_COLOURS: Mapping[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "dark grey": (72, 72, 72),
    "grey": (128, 128, 128),
    "light grey": (192, 192, 192),
    "white": (255, 255, 255),
    "dark red": (128, 0, 0),
    "red": (220, 20, 30),
    "pink": (250, 150, 180),
    "magenta": (220, 30, 200),
    "purple": (110, 30, 130),
    "violet": (160, 130, 220),
    "navy": (10, 20, 90),
    "blue": (30, 60, 220),
    "sky blue": (120, 180, 240),
    "cyan": (60, 220, 230),
    "teal": (0, 120, 120),
    "dark green": (0, 70, 20),
    "green": (30, 150, 50),
    "light green": (140, 230, 120),
    "olive": (120, 120, 30),
    "yellow": (245, 225, 40),
    "orange": (245, 140, 20),
    "brown": (115, 70, 35),
    "beige": (230, 205, 170),
}
"""Name -> sRGB, in the order of a vector: the basic colour terms of Berlin and Kay (1969) with their common shades."""

LEAST_SHARE, WHOLE_SHARE = 0.02, 0.04
"""Up to the first (inclusive) a colour is a detail and does not count; from the second on it counts wholly. In between
it counts more and more: at a hard limit one more pixel would make another palette."""

_BLUR = 10.0
"""Distance in L*a*b* over which a pixel counts for two names: noise on a border between names moves no share."""

_SPEC = FeatureSpec(
    name="dominant_colours",
    version=1,
    kind="vector",
    size=len(NAMED_COLOURS),
    columns=(),
    metric="cosine",
    preprocessing="thumbnail-384/square-64-area/lab",
    weights="",
    source="Berlin and Kay, Basic Color Terms, 1969; Bhattacharyya 1943",
)


@dataclass(frozen=True, slots=True)
class DominantColours:
    """Gives {"vector": (n, 24) float16}."""

    spec: FeatureSpec = _SPEC

    def extract(self, thumbnails: Sequence[Thumbnail]) -> Columns:
        """Name the dominant colours of each thumbnail."""
        require_thumbnails(thumbnails)
        rows = np.empty((len(thumbnails), len(NAMED_COLOURS)), dtype=np.float32)
        for index, pixels in enumerate(thumbnails):
            rows[index] = np.sqrt(_dominant(_shares(lab(pixels))))
        return {"vector": unit_vectors(rows)}


def shares(vector: NDArray[np.floating]) -> dict[str, float]:
    """The dominant colours of a vector, the largest share first; shares are in 0..1 and add up to 1."""
    squares = np.square(vector.astype(np.float64))
    found = {name: float(share) for name, share in zip(NAMED_COLOURS, squares, strict=True) if share > 0}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def palette_vector(palette: Mapping[str, float]) -> NDArray[np.float16]:
    """The vector of a palette, to search with: what a picture of these colours would have.

    Args:
        palette: Name of `NAMED_COLOURS` -> share, above 0; they need not add up to 1.

    Raises:
        UnknownNameError: A colour that has no name here.
        SettingsError: No colour, or a share that is not above 0.
    """
    for name in palette:
        if name not in NAMED_COLOURS:
            raise UnknownNameError("colour", name, NAMED_COLOURS)
    if not palette or not all(0 < share < np.inf for share in palette.values()):
        raise SettingsError(f"The palette is {dict(palette)}; name at least one colour, each with a share above 0.")
    row = np.sqrt([[palette.get(name, 0.0) for name in NAMED_COLOURS]]).astype(np.float32)
    return np.asarray(unit_vectors(row)[0])


def _shares(colours: NDArray[np.float32]) -> NDArray[np.float64]:
    anchors = _anchors()
    # The squared length of a pixel is left out: only how much farther a name is than the nearest one counts.
    squares = np.square(anchors).sum(axis=1) - 2 * (colours @ anchors.T)
    near = np.exp((squares.min(axis=1, keepdims=True) - squares) / np.float32(2 * _BLUR * _BLUR))
    return np.asarray((near / near.sum(axis=1, keepdims=True)).mean(axis=0, dtype=np.float64))


def _dominant(found: NDArray[np.float64]) -> NDArray[np.float64]:
    part = np.clip((found - LEAST_SHARE) / (WHOLE_SHARE - LEAST_SHARE), 0.0, 1.0)
    kept = found * part
    return np.asarray(kept / kept.sum())


@lru_cache(maxsize=1)
def _anchors() -> NDArray[np.float32]:
    return lab_of_rgb(np.array(list(NAMED_COLOURS.values()), dtype=np.uint8))
