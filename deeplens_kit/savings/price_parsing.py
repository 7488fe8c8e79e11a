"""A price book from plain values, as a parser of YAML gives them.

Takes mappings, lists, texts and numbers, gives a `PriceBook`; must not open a file or fill in a price. Every error
names the place within the book, as in `locations.archive.storage_classes.*.minimum_days`.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.savings.price_book import ClassPrices, LocationPrices, PriceBook, RequestPrices

__all__ = ["parse_price_book"]

# Inclusive. No price is higher or finer, and sums stay exact.
_HIGHEST, _DECIMALS = 10**9, 12
_MOST_DAYS = 36_500
_CURRENCY = re.compile(r"[A-Z]{3}")
_PLAIN_NAME = re.compile(r"[\w*-]+")

_Reader = Callable[[str, Any], Any]


def parse_price_book(values: object) -> PriceBook:
    """A price book from what a file said.

    Args:
        values: Mappings with text keys; numbers as Decimal, int or float.

    Raises:
        UnknownNameError: A key that does not exist.
        SettingsError: A value that is not allowed, or no currency.
    """
    if not isinstance(values, Mapping):
        raise SettingsError("A price book must hold keys and values: 'currency' and 'locations'.")
    found = _entry("", values, {"currency": _currency, "locations": _named(_plain)})
    if "currency" not in found:
        raise SettingsError("A price book needs its currency, for example 'currency: EUR'; add it.")
    currency: str = found["currency"]
    locations = {}
    for name, entry in found.get("locations", {}).items():
        path = _within("locations", name)
        locations[name] = LocationPrices(currency=currency, **_entry(path, entry, _LOCATION))
    return PriceBook(currency, MappingProxyType(locations))


def _entry(path: str, values: object, readers: Mapping[str, _Reader]) -> dict[str, Any]:
    """What a mapping says, by key; what it leaves out, or sets to null, is left out."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise SettingsError(f"In the price book {path!r} is {values!r}; it must hold keys: {', '.join(readers)}.")
    read = {}
    for key, value in values.items():
        if key not in readers:
            raise _unknown(path, str(key), readers)
        if value is not None:
            read[key] = readers[key](_within(path, key), value)
    return read


def _unknown(path: str, key: str, readers: Mapping[str, _Reader]) -> UnknownNameError:
    near = difflib.get_close_matches(key, readers, n=1, cutoff=0.5)
    names = [_within(path, name) for name in near]
    return UnknownNameError("key of a price book", _within(path, key), names, advice=f"known: {', '.join(readers)}.")


def _within(path: str, name: str) -> str:
    shown = name if _PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    return f"{path}.{shown}" if path else shown


def _refused(path: str, value: object, must: str) -> SettingsError:
    shown = str(value) if isinstance(value, Decimal) else repr(value)
    return SettingsError(f"In the price book {path!r} is {shown}; it must be {must}.")


def _plain(_path: str, value: object) -> object:
    return value


def _named(reader: _Reader) -> _Reader:
    """Reads a mapping whose keys are names that a user gave."""

    def read(path: str, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise _refused(path, value, "names with what is said of each")
        named = {str(name): reader(_within(path, str(name)), entry) for name, entry in value.items()}
        return MappingProxyType(named)

    return read


def _classes(path: str, value: object) -> Mapping[str, ClassPrices]:
    classes: Mapping[str, ClassPrices] = _named(_class)(path, value)
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise SettingsError(
                f"The price book names one storage class twice: {_within(path, other)!r} and {_within(path, name)!r}; "
                "upper and lower case are alike, so leave one out."
            )
    return classes


def _class(path: str, value: object) -> ClassPrices:
    prices = ClassPrices(**_entry(path, value, _CLASS))
    if prices.noncurrent_days is not None and not prices.versioning:
        raise SettingsError(
            f"In the price book '{path}.noncurrent_days' says nothing without 'versioning: true' beside it; "
            "add that, or leave it out."
        )
    return prices


def _requests(path: str, value: object) -> RequestPrices:
    return RequestPrices(**_entry(path, value, _REQUESTS))


def _currency(path: str, value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise _refused(path, value, "three capital letters as in ISO 4217, for example EUR")
    return value


def _number(path: str, value: object, must: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float):
        raise _refused(path, value, must)
    number = Decimal(str(value))
    if not number.is_finite():
        raise _refused(path, value, must)
    return number


def _price(path: str, value: object) -> Decimal:
    must = f"a number from 0 to {_HIGHEST:,} with at most {_DECIMALS} digits after the point, for example 0.023"
    number = _number(path, value, must)
    if not 0 <= number <= _HIGHEST or number != round(number, _DECIMALS):
        raise _refused(path, value, must)
    return number


def _factor(path: str, value: object) -> Decimal:
    must = "a number from 1 to 100 with at most 6 digits after the point, for example 3"
    number = _number(path, value, must)
    if not 1 <= number <= 100 or number != round(number, 6):
        raise _refused(path, value, must)
    return number


def _whole(least: int, most: int) -> _Reader:
    def read(path: str, value: object) -> int:
        must = f"a whole number from {least} to {most:,}"
        number = _number(path, value, must)
        if not least <= number <= most or number != int(number):
            raise _refused(path, value, must)
        return int(number)

    return read


def _flag(path: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _refused(path, value, "true or false")
    return value


def _gb(path: str, value: object) -> str:
    if value not in ("decimal", "binary"):
        raise _refused(path, value, "decimal (1,000,000,000 bytes) or binary (1,073,741,824 bytes)")
    return str(value)


_CLASS: Mapping[str, _Reader] = {
    "storage_per_gb_month": _price,
    "retrieval_per_gb": _price,
    "replication_factor": _factor,
    "minimum_days": _whole(0, _MOST_DAYS),
    "versioning": _flag,
    "noncurrent_days": _whole(0, _MOST_DAYS),
    "soft_delete_days": _whole(0, _MOST_DAYS),
}
_REQUESTS: Mapping[str, _Reader] = dict.fromkeys(
    ("list_per_1000", "read_per_1000", "head_per_1000", "write_per_1000"), _price
)
_LOCATION: Mapping[str, _Reader] = {
    "gb": _gb,
    "storage_classes": _classes,
    "requests": _requests,
    "list_page_size": _whole(1, 1_000_000),
    "egress_per_gb": _price,
}
