"""What reading, keeping and removing cost by the prices of a location.

Takes prices with counts and bytes, gives exact money; must not round, open anything, or take a price that nobody stated
for nothing. Money is a Decimal, rounded only where it is shown.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from deeplens_kit.savings.price_book import LIST_PAGE_SIZE, LocationPrices

__all__ = [
    "DAYS_PER_MONTH",
    "ReadingCost",
    "RemovalSaving",
    "cost_of_reading",
    "exact",
    "exact_text",
    "monthly_cost",
    "saving_of_removal",
]

DAYS_PER_MONTH = 30
"""Days of a month by which the days of a minimum duration are charged."""

# Digits: 2**63 bytes in binary GB times the finest price have 80, so that only the days of a month are ever rounded.
_DIGITS = 100
_PER = 1000


@dataclass(frozen=True, slots=True)
class ReadingCost:
    """What it would cost to list, ask about and read objects.

    Attributes:
        list_requests: Requests for pages of a listing.
        read_requests: Requests for content.
        head_requests: Requests for what is known of one object.
        egress_bytes: Bytes that leave the storage.
        money: What all of it costs; None where a price that it needs is not stated.
        currency: Of the money; None where the location has no prices at all.
        unstated: Keys of the price book that it needs and that are not stated.
    """

    list_requests: int
    read_requests: int
    head_requests: int
    egress_bytes: int
    money: Decimal | None
    currency: str | None
    unstated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemovalSaving:
    """What it would save to remove objects.

    Attributes:
        per_month: Saved every month from `from_day` on, >= 0; 0 where it never begins.
        once: What the days cost that are paid for all the same, <= 0.
        from_day: Days after the removal on which the saving begins; None for never.
        reason: Why it does not begin at once; empty where it does.
        currency: Of the money.
    """

    per_month: Decimal
    once: Decimal
    from_day: int | None
    reason: str
    currency: str

    @property
    def realisable(self) -> bool:
        """Whether the saving ever begins."""
        return self.from_day is not None


def exact() -> AbstractContextManager[Context]:
    """A context in which sums and products of money are not rounded."""
    return localcontext(prec=_DIGITS)


def exact_text(money: Decimal) -> str:
    """Money with every digit that it has, and without an exponent: "0.0000012"."""
    text = format(money, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def cost_of_reading(
    prices: LocationPrices | None,
    *,
    objects: int,
    read_bytes: int,
    head_requests: int = 0,
    listing_objects: int | None = None,
    storage_class: str | None = None,
) -> ReadingCost:
    """What it would cost to list a location and read objects of one storage class, each by one request.

    Args:
        prices: Of the location; None where it has none.
        objects: Objects that are read, >= 0.
        read_bytes: Their sizes, >= 0.
        head_requests: Objects that are asked about one by one, >= 0.
        listing_objects: Objects that the listing tells of, >= 0; None where nothing is listed. An empty listing takes
            a request too.
        storage_class: Of the objects, as the storage names it; None where it names none.
    """
    page = LIST_PAGE_SIZE if prices is None else prices.list_page_size
    lists = 0 if listing_objects is None else max(1, -(-listing_objects // page))
    if prices is None:
        return ReadingCost(lists, objects, head_requests, read_bytes, None, None)
    per_gb = {"egress_per_gb": (prices.egress_per_gb, read_bytes)}
    of_class = prices.of_class(storage_class)
    per_gb["retrieval_per_gb"] = (None if of_class is None else of_class.retrieval_per_gb, read_bytes)
    requests = prices.requests
    per_1000 = {
        "list_per_1000": (requests.list_per_1000, lists),
        "read_per_1000": (requests.read_per_1000, objects),
        "head_per_1000": (requests.head_per_1000, head_requests),
    }
    # What is not asked for costs nothing, whatever its price.
    unstated = tuple(key for key, (price, count) in {**per_1000, **per_gb}.items() if price is None and count)
    money = None
    if not unstated:
        with exact():
            money = sum((price * count / _PER for price, count in per_1000.values() if price and count), Decimal(0))
            money += sum(price * size / prices.gb_bytes for price, size in per_gb.values() if price and size)
    return ReadingCost(lists, objects, head_requests, read_bytes, money, prices.currency, unstated)


def monthly_cost(prices: LocationPrices | None, storage_class: str | None, stored_bytes: int) -> Decimal | None:
    """What it costs a month to keep bytes, copies included; None where no price is stated.

    Args:
        prices: Of the location; None where it has none.
        storage_class: As the storage names it; None where it names none.
        stored_bytes: Bytes, >= 0.
    """
    of_class = prices.of_class(storage_class) if prices is not None else None
    if prices is None or of_class is None or of_class.storage_per_gb_month is None:
        return None
    with exact():
        return of_class.storage_per_gb_month * of_class.replication_factor * stored_bytes / prices.gb_bytes


def saving_of_removal(
    prices: LocationPrices | None, storage_class: str | None, freed_bytes: int, age_days: int | None
) -> RemovalSaving | None:
    """What it would save to remove objects of one storage class and age; None where no price is stated.

    An object that goes on costing for some days after its removal grows older in them: only what then lacks of the
    minimum duration is paid on top.

    Args:
        prices: Of the location; None where it has none.
        storage_class: As the storage names it; None where it names none.
        freed_bytes: Bytes that the removal frees, >= 0.
        age_days: Whole days for which the objects have been there; None where that is not known, and then the minimum
            duration counts in full.
    """
    per_month = monthly_cost(prices, storage_class, freed_bytes)
    of_class = prices.of_class(storage_class) if prices is not None else None
    if prices is None or of_class is None or per_month is None:
        return None
    from_day, reason = of_class.kept_days, _reason(of_class.noncurrent_days, of_class.versioning, of_class.kept_days)
    if from_day is None:
        return RemovalSaving(Decimal(0), Decimal(0), None, reason, prices.currency)
    lacking = max(0, of_class.minimum_days - max(0, age_days or 0) - from_day)
    with exact():
        once = -(per_month * lacking / DAYS_PER_MONTH) if lacking else Decimal(0)
    return RemovalSaving(per_month, once, from_day, reason, prices.currency)


def _reason(noncurrent_days: int | None, versioning: bool, kept_days: int | None) -> str:
    if kept_days is None:
        return "a removed object is kept as a version, with no end"
    if versioning and noncurrent_days:
        return f"a removed object goes on costing as a version, in all for {kept_days} days"
    return f"a removed object goes on costing for {kept_days} days until it is really gone" if kept_days else ""
