"""The price book: what is stated counts to the digit, what is not stays unknown, and a slip is named with its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.savings import ClassPrices, parse_price_book


def book(**archive: Any) -> dict[str, Any]:
    return {"currency": "EUR", "locations": {"archive": archive}}


def of_class(**said: Any) -> dict[str, Any]:
    return book(storage_classes={"*": said})


def test_an_entry_counts_whole_and_the_star_is_for_those_without_one() -> None:
    parsed = parse_price_book(
        {
            "currency": "EUR",
            "locations": {
                "*": {"egress_per_gb": 2, "storage_classes": {"*": {"storage_per_gb_month": 9}}},
                "archive": {"storage_classes": {"Cool": {"storage_per_gb_month": Decimal("0.010")}}},
            },
        }
    )
    assert (parsed.entry_of("archive"), parsed.entry_of("share")) == ("archive", "*")
    archive, share = parsed.of("archive"), parsed.of("share")
    assert archive is not None and share is not None
    assert archive.egress_per_gb is None
    assert share.egress_per_gb == 2
    cool = archive.of_class("COOL")
    assert cool is not None and str(cool.storage_per_gb_month) == "0.010"
    assert archive.of_class("Hot") is None
    assert archive.of_class(None) is None
    assert share.of_class("Hot") == share.of_class(None) == ClassPrices(storage_per_gb_month=Decimal(9))


def test_without_an_entry_there_is_no_price() -> None:
    parsed = parse_price_book(book())
    assert parsed.of("share") is None
    assert parsed.entry_of("share") is None
    assert parse_price_book({"currency": "EUR"}).of("archive") is None


def test_what_is_left_empty_or_null_is_not_stated() -> None:
    parsed = parse_price_book(book(requests=None, egress_per_gb=None, storage_classes={"*": None}))
    prices = parsed.of("archive")
    assert prices is not None
    assert prices.requests.read_per_1000 is None
    assert prices.of_class(None) == ClassPrices()
    assert (prices.list_page_size, prices.gb_bytes) == (1000, 10**9)


@pytest.mark.parametrize(
    ("values", "path", "near"),
    [
        (
            of_class(storge_per_gb_month=1),
            "locations.archive.storage_classes.*.storge_per_gb_month",
            "locations.archive.storage_classes.*.storage_per_gb_month",
        ),
        (book(request={}), "locations.archive.request", "locations.archive.requests"),
        (book(requests={"get_per_1000": 1}), "locations.archive.requests.get_per_1000", "read_per_1000"),
        ({"currencies": "EUR"}, "currencies", "currency"),
        ({"currency": "EUR", "locations": {"a b.c": {"egres": 1}}}, 'locations."a b.c".egres', "egress_per_gb"),
        (book(zzz=1), "locations.archive.zzz", "known: gb, storage_classes, requests, list_page_size, egress_per_gb"),
    ],
)
def test_an_unknown_key_is_named_with_its_place_and_the_nearest(values: object, path: str, near: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        parse_price_book(values)
    assert caught.value.name == path
    assert near in str(caught.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (None, "'currency' and 'locations'"),
        ({"locations": {}}, "currency: EUR"),
        ({"currency": "Euro"}, "'currency' is 'Euro'; it must be three capital letters"),
        ({"currency": "EUR", "locations": []}, "'locations' is []"),
        ({"currency": "EUR", "locations": {"archive": 3}}, "'locations.archive' is 3"),
        (of_class(storage_per_gb_month=Decimal("-0.01")), "storage_per_gb_month' is -0.01; it must be a number from 0"),
        (of_class(storage_per_gb_month="0,02"), "is '0,02'; it must be a number"),
        (of_class(storage_per_gb_month=True), "is True; it must be a number"),
        (of_class(storage_per_gb_month=float("nan")), "it must be a number"),
        (of_class(storage_per_gb_month=Decimal("1e10")), "it must be a number from 0 to 1,000,000,000"),
        (of_class(storage_per_gb_month=Decimal("1e-13")), "12 digits after the point"),
        (of_class(replication_factor=Decimal("0.5")), "a number from 1 to 100"),
        (of_class(minimum_days=Decimal("1.5")), "a whole number from 0"),
        (of_class(versioning="yes"), "is 'yes'; it must be true or false"),
        (of_class(noncurrent_days=30), "says nothing without 'versioning: true'"),
        (book(gb="GiB"), "decimal (1,000,000,000 bytes) or binary"),
        (book(list_page_size=0), "a whole number from 1"),
        (book(storage_classes={"Cool": {}, "COOL": {}}), "upper and lower case are alike"),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(values: object, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_price_book(values)
    assert says in str(caught.value)
