"""The price book: what storing, reading and asking cost at each location, as frozen values.

Takes numbers that somebody wrote down, gives them by location and storage class; must not know a price of its own, open
a file or compute. What nobody stated is None and stays unknown: it is never taken for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

__all__ = ["ANY", "LIST_PAGE_SIZE", "ClassPrices", "LocationPrices", "PriceBook", "RequestPrices"]

ANY = "*"
"""Name of the entry for every location, or storage class, that has none of its own."""

LIST_PAGE_SIZE = 1000
"""Objects that a listing request tells of where nobody says otherwise: the most that S3 gives."""

_GB = {"decimal": 10**9, "binary": 2**30}


@dataclass(frozen=True, slots=True)
class ClassPrices:
    """What a storage class costs, and when a removed object stops costing. Prices are >= 0, None where not stated.

    Attributes:
        storage_per_gb_month: Of one copy, per GB and month.
        retrieval_per_gb: Of reading, per GB, besides requests and egress.
        replication_factor: Copies that are paid for, >= 1; multiplies the price of storage.
        minimum_days: Days that are paid for though the object is removed earlier.
        versioning: A removed object goes on costing as a noncurrent version.
        noncurrent_days: Days after which such a version is removed; None for never.
        soft_delete_days: Days for which what is removed goes on costing until it is really gone.
    """

    storage_per_gb_month: Decimal | None = None
    retrieval_per_gb: Decimal | None = None
    replication_factor: Decimal = Decimal(1)
    minimum_days: int = 0
    versioning: bool = False
    noncurrent_days: int | None = None
    soft_delete_days: int = 0

    @property
    def kept_days(self) -> int | None:
        """Days for which a removed object goes on costing; None where that never ends."""
        if not self.versioning:
            return self.soft_delete_days
        # An expired version goes where removed objects go: it is soft-deleted in its turn.
        return None if self.noncurrent_days is None else self.noncurrent_days + self.soft_delete_days


@dataclass(frozen=True, slots=True)
class RequestPrices:
    """What a thousand requests cost, by what they ask; None where not stated."""

    list_per_1000: Decimal | None = None
    read_per_1000: Decimal | None = None
    head_per_1000: Decimal | None = None
    write_per_1000: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LocationPrices:
    """What a location costs.

    Attributes:
        currency: Of every price, an ISO 4217 code.
        storage_classes: Prices by the name of a storage class; `ANY` for those without an entry.
        requests: Prices of requests.
        egress_per_gb: Of bytes that leave the storage, per GB; None where not stated.
        list_page_size: Objects that one listing request tells of, >= 1.
        gb: What a GB is: `decimal`, 1,000,000,000 bytes, or `binary`, 1,073,741,824.
    """

    currency: str
    storage_classes: Mapping[str, ClassPrices] = field(default_factory=lambda: MappingProxyType({}))
    requests: RequestPrices = field(default_factory=RequestPrices)
    egress_per_gb: Decimal | None = None
    list_page_size: int = LIST_PAGE_SIZE
    gb: Literal["decimal", "binary"] = "decimal"

    @property
    def gb_bytes(self) -> int:
        """Bytes of a GB."""
        return _GB[self.gb]

    def kept(self, copies: int) -> LocationPrices:
        """The same, where the storage keeps so many copies of each object and its price is that of one.

        A class whose number of copies is stated in the book stays as it is.
        """
        classes = {
            name: replace(prices, replication_factor=Decimal(copies)) if prices.replication_factor == 1 else prices
            for name, prices in self.storage_classes.items()
        }
        return replace(self, storage_classes=MappingProxyType(classes))

    def of_class(self, storage_class: str | None) -> ClassPrices | None:
        """The prices of a storage class, upper and lower case alike; None where the book has none.

        Args:
            storage_class: As the storage names it; None where it names none.
        """
        wanted = (storage_class or ANY).casefold()
        by_name = {name.casefold(): prices for name, prices in self.storage_classes.items()}
        return by_name.get(wanted, by_name.get(ANY))


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What somebody wrote down of what locations cost.

    Attributes:
        currency: Of every price, an ISO 4217 code.
        locations: Prices by the name of a location; `ANY` for those without an entry. An entry counts whole: nothing is
            mixed in from another one.
    """

    currency: str
    locations: Mapping[str, LocationPrices]

    def entry_of(self, location: str) -> str | None:
        """The name of the entry that a location is priced by; None where there is none."""
        return location if location in self.locations else ANY if ANY in self.locations else None

    def of(self, location: str) -> LocationPrices | None:
        """The prices of a location by its name; None where the book has none."""
        return self.locations.get(location, self.locations.get(ANY))
