"""The search by hash finds what a look at every bit of every hash in every orientation finds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deeplens_kit.features import ORIENTATIONS, dihedral_pdq
from deeplens_kit.search.hash_kernels import least_distances
from deeplens_kit.search.hash_shelf import HashName, HashShelf, variants_of


def _hashes(count: int, near: int, seed: int) -> np.ndarray:
    """Random hashes, every third of them one of eight turned and mirrored versions of the first, a few bits changed."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 256, (count, 32), dtype=np.uint8)
    for row in range(0, count, 3):
        bits = np.unpackbits(dihedral_pdq(hashes[:1])[row % len(ORIENTATIONS), 0])
        bits[random.choice(256, random.integers(0, near), replace=False)] ^= 1
        hashes[row] = np.packbits(bits) if row else hashes[0]
    return hashes


@pytest.mark.parametrize("radius", [0, 20, 31, 60, 128, 256])
def test_what_is_found_by_quarters_is_what_is_within_the_radius(radius: int) -> None:
    # More than one block of the loop, and a last one that is not full.
    hashes = _hashes(5_000, 2 * min(radius, 64) + 2, seed=radius)
    values = pl.Series([None, *(row.tobytes() for row in hashes), b"short"])
    shelf = HashShelf.of("pdq", values)

    found = shelf.nearest(hashes[0].tobytes(), radius, len(values), None)

    turned = dihedral_pdq(hashes[:1])[:, 0]
    distances = np.bitwise_count(hashes[:, None] ^ turned[None]).sum(axis=2).min(axis=1)
    assert found.positions.tolist() == (1 + np.flatnonzero(distances <= radius)).tolist()
    assert found.beyond is None
    assert len(found.positions) > 5


def test_only_what_is_wanted_is_found_and_what_is_left_out_is_told() -> None:
    hashes = _hashes(900, 30, seed=3)
    shelf = HashShelf.of("pdq", pl.Series([row.tobytes() for row in hashes]))
    wanted = np.arange(900) % 2 == 0

    found = shelf.nearest(hashes[0].tobytes(), 31, 10, wanted)
    distances = shelf.distances(hashes[0].tobytes(), np.arange(900))
    kept = np.sort(distances[wanted])
    assert np.sort(distances[found.positions]).tolist() == kept[:10].tolist()
    assert wanted[found.positions].all()
    assert found.beyond == kept[10]


@pytest.mark.parametrize("name", ["phash", "dhash"])
def test_hashes_of_one_word_are_all_looked_at(name: HashName) -> None:
    values = np.random.default_rng(5).integers(0, 2**62, 3_000)
    shelf = HashShelf.of(name, pl.Series(values))
    variants = variants_of(name, int(values[7]))
    assert variants is not None

    found = shelf.nearest(int(values[7]), 20, 3_000, None)

    distances = least_distances(values.astype(np.uint64)[None].copy(), variants)
    assert found.positions.tolist() == np.flatnonzero(distances <= 20).tolist()
    assert 7 in found.positions
