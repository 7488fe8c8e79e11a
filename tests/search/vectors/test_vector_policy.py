"""Choices by size and share, digests as numbers, and a GPU that refuses."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import polars as pl
import pytest
from vector_worlds import COUNT, names, queries, vectors

from deeplens_kit.search.vectors import (
    Effort,
    VectorShelf,
    digest_bytes,
    digest_texts,
    leading_numbers,
    policy,
    rows_of,
)
from deeplens_kit.search.vectors.device import search_device
from deeplens_kit.search.vectors.digests import sorting_order


def test_lists_grow_with_the_root_and_few_are_probed() -> None:
    assert [policy.lists_for(count) for count in (0, 50_000, 200_000, 1_000_000, 4_000_000, 100_000_000)] == [
        1, 512, 1024, 1024, 2048, 8192,
    ]  # fmt: skip
    assert policy.probes_for(1024, 1_000_000, Effort.BEST, 1.0) == 128
    assert policy.probes_for(1024, 1_000_000, Effort.FAST, 1.0) == 64
    assert policy.probes_for(1024, 1_000_000, Effort.BEST, 0.1) == 256
    assert policy.probes_for(1024, 100_000, Effort.BEST, 1.0) == 672, "of few vectors more lists"
    assert policy.probes_for(512, 40_000, Effort.FAST, 1.0) == 420
    assert policy.probes_for(5, 300, Effort.BEST, 0.01) == 5
    # The lists can be trained by as few vectors as are not all compared.
    assert policy.lists_for(policy.FLAT_VECTORS + 1) * policy.TRAINING_VECTORS_PER_LIST <= policy.FLAT_VECTORS


def test_a_base_is_made_again_when_much_came_or_went() -> None:
    assert not policy.is_due(1_000_000, 30_000, 20_000)
    assert policy.is_due(1_000_000, 30_000, 20_001)
    assert not policy.is_due(0, 1_000, 0)
    assert policy.is_due(0, 1_001, 0)


def test_where_most_candidates_are_left_out_the_index_is_asked_again() -> None:
    """All that is near is not wanted, so that what is found among all is not enough."""
    shelf = VectorShelf.of("k", names(), vectors(), flat_vectors=100)
    for query in queries():
        order = shelf.nearest(query, COUNT)[0]
        wanted = np.ones(COUNT, bool)
        wanted[order[: len(order) // 2]] = False
        rows, _ = shelf.nearest(query, 10, float("-inf"), wanted)
        assert len(rows) == 10
        assert wanted[rows].all()


def test_digests_are_found_by_their_bytes() -> None:
    known = digest_bytes(sorted(names(500)))
    asked = digest_bytes([*names(20, 490), "0" * 64, "f" * 64])
    expected = [sorted(names(500)).index(name) if name in names(500) else -1 for name in names(20, 490)]
    assert rows_of(known, asked).tolist() == [*expected, -1, -1]
    shuffled = np.random.default_rng(1).permutation(500)
    rows = rows_of(known[shuffled], asked)
    assert [int(shuffled[row]) if row >= 0 else -1 for row in rows] == [*expected, -1, -1]
    assert digest_texts(known).to_list() == sorted(names(500))
    assert np.array_equal(known[shuffled][sorting_order(known[shuffled])], known)
    assert (np.diff(leading_numbers(known).astype(object)) > 0).all()
    assert not len(digest_texts(known[:0]))
    assert rows_of(known[:0], asked).tolist() == [-1] * len(asked)


def test_digests_that_begin_alike_are_told_apart() -> None:
    alike = ["0" * 32 + hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(50)]
    packed = digest_bytes(alike)
    assert digest_texts(packed[sorting_order(packed)]).to_list() == sorted(alike)
    assert rows_of(packed, packed[::-1]).tolist() == list(range(49, -1, -1))
    assert rows_of(packed[:25], packed[20:30]).tolist() == [20, 21, 22, 23, 24, -1, -1, -1, -1, -1]


@pytest.mark.parametrize("bad", ["0" * 63, "G" + "0" * 63, "é" * 32, None])
def test_what_is_no_digest_is_refused(bad: str | None) -> None:
    with pytest.raises(ValueError, match="a digest has"):
        digest_bytes(pl.Series("digest", ["0" * 64, bad], pl.String))


def test_a_gpu_that_refuses_an_index_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    import faiss as typed

    faiss: Any = typed
    asked: list[object] = []

    class Resources:
        """As where the driver is older than FAISS."""

        def __init__(self) -> None:
            asked.append(self)
            raise RuntimeError("CUDA error 35")

    expected = VectorShelf.of("k", names(), vectors(), flat_vectors=100).nearest(queries()[0], 10)[0].tolist()
    monkeypatch.setattr(faiss, "StandardGpuResources", Resources, raising=False)
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    assert search_device() == "cuda:0"
    shelf = VectorShelf.of("k", names(), vectors(), flat_vectors=100)
    assert asked
    asked.clear()
    for _ in range(3):
        assert shelf.nearest(queries()[0], 10)[0].tolist() == expected
    assert len(asked) == 1


def test_without_a_gpu_the_processor_searches() -> None:
    import faiss as typed

    faiss: Any = typed
    has_gpu = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    assert search_device() == ("cuda:0" if has_gpu else "cpu")
