"""Money: what removing the members of groups saves, by location and tier.

Takes members with their storage class and age, and a price book; gives sums of exact money as texts, which a frame
keeps digit for digit. Must not choose what to remove, round, or take what has no price for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

import polars as pl

from deeplens_kit.savings.costs import exact, exact_text, saving_of_removal
from deeplens_kit.savings.price_book import PriceBook
from deeplens_kit.schemas import Column, TableSchema, tier_strength

__all__ = ["MONEY", "price_members", "priced_age"]

MONEY = TableSchema(
    "money",
    (
        Column("location_id", pl.String(), "the location of the members"),
        Column("tier", pl.String(), "a Tier"),
        Column("currency", pl.String(), "of the money, an ISO 4217 code"),
        Column("money_per_month", pl.String(), "saved a month by removing all of them; a decimal", nullable=True),
        Column("money_once", pl.String(), "what minimum durations cost once, <= 0; a decimal", nullable=True),
        Column("money_from_day", pl.Int64(), "days after the removal until all of it is saved", nullable=True),
        Column("unpriced_bytes", pl.Int64(), "realisable bytes that have no price: no part of the money"),
        Column("kept_bytes", pl.Int64(), "realisable bytes that are kept as versions with no end: they save nothing"),
    ),
    key=("location_id", "tier"),
)

_UNKNOWN_AGE = -1


def price_members(members: pl.DataFrame, names: Mapping[str, str], book: PriceBook) -> pl.DataFrame:
    """What removing members of groups saves.

    Args:
        members: Columns location_id, tier, frees_bytes and, where they are known, storage_class (a text) and age_days
            (whole days, >= 0); both may hold nulls.
        names: Names of locations by id.
        book: The prices.

    Returns:
        MONEY; money is null where nothing of it has a price.
    """
    rows = []
    by = members.select(
        "location_id",
        "tier",
        storage_class=pl.col("storage_class") if "storage_class" in members.columns else pl.lit(None, pl.String),
        age_days=priced_age(members.columns, book),
        frees_bytes="frees_bytes",
    )
    sums = by.group_by("location_id", "tier", "storage_class", "age_days").agg(pl.col("frees_bytes").sum())
    for (location_id, tier), part in sums.group_by("location_id", "tier"):
        sizes = part.select("storage_class", "age_days", "frees_bytes").rows()
        rows.append((location_id, tier, book.currency, *_summed(sizes, names.get(str(location_id), ""), book)))
    return MONEY.check(pl.DataFrame(rows, schema=MONEY.polars, orient="row").sort("location_id", tier_strength()))


def priced_age(columns: Collection[str], book: PriceBook) -> pl.Expr:
    """Ages up to the longest minimum duration: those beyond it are alike, which keeps the sums few.

    Args:
        columns: Of the members; without `age_days` no age is known.
        book: The prices.
    """
    if "age_days" not in columns:
        return pl.lit(_UNKNOWN_AGE, pl.Int64)
    longest = max(
        (item.minimum_days for prices in book.locations.values() for item in prices.storage_classes.values()), default=0
    )
    return pl.col("age_days").cast(pl.Int64).clip(0, longest).fill_null(_UNKNOWN_AGE)


def _summed(
    sizes: list[tuple[str | None, int, int]], location: str, book: PriceBook
) -> tuple[str | None, str | None, int | None, int, int]:
    """Money a month, once, the day from which all of it is saved, bytes without a price, bytes that are kept."""
    per_month, once = Decimal(0), Decimal(0)
    from_day: int | None = None
    priced, unpriced_bytes, kept_bytes = False, 0, 0
    # Sorted, so that equal members give equal digits.
    for storage_class, age_days, freed_bytes in sorted(sizes, key=lambda size: (size[0] or "", size[1])):
        age = None if age_days == _UNKNOWN_AGE else age_days
        saving = saving_of_removal(book.of(location), storage_class, freed_bytes, age)
        if saving is None:
            unpriced_bytes += freed_bytes
            continue
        priced = True
        if saving.from_day is None:
            kept_bytes += freed_bytes
            continue
        with exact():
            per_month, once = per_month + saving.per_month, once + saving.once
        from_day = max(from_day or 0, saving.from_day)
    if not priced:
        return None, None, None, unpriced_bytes, kept_bytes
    return exact_text(per_month), exact_text(once), from_day, unpriced_bytes, kept_bytes
