"""Where each picture lies on a map on which alike pictures lie together.

Takes vectors of one feature and a seed, gives a place for each. Equal vectors share a place. Up to `landmarks` vectors
are laid out by UMAP; of more, a seeded sample is, and every other vector goes among its nearest of the sample, so that
memory and time stay bounded. Must not open a store, and nothing decides on what it gives: a distance on a map is no
evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from deeplens_kit.errors import SettingsError
from deeplens_kit.explore.nearest import LikeAmong
from deeplens_kit.explore.placing import among
from deeplens_kit.explore.umap_engine import embed
from deeplens_kit.explore.usable_vectors import usable_rows
from deeplens_kit.matching.neighbours.brute_force import unit_rows

__all__ = ["LANDMARKS", "LAYOUT_VERSION", "NEIGHBOURS", "Layout", "lay_out", "layout"]

LAYOUT_VERSION = 2
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
_BLOCK = 4096
# The first guess spans as much as umap-learn's own, and is stirred as little.
_GUESS_SPAN, _GUESS_NOISE = 10.0, 1e-4
_TINY = 1e-12
_KEY_BYTES = 16

LayoutProgress = Callable[[int, int], None]
"""Told how many vectors have their place, of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where vectors lie.

    Attributes:
        places: (n, 2) float32, finite.
        is_landmark: (n,) bool, those laid out by UMAP itself, of equal ones the first; the others went among these.
    """

    places: NDArray[np.float32]
    is_landmark: NDArray[np.bool_]


def layout(
    vectors: NDArray[np.floating],
    *,
    seed: int,
    neighbours: int = NEIGHBOURS,
    landmarks: int = LANDMARKS,
    progress: LayoutProgress | None = None,
) -> NDArray[np.float32]:
    """The places that `lay_out` gives, (n, 2) float32."""
    return lay_out(vectors, seed=seed, neighbours=neighbours, landmarks=landmarks, progress=progress).places


def lay_out(
    vectors: NDArray[np.floating],
    *,
    seed: int,
    neighbours: int = NEIGHBOURS,
    landmarks: int = LANDMARKS,
    progress: LayoutProgress | None = None,
) -> Layout:
    """Lay vectors out in two dimensions.

    Args:
        vectors: (n, d) float16 or float32; compared by cosine. Kept as given, converted block by block.
        seed: 0..2^32 - 1. The same seed gives the same places, bit for bit, with the same libraries: UMAP runs in one
            thread.
        neighbours: Neighbours that each vector is held to, itself counted, at least 2.
        landmarks: The most vectors that UMAP lays out itself, at least 5.
        progress: Told how many are placed.

    Returns:
        Where they lie. Vectors of no length, or with NaN, lie in the middle of the others.

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
    is_landmark = np.zeros(len(vectors), bool)
    if not len(rows):
        return Layout(np.zeros((len(vectors), 2), np.float32), is_landmark)
    # 2. The landmarks by UMAP, the others among them.
    chosen = _sample(len(rows), landmarks, seed)
    is_landmark[rows[chosen]] = True
    like = LikeAmong(vectors[rows[chosen]])
    placed = np.empty((len(rows), 2), np.float32)
    placed[chosen] = _laid_out(like, vectors[rows[chosen]], seed, neighbours)
    equals = np.bincount(twin, minlength=len(rows))
    done = int(equals[chosen].sum())
    tell(done, len(vectors))
    others = np.setdiff1d(np.arange(len(rows)), chosen, assume_unique=True)
    for first in range(0, len(others), _BLOCK):
        block = others[first : first + _BLOCK]
        placed[block] = among(like, placed[chosen], vectors[rows[block]])
        done += int(equals[block].sum())
        tell(done, len(vectors))
    # 3. Every vector to the place of its like.
    places = np.empty((len(vectors), 2), np.float32)
    places[usable] = placed[twin]
    places[~usable] = placed.mean(axis=0)
    tell(len(vectors), len(vectors))
    return Layout(places, is_landmark)


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


def _laid_out(like: LikeAmong, vectors: NDArray[np.floating], seed: int, neighbours: int) -> NDArray[np.float32]:
    """Places of different vectors by UMAP; by principal axes where they are few."""
    axes = _principal(vectors)
    if len(vectors) < _FEWEST:
        return axes
    near, cosine = like.nearest_others(min(neighbours, len(vectors) - 1) - 1)
    itself = np.arange(len(vectors))[:, None]
    far = np.maximum(1.0 - np.hstack([np.ones_like(itself, np.float32), cosine]), 0.0)
    span = max(float(np.abs(axes).max()), _TINY)
    noise = np.random.default_rng(seed).normal(scale=_GUESS_NOISE, size=axes.shape)
    guess = (axes * (_GUESS_SPAN / span) + noise).astype(np.float32)
    return embed(np.hstack([itself, near]), far, guess, seed)


def _principal(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Coordinates along the two axes of the greatest variance of the unit vectors, (n, 2)."""
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2), np.float32)
    size = vectors.shape[1]
    total, products = np.zeros(size), np.zeros((size, size))
    # One thread: the same axes whatever the number of cores.
    with threadpool_limits(1, user_api="blas"):
        for first in range(0, len(vectors), _BLOCK):
            block = unit_rows(vectors[first : first + _BLOCK])
            total += block.sum(axis=0, dtype=np.float64)
            products += block.T @ block
        mean = total / len(vectors)
        axes = np.linalg.eigh(products / len(vectors) - np.outer(mean, mean))[1][:, :-3:-1]
        # The sign of an axis is arbitrary: its greatest component is made positive.
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        placed = np.zeros((len(vectors), 2), np.float32)
        for first in range(0, len(vectors), _BLOCK):
            block = unit_rows(vectors[first : first + _BLOCK]).astype(np.float64)
            placed[first : first + _BLOCK, : axes.shape[1]] = (block - mean) @ axes
    return placed
