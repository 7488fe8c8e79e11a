"""Cosines against strangers: what is near everybody falls, and copies are nobody's strangers."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.matching.background import STRANGERS, normalised_cosines

FLOOR = 0.4


def normalised(*links: tuple[str, str, float | None], copies: tuple[int, ...] = ()) -> list[float | None]:
    pairs = pl.DataFrame(
        {
            "digest_a": [min(a, b) for a, b, _ in links],
            "digest_b": [max(a, b) for a, b, _ in links],
            "sscd": pl.Series([None] * len(links), dtype=pl.Float32),
            "sscd_small": pl.Series([cosine for *_, cosine in links], dtype=pl.Float32),
        },
        schema_overrides={"digest_a": pl.String, "digest_b": pl.String},
    )
    marks = pl.Series([at in copies for at in range(len(links))], dtype=pl.Boolean)
    found = normalised_cosines(pairs, marks, FLOOR)
    assert (found.name, len(found)) == ("sscd_normalised", len(links))
    assert found.dtype == pl.Float32
    return [None if value is None else round(value, 4) for value in found]


def test_two_alone_stand_against_the_floor() -> None:
    assert normalised(("a", "b", 0.9)) == [0.5]
    assert normalised(("a", "b", None)) == [None]
    assert normalised() == []


def test_each_near_stranger_lifts_the_level_of_its_end() -> None:
    strangers = [("a", f"s{number}", 0.8) for number in range(STRANGERS)]
    alone, *others = normalised(("a", "b", 0.9), *strangers)
    assert alone == pytest.approx(0.9 - (0.8 + FLOOR) / 2, abs=1e-4)
    # One of its strangers has four others left, and b.
    assert others[0] == pytest.approx(0.8 - ((0.9 + 4 * 0.8) / 5 + FLOOR) / 2, abs=1e-4)
    (fewer, *_) = normalised(("a", "b", 0.9), *strangers[:2])
    assert fewer == pytest.approx(0.9 - ((2 * 0.8 + 3 * FLOOR) / 5 + FLOOR) / 2, abs=1e-4)


def test_copies_are_one_stranger_and_none_of_each_other() -> None:
    # a and its copy c: c lifts no level of a. b's copy d lifts no level of the pair of a with b.
    links = [("a", "b", 0.7), ("a", "c", 0.95), ("b", "d", 0.95), ("a", "d", 0.8)]
    assert normalised(*links, copies=(1, 2))[0] == pytest.approx(0.7 - FLOOR, abs=1e-4)
    # Ten copies of one stranger count once.
    crowd = [("a", f"s{number}", 0.8) for number in range(10)]
    bound = [(f"s{number}", f"s{number + 1}", 0.99) for number in range(9)]
    found = normalised(("a", "b", 0.9), *crowd, *bound, copies=tuple(range(11, 20)))
    assert found[0] == pytest.approx(0.9 - ((0.8 + 4 * FLOOR) / 5 + FLOOR) / 2, abs=1e-4)


def test_the_full_model_speaks_first() -> None:
    pairs = pl.DataFrame(
        {"digest_a": ["a"], "digest_b": ["b"], "sscd": [0.8], "sscd_small": [0.5]},
        schema_overrides={"sscd": pl.Float32, "sscd_small": pl.Float32},
    )
    assert normalised_cosines(pairs, pl.Series([False]), FLOOR)[0] == pytest.approx(0.4, abs=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda ends: ends[0] < ends[1]),
        st.tuples(st.floats(0.5, 1, width=32), st.booleans()),
        max_size=25,
    )
)
def test_it_is_what_the_definition_says(links: dict[tuple[int, int], tuple[float, bool]]) -> None:
    names = [(f"p{a}", f"p{b}", cosine) for (a, b), (cosine, _) in links.items()]
    found = normalised(*names, copies=tuple(at for at, (_, copy) in enumerate(links.values()) if copy))
    group = list(range(8))
    for (a, b), (_, copy) in links.items():
        if copy:
            group = [group[a] if member == group[b] else member for member in group]

    def level(end: int, other: int) -> float:
        near: dict[int, float] = {}
        for ends, (cosine, _) in links.items():
            if end in ends:
                stranger = group[sum(ends) - end]
                if stranger not in (group[end], group[other]):
                    near[stranger] = max(near.get(stranger, FLOOR), cosine)
        best = sorted(near.values(), reverse=True)[:STRANGERS]
        return (sum(best) + FLOOR * (STRANGERS - len(best))) / STRANGERS

    for ((a, b), (cosine, _)), value in zip(links.items(), found, strict=True):
        assert value == pytest.approx(cosine - (level(a, b) + level(b, a)) / 2, abs=2e-4)
