"""PDQ has the bits and the quality of the reference library, which is the oracle."""

from __future__ import annotations

import threading

import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeplens_kit.features.pdq import Pdq

WRONG_BITS = 2
"""Of 256, inclusive; here all are right, but another compiler may round elsewhere."""

SIZES = [(5, 5), (5, 384), (384, 6), (63, 64), (64, 64), (64, 65), (20, 128), (128, 128), (129, 129), (384, 217)]


def compare(batch: list[NDArray[np.uint8]]) -> None:
    columns = Pdq().extract(batch)
    for pixels, found, quality in zip(batch, columns["pdq"], columns["pdq_quality"], strict=True):
        bits, expected_quality = pdqhash.compute(np.ascontiguousarray(pixels))
        wrong = int(np.bitwise_count(np.packbits(bits) ^ found).sum())
        assert wrong <= WRONG_BITS, f"{pixels.shape}: {wrong} bits"
        assert abs(int(quality) - expected_quality) <= 1


def test_pictures_in_all_shapes(pictures: dict[str, NDArray[np.uint8]]) -> None:
    for pixels in pictures.values():
        height, width = pixels.shape[:2]
        turned = np.rot90(pixels)
        compare([pixels, turned, pixels[:, ::-1], pixels[: height // 3], pixels[:, : width // 4], pixels[::5, ::5]])


@pytest.mark.parametrize("size", SIZES)
def test_sizes_at_the_borders_of_the_algorithm(size: tuple[int, int]) -> None:
    random = np.random.default_rng(7)
    ramp = np.broadcast_to(np.linspace(0, 255, size[1])[None, :, None], (*size, 3)).astype(np.uint8)
    compare(
        [
            random.integers(0, 256, (*size, 3), dtype=np.uint8),
            np.full((*size, 3), 137, dtype=np.uint8),
            np.full((*size, 3), (12, 200, 77), dtype=np.uint8),
            np.ascontiguousarray(ramp),
        ]
    )


@settings(max_examples=60, deadline=None)
@given(height=st.integers(5, 384), width=st.integers(5, 384), seed=st.integers(0, 2**32 - 1), cell=st.integers(1, 40))
def test_random_patches(height: int, width: int, seed: int, cell: int) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (height // cell + 1, width // cell + 1, 3), dtype=np.uint8)
    compare([np.ascontiguousarray(small.repeat(cell, axis=0).repeat(cell, axis=1)[:height, :width])])


@pytest.mark.parametrize("size", [(1, 1), (4, 300), (300, 4)])
def test_a_side_under_five_pixels_has_no_hash(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    columns = Pdq().extract([pixels])
    assert not columns["pdq"].any()
    assert columns["pdq_quality"].tolist() == [0]


def test_views_hash_as_their_copies(pictures: dict[str, NDArray[np.uint8]]) -> None:
    """A picture that Pillow made is read-only, one that was cropped is not contiguous."""
    view = pictures["coffee"][10:200:2, 300:20:-1]
    assert not view.flags.c_contiguous
    first, second = Pdq().extract([view, view.copy()])["pdq"]
    assert first.tobytes() == second.tobytes()


def test_threads_share_an_extractor(pictures: dict[str, NDArray[np.uint8]]) -> None:
    batch = list(pictures.values())
    extractor = Pdq()
    expected = extractor.extract(batch)["pdq"].tobytes()
    found: list[bytes] = []
    workers = [threading.Thread(target=lambda: found.append(extractor.extract(batch)["pdq"].tobytes())) for _ in "1234"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * len(workers)
