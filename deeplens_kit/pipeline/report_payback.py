"""What it costs to read everything once, and the assumptions of the money: by the price book of the workspace.

Takes an open workspace, gives costs by location and the prices that were used; must not list a storage or read an
object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from deeplens_kit.pipeline.price_file import workspace_prices
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings import LocationPrices, cost_of_reading, exact

__all__ = ["PriceUsed", "ReadOnce", "prices_used", "read_once"]

_READ = "read"


@dataclass(frozen=True, slots=True)
class ReadOnce:
    """What listing a location and reading its files once costs.

    Attributes:
        location: Its name.
        objects: Files that were read to know them; what a listed checksum told is none.
        read_bytes: Their sizes.
        cost: Exact; None where a price is not stated.
        unstated: Keys of the price book that are missing.
    """

    location: str
    objects: int
    read_bytes: int
    cost: Decimal | None
    unstated: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceUsed:
    """What storing a class at a location costs by the price book.

    Attributes:
        location: Its name.
        storage_class: As the storage names it; empty where it names none.
        prices: Of the location; None where the book has none.
    """

    location: str
    storage_class: str
    prices: LocationPrices | None


def read_once(workspace: Workspace) -> list[ReadOnce] | None:
    """What listing and reading the active locations once costs, by location; None without a price book.

    Raises:
        SettingsError: The price book cannot be read.
    """
    book = workspace_prices(workspace)
    if book is None:
        return None
    objects = workspace.catalog.objects(columns=["location_id", "size_bytes", "identity_basis", "storage_class"])
    read = pl.col("identity_basis") == _READ
    sums = objects.group_by("location_id", "storage_class").agg(
        found=pl.len().cast(pl.Int64),
        objects=read.fill_null(False).sum().cast(pl.Int64),
        read_bytes=pl.col("size_bytes").filter(read).sum(),
    )
    rows = []
    for location in sorted(workspace.ledger.locations(), key=lambda item: item.name):
        classes = sums.filter(pl.col("location_id") == location.location_id).sort("storage_class").to_dicts()
        rows.append(_of_location(location.name, book.of(location.name), classes))
    return rows


def prices_used(workspace: Workspace, members: pl.DataFrame) -> list[PriceUsed]:
    """The prices by which members of groups were priced; none without a price book.

    Args:
        workspace: An open workspace.
        members: Columns location_id and storage_class.
    """
    book = workspace_prices(workspace)
    if book is None:
        return []
    named = members.select("location_id", "storage_class").unique().join(workspace.location_names(), on="location_id")
    places = named.select("location", pl.col("storage_class").fill_null("")).sort("location", "storage_class")
    return [PriceUsed(name, kind, book.of(name)) for name, kind in places.iter_rows()]


def _of_location(name: str, prices: LocationPrices | None, classes: Sequence[dict[str, object]]) -> ReadOnce:
    found = sum(int(str(row["found"])) for row in classes)
    objects = sum(int(str(row["objects"])) for row in classes)
    read_bytes = sum(int(str(row["read_bytes"])) for row in classes)
    # The listing is paid for once, whatever classes it tells of.
    costs = [cost_of_reading(prices, objects=0, read_bytes=0, listing_objects=found)] if found else []
    costs += [
        cost_of_reading(
            prices,
            objects=int(str(row["objects"])),
            read_bytes=int(str(row["read_bytes"])),
            storage_class=None if row["storage_class"] is None else str(row["storage_class"]),
        )
        for row in classes
    ]
    unstated = tuple(dict.fromkeys(key for cost in costs for key in cost.unstated))
    if prices is None or unstated:
        return ReadOnce(name, objects, read_bytes, None, unstated)
    with exact():
        money = sum((cost.money for cost in costs if cost.money is not None), Decimal(0))
    return ReadOnce(name, objects, read_bytes, money, ())
