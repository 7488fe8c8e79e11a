"""Breakdowns, heavy folders and overlaps: what is fast equals what is plain, and nothing counts twice."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.savings import AGE_BUCKETS, age_bucket, break_down, exact, exact_text, parse_price_book, price_members
from deeplens_kit.savings.folders import folder_of, heavy_folder_of, heavy_folders
from deeplens_kit.savings.overlap import OVERLAPS, folder_overlaps, telling_overlaps

NAMES = {"1": "archive", "2": "share"}
BOOK = parse_price_book(
    {
        "currency": "EUR",
        "locations": {
            "archive": {
                "gb": "binary",
                "storage_classes": {
                    "*": {"storage_per_gb_month": Decimal("0.5")},
                    "cold": {"storage_per_gb_month": Decimal("0.1"), "minimum_days": 60},
                    "kept": {"storage_per_gb_month": 1, "versioning": True},
                },
            }
        },
    }
)
PARTS = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=3)
PLACE = st.tuples(st.sampled_from(["1", "2"]), PARTS)
MEMBER = st.tuples(
    PLACE, st.sampled_from([None, "x", "y"]), st.integers(0, 2**40), st.sampled_from([None, "COLD", "kept", "other"]),
    st.none() | st.integers(-3, 4000),
)  # fmt: skip


def _members(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        [(place[0], owner, freed, kind, age) for place, owner, freed, kind, age in rows],  # type: ignore[index]
        schema={"location_id": pl.String, "owner": pl.String, "frees_bytes": pl.Int64, "storage_class": pl.String,
                "age_days": pl.Int64},
        orient="row",
    )  # fmt: skip
    return frame.with_columns(size_bytes=pl.col("frees_bytes") + 1, bucket=age_bucket(), tier=pl.lit("copy"))


@given(st.lists(MEMBER, max_size=12))
def test_a_breakdown_adds_up_to_the_byte_and_to_the_last_digit_of_money(rows: list[tuple[object, ...]]) -> None:
    members = _members(rows)
    found = break_down(members, "owner", NAMES, BOOK)
    freed: dict[object, int] = defaultdict(int)
    for _, owner, size, _, _ in rows:
        freed[owner] += size  # type: ignore[operator]
    assert dict(found.select("name", "realisable_bytes").iter_rows()) == freed
    assert found["gross_bytes"].sum() == sum(freed.values()) + len(rows)
    assert found["objects"].sum() == len(rows)
    assert [sum(ages) for ages in found["by_age"]] == found["realisable_bytes"].to_list()
    assert found["realisable_bytes"].to_list() == sorted(found["realisable_bytes"], reverse=True)
    priced = price_members(members, NAMES, BOOK)["money_per_month"].drop_nulls()
    with exact():
        whole = sum(map(Decimal, priced), Decimal(0))
        parts = sum(map(Decimal, found["money_per_month"].drop_nulls()), Decimal(0))
    assert exact_text(parts) == exact_text(whole)
    assert break_down(members, "owner")["money_per_month"].null_count() == found.height


@pytest.mark.parametrize(
    ("days", "words"),
    [(None, "not known"), (-1, "under 30 days"), (29, "under 30 days"), (30, "30 to 90 days"), (1825, "2 to 5 years"),
     (1826, "over 5 years")],
)  # fmt: skip
def test_an_age_is_in_one_bucket(days: int | None, words: str) -> None:
    found = pl.DataFrame({"age_days": [days]}, schema={"age_days": pl.Int64}).select(age_bucket()).item()
    assert AGE_BUCKETS[found][0] == words


def test_a_folder_is_a_path_without_its_last_part() -> None:
    paths = ["x.jpg", "a/x.jpg", "a/b/x.jpg", "a/new\nline.jpg", "/x"]
    assert pl.DataFrame({"path": paths}).select(folder_of()).to_series().to_list() == ["", "a", "a/b", "a", ""]


@given(st.lists(st.tuples(PLACE, st.integers(0, 50)), max_size=14), st.sampled_from([0.05, 0.2, 0.5, 1.0]))
def test_heavy_folders_are_those_that_hold_enough_beside_the_ones_beneath(
    rows: list[tuple[tuple[str, list[str]], int]], share: float
) -> None:
    leaves: dict[tuple[str, str], int] = defaultdict(int)
    for (location, parts), size in rows:
        leaves[location, "/".join(parts)] += size
    amounts = pl.DataFrame(
        [(*key, size) for key, size in leaves.items()],
        schema={"location_id": pl.String, "folder": pl.String, "bytes": pl.Int64},
        orient="row",
    )
    named = heavy_folders(amounts, share)
    # By recursion, from the leaves of the tree up: what is named does not count above.
    expected: dict[tuple[str, str], int] = {}
    least = max(1, math.ceil(sum(leaves.values()) * Fraction(str(share))))

    def climb(location: str, parts: tuple[str, ...]) -> int:
        own = leaves.get((location, "/".join(parts)), 0)
        beneath = {tuple(f.split("/"))[: len(parts) + 1] for at, f in leaves if at == location and f
                   and tuple(f.split("/"))[: len(parts)] == parts and len(f.split("/")) > len(parts)}  # fmt: skip
        total = own + sum(climb(location, child) for child in beneath)
        if total >= least:
            expected[location, "/".join(parts)] = total
            return 0
        return total

    rest = sum(climb(location, ()) for location in ("1", "2"))
    assert {(row[0], row[1]): row[2] for row in named.iter_rows()} == expected
    assert named["bytes"].sum() + rest == sum(leaves.values())
    # Each folder counts in the deepest one named that it lies in.
    mapped = heavy_folder_of(amounts.select("location_id", "folder"), named).join(amounts, on=["location_id", "folder"])
    sums = mapped.filter(pl.col("heavy").is_not_null()).group_by("location_id", "heavy").agg(pl.col("bytes").sum())
    assert {(row[0], row[1]): row[2] for row in sums.iter_rows()} == expected


FILE = st.tuples(PLACE, st.integers(0, 7), st.integers(1, 9))
COPY = st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda ends: ends[0] != ends[1])


@given(st.lists(FILE, max_size=14), st.lists(COPY, max_size=5))
def test_an_overlap_is_counted_as_by_hand(
    rows: list[tuple[tuple[str, list[str]], int, int]], copies: list[tuple[int, int]]
) -> None:
    files = [(location, "/".join([*parts, str(at)]), str(digest), size)
             for at, ((location, parts), digest, size) in enumerate(rows)]  # fmt: skip
    held = {digest for *_, digest, _ in files}
    near = [(str(a), str(b)) for a, b in copies if {str(a), str(b)} <= held]
    frame = pl.DataFrame(
        files, orient="row",
        schema={"location_id": pl.String, "path": pl.String, "digest": pl.String, "size_bytes": pl.Int64},
    )  # fmt: skip
    ends = pl.DataFrame(near, schema={"digest": pl.String, "keeper_digest": pl.String}, orient="row")
    found = folder_overlaps(frame, ends)
    # By hand: every two folders that some shared picture lies in, neither within the other.
    alike: dict[str, set[str]] = {digest: {digest} for digest in held}
    for a, b in near:
        alike[a].add(b)
        alike[b].add(a)
    contents: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for location, path, digest, size in files:
        parts = path.split("/")[:-1]
        for folder in ("", *accumulate(parts, lambda up, part: f"{up}/{part}")):
            contents[location, folder].append((digest, size))
    expected = {}
    for one, mine in contents.items():
        for other, theirs in contents.items():
            inside = one[0] == other[0] and (f"{one[1]}/".startswith(f"{other[1]}/") or not other[1])
            around = one[0] == other[0] and (f"{other[1]}/".startswith(f"{one[1]}/") or not one[1])
            common = {digest for digest, _ in mine if alike[digest] & {its for its, _ in theirs}}
            if common and not inside and not around:
                sizes = sum(size for digest, size in mine if digest in common)
                expected[*one, *other] = (len({digest for digest, _ in mine}), len(common), sizes)
    assert {row[:4]: row[4:7] for row in found.iter_rows()} == expected


def _overlap(a: str, b: str, share: float, size: int, pictures: int = 10) -> tuple[object, ...]:
    (la, fa), (lb, fb) = a.split(":"), b.split(":")
    return (la, fa, lb, fb, round(pictures / share), pictures, size, share)


def test_each_overlap_is_told_once_and_the_most_telling_first() -> None:
    rows = [
        _overlap("1:", "2:", 0.6, 100),
        _overlap("1:old", "2:", 0.97, 90),
        _overlap("1:old", "2:new", 0.97, 90),
        _overlap("1:old/deep", "2:new", 1.0, 40),
        _overlap("2:new", "1:old", 0.5, 95),
        _overlap("1:else", "2:new/x", 0.8, 10),
        _overlap("2:far", "1:little", 0.49, 1000),
        _overlap("2:one", "1:picture", 1.0, 1000, pictures=1),
    ]
    told = telling_overlaps(pl.DataFrame(rows, schema=OVERLAPS.polars, orient="row"), 20)
    assert told.select("folder_a", "folder_b").rows() == [("old", "new"), ("else", "new/x")]
    assert telling_overlaps(pl.DataFrame(rows, schema=OVERLAPS.polars, orient="row"), 1).height == 1
