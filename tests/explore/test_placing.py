"""Vectors are put among their like, by true cosines, whatever the search behind it."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError
from deeplens_kit.explore import place_among
from deeplens_kit.explore.nearest import MOST_NUMBERS, LikeAmong
from deeplens_kit.matching.neighbours.brute_force import BruteForceVectors


def families(count: int, size: int, seed: int = 1) -> NDArray[np.float32]:
    """Vectors in fours, far nearer to each other than to others, in a space that a few axes hold most of."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.normal(size=(-(-count // 4), size)) * np.linspace(2, 0.1, size), 4, axis=0)[:count]
    return np.asarray(centres + 0.1 * random.normal(size=centres.shape), np.float32)


@pytest.mark.parametrize("size", [8, MOST_NUMBERS, MOST_NUMBERS + 72])
@pytest.mark.parametrize("faiss", [True, False])
def test_the_nearest_are_those_of_brute_force(size: int, faiss: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not faiss:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    vectors = families(200, size)
    like, count = LikeAmong(vectors), 3
    near, cosine = like.nearest_others(count)
    true = BruteForceVectors(vectors).nearest_of_all(count, -1.0)
    assert np.array_equal(near.ravel(), true.item)
    assert cosine.ravel() == pytest.approx(true.cosine, abs=1e-5)
    queries = families(12, size, seed=2)
    near, cosine = like.nearest(queries, 1)
    true = BruteForceVectors(vectors).nearest(queries, 1, -1.0)
    # Few numbers choose the candidates: of queries that are like nothing the nearest may be missed, never its cosine.
    assert (near.ravel() == true.item).mean() > (0.99 if size <= MOST_NUMBERS else 0.7)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    assert cosine.ravel() == pytest.approx((unit[near.ravel()] * asked).sum(axis=1), abs=1e-5)


def test_few_vectors_have_as_many_others_as_there_are() -> None:
    near, _ = LikeAmong(families(2, 200)).nearest_others(1)
    assert near.tolist() == [[1], [0]]
    assert LikeAmong(families(4, 8)).nearest(families(0, 8), 2)[0].shape == (0, 2)


def test_a_new_vector_goes_to_its_like_and_moves_nothing() -> None:
    vectors = families(80, 40)
    places = np.random.default_rng(3).normal(scale=50, size=(80, 2)).astype(np.float32)
    before, steps = places.copy(), []
    new = np.concatenate([vectors[[5]], vectors[[30]] * 7, np.zeros((1, 40)), np.full((1, 40), np.nan)])
    found = place_among(vectors, places, new.astype(np.float16), progress=steps.append)
    assert found[:2] == pytest.approx(places[[5, 30]], abs=2.0)
    assert found[2:] == pytest.approx(np.tile(places.mean(axis=0), (2, 1)), abs=1e-4)
    assert np.array_equal(places, before)
    assert steps == [4]
    # In whatever order they come, and from whatever of the map cannot be compared.
    assert place_among(vectors, places, new[::-1]) == pytest.approx(found[::-1], abs=0.5)
    lost = np.concatenate([np.zeros((1, 40), np.float32), vectors])
    moved = place_among(lost, np.concatenate([[[0.0, 0.0]], places]).astype(np.float32), new[:2].astype(np.float16))
    assert np.array_equal(moved, found[:2])
    assert place_among(vectors, places, new[:0]).shape == (0, 2)


def test_a_map_of_nothing_that_can_be_compared_is_an_error() -> None:
    with pytest.raises(SettingsError, match="make a new map"):
        place_among(np.zeros((3, 4), np.float32), np.zeros((3, 2), np.float32), np.ones((1, 4), np.float32))
