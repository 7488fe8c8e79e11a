"""Hashes of turned pictures made from bits alone, against pictures that were really turned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.features.grey_hashes import phash
from deeplens_kit.features.orientations import ORIENTATIONS, dihedral_pdq, dihedral_phash
from deeplens_kit.features.pdq import Pdq

MEAN_WRONG_PDQ_BITS = {"identity": 0, "transpose": 1}
MEAN_WRONG_PHASH_BITS = {"identity": 0, "transpose": 1}
OTHER_PDQ_BITS, OTHER_PHASH_BITS = 28, 6
"""Means over the test pictures, inclusive; the module docstring has the figures of 300 pictures."""

PHOTOGRAPHS = ("astronaut", "camera", "cat", "coffee", "coins", "immunohistochemistry", "rocket", "page")


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_turned_picture_is_near_its_variant(name: str, pictures: dict[str, NDArray[np.uint8]]) -> None:
    batch = [pictures[picture] for picture in PHOTOGRAPHS]
    turned = batch
    if name != "identity":
        how = Image.Transpose[name.upper()]
        turned = [np.asarray(Image.fromarray(pixels).transpose(how)) for pixels in batch]
    place = ORIENTATIONS.index(name)
    pdq = dihedral_pdq(Pdq().extract(batch)["pdq"])
    wrong = np.bitwise_count(pdq ^ Pdq().extract(turned)["pdq"]).sum(axis=2).mean(axis=1)
    assert wrong[place] <= MEAN_WRONG_PDQ_BITS.get(name, OTHER_PDQ_BITS)
    assert wrong.argmin() == place
    cosine = dihedral_phash(phash().extract(batch)["phash"])
    wrong = np.bitwise_count(cosine ^ phash().extract(turned)["phash"]).mean(axis=1)
    assert wrong[place] <= MEAN_WRONG_PHASH_BITS.get(name, OTHER_PHASH_BITS)
    assert wrong.argmin() == place


# What one orientation after another amounts to, as Pillow's own transposes have it on an array of distinct numbers.
def turned_square(names: tuple[str, ...]) -> bytes:
    square = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4))
    for name in names:
        if name != "identity":
            square = square.transpose(Image.Transpose[name.upper()])
    return square.tobytes()


@given(st.binary(min_size=32, max_size=32), st.sampled_from(ORIENTATIONS), st.sampled_from(ORIENTATIONS))
def test_orientations_compose_as_those_of_a_square(content: bytes, first: str, second: str) -> None:
    single = next(name for name in ORIENTATIONS if turned_square((name,)) == turned_square((first, second)))
    pdq = np.frombuffer(content, dtype=np.uint8)[None]
    once = dihedral_pdq(pdq)
    assert np.array_equal(
        dihedral_pdq(once[ORIENTATIONS.index(first)])[ORIENTATIONS.index(second)], once[ORIENTATIONS.index(single)]
    )
    cosine = np.frombuffer(content, dtype=np.uint64)
    once64 = dihedral_phash(cosine)
    assert np.array_equal(
        dihedral_phash(once64[ORIENTATIONS.index(first)])[ORIENTATIONS.index(second)],
        once64[ORIENTATIONS.index(single)],
    )


def test_no_hashes_have_no_variants() -> None:
    assert dihedral_pdq(np.zeros((0, 32), dtype=np.uint8)).shape == (8, 0, 32)
    assert dihedral_phash(np.zeros(0, dtype=np.uint64)).shape == (8, 0)


def test_many_hashes_are_turned_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = np.random.default_rng(1).integers(0, 256, (1000, 32), dtype=np.uint8)
    whole = dihedral_pdq(hashes)
    monkeypatch.setattr("deeplens_kit.features.orientations._CHUNK_ROWS", 7)
    assert np.array_equal(dihedral_pdq(hashes), whole)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(TypeError, match=r"uint8 \(n, 32\)"):
        dihedral_pdq(np.zeros((2, 31), dtype=np.uint8))
    with pytest.raises(TypeError, match=r"uint64 \(n,\)"):
        dihedral_phash(np.zeros(2, dtype=np.int64))
