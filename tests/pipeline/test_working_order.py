"""The order of work: all pairs once, whatever order they come in, and few pictures in use at a time."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.pipeline.working_order import working_order


def pairs_of(ends: list[tuple[int, int]], scores: list[float] | None = None) -> pl.DataFrame:
    rows = [(f"{min(pair):05d}", f"{max(pair):05d}") for pair in ends]
    frame = pl.DataFrame(rows, schema={"digest_a": pl.String, "digest_b": pl.String}, orient="row")
    return frame.with_columns(pl.Series("score", scores or [0.1] * len(rows), pl.Float32))


def fetched(pairs: pl.DataFrame, held: int) -> int:
    """Pictures that are fetched where so many are held, the least recently used given up first."""
    kept: OrderedDict[str, None] = OrderedDict()
    count = 0
    for pair in pairs.select("digest_a", "digest_b").iter_rows():
        for digest in pair:
            count += digest not in kept
            kept[digest] = None
            kept.move_to_end(digest)
            if len(kept) > held:
                kept.popitem(last=False)
    return count


ends = st.tuples(st.integers(0, 20), st.integers(0, 20)).filter(lambda pair: pair[0] != pair[1])


@given(st.lists(ends.map(lambda pair: (min(pair), max(pair))), unique=True, max_size=40), st.randoms())
def test_every_pair_once_and_the_same_from_any_order(found: list[tuple[int, int]], random) -> None:
    pairs = pairs_of(found)
    order = working_order(pairs)
    assert sorted(order.tolist()) == list(range(len(found)))
    random.shuffle(found)
    again = pairs_of(found)
    assert again[working_order(again)].equals(pairs[order])


def test_a_picture_meets_its_partners_while_it_is_held() -> None:
    # Neighbours on a ring, six each, under shuffled names: one component of 2,000 pictures.
    random = np.random.default_rng(1)
    names = random.permutation(2000)
    found = [(int(names[at]), int(names[(at + step) % 2000])) for at in range(2000) for step in (1, 2, 5)]
    random.shuffle(found)
    pairs = pairs_of(found)
    assert fetched(pairs, held=60) > 10_000
    assert fetched(pairs[working_order(pairs)], held=60) < 2_300


def test_likely_copies_come_first_where_time_is_short() -> None:
    pairs = pairs_of([(0, 1), (1, 2), (2, 3), (3, 4)], [0.2, 0.9, 0.1, 0.5])
    assert sorted(working_order(pairs, likely_first=True)[:2].tolist()) == [1, 3]
    assert working_order(pairs.clear(), likely_first=True).tolist() == []
