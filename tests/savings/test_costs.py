"""Money: exact, additive, and never a price that nobody stated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.savings import (
    DAYS_PER_MONTH,
    ClassPrices,
    LocationPrices,
    RequestPrices,
    cost_of_reading,
    exact,
    exact_text,
    monthly_cost,
    saving_of_removal,
)

PRICE = st.decimals(0, 1000, places=6)
BYTES = st.integers(0, 2**60)
DAYS = st.integers(0, 400)
CLASSES = st.builds(
    ClassPrices,
    storage_per_gb_month=PRICE,
    retrieval_per_gb=PRICE,
    replication_factor=st.decimals(1, 6, places=1),
    minimum_days=DAYS,
    versioning=st.booleans(),
    noncurrent_days=st.none() | DAYS,
    soft_delete_days=st.integers(0, 90),
)
LOCATIONS = st.builds(
    LocationPrices,
    currency=st.just("EUR"),
    storage_classes=st.fixed_dictionaries({"*": CLASSES}),
    requests=st.builds(RequestPrices, PRICE, PRICE, PRICE, PRICE),
    egress_per_gb=PRICE,
    list_page_size=st.integers(1, 5000),
    gb=st.sampled_from(["decimal", "binary"]),
)
# A third of a month has no end of digits; everything else is exact.
NEARLY = Decimal("1e-60")


def prices(gb: Any = "decimal", **of_class: Any) -> LocationPrices:
    return LocationPrices(
        "EUR",
        {"*": ClassPrices(**of_class)},
        RequestPrices(Decimal("0.005"), Decimal("0.0004"), Decimal("0.0004"), Decimal(1)),
        Decimal("0.09"),
        gb=gb,
    )


def test_reading_in_figures() -> None:
    cost = cost_of_reading(
        prices(retrieval_per_gb=Decimal("0.01")), objects=3000, read_bytes=5 * 10**9, head_requests=10,
        listing_objects=10_001,
    )  # fmt: skip
    assert (cost.list_requests, cost.read_requests, cost.head_requests, cost.egress_bytes) == (11, 3000, 10, 5 * 10**9)
    # 11 x 0.000005 + 3,010 x 0.0000004 + 5 x (0.09 + 0.01)
    assert cost.money == Decimal("0.501259")
    assert (cost.currency, cost.unstated) == ("EUR", ())


def test_an_empty_listing_is_a_request_and_none_is_none() -> None:
    assert cost_of_reading(None, objects=0, read_bytes=0, listing_objects=0).list_requests == 1
    assert cost_of_reading(None, objects=0, read_bytes=0).list_requests == 0


def test_a_price_that_is_not_stated_is_not_taken_for_nothing() -> None:
    partly = LocationPrices("EUR", requests=RequestPrices(read_per_1000=Decimal(1)))
    cost = cost_of_reading(partly, objects=1000, read_bytes=1, listing_objects=1)
    assert (cost.money, cost.currency) == (None, "EUR")
    assert cost.unstated == ("list_per_1000", "egress_per_gb", "retrieval_per_gb")
    # What is not asked for needs no price.
    assert cost_of_reading(partly, objects=1000, read_bytes=0).money == 1
    assert cost_of_reading(None, objects=1, read_bytes=1).money is None
    assert monthly_cost(partly, None, 1) is monthly_cost(None, None, 1) is None
    assert saving_of_removal(partly, None, 1, 0) is saving_of_removal(None, None, 1, 0) is None


@given(LOCATIONS, BYTES, BYTES, DAYS)
def test_money_adds_up(where: LocationPrices, one: int, other: int, age: int) -> None:
    with exact():
        whole, first, second = (monthly_cost(where, None, size) for size in (one + other, one, other))
        assert whole is not None and first is not None and second is not None
        assert whole == first + second
        savings = [saving_of_removal(where, None, size, age) for size in (one + other, one, other)]
        together, *parts = [(item.per_month, item.once) for item in savings if item is not None]
        assert together[0] == parts[0][0] + parts[1][0]
        assert abs(together[1] - parts[0][1] - parts[1][1]) < NEARLY
        reads = [cost_of_reading(where, objects=n, read_bytes=n).money for n in (one + other, one, other)]
        assert reads[0] == sum(item for item in reads[1:] if item is not None)


@given(LOCATIONS, BYTES, DAYS)
def test_a_removal_saves_at_most_what_keeping_costs(where: LocationPrices, size: int, age: int) -> None:
    """Over any time: nothing before its first day, and by the end of the minimum duration nothing either."""
    of_class, saving = where.of_class(None), saving_of_removal(where, None, size, age)
    cost = monthly_cost(where, None, size)
    assert of_class is not None and saving is not None and cost is not None
    assert 0 <= saving.per_month <= cost
    assert saving.once <= 0
    assert saving.realisable == (not of_class.versioning or of_class.noncurrent_days is not None)
    if saving.from_day is None:
        assert (saving.per_month, saving.once) == (0, 0)
        assert saving.reason
        return
    assert bool(saving.reason) == bool(saving.from_day)
    with exact():
        at_minimum = max(saving.from_day, of_class.minimum_days - age)
        saved = saving.per_month * (at_minimum - saving.from_day) / DAYS_PER_MONTH + saving.once
    assert abs(saved) < NEARLY
    unknown_age = saving_of_removal(where, None, size, None)
    assert unknown_age is not None and unknown_age.once <= saving.once


def test_a_removal_in_figures() -> None:
    archive = prices(
        gb="binary", storage_per_gb_month=Decimal("0.002"), replication_factor=Decimal(3), minimum_days=90,
        versioning=True, noncurrent_days=30, soft_delete_days=7,
    )  # fmt: skip
    saving = saving_of_removal(archive, None, 10 * 2**30, 38)
    assert saving is not None
    # 10 x 0.002 x 3; of 90 days 38 were over and 37 pass until it is gone: 15 are paid for.
    assert (saving.per_month, saving.once, saving.from_day) == (Decimal("0.06"), Decimal("-0.03"), 37)
    assert "37 days" in saving.reason
    kept = saving_of_removal(prices(storage_per_gb_month=Decimal(1), versioning=True), None, 10**9, 0)
    assert kept is not None
    assert (kept.realisable, kept.per_month) == (False, 0)
    assert "no end" in kept.reason


@pytest.mark.parametrize(
    ("money", "text"),
    [("1E-7", "0.0000001"), ("1.50", "1.5"), ("100", "100"), ("1E+2", "100"), ("-0.0", "0"), ("0.00", "0")],
)
def test_exact_money_as_text_has_all_digits_and_no_exponent(money: str, text: str) -> None:
    assert exact_text(Decimal(money)) == text
