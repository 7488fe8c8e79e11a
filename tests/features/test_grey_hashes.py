"""The classic hashes have exactly the bits of imagehash, which is the oracle."""

from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.features.grey_hashes import GreyHash, ahash, dhash, phash, whash

ORACLES = {
    "ahash": (ahash, imagehash.average_hash),
    "dhash": (dhash, imagehash.dhash),
    "phash": (phash, imagehash.phash),
    "whash": (whash, imagehash.whash),
}


def expected(name: str, pixels: NDArray[np.uint8]) -> int:
    bits = ORACLES[name][1](Image.fromarray(pixels)).hash
    return int("".join("1" if bit else "0" for bit in bits.ravel()), 2)


def versions(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    height, width = pixels.shape[:2]
    return [
        pixels,
        pixels[:, ::-1],
        np.rot90(pixels),
        pixels[: height // 2, width // 3 :],
        255 - pixels,
        pixels // 64 * 64,
        pixels[:7],
        pixels[:, :3],
    ]


@pytest.mark.parametrize("name", ORACLES)
def test_pictures_and_their_edits_hash_as_imagehash_does(name: str, pictures: dict[str, NDArray[np.uint8]]) -> None:
    batch = [version for pixels in pictures.values() for version in versions(pixels)]
    if name == "whash":  # imagehash computes it, slowly; what is ours is the order of bits and rows
        batch = batch[::9]
    extractor: GreyHash = ORACLES[name][0]()
    hashes = extractor.extract(batch)[name]
    assert hashes.dtype == np.uint64
    assert [int(value) for value in hashes] == [expected(name, pixels) for pixels in batch]


def striped(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    rows = np.random.default_rng(seed).integers(0, 256, (height, 1, 1), dtype=np.uint8)
    return np.broadcast_to(rows, (height, width, 3)).copy()


def noise(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def two_tone(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    return (noise(height, width, seed) // 128 * 255).astype(np.uint8)


def constant(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), np.random.default_rng(seed).integers(0, 256, 3), dtype=np.uint8)


SYNTHETIC = st.builds(
    lambda make, height, width, seed: make(height, width, seed),
    st.sampled_from([striped, noise, two_tone, constant]),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=150, deadline=None)
@given(batch=st.lists(SYNTHETIC, min_size=1, max_size=9))
@pytest.mark.parametrize("name", ["ahash", "dhash", "phash"])
def test_ties_fall_as_in_imagehash(name: str, batch: list[NDArray[np.uint8]]) -> None:
    """Flat, striped and two-tone pictures sit on the median, where the rounding of the last bit decides."""
    hashes = ORACLES[name][0]().extract(batch)[name]
    assert [int(value) for value in hashes] == [expected(name, pixels) for pixels in batch]


def test_the_first_bit_is_the_most_significant() -> None:
    bright_left = np.zeros((8, 8, 3), dtype=np.uint8)
    bright_left[0, 0] = 255
    assert int(ahash().extract([bright_left])["ahash"][0]) == 1 << 63
