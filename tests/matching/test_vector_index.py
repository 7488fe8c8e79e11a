"""Vector search finds what brute force finds, with or without FAISS."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplens_kit.matching.neighbours import BruteForceVectors, VectorHits, VectorIndex
from tests.examples import IN_FULL


def clustered(seed: int, count: int, dimensions: int = 64) -> NDArray[np.float16]:
    """Unit vectors in groups of about six, as copies of pictures are."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(max(count // 6, 1), dimensions))
    rows = centres[generator.integers(0, len(centres), count)] + 0.5 * generator.normal(size=(count, dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def recall(found: VectorHits, truth: VectorHits) -> float:
    pairs = [set(zip(hits.query, hits.item, strict=True)) for hits in (found, truth)]
    return len(pairs[0] & pairs[1]) / len(pairs[1])


def test_flat_search_is_brute_force() -> None:
    vectors = clustered(1, 900)
    fast, slow = VectorIndex(vectors), BruteForceVectors(vectors)
    assert len(fast) == len(slow) == 900
    for found, truth in (
        (fast.nearest_of_all(8, 0.6), slow.nearest_of_all(8, 0.6)),
        (fast.nearest(vectors[:50], 8, 0.6), slow.nearest(vectors[:50], 8, 0.6)),
    ):
        assert np.array_equal(found.query, truth.query)
        assert recall(found, truth) == 1.0
        np.testing.assert_allclose(np.sort(found.cosine), np.sort(truth.cosine), atol=2e-6)


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_inverted_file_finds_most_and_gives_true_cosines() -> None:
    vectors = clustered(2, 42_000)
    found = VectorIndex(vectors, flat_items=1000).nearest(vectors[:300], 5, 0.5)
    truth = BruteForceVectors(vectors).nearest(vectors[:300], 5, 0.5)
    assert recall(found, truth) >= 0.9
    exact = np.einsum("ij,ij->i", vectors[found.query].astype(np.float64), vectors[found.item].astype(np.float64))
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    np.testing.assert_allclose(found.cosine, exact / lengths[found.query] / lengths[found.item], atol=1e-5)


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
def test_the_inverted_file_gives_the_same_twice() -> None:
    vectors = clustered(3, 41_000, dimensions=16)
    first, second = (VectorIndex(vectors, flat_items=1000).nearest(vectors[:100], 5, 0.5) for _ in range(2))
    assert np.array_equal(first.item, second.item)
    assert np.array_equal(first.cosine, second.cosine)


def test_without_faiss_every_vector_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def without_faiss(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "faiss" else real(name, package)

    vectors = clustered(4, 300)
    with_faiss = VectorIndex(vectors).nearest_of_all(5, 0.5)
    monkeypatch.setattr(importlib.util, "find_spec", without_faiss)
    without = VectorIndex(vectors).nearest_of_all(5, 0.5)
    assert np.array_equal(with_faiss.query, without.query)
    assert recall(with_faiss, without) == 1.0


@pytest.mark.parametrize("index", [VectorIndex, BruteForceVectors])
def test_vectors_without_length_match_nothing_and_equal_ones_do_not_hide_each_other(
    index: type[VectorIndex] | type[BruteForceVectors],
) -> None:
    vectors = clustered(5, 6)
    vectors[0] = 0
    vectors[1] = np.nan
    vectors[2:] = vectors[2]
    found = index(vectors).nearest_of_all(3, -1.0)
    assert set(found.query) == {2, 3, 4, 5}
    assert [list(found.item[found.query == 2])] == [[3, 4, 5]]
    assert (found.query != found.item).all()


@pytest.mark.parametrize("index", [VectorIndex, BruteForceVectors])
def test_nothing_indexed_finds_nothing(index: type[VectorIndex] | type[BruteForceVectors]) -> None:
    empty = index(np.zeros((0, 8), np.float16))
    assert len(empty.nearest_of_all(3, 0.0)) == 0
    assert len(empty.nearest(np.ones((2, 8), np.float32), 3, 0.0)) == 0
