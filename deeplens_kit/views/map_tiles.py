"""The places of a map in the order of square tiles, so that a window looks at the points near it alone.

Takes places, gives them sorted and the runs of them that a window touches; must not know what is at them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MapTiles"]

# A tile holds some hundred points where they lie evenly.
_POINTS_OF_TILE, _MOST_ACROSS = 200, 512


class MapTiles:
    """Places by tile.

    Args:
        places: (n, 2) float32, finite.

    Attributes:
        order: (n,) int64, the position of each place as it was given, by tile.
        places: (n, 2) float32, by tile.
    """

    def __init__(self, places: NDArray[np.float32]) -> None:
        self._across = int(np.clip((len(places) / _POINTS_OF_TILE) ** 0.5, 1, _MOST_ACROSS))
        low, high = (places.min(axis=0), places.max(axis=0)) if len(places) else (np.zeros(2), np.ones(2))
        self._low = low.astype(np.float64)
        self._side = np.maximum(high.astype(np.float64) - self._low, np.finfo(np.float32).tiny) / self._across
        column, row = self._tile(places).T
        tile = row * self._across + column
        self.order = np.argsort(tile, kind="stable")
        self.places = np.ascontiguousarray(places[self.order], np.float32)
        self._starts = np.searchsorted(tile[self.order], np.arange(self._across**2 + 1))

    def runs(self, low: tuple[float, float], high: tuple[float, float]) -> NDArray[np.int64]:
        """(r, 2) int64, first and last (exclusive) positions, by tile, of points that may lie in a window."""
        (left, bottom), (right, top) = self._tile(np.array([low, high], np.float64)).tolist()
        rows = np.arange(bottom, top + 1) * self._across
        return np.stack([self._starts[rows + left], self._starts[rows + right + 1]], axis=1).astype(np.int64)

    def _tile(self, places: NDArray[np.floating]) -> NDArray[np.int64]:
        """Column and row of the tile of each place; of one outside, the nearest."""
        return np.clip((places - self._low) / self._side, 0, self._across - 1).astype(np.int64)
