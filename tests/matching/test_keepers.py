"""Every member of a large star meets its keeper, in few pairs."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.matching.keepers import keeper_candidates


def ends(*pairs: tuple[str, str]) -> pl.DataFrame:
    schema = {"digest_a": pl.String, "digest_b": pl.String}
    return pl.DataFrame([(min(pair), max(pair)) for pair in pairs], schema=schema, orient="row")


def test_a_copy_of_a_copy_meets_the_better_keeper() -> None:
    order = pl.Series(["z", "m", "a"])
    copies = ends(("z", "m"), ("m", "a"))
    assert keeper_candidates(copies, copies, order).rows() == [("a", "z")]
    tried = ends(("z", "m"), ("m", "a"), ("a", "z"))
    assert keeper_candidates(copies, tried, order).is_empty()
    assert keeper_candidates(copies, copies, pl.Series(["m", "z", "a"])).rows() == []
    assert keeper_candidates(copies.clear(), copies, order).is_empty()
    assert keeper_candidates(copies, copies, order.clear()).is_empty()


def test_a_failed_keeper_makes_room_for_the_next() -> None:
    order = pl.Series(["k1", "k2", "k3", "x", "y1", "y2", "y3"])
    copies = ends(("x", "y1"), ("x", "y2"), ("x", "y3"), ("y1", "k1"), ("y2", "k2"), ("y3", "k3"))
    # x is better than its copies, so that they come to it; each is tried against what x knows, two at a time.
    assert ("k1", "x") not in keeper_candidates(copies, copies, order.reverse()).rows()
    first = keeper_candidates(copies, copies, order)
    assert {("k1", "x"), ("k2", "x")} <= set(first.rows())
    assert ("k3", "x") not in first.rows()
    second = keeper_candidates(copies, pl.concat([copies, first]), order)
    assert ("k3", "x") in second.rows()


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_rounds_bring_every_member_of_a_chain_to_the_keeper(seed: int, count: int) -> None:
    """All pictures of the component are copies: then few rounds try each against the best, with few pairs."""
    random = np.random.default_rng(seed)
    names = [f"{number:03}" for number in random.permutation(count)]
    order = pl.Series(random.permutation(names))
    copies = ends(*[(names[at], names[int(random.integers(0, at))]) for at in range(1, count)])
    rounds = 0
    while (more := keeper_candidates(copies, copies, order)).height:
        assert more.height <= 2 * count
        copies = pl.concat([copies, more])
        rounds += 1
    met = copies.filter((pl.col("digest_a") == order[0]) | (pl.col("digest_b") == order[0]))
    assert met.height == count - 1
    assert rounds <= 1 + int(np.ceil(np.log2(count)) * 2)
