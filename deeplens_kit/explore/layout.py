"""Where each picture lies on a map on which alike pictures lie together.

Takes vectors of one feature and a seed, gives a place for each. Equal vectors share a place. Up to `landmarks` vectors
are laid out by UMAP; of more, a seeded sample is, and every other vector goes among its nearest of the sample, so that
memory and time stay bounded. Must not open a store, and nothing decides on what it gives: a distance on a map is no
evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError
from deeplens_kit.explore.umap_engine import embed
from deeplens_kit.explore.usable_vectors import usable_rows
from deeplens_kit.matching.neighbours import VectorHits, VectorIndex

__all__ = ["LANDMARKS", "LAYOUT_VERSION", "NEIGHBOURS", "layout"]

LAYOUT_VERSION = 1
"""Raised when the same vectors and seed would give other places."""

NEIGHBOURS = 15
"""UMAP's own default: fewer show small families apart, more show the whole."""

LANDMARKS = 20_000
"""Vectors laid out by UMAP itself; the time for them grows a little faster than their number (`benchmarks.map`)."""

# Inclusive: what numpy's generators take.
_MOST_SEED = 2**32 - 1

# Fewer different vectors than this (exclusive) have no neighbourhoods: they are shown by their two principal axes.
_FEWEST = 5
_LEAST_NEIGHBOURS = 2
# Of each vector that is not a landmark, so many nearest landmarks say where it goes.
_GUIDES = 5
_BLOCK = 4096
# The first guess spans as much as umap-learn's own, and is stirred as little.
_GUESS_SPAN, _GUESS_NOISE = 10.0, 1e-4
_TINY = 1e-12
# Of the cosine.
_FARTHEST = 2.0
_KEY_BYTES = 16

LayoutProgress = Callable[[int, int], None]
"""Told how many vectors have their place, of how many."""


def layout(
    vectors: NDArray[np.floating],
    *,
    seed: int,
    neighbours: int = NEIGHBOURS,
    landmarks: int = LANDMARKS,
    progress: LayoutProgress | None = None,
) -> NDArray[np.float32]:
    """Lay vectors out in two dimensions.

    Args:
        vectors: (n, d) float16 or float32; compared by cosine. Kept as given, converted block by block.
        seed: 0..2^32 - 1. The same seed gives the same places, bit for bit, with the same libraries: UMAP runs in one
            thread.
        neighbours: Neighbours that each vector is held to, itself counted, at least 2.
        landmarks: The most vectors that UMAP lays out itself, at least 5.
        progress: Told how many are placed.

    Returns:
        (n, 2) float32, finite. Vectors of no length, or with NaN, lie in the middle of the others.

    Raises:
        SettingsError: A value out of range.
        ExtraMissingError: umap-learn is not installed, and there are more than four different vectors.
    """
    _require(seed, neighbours, landmarks)
    tell = progress or (lambda _done, _total: None)
    tell(0, len(vectors))
    # 1. What can be compared, each vector once.
    usable = usable_rows(vectors)
    rows, twin = _distinct(vectors, usable)
    # 2. The landmarks by UMAP, the others among them.
    chosen = _sample(len(rows), landmarks, seed)
    placed = np.empty((len(rows), 2), np.float32)
    placed[chosen] = _laid_out(vectors[rows[chosen]], seed, neighbours)
    equals = np.bincount(twin, minlength=len(rows))
    done = int(equals[chosen].sum())
    tell(done, len(vectors))
    others = np.setdiff1d(np.arange(len(rows)), chosen, assume_unique=True)
    if len(others):
        index = VectorIndex(vectors[rows[chosen]])
        for first in range(0, len(others), _BLOCK):
            block = others[first : first + _BLOCK]
            placed[block] = _among(index, placed[chosen], vectors[rows[block]])
            done += int(equals[block].sum())
            tell(done, len(vectors))
    # 3. Every vector to the place of its like.
    places = np.zeros((len(vectors), 2), np.float32)
    places[usable] = placed[twin]
    if len(placed):
        places[~usable] = placed.mean(axis=0)
    tell(len(vectors), len(vectors))
    return places


def _require(seed: int, neighbours: int, landmarks: int) -> None:
    if not 0 <= seed <= _MOST_SEED:
        raise SettingsError(f"The seed of a map is {seed}; it must be a whole number from 0 to {_MOST_SEED:,}.")
    if neighbours < _LEAST_NEIGHBOURS:
        raise SettingsError(f"A map with {neighbours} neighbours is not possible; take at least {_LEAST_NEIGHBOURS}.")
    if landmarks < _FEWEST:
        raise SettingsError(f"A map with {landmarks} landmarks is not possible; take at least {_FEWEST}.")


def _distinct(vectors: NDArray[np.floating], usable: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the first of equal vectors, and for each usable vector the number of that row among them."""
    number_of: dict[bytes, int] = {}
    rows: list[int] = []
    twin = np.empty(int(usable.sum()), np.int64)
    for at, row in enumerate(np.flatnonzero(usable)):
        key = blake2b(vectors[row].tobytes(), digest_size=_KEY_BYTES).digest()
        number = number_of.setdefault(key, len(rows))
        if number == len(rows):
            rows.append(int(row))
        twin[at] = number
    return np.array(rows, np.int64), twin


def _sample(count: int, landmarks: int, seed: int) -> NDArray[np.int64]:
    if count <= landmarks:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:landmarks])


def _laid_out(vectors: NDArray[np.floating], seed: int, neighbours: int) -> NDArray[np.float32]:
    """Places of different vectors by UMAP; by principal axes where they are few."""
    axes = _principal(vectors)
    if len(vectors) < _FEWEST:
        return axes
    wanted = min(neighbours, len(vectors) - 1)
    hits = VectorIndex(vectors).nearest_of_all(wanted - 1, -1.0)
    span = max(float(np.abs(axes).max()), _TINY)
    noise = np.random.default_rng(seed).normal(scale=_GUESS_NOISE, size=axes.shape)
    guess = (axes * (_GUESS_SPAN / span) + noise).astype(np.float32)
    return embed(*_with_itself(hits, len(vectors), wanted), guess, seed)


def _with_itself(hits: VectorHits, count: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Neighbours of each vector, itself first."""
    near, far = _table(hits, count, width - 1)
    itself = np.arange(count)[:, None]
    return np.hstack([itself, near]), np.hstack([np.zeros((count, 1), np.float32), far])


def _table(hits: VectorHits, count: int, width: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Hits as rows of equal width, nearest first; -1 at the greatest distance where there are fewer."""
    near = np.full((count, width), -1, np.int64)
    far = np.full((count, width), _FARTHEST, np.float32)
    column = np.arange(len(hits)) - np.searchsorted(hits.query, hits.query)
    near[hits.query, column] = hits.item
    far[hits.query, column] = np.maximum(1.0 - hits.cosine, 0.0)
    return near, far


def _principal(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Coordinates along the two axes of the greatest variance of the unit vectors, (n, 2)."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2), np.float32)
    size = vectors.shape[1]
    total, products = np.zeros(size), np.zeros((size, size))
    for first in range(0, len(vectors), _BLOCK):
        block = _unit(vectors[first : first + _BLOCK])
        total += block.sum(axis=0)
        products += block.T @ block
    mean = total / len(vectors)
    axes = np.linalg.eigh(products / len(vectors) - np.outer(mean, mean))[1][:, :-3:-1]
    # The sign of an axis is arbitrary: its greatest component is made positive.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    placed = np.zeros((len(vectors), 2), np.float32)
    for first in range(0, len(vectors), _BLOCK):
        block = (_unit(vectors[first : first + _BLOCK]) - mean) @ axes
        placed[first : first + _BLOCK, : axes.shape[1]] = block
    return placed


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    rows = vectors.astype(np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _among(index: VectorIndex, places: NDArray[np.float32], vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Each vector at the mean of its nearest landmarks, weighted by the inverse square of their distance (Shepard)."""
    near, far = _table(index.nearest(vectors, _GUIDES, -1.0), len(vectors), _GUIDES)
    weights = np.where(near < 0, 0.0, (np.maximum(far[:, :1], _TINY) / np.maximum(far, _TINY)) ** 2)
    return np.asarray((places[near] * (weights / weights.sum(axis=1, keepdims=True))[:, :, None]).sum(axis=1))
