"""Pictures near everybody keep their strongest pairs alone; nobody else loses one."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_worlds import digest_of, pair, picture

from deeplens_kit.matching import STRICT, find_pairs, pairs_towards_keepers
from deeplens_kit.matching.hubs import hub_pictures, worth_a_look
from deeplens_kit.schemas import PAIRS, PICTURES
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


def test_a_hub_that_copies_are_led_to_is_still_one() -> None:
    """A picture near thirty forms, a copy of it, and a copy of the copy that lies beyond what is searched."""
    axes = np.eye(40, dtype=np.float32)
    forms = axes[1:31] * np.float32(0.8) + axes[0] * np.float32(0.6)
    bits = np.unpackbits(np.random.default_rng(1).integers(0, 256, 32, dtype=np.uint8))
    rows = []
    for name, width in (("hub", 4000), ("half", 2000), ("tiny", 400)):
        rows.append(picture(name, width_px=width, pdq=np.packbits(bits).tobytes()))
        bits[8 * len(rows) : 8 * len(rows) + 8] ^= 1
    rows += [picture(f"form {number}") for number in range(len(forms))]
    owners = [row["digest"] for row in (rows[0], *rows[3:])]
    vectors = {"sscd_small": (owners, np.concatenate([axes[:1], forms]))}
    pictures = pl.DataFrame(rows, schema=PICTURES.polars)
    pairs = find_pairs(pictures, vectors, MatchSettings(pdq_max_distance=8), STRICT, "r")
    names = {digest_of(name): name for name in ("hub", "half", "tiny")}
    found = {
        frozenset((names[a], names[b])): (by, hub)
        for a, b, by, hub in pairs.select("digest_a", "digest_b", "found_by", "hub").iter_rows()
        if {a, b} <= set(names)
    }
    assert found == {
        frozenset(("hub", "half")): ("pdq", True),
        frozenset(("half", "tiny")): ("pdq", False),
        frozenset(("hub", "tiny")): ("keeper", True),
    }


def test_what_was_seen_leads_to_a_hub_as_to_a_hub() -> None:
    pictures = pl.DataFrame(
        [picture(name, width_px=width) for name, width in (("best", 4000), ("half", 2000), ("tiny", 400))],
        schema=PICTURES.polars,
    )

    def led(*, best: bool, tiny: bool) -> bool:
        rows = [pair("best", "half", hub=best), pair("half", "tiny", hub=tiny)]
        pairs = pl.DataFrame(rows, schema=PAIRS.polars)
        more = pairs_towards_keepers(pictures, {}, pairs, pairs, STRICT, "r")
        assert {*more.select("digest_a", "digest_b").row(0)} == {digest_of("best"), digest_of("tiny")}
        return bool(more["hub"][0])

    assert led(best=True, tiny=False)
    assert led(best=False, tiny=True)
    assert led(best=True, tiny=True)
    assert not led(best=False, tiny=False)
