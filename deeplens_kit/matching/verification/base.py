"""What verification sees of pictures and says of a pair.

Defines the door through which pixels come in, what is kept of a picture for many comparisons, and the findings about
one pair; must not compute. Coordinates are pixel centres of the upright picture: x to the right, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LOOK_SIDE_PX",
    "TURNED_DEGREES",
    "VERIFICATION",
    "Affine",
    "Box",
    "Grey",
    "Look",
    "PixelSource",
    "off_quarter_turn",
]

VERIFICATION = "v3-sift-affine-cells"
"""Names the method in the catalog and in cache keys; raised when the same two pictures would give other findings."""

LOOK_SIDE_PX = 1024
"""Long side of the grey pictures that are compared, in pixels: letters of a page at 1,100 px are still legible."""

TURNED_DEGREES = 0.7
"""Between quarter turns by more than this (exclusive) a picture was turned by hand; burst frames turn by less."""

Grey: TypeAlias = NDArray[np.uint8]
"""Upright grey samples, (height, width) uint8, each side at least 1 px."""

Affine: TypeAlias = NDArray[np.float64]
"""(2, 3): takes (x, y, 1) of one picture to (x, y) of the other, both in pixels of the grey pictures compared."""

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares 0..1 of the upright picture."""


def off_quarter_turn(degrees: float) -> float:
    """How far an angle is from the nearest quarter turn, 0..45 degrees."""
    return abs((degrees + 45) % 90 - 45)


class PixelSource(Protocol):
    """Where verification gets pixels from; safe to call from several threads."""

    def look(self, digest: str) -> Look | None:
        """The picture prepared for comparison; None where it cannot be read any more."""
        ...

    def luma(self, digest: str) -> Grey | None:
        """The upright picture at full size, in grey; None where it cannot be read any more."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A picture prepared for many comparisons.

    Attributes:
        levels: The grey picture, long side at most `LOOK_SIDE_PX`, then halves of it down to about 48 px.
        points: float32 (n, 2), places of the local features in pixels of `levels[0]`.
        sizes: float32 (n,), their diameters in the same pixels.
        angles: float32 (n,), their directions in radians, clockwise from the x axis.
        descriptors: uint8 (n, 128), RootSIFT times 255.
    """

    levels: tuple[Grey, ...]
    points: NDArray[np.float32]
    sizes: NDArray[np.float32]
    angles: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    @property
    def width(self) -> int:
        """Of the grey picture, in pixels."""
        return int(self.levels[0].shape[1])

    @property
    def height(self) -> int:
        """Of the grey picture, in pixels."""
        return int(self.levels[0].shape[0])
