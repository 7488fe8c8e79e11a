"""What a run reads over networks, and how much of that it may.

Takes what is about to be read, says whether the budget allows it; must not read. What lies on this machine costs
nothing and is not counted. A budget is never passed: what would pass it is left for the next run.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from deeplens_kit.errors import SettingsError
from deeplens_kit.savings import LocationPrices, cost_of_reading
from deeplens_kit.savings.costs import exact
from deeplens_kit.savings.price_book import ANY

__all__ = ["Budget", "Spending", "budgeted"]


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that a run may read over networks; None for no limit of that sort.

    Attributes:
        max_bytes: Of content.
        max_money: Of requests and egress, in the currency of the price book.
        currency: Of `max_money`, ISO 4217.
    """

    max_bytes: int | None = None
    max_money: Decimal | None = None
    currency: str | None = None


class Spending:
    """Counts what is read, and stops at the budget; safe to share between threads.

    Args:
        budget: How much may be read.
        prices: Of the locations behind a network, by their id; None for one that has no prices. Others are not counted.
    """

    def __init__(self, budget: Budget | None = None, prices: Mapping[str, LocationPrices | None] | None = None) -> None:
        self._budget, self._prices = budget or Budget(), dict(prices or {})
        self._lock = threading.Lock()
        self.read_bytes, self.money = 0, Decimal(0)

    @property
    def is_limited(self) -> bool:
        """Whether there is a budget at all."""
        return self._budget != Budget()

    def take(self, location_id: str, size_bytes: int, storage_class: str | None = None) -> bool:
        """Whether an object may be read; counted where it may.

        Once one was refused, smaller ones may still be allowed: the budget is used as far as it goes.
        """
        return self._count(location_id, size_bytes, objects=1, storage_class=storage_class)

    def ask(self, location_id: str) -> bool:
        """Whether an object may be asked about by a request of its own; counted where it may."""
        return self._count(location_id, 0, heads=1)

    def listed(self, location_id: str, objects: int) -> None:
        """Count the requests of a listing, which come before anything can be refused."""
        self._count(location_id, 0, listed=objects, always=True)

    def _count(
        self,
        location_id: str,
        size_bytes: int,
        *,
        objects: int = 0,
        heads: int = 0,
        listed: int | None = None,
        storage_class: str | None = None,
        always: bool = False,
    ) -> bool:
        if location_id not in self._prices:
            return True
        prices, money = self._prices[location_id], Decimal(0)
        if prices is None and self._budget.max_money is not None and not always:
            return False  # what nobody knows the price of may cost anything
        if prices:
            cost = cost_of_reading(
                prices,
                objects=objects,
                read_bytes=size_bytes,
                head_requests=heads,
                listing_objects=listed,
                storage_class=storage_class,
            )
            if cost.money is None and self._budget.max_money is not None and not always:
                return False
            money = cost.money or Decimal(0)
        most = self._budget
        with self._lock, exact():
            over = (most.max_bytes is not None and size_bytes and self.read_bytes + size_bytes > most.max_bytes) or (
                most.max_money is not None and self.money + money > most.max_money
            )
            if over and not always:
                return False
            self.read_bytes += size_bytes
            self.money += money
            return True


def budgeted(
    budget: Budget,
    remote: Iterable[tuple[str, str]],
    prices: Mapping[str, LocationPrices | None],
    indexed: Collection[str],
) -> Spending:
    """What a run with a budget may spend.

    Args:
        budget: How much.
        remote: Id and name of each location behind a network.
        prices: By the name of a location.
        indexed: Names of the locations that are indexed: those must have prices. Nothing is read from others without.

    Raises:
        SettingsError: The budget is money, and a price that it needs is not stated or in another currency.
    """
    named = list(remote)
    if budget.max_money is not None:
        for name in (name for _, name in named if name in indexed):
            _check_prices(name, prices.get(name), budget)
    return Spending(budget, {location_id: prices.get(name) for location_id, name in named})


def _check_prices(name: str, prices: LocationPrices | None, budget: Budget) -> None:
    if prices is None:
        raise SettingsError(
            f"A budget of money needs prices, and location {name!r} has none; write them down (`deeplens prices "
            "example` prints a price book to fill in), or give a budget in bytes, such as 10GB."
        )
    if budget.currency and budget.currency != prices.currency:
        raise SettingsError(
            f"The budget is in {budget.currency}, the price book in {prices.currency}; give the budget in "
            f"{prices.currency}."
        )
    # By each storage class of the book: an object of one that is not in it is left, and told of as such.
    classes = [None if known == ANY else known for known in prices.storage_classes] or [None]
    unstated = {
        key
        for known in classes
        for key in cost_of_reading(
            prices, objects=1, read_bytes=1, head_requests=1, listing_objects=1, storage_class=known
        ).unstated
    }
    if unstated:
        raise SettingsError(
            f"A budget of money needs every price of reading; of location {name!r} the price book does not state "
            f"{', '.join(sorted(unstated))} for each storage class: write 0 for what is free."
        )
