"""Every Hamming index gives what brute force gives; equal hashes stay cheap."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeplens_kit.features import dihedral_pdq, dihedral_phash
from deeplens_kit.matching.neighbours import BruteForceHamming, HammingHits, HammingIndex
from deeplens_kit.matching.neighbours.band_plan import plan_bands


def near_copies(seed: int, count: int, bits: int, flips: float = 0.04) -> NDArray[np.uint8]:
    """Hashes around few centres, so that there is something to find; a third of them equal to their centre."""
    generator = np.random.default_rng(seed)
    centres = generator.integers(0, 256, (max(count // 8, 1), bits // 8), dtype=np.uint8)
    flipped = generator.random((count, bits)) < flips
    flipped[::3] = False
    return centres[generator.integers(0, len(centres), count)] ^ np.packbits(flipped, axis=1)


def as_phash(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return hashes.view(np.uint64).ravel()


def same(left: HammingHits, right: HammingHits) -> bool:
    return (
        np.array_equal(left.query, right.query)
        and np.array_equal(left.item, right.item)
        and np.array_equal(left.distance, right.distance)
    )


@pytest.mark.parametrize("radius", [0, 1, 8, 15, 16, 17, 31, 40, 90, 256])
@pytest.mark.parametrize("bits", [64, 256])
def test_all_pairs_and_queries_equal_brute_force(bits: int, radius: int) -> None:
    hashes = near_copies(7, 400, bits)
    given_hashes = as_phash(hashes) if bits == 64 else hashes
    fast, slow = HammingIndex(given_hashes), BruteForceHamming(given_hashes)
    found = fast.all_pairs(radius)
    assert len(found)
    assert same(found, slow.all_pairs(radius))
    assert same(fast.query(given_hashes[::7], radius), slow.query(given_hashes[::7], radius))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(0, 40), st.sampled_from([64, 256]))
def test_eight_orientations_equal_brute_force(seed: int, count: int, radius: int, bits: int) -> None:
    hashes = near_copies(seed, count, bits)
    if bits == 64:
        phash = as_phash(hashes)
        # Some of them turned, so that a pair is near in another orientation only.
        phash[::5] = dihedral_phash(phash)[3][::5]
        variants, given_hashes = dihedral_phash(phash), phash
        found = HammingIndex(phash).all_pairs(radius, variants=variants)
        assert same(found, BruteForceHamming(given_hashes).all_pairs(radius, variants=variants))
    else:
        hashes[::5] = dihedral_pdq(hashes)[5][::5]
        pdq_variants = dihedral_pdq(hashes)
        found = HammingIndex(hashes).all_pairs(radius, variants=pdq_variants)
        assert same(found, BruteForceHamming(hashes).all_pairs(radius, variants=pdq_variants))


@pytest.mark.parametrize("limit", [1, 3, 12])
def test_a_limit_keeps_the_nearest(limit: int) -> None:
    # Without equal hashes the limit means the same to both.
    hashes = np.unique(near_copies(3, 500, 256), axis=0)
    np.random.default_rng(1).shuffle(hashes)
    fast, slow = HammingIndex(hashes), BruteForceHamming(hashes)
    assert same(fast.all_pairs(60, limit=limit), slow.all_pairs(60, limit=limit))
    assert same(fast.query(hashes, 60, limit=limit), slow.query(hashes, 60, limit=limit))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 5))
def test_a_limit_with_equal_hashes_gives_a_bounded_part_of_all(seed: int, count: int, limit: int) -> None:
    hashes = near_copies(seed, count, 256)
    index = HammingIndex(hashes)
    whole, part = index.all_pairs(31), index.all_pairs(31, limit=limit)
    everything = dict(zip(zip(whole.query, whole.item, strict=True), whole.distance, strict=True))
    kept = dict(zip(zip(part.query, part.item, strict=True), part.distance, strict=True))
    assert len(kept) == len(part) <= count * limit
    assert kept.items() <= everything.items()


def test_thousands_of_equal_hashes_are_linked_to_the_first_in_bounded_memory() -> None:
    hashes = np.repeat(near_copies(1, 2, 256, flips=0.01), 10_000, axis=0)
    HammingIndex(hashes[:10]).all_pairs(31, limit=2)  # compiled outside the measurement
    tracemalloc.start()
    found = HammingIndex(hashes).all_pairs(31, variants=dihedral_pdq(hashes), limit=12)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) <= 12 * len(hashes)
    assert set(found.query[found.item == 0]) >= set(range(1, 10_000))
    # All pairs would be 2e8 links, 4.8 GB.
    assert peak < 200 * 2**20


def test_empty_and_single_inputs_find_nothing() -> None:
    for count in (0, 1):
        index = HammingIndex(np.zeros((count, 32), np.uint8))
        assert len(index) == count
        assert len(index.all_pairs(31, variants=np.zeros((8, count, 32), np.uint8))) == 0
    assert len(HammingIndex(np.zeros((0, 32), np.uint8)).query(np.zeros((3, 32), np.uint8), 9)) == 0
    assert len(HammingIndex(np.zeros((3, 32), np.uint8)).query(np.zeros((0, 32), np.uint8), 9)) == 0


def test_a_buffer_too_small_for_one_query_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = near_copies(5, 300, 256)
    whole = HammingIndex(hashes).all_pairs(256)
    monkeypatch.setattr("deeplens_kit.matching.neighbours.hamming._BUFFER_HITS", 4)
    assert same(HammingIndex(hashes).all_pairs(256), whole)


def test_hashes_of_a_wrong_type_are_a_defect() -> None:
    with pytest.raises(TypeError, match="should be uint64"):
        HammingIndex(np.zeros((2, 5), np.uint8))


@settings(max_examples=60)
@given(st.sampled_from([64, 256]), st.integers(0, 60), st.integers(1, 10**7))
def test_a_plan_misses_no_pair(bits: int, radius: int, items: int) -> None:
    plan = plan_bands(items, bits, radius)
    # The worst case: differences spread so that every band has one more than it is probed for.
    assert plan.scans or bits >= sum(band.width for band in plan.bands)
    assert plan.scans or sum(band.radius + 1 for band in plan.bands) > radius
    assert all(len(band.masks()) == len(set(band.masks().tolist())) for band in plan.bands[:1])


def test_small_radii_of_large_corpora_use_bands_about_as_wide_as_the_corpus() -> None:
    plan = plan_bands(1_000_000, 256, 21)
    assert {band.width for band in plan.bands} <= set(range(15, 23))
    assert plan_bands(1_000, 256, 90).scans
