"""Verification of pairs: rows in, the same rows out with what was seen, whatever the batch."""

from __future__ import annotations

import numpy as np
import pdqhash
import polars as pl
import pytest
from looked_pictures import compared, grey_of, look, saved, sized
from PIL import Image, ImageOps

from data.edits import cropped, mirrored, scaled, tilted
from deeplens_kit.matching.likelihood import LIKELIHOOD
from deeplens_kit.matching.verification import EVIDENCE_COLUMNS, VERIFICATION, measure_resolution, verify_pairs
from deeplens_kit.matching.verification.base import Grey, Look
from deeplens_kit.matching.verification.resolution import resolution_ratio
from deeplens_kit.schemas import PAIRS

PICTURES = {
    "a": sized("coffee"),
    "b": saved(cropped(sized("coffee"), 0.2, 0.1, 0.8, 0.9), 80),
    "c": mirrored(sized("coffee")),
    "d": sized("astronaut"),
    "e": scaled(sized("coffee"), 0.5),
    "f": Image.new("L", (200, 200), 240),
}


class Held:
    """Pictures at hand; the others cannot be read."""

    def look(self, digest: str) -> Look | None:
        return look(PICTURES[digest]) if digest in PICTURES else None

    def luma(self, digest: str) -> Grey | None:
        return grey_of(PICTURES[digest]) if digest in PICTURES else None


def pairs_of(*ends: str) -> pl.DataFrame:
    rows = []
    for low, high in ends:
        row: dict[str, object] = dict.fromkeys(PAIRS.names)
        row |= {
            "digest_a": low, "digest_b": high, "phash_distance": 2, "pdq_distance": 20, "orientation": 0,
            "found_by": "pdq", "hub": False, "tier": "copy", "relation": "unverified", "score": 0.5, "run_id": "r",
        }  # fmt: skip
        rows.append(row)
    return pl.DataFrame(rows, schema=PAIRS.polars)


@pytest.fixture(scope="module")
def seen() -> pl.DataFrame:
    return verify_pairs(pairs_of("ab", "ac", "ad", "ae", "af", "ax"), Held())


def test_rows_keep_their_order_and_the_other_columns(seen: pl.DataFrame) -> None:
    before = pairs_of("ab", "ac", "ad", "ae", "af", "ax")
    others = [name for name in PAIRS.names if name not in EVIDENCE_COLUMNS]
    assert seen.select(others).equals(before.select(others))


def test_each_row_says_what_was_seen(seen: pl.DataFrame) -> None:
    row = {pair["digest_b"]: pair for pair in seen.iter_rows(named=True)}
    assert [row[name]["relation"] for name in "bcde"] == ["contains", "whole", "unverified", "whole"]
    assert row["b"]["covered_a"] == pytest.approx(0.48, abs=0.02)
    assert row["b"]["region_a"] == pytest.approx([0.2, 0.1, 0.8, 0.9], abs=0.01)
    assert [row[name]["mirrored"] for name in "bce"] == [False, True, False]
    assert row["c"]["transform"] == pytest.approx([-1, 0, 1, 0, 1, 0], abs=0.002)
    assert row["b"]["transform"] == pytest.approx([1 / 0.6, 0, -0.2 / 0.6, 0, 1 / 0.8, -0.1 / 0.8], abs=0.002)
    assert row["f"]["transform"] is None
    assert {row[name]["verification"] for name in "abcdef" if name in row} == {VERIFICATION}
    assert (row["f"]["cells"], row["f"]["inliers"]) == (0, 0)


def test_a_pair_that_cannot_be_read_stays_as_it_was(seen: pl.DataFrame) -> None:
    assert seen[-1].equals(pairs_of("ax"))


def test_any_batching_gives_the_same(seen: pl.DataFrame) -> None:
    one_by_one = pl.concat([verify_pairs(pairs_of(ends), Held()) for ends in ("ax", "ae", "ab", "ac", "ad", "af")])
    assert one_by_one.sort("digest_b").equals(seen.sort("digest_b"))


def test_no_pairs_are_no_pairs() -> None:
    assert verify_pairs(PAIRS.empty(), Held()).equals(PAIRS.empty())


@pytest.mark.parametrize("ends", ["ab", "ac", "ae"])
def test_either_order_is_about_as_likely(ends: str) -> None:
    answers = verify_pairs(pairs_of(ends, ends[::-1]), Held())
    odds = LIKELIHOOD.odds(answers)
    flags = pl.DataFrame({"page_like": [False, False], "low_information": [False, False]})
    one, other = pl.concat([odds, flags], how="horizontal").select(LIKELIHOOD.probability.alias("p"))["p"]
    assert one == pytest.approx(other, abs=0.05)


def test_an_enlargement_resolves_no_more_than_its_original() -> None:
    pictures = {"o": scaled(sized("astronaut"), 0.7), "u": scaled(scaled(sized("astronaut"), 0.7), 2.0)}

    class Sizes(Held):
        def look(self, digest: str) -> Look | None:
            return look(pictures[digest].resize(tuple(min(side, 600) for side in pictures[digest].size)))

        def luma(self, digest: str) -> Grey | None:
            return grey_of(pictures[digest])

    held = Sizes()
    found = measure_resolution(verify_pairs(pairs_of("ou"), held), held)
    assert found["resolution"][0] == pytest.approx(1.0, abs=0.05)


def test_a_reduction_resolves_less_and_what_cannot_be_read_stays_unknown() -> None:
    held = Held()
    found = measure_resolution(verify_pairs(pairs_of("ae", "ax"), held), held)
    assert found["resolution"][0] == pytest.approx(2.0, rel=0.05)
    assert found["resolution"][1] is None
    assert np.isfinite(found["resolution"][0])


@pytest.mark.parametrize("end", ["b", "c", "e"])
def test_what_is_stored_gives_the_ratio_that_the_look_itself_would(seen: pl.DataFrame, end: str) -> None:
    class Unlooked(Held):
        def look(self, digest: str) -> Look | None:
            raise AssertionError("what was seen is stored")

    found = measure_resolution(seen.filter(pl.col("digest_b") == end), Unlooked())["resolution"][0]
    # These pictures are looked at in full size, so the look's own pixels are theirs.
    first, second = PICTURES["a"], PICTURES[end]
    expected = resolution_ratio(grey_of(first), grey_of(second), compared(first, second).matrix)
    assert np.isfinite(found)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("way", [None, *Image.Transpose], ids=lambda way: "upright" if way is None else way.name)
def test_the_hash_of_a_turned_view_is_that_of_the_turned_picture(way: Image.Transpose | None) -> None:
    picture = sized("astronaut")
    turned = saved(picture if way is None else picture.transpose(way), 85)
    found = compared(picture, turned)
    # Nothing to undo: the stored hashes tell.
    assert (found.view_pdq is None) == (way is None)
    if found.view_pdq is not None and way is not None:
        hashes = [
            pdqhash.compute(np.asarray(ImageOps.contain(side.convert("RGB"), (384, 384))))[0]
            for side in (picture.transpose(way), turned)
        ]
        assert found.view_pdq <= 6
        assert abs(found.view_pdq - int((hashes[0] != hashes[1]).sum())) <= 6


@pytest.mark.parametrize("degrees", [-10, 2, 5])
def test_a_tilted_picture_is_hashed_straightened(degrees: float) -> None:
    picture = sized("astronaut")
    for turned in (tilted(picture, degrees), picture.rotate(degrees, expand=True)):
        for found in (compared(turned, picture), compared(picture, turned)):
            assert found.view_pdq is not None and found.view_pdq <= 24


def test_what_a_fragment_does_not_show_is_not_hashed_as_if_it_did() -> None:
    picture = sized("astronaut")
    turned = picture.rotate(5, Image.Resampling.BICUBIC, expand=True)
    fragment = turned.crop((0, 0, turned.width * 2 // 3, turned.height * 2 // 3))
    for found in (compared(fragment, picture), compared(picture, fragment)):
        assert found.view_pdq is None


def test_parts_have_no_hash_of_the_view() -> None:
    picture = sized("astronaut")
    assert compared(picture, mirrored(cropped(picture, 0.1, 0.1, 0.8, 0.8))).view_pdq is None
