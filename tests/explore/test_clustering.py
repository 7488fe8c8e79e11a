"""Clusters: known ones are found, whatever the order, and copies are one picture."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeplens_kit.errors import ExtraMissingError, SettingsError
from deeplens_kit.explore import Clustering, cluster
from deeplens_kit.explore.nearest import MOST_NUMBERS, along_axes, nearest_others

Blobs = tuple[NDArray[np.float16], NDArray[np.int64]]


def blobs(sizes: list[int], noise: int = 0, dimensions: int = 64, spread: float = 0.3, seed: int = 5) -> Blobs:
    """Vectors around centres, and some by themselves; in no order, with the centre of each, -1 for none."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(len(sizes), dimensions))
    truth = np.repeat(np.arange(-1, len(sizes)), [noise, *sizes])
    rows = chance.normal(size=(len(truth), dimensions))
    rows[truth >= 0] = centres[truth[truth >= 0]] + spread * rows[truth >= 0]
    order = chance.permutation(len(truth))
    return rows[order].astype(np.float16), truth[order]


def parts_of(found: Clustering) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(found.labels == number).tolist()) for number in range(len(found.medoids))}


def test_known_clusters_are_found_and_what_lies_between_is_in_none() -> None:
    vectors, truth = blobs([60, 40, 20, 12], noise=60)
    found = cluster(vectors)
    # The greatest first.
    assert [int((found.labels == number).sum()) for number in range(4)] == [60, 40, 20, 12]
    assert (found.labels == truth).all()
    assert (found.labels.dtype, found.probability.dtype, found.medoids.dtype) == (np.int32, np.float32, np.int64)
    assert (found.probability[found.labels < 0] == 0).all()
    assert ((found.probability[found.labels >= 0] > 0) & (found.probability[found.labels >= 0] <= 1)).all()


def test_the_medoid_is_the_member_that_is_most_like_all_others() -> None:
    vectors, _ = blobs([30, 20], noise=10)
    found = cluster(vectors)
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for number, medoid in enumerate(found.medoids):
        members = np.flatnonzero(found.labels == number)
        cosines = (unit[members] @ unit[members].T).sum(axis=1)
        assert medoid == members[cosines.argmax()]


@settings(max_examples=8)
@given(st.permutations(range(102)))
def test_the_order_of_the_rows_does_not_matter(order: list[int]) -> None:
    vectors, _ = blobs([40, 25, 7], noise=30, spread=0.8)
    first, again = cluster(vectors), cluster(vectors[order])
    assert (again.labels == first.labels[order]).all()
    assert (again.probability == first.probability[order]).all()
    assert (np.array(order)[again.medoids] == first.medoids).all()


def test_copies_do_not_weigh() -> None:
    vectors, truth = blobs([30, 20, 4], noise=20, seed=6)
    found = cluster(vectors)
    # Forty copies of one of four alike pictures, and of one that is alone: neither makes a cluster of five.
    alone, one_of_four = int(np.flatnonzero(truth < 0)[0]), int(np.flatnonzero(truth == 2)[0])
    chance = np.random.default_rng(1)
    copies = np.repeat([alone, one_of_four], 40)
    noisy = (vectors[copies] + 0.02 * chance.normal(size=(80, vectors.shape[1]))).astype(np.float16)
    stands = np.concatenate([np.arange(len(vectors)), copies])
    more = cluster(np.vstack([vectors, noisy]), stands_for=stands)
    assert len(found.medoids) == 2
    assert found.labels[[alone, one_of_four]].tolist() == [-1, -1]
    assert (more.labels[: len(vectors)] == found.labels).all()
    assert (more.labels[len(vectors) :] == -1).all()
    # Had they counted, they would have.
    assert len(cluster(np.vstack([vectors, noisy])).medoids) == 4
    # Equal vectors are copies, without being told.
    assert parts_of(cluster(np.vstack([vectors, vectors[copies]]))) == parts_of(found)


def test_a_copy_is_where_its_picture_is() -> None:
    vectors, truth = blobs([30, 20], noise=10)
    member = int(np.flatnonzero(truth == 1)[0])
    # What it is a copy of says more than its own vector, even where it has none.
    whole = np.vstack([vectors, vectors[truth == 0][:1], np.zeros_like(vectors[:1])])
    stands = np.append(np.arange(len(vectors)), [member, member])
    found = cluster(whole, stands_for=stands)
    assert (found.labels[-2:] == found.labels[member]).all()
    assert found.labels[member] == 1
    assert found.probability[-1] == found.probability[member]
    assert set(found.medoids) <= set(range(len(vectors)))


def test_what_cannot_be_compared_is_in_no_cluster() -> None:
    vectors, truth = blobs([30, 20])
    broken = np.vstack([vectors, np.zeros_like(vectors[:2]), np.full_like(vectors[:2], np.nan)])
    found = cluster(broken)
    assert (found.labels == np.append(truth, [-1] * 4)).all()


@pytest.mark.parametrize("count", [0, 1, 2, 5, 6, 12])
def test_few_vectors_make_no_cluster_and_no_trouble(count: int) -> None:
    vectors = np.random.default_rng(count).normal(size=(count, 16)).astype(np.float32)
    found = cluster(vectors)
    assert (found.labels.shape, found.probability.shape) == ((count,), (count,))
    assert (found.labels == -1).all()
    assert len(found.medoids) == 0


def test_the_least_size_is_kept_to() -> None:
    vectors, truth = blobs([40, 9, 4], noise=20)
    assert len(cluster(vectors, least=3).medoids) == 3
    assert len(cluster(vectors).medoids) == 2
    assert (cluster(vectors, least=3).labels == truth).all()
    with pytest.raises(SettingsError, match="at least 1 pictures is not possible; take at least 2"):
        cluster(vectors, least=1)


def test_it_finds_what_every_distance_together_gives() -> None:
    """Against HDBSCAN of scikit-learn over all distances, on what is not easy."""
    from sklearn.cluster import HDBSCAN
    from sklearn.metrics import adjusted_rand_score

    vectors, _ = blobs([80, 60, 40, 30, 20], noise=120, dimensions=24, spread=0.6)
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    whole = HDBSCAN(min_cluster_size=5, min_samples=6, copy=True).fit(unit)
    found = cluster(vectors)
    assert len(found.medoids) == whole.labels_.max() + 1 >= 4
    assert adjusted_rand_score(whole.labels_, found.labels) > 0.9


def test_many_numbers_are_made_few_and_the_clusters_stay() -> None:
    vectors, truth = blobs([60, 40, 20], noise=40, dimensions=MOST_NUMBERS + 60)
    laid = along_axes(vectors, np.arange(len(vectors)))
    assert laid.shape == (160, MOST_NUMBERS)
    assert np.allclose(np.linalg.norm(laid, axis=1), 1, atol=1e-5)
    assert (cluster(vectors).labels == truth).all()


def test_the_nearest_are_those_of_every_comparison() -> None:
    unit = np.random.default_rng(3).normal(size=(50, 8)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    near, cosine = nearest_others(unit, 4, lambda _: None)
    every = unit @ unit.T
    np.fill_diagonal(every, -2)
    assert (near == np.argsort(-every, axis=1)[:, :4]).all()
    assert np.allclose(cosine, np.take_along_axis(every, near, axis=1), atol=1e-6)


def test_progress_ends_with_all_and_a_person_can_stop_it() -> None:
    vectors, _ = blobs([30, 20])
    heard: list[tuple[int, int]] = []
    cluster(vectors, progress=lambda done, total: heard.append((done, total)))
    assert (heard[0], heard[-1]) == ((0, 50), (50, 50))
    assert heard == sorted(heard)

    def stop(done: int, _: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cluster(vectors, progress=stop)


def test_without_scikit_learn_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(ExtraMissingError, match=r"Finding clusters needs the extra 'workbench'"):
        cluster(blobs([30, 20])[0])
    # Few vectors need none.
    assert len(cluster(blobs([3])[0]).medoids) == 0
