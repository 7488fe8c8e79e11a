"""Breakdowns: what the members of groups would free, by whatever they have in common.

Takes members with a column that names it, and a price book; gives a row for each value of it, exact to the byte and to
the last digit of money. Must not choose what to remove, read a store, or take what has no price for nothing. Every
member counts in one row, so that the rows of each breakdown add up to the same sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import polars as pl

from deeplens_kit.savings.costs import exact, exact_text, saving_of_removal
from deeplens_kit.savings.price_book import PriceBook
from deeplens_kit.schemas import Column, TableSchema

__all__ = ["AGE_BUCKETS", "BREAKDOWN", "age_bucket", "break_down"]

AGE_BUCKETS: tuple[tuple[str, int | None], ...] = (
    ("over 5 years", 1_826),
    ("2 to 5 years", 730),
    ("1 to 2 years", 365),
    ("90 days to a year", 90),
    ("30 to 90 days", 30),
    ("under 30 days", 0),
    ("not known", None),
)
"""Names of ages, the oldest first, with the whole days from which on they hold (inclusive); None for no known time."""

BREAKDOWN = TableSchema(
    "breakdown",
    (
        Column("name", pl.String(), "what the members have in common; null where that is not known", nullable=True),
        Column("objects", pl.Int64(), "members, that is, objects proposed for removal"),
        Column("gross_bytes", pl.Int64(), "sum of their sizes"),
        Column("realisable_bytes", pl.Int64(), "bytes that removing all of them frees"),
        Column("money_per_month", pl.String(), "saved a month by that; a decimal, null without a price", nullable=True),
        Column("by_age", pl.List(pl.Int64()), "realisable bytes of each of AGE_BUCKETS"),
    ),
)


def age_bucket(age_days: str = "age_days") -> pl.Expr:
    """UInt8: the number in AGE_BUCKETS of an age in whole days; what is dated in the future is under 30 days old."""
    known = pl.lit(len(AGE_BUCKETS) - 2, pl.UInt8)
    for number in reversed(range(len(AGE_BUCKETS) - 2)):
        least = AGE_BUCKETS[number][1]
        known = pl.when(pl.col(age_days) >= least).then(pl.lit(number, pl.UInt8)).otherwise(known)
    return pl.when(pl.col(age_days).is_null()).then(pl.lit(len(AGE_BUCKETS) - 1, pl.UInt8)).otherwise(known)


def break_down(
    members: pl.DataFrame, by: str, names: Mapping[str, str] | None = None, book: PriceBook | None = None
) -> pl.DataFrame:
    """What members free by the values of a column.

    Args:
        members: Columns location_id, size_bytes, frees_bytes, storage_class (may be null), bucket (of `age_bucket`),
            and the one that is broken down by, a text.
        by: Its name.
        names: Names of locations by id, for the price book.
        book: The prices; None for none.

    Returns:
        BREAKDOWN, those that free most first, of equal ones by name.
    """
    key = pl.col(by).alias("name")
    # 1. As few rows as tell all that is asked: the rest is done on them.
    sums = members.group_by(key, "location_id", "storage_class", "bucket").agg(
        objects=pl.len().cast(pl.Int64),
        gross_bytes=pl.col("size_bytes").sum(),
        realisable_bytes=pl.col("frees_bytes").sum(),
    )
    ages = [
        pl.col("realisable_bytes").filter(pl.col("bucket") == number).sum().alias(f"age_{number}")
        for number in range(len(AGE_BUCKETS))
    ]
    rows = sums.group_by("name").agg(pl.col("objects", "gross_bytes", "realisable_bytes").sum(), *ages)
    rows = rows.with_columns(by_age=pl.concat_list(f"age_{number}" for number in range(len(AGE_BUCKETS))))
    # 2. Money, place by place: its digits do not fit in a column of numbers.
    money = _money(sums, names or {}, book) if book is not None else {}
    texts = pl.DataFrame(
        {"name": list(money), "money_per_month": [exact_text(value) for value in money.values()]},
        schema={"name": pl.String, "money_per_month": pl.String},
    )
    rows = rows.join(texts, on="name", how="left", nulls_equal=True)
    ordered = rows.sort("realisable_bytes", "objects", "name", descending=[True, True, False], nulls_last=True)
    return BREAKDOWN.check(ordered.select(BREAKDOWN.names))


def _money(sums: pl.DataFrame, names: Mapping[str, str], book: PriceBook) -> dict[str | None, Decimal]:
    """Saved a month by name; nothing of what has no price."""
    places = sums.group_by("name", "location_id", "storage_class").agg(pl.col("realisable_bytes").sum())
    found: dict[str | None, Decimal] = {}
    # Sorted, so that equal members give equal digits.
    for name, location_id, storage_class, freed in places.sort("name", "location_id", "storage_class").iter_rows():
        saving = saving_of_removal(book.of(names.get(location_id, "")), storage_class, freed, None)
        if saving is not None:
            with exact():
                found[name] = found.get(name, Decimal(0)) + saving.per_month
    return found
