"""Members of groups in money: by location and tier, storage class and age by each object's own."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.savings import MONEY, exact, parse_price_book, price_members

NAMES = {"1": "archive", "2": "share"}
BOOK = parse_price_book(
    {
        "currency": "EUR",
        "locations": {
            "archive": {
                "storage_classes": {
                    "*": {"storage_per_gb_month": Decimal("0.5")},
                    "cold": {"storage_per_gb_month": Decimal("0.1"), "minimum_days": 60, "soft_delete_days": 7},
                    "kept": {"storage_per_gb_month": 1, "versioning": True},
                }
            }
        },
    }
)
GB = 10**9
SCHEMA = pl.Schema(
    {
        "location_id": pl.String(),
        "tier": pl.String(),
        "frees_bytes": pl.Int64(),
        "storage_class": pl.String(),
        "age_days": pl.Int64(),
    }
)
MEMBER = st.tuples(
    st.just("1"),
    st.sampled_from(["bytes", "copy"]),
    st.integers(0, 2**40),
    st.sampled_from([None, "COLD", "kept", "other"]),
    st.none() | st.integers(0, 100),
)


def members(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def test_in_figures() -> None:
    priced = price_members(
        members(
            ("1", "copy", 2 * GB, None, 3),
            ("1", "copy", 10 * GB, "COLD", 50),
            ("1", "copy", 3 * GB, "kept", 3),
            ("1", "bytes", 4 * GB, "other", None),
            ("2", "bytes", 5 * GB, "cold", 0),
        ),
        NAMES,
        BOOK,
    )
    assert priced.rows() == [
        ("1", "bytes", "EUR", "2", "0", 0, 0, 0),
        # 2 x 0.5 + 10 x 0.1; of 60 days 50 were over and 7 pass until it is gone: 3 are paid for.
        ("1", "copy", "EUR", "2", "-0.1", 7, 0, 3 * GB),
        ("2", "bytes", "EUR", None, None, None, 5 * GB, 0),
    ]


def test_without_classes_and_ages_every_object_is_of_the_star() -> None:
    plain = members(("1", "copy", GB, "kept", 1)).drop("storage_class", "age_days")
    assert price_members(plain, NAMES, BOOK)["money_per_month"].to_list() == ["0.5"]


def test_no_members_are_no_rows() -> None:
    assert MONEY.check(price_members(members(), NAMES, BOOK)).is_empty()


@given(st.lists(MEMBER, max_size=12))
def test_the_parts_add_up_whatever_their_order(rows: list[tuple[object, ...]]) -> None:
    whole = price_members(members(*rows), NAMES, BOOK)
    assert whole.equals(price_members(members(*reversed(rows)), NAMES, BOOK))
    alone = [price_members(members(row), NAMES, BOOK) for row in rows]
    with exact():
        for name in ("money_per_month", "money_once"):
            sums = [sum(Decimal(text) for text in frame[name]) for frame in (whole, *alone)]
            assert abs(sums[0] - sum(sums[1:])) < Decimal("1e-60")
    assert whole["kept_bytes"].sum() == sum(frame["kept_bytes"].sum() for frame in alone)
