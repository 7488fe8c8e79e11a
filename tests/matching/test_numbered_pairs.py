"""Numbers in the stead of digests: in their order, and none for what is no digest of a picture."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matching_worlds import pair, picture, stored, world

from deeplens_kit.matching import STRICT, Regrouper
from deeplens_kit.matching.numbered_pairs import DigestNumbers, numbered_pairs, pair_parts

NAMES = st.lists(st.none() | st.text("abc", max_size=4), max_size=12)


@given(NAMES, NAMES)
def test_numbers_are_the_places_of_digests(known: list[str | None], asked: list[str | None]) -> None:
    numbers = DigestNumbers(pl.Series("digest", known, pl.String))
    ordered = sorted({name for name in known if name is not None})
    assert numbers.digests.to_list() == ordered
    found = numbers.of(pl.Series(asked, dtype=pl.String))
    assert found.dtype == pl.UInt32
    assert found.to_list() == [ordered.index(name) if name in ordered else None for name in asked]


def test_pairs_of_no_picture_at_all_are_left_out() -> None:
    made = world(
        [stored(name, name) for name in "ab"],
        [picture(name) for name in "ab"],
        [pair("a", "b", 3), pair("b", "gone", 3), pair("gone", "lost", 3)],
    )
    found = numbered_pairs(pair_parts(made.pairs), DigestNumbers(made.pictures["digest"]))
    ends = sorted(
        sorted(filter(lambda end: end is not None, row)) for row in found.select("digest_a", "digest_b").rows()
    )
    assert ends == sorted([[0, 1], [int(made.pictures["digest"].rank("ordinal")[1]) - 1]])


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_pairs_may_come_in_parts(rows: int) -> None:
    made = world(
        [stored(name, name) for name in "abcd"],
        [picture(name) for name in "abcd"],
        [pair("a", "b", 0), pair("b", "c", 2), pair("c", "d", 40)],
    )
    whole = Regrouper(made.objects, made.pictures, made.pairs)
    parted = Regrouper(lambda: made.objects, lambda: made.pictures, made.pairs.iter_slices(rows))
    assert parted.regroup(STRICT).by_tier.equals(whole.regroup(STRICT).by_tier)
    assert (parted.edges.left.tolist(), parted.edges.right.tolist()) == (
        whole.edges.left.tolist(), whole.edges.right.tolist(),
    )  # fmt: skip
