"""Which places of a map lie where a person points or draws.

Takes places and what was drawn, gives positions; must not know what is at them.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlacePicker"]

# The nearest by the tree, of which the nearest on the screen is taken: there the axes may have different scales.
_CANDIDATES = 16


class PlacePicker:
    """Places to be picked from, from any thread.

    Args:
        places: (n, 2) float32, finite.
    """

    def __init__(self, places: NDArray[np.float32]) -> None:
        self._places = places
        self._tree: Any = None
        self._one_at_a_time = threading.Lock()

    def nearest(self, x: float, y: float, reach: tuple[float, float]) -> int | None:
        """The place nearest to a point, or None.

        Args:
            x: Of the point.
            y: Of the point.
            reach: How far it may be along each axis, greater than 0 (inclusive): the half axes of an ellipse, a
                circle on the screen.
        """
        if not len(self._places):
            return None
        found = np.atleast_1d(self._grown().query((x, y), k=min(_CANDIDATES, len(self._places)))[1])
        gaps = np.square((self._places[found] - (x, y)) / reach).sum(axis=1)
        best = int(gaps.argmin())
        return int(found[best]) if gaps[best] <= 1.0 else None

    def _grown(self) -> Any:
        """The tree, grown when it is first needed; who waits for it then has it."""
        with self._one_at_a_time:
            if self._tree is None:
                from scipy.spatial import cKDTree

                self._tree = cKDTree(self._places)
            return self._tree

    def at(self, position: int) -> NDArray[np.int64]:
        """All places that are exactly where this one is, itself among them: rising positions."""
        return np.flatnonzero((self._places == self._places[position]).all(axis=1))

    def in_box(self, low: tuple[float, float], high: tuple[float, float]) -> NDArray[np.int64]:
        """Places within a box, its edges included: rising positions."""
        inside = (self._places >= np.array(low)) & (self._places <= np.array(high))
        return np.flatnonzero(inside.all(axis=1))

    def in_polygon(self, corners: NDArray[np.floating]) -> NDArray[np.int64]:
        """Places within a polygon by the even-odd rule: rising positions.

        Args:
            corners: (m, 2), in order; the last is joined to the first. Fewer than three hold nothing.
        """
        corners = np.asarray(corners, np.float64).reshape(-1, 2)
        if len(corners) < 3:
            return np.zeros(0, np.int64)
        near = self.in_box(tuple(corners.min(axis=0)), tuple(corners.max(axis=0)))
        x, y = self._places[near].astype(np.float64).T
        inside = np.zeros(len(near), bool)
        for (from_x, from_y), (to_x, to_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if from_y == to_y:
                continue
            crossed = (from_y > y) != (to_y > y)
            inside ^= crossed & (x < from_x + (y - from_y) * (to_x - from_x) / (to_y - from_y))
        return near[inside]
