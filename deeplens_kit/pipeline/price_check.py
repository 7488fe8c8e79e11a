"""What a price book says of the locations of a workspace, before money is computed by it.

Takes an open workspace and a price book, gives what each location would be priced with and which names fit nothing;
must not compute money or change the book.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import polars as pl

from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings import ANY, ClassPrices, LocationPrices, PriceBook, exact_text

__all__ = ["PriceCheck", "check_prices"]

_REQUESTS = ("list_per_1000", "read_per_1000", "head_per_1000", "write_per_1000")
_OF_CLASS = ("storage_per_gb_month", "retrieval_per_gb")
_PRICES = (*_OF_CLASS, "egress_per_gb", *_REQUESTS)

_COLUMNS = pl.Schema(
    {
        "location": pl.String(),
        "active": pl.Boolean(),
        "entry": pl.String(),
        "storage_class": pl.String(),
        "currency": pl.String(),
        **dict.fromkeys(_PRICES, pl.String()),
        "gb_bytes": pl.Int64(),
        "replication_factor": pl.String(),
        "minimum_days": pl.Int64(),
        "kept_days": pl.Int64(),
        "list_page_size": pl.Int64(),
        "not_stated": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class PriceCheck:
    """What a price book says of a workspace.

    Attributes:
        rows: A row for each location and storage class: location, active, entry (of the book; null for none),
            storage_class, the prices as decimals (null where not stated), gb_bytes, replication_factor, minimum_days,
            kept_days (for which a removed object goes on costing; null for ever, or where there is no entry),
            list_page_size, not_stated (keys of prices, with commas between).
        unpriced: Active locations for which the book has no price of storage.
        unknown: Entries that name no location, each with the location that is probably meant; empty for none.
    """

    rows: pl.DataFrame
    unpriced: tuple[str, ...]
    unknown: tuple[tuple[str, str], ...]


def check_prices(workspace: Workspace, book: PriceBook) -> PriceCheck:
    """Hold a price book against the locations of a workspace.

    Args:
        workspace: An open workspace.
        book: The book.
    """
    locations = sorted(workspace.ledger.locations(inactive=True), key=lambda item: item.name)
    names = [item.name for item in locations]
    rows: list[dict[str, object]] = []
    unpriced = []
    for location in locations:
        prices = book.of(location.name)
        said = {"location": location.name, "active": location.active, "entry": book.entry_of(location.name)}
        classes = prices.storage_classes if prices is not None else {}
        rows += [{**said, **_row(prices, name)} for name in classes or [None]]
        if location.active and not any(item.storage_per_gb_month is not None for item in classes.values()):
            unpriced.append(location.name)
    free = [name for name in names if name not in book.locations]
    unknown = []
    for name in book.locations:
        if name not in names and name != ANY:
            near = difflib.get_close_matches(name, free, n=1, cutoff=0.6)
            unknown.append((name, near[0] if near else ""))
    return PriceCheck(pl.DataFrame(rows, schema=_COLUMNS, orient="row"), tuple(unpriced), tuple(unknown))


def _row(prices: LocationPrices | None, name: str | None) -> dict[str, object]:
    if prices is None:
        return dict.fromkeys([column for column in _COLUMNS if column not in ("location", "active", "entry")])
    of_class = ClassPrices() if name is None else prices.storage_classes[name]
    stated = {
        **{key: getattr(of_class, key) for key in _OF_CLASS},
        "egress_per_gb": prices.egress_per_gb,
        **{key: getattr(prices.requests, key) for key in _REQUESTS},
    }
    return {
        "storage_class": name,
        "currency": prices.currency,
        **{key: None if price is None else exact_text(price) for key, price in stated.items()},
        "gb_bytes": prices.gb_bytes,
        "replication_factor": exact_text(of_class.replication_factor),
        "minimum_days": of_class.minimum_days,
        "kept_days": of_class.kept_days,
        "list_page_size": prices.list_page_size,
        "not_stated": ",".join(key for key, price in stated.items() if price is None),
    }
