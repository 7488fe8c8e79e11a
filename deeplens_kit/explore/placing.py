"""Where a vector goes on a map that is there: among those of the map that are most like it.

Takes vectors with their places and further vectors, gives a place for each of these; must not move what is there. The
same map and the same vectors give the same places, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError
from deeplens_kit.explore.nearest import LikeAmong
from deeplens_kit.explore.usable_vectors import usable_rows

__all__ = ["among", "place_among"]

# Of each vector so many nearest say where it goes.
_GUIDES = 5
_BLOCK = 4096
_TINY = 1e-12


def place_among(
    vectors: NDArray[np.floating],
    places: NDArray[np.float32],
    further: NDArray[np.floating],
    *,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Put vectors among others that have their places.

    Args:
        vectors: (n, d) float16 or float32, those of the map; compared by cosine. At least one has a length.
        places: (n, 2) float32, where they are.
        further: (m, d), those to be placed.
        progress: Told how many are placed.

    Returns:
        (m, 2) float32, finite. Vectors of no length, or with NaN, lie in the middle of the map.

    Raises:
        SettingsError: None of the vectors of the map has a length.
    """
    known = usable_rows(vectors)
    if not known.any():
        raise SettingsError("No vector of the map can be compared, so nothing can be put among them; make a new map.")
    tell = progress or (lambda _: None)
    like, there = LikeAmong(vectors[known]), places[known]
    found = np.tile(places.mean(axis=0, dtype=np.float64).astype(np.float32), (len(further), 1))
    for first in range(0, len(further), _BLOCK):
        block = further[first : first + _BLOCK]
        usable = np.flatnonzero(usable_rows(block))
        if len(usable):
            found[first + usable] = among(like, there, block[usable])
        tell(min(first + _BLOCK, len(further)))
    return found


def among(like: LikeAmong, places: NDArray[np.float32], vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Each vector at the mean of its nearest, weighted by the inverse square of their distance (Shepard, 1968).

    Args:
        like: Those that have places.
        places: (n, 2) float32, of these.
        vectors: (m, d), each with a length.
    """
    near, cosine = like.nearest(vectors, min(_GUIDES, len(places)))
    far = np.maximum(1.0 - cosine, _TINY)
    weights = (far[:, :1] / far) ** 2
    weights = weights / weights.sum(axis=1, keepdims=True)
    return np.asarray((places[near] * weights[:, :, None]).sum(axis=1), np.float32)
