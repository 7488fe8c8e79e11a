"""Pictures near everybody keep their strongest pairs alone; nobody else loses one."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import digest_of, picture

from deeplens_kit.matching import STRICT, find_pairs
from deeplens_kit.matching.hubs import hub_pictures, worth_a_look
from deeplens_kit.schemas import PICTURES
from deeplens_kit.settings import MatchSettings


def test_copies_make_no_hub() -> None:
    left, right = np.zeros(5, np.int64), np.arange(1, 6)
    none = np.zeros(5, bool)
    assert hub_pictures(left, right, none, 6, 4).tolist() == [True] + [False] * 5
    assert not hub_pictures(left, right, none, 6, 5).any()
    assert not hub_pictures(left, right, ~none, 6, 4).any()


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 4), st.integers(1, 4))
def test_the_strongest_of_either_end_stay(seed: int, count: int, most: int, kept: int) -> None:
    random = np.random.default_rng(seed)
    left, right = np.triu_indices(count, 1)
    chosen = random.random(len(left)) < 0.7
    left, right = left[chosen], right[chosen]
    strength = random.permutation(len(left)).astype(float)
    hubs = hub_pictures(left, right, np.zeros(len(left), bool), count, most)
    stay = worth_a_look(left, right, strength, hubs, kept)
    for link in range(len(left)):
        ends = left[link], right[link]
        better = [int((strength[(left == end) | (right == end)] > strength[link]).sum()) for end in ends]
        assert stay[link] == (not hubs[list(ends)].any() or min(better) < kept)


def test_a_form_near_all_others_is_flagged_and_keeps_its_copy() -> None:
    """One direction in common with thirty forms that share nothing else, and a true copy of it."""
    axes = np.eye(40, dtype=np.float32)
    forms = axes[1:31] * np.float32(0.8) + axes[0] * np.float32(0.6)
    vectors = np.concatenate([axes[:1], forms, axes[:1] * np.float32(0.95) + axes[39] * np.float32(0.31)])
    digests = [digest_of(number) for number in range(len(vectors))]
    pictures = pl.DataFrame([picture(number) for number in range(len(vectors))], schema=PICTURES.polars)
    pairs = find_pairs(pictures, {"sscd_small": (digests, vectors)}, MatchSettings(), STRICT, "r")
    at_hub = pairs.filter((pl.col("digest_a") == digests[0]) | (pl.col("digest_b") == digests[0]))
    assert at_hub["hub"].all()
    copy = {digests[0], digests[-1]}
    assert copy in [set(ends) for ends in at_hub.select("digest_a", "digest_b").iter_rows()]
    best = max(pairs.iter_rows(named=True), key=lambda row: row["sscd_normalised"])
    assert {best["digest_a"], best["digest_b"]} == copy
