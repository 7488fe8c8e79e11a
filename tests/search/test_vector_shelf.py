"""Shelves of vectors against brute force: flat, inverted, extended, without FAISS, and taken apart."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplens_kit.matching.neighbours import BruteForceVectors
from deeplens_kit.search import VectorShelf
from deeplens_kit.search import vector_index as indices

_COUNT, _DIMENSIONS = 4000, 48


def vectors(seed: int = 1, count: int = _COUNT) -> NDArray[np.float16]:
    random = np.random.default_rng(seed)
    centres = np.repeat(random.normal(size=(count // 4, _DIMENSIONS)), 4, axis=0)
    rows = centres + 0.5 * random.normal(size=centres.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def names(count: int = _COUNT) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


def inverted() -> VectorShelf:
    return VectorShelf.of("k", names(), vectors(), flat_vectors=100)


def flat() -> VectorShelf:
    return VectorShelf.of("k", names(), vectors())


def extended() -> VectorShelf:
    shelf = VectorShelf.of("k", names()[:1000], vectors()[:1000])
    return shelf.extended(names()[1000:2500], vectors()[1000:2500]).extended(names()[2500:], vectors()[2500:])


SHELVES = [flat, extended]


@pytest.fixture(autouse=True)
def _few_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many lists as 4,000 vectors can train; all of them are probed, so that the answer is exact."""
    monkeypatch.setattr(indices, "_INVERTED", "IVF64,SQfp16")


@pytest.mark.parametrize("make", [*SHELVES, inverted])
@pytest.mark.parametrize("share", [None, 0.5, 0.02, 0.0])
def test_the_nearest_are_those_of_brute_force(make: Callable[[], VectorShelf], share: float | None) -> None:
    shelf, rows = make(), vectors()
    random = np.random.default_rng(5)
    wanted = None if share is None else random.random(_COUNT) < share
    kept = np.arange(_COUNT) if wanted is None else np.flatnonzero(wanted)
    truth = BruteForceVectors(rows[kept])
    for query in vectors(2, 8).astype(np.float32) + rows[:8].astype(np.float32):
        expected = truth.nearest(query[None], 10, 0.2)
        found, beyond = shelf.nearest(query, 10, 0.2, wanted)
        assert sorted(found.tolist()) == sorted(kept[expected.item].tolist())
        if beyond is not None:
            assert len(found) == 10
            assert beyond == pytest.approx(expected.cosine.min(), abs=2e-3)


@pytest.mark.parametrize("make", [*SHELVES, inverted])
def test_vectors_come_back_as_they_were_laid_in(make: Callable[[], VectorShelf]) -> None:
    rows = np.random.default_rng(3).permutation(_COUNT)[:500]
    assert np.array_equal(make().rows(rows).astype(np.float16), vectors()[rows])


def test_the_inverted_file_is_one() -> None:
    assert hasattr(inverted().parts[0].index, "nprobe")  # type: ignore[attr-defined]
    assert not hasattr(flat().parts[0].index, "nprobe")  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", [flat, inverted])
def test_a_shelf_taken_apart_is_put_together_again(make: Callable[[], VectorShelf]) -> None:
    shelf = make()
    arrays = shelf.to_arrays()
    assert arrays is not None
    again = VectorShelf.from_arrays("k", arrays)
    assert again.digests.equals(shelf.digests)
    assert again.layout == shelf.layout
    assert np.array_equal(again.rows(np.arange(50)), shelf.rows(np.arange(50)))
    query = vectors(2, 4)[0]
    assert again.nearest(query, 10, 0.0, None)[0].tolist() == shelf.nearest(query, 10, 0.0, None)[0].tolist()
    arrays["digests"] = arrays["digests"][:-32]
    with pytest.raises(ValueError, match="3999 digests for 4000 vectors"):
        VectorShelf.from_arrays("k", arrays)


def test_without_faiss_the_answers_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, wanted = flat(), np.arange(_COUNT) % 3 == 0
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "faiss" else find(name, *rest))
    plain = extended()
    assert plain.layout == "plain+plain"
    assert plain.to_arrays() is None
    for query in vectors(2, 8):
        for mask in (None, wanted):
            assert plain.nearest(query, 10, 0.2, mask)[0].tolist() == fast.nearest(query, 10, 0.2, mask)[0].tolist()
    with pytest.raises(RuntimeError, match="not installed"):
        VectorShelf.from_arrays("k", {"digests": np.zeros(0, np.uint8), "index": np.zeros(0, np.uint8)})


@pytest.mark.parametrize("make", [*SHELVES, inverted])
def test_vectors_that_say_nothing_are_never_found(make: Callable[[], VectorShelf]) -> None:
    shelf = make().extended(["a" * 64, "b" * 64], np.array([[np.nan], [0.0]]) * np.ones((2, _DIMENSIONS), np.float16))
    found, _ = shelf.nearest(vectors()[0], 20, 0.01, None)
    assert len(found) == 20
    assert max(found) < _COUNT
    for query in (np.zeros(_DIMENSIONS, np.float16), np.full(_DIMENSIONS, np.nan, np.float16)):
        assert len(shelf.nearest(query, 20, -1.0, None)[0]) == 0


def test_an_empty_shelf_finds_nothing() -> None:
    empty = VectorShelf.of("k", [], np.zeros((0, _DIMENSIONS), np.float16))
    assert len(empty.nearest(vectors()[0], 5, 0.0, None)[0]) == 0
    assert empty.rows(np.zeros(0, np.int64)).size == 0
    assert len(empty.extended(names()[:5], vectors()[:5])) == 5
