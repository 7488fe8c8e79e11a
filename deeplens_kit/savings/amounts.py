"""Amounts: the bytes that the groups waste, by location and tier.

Takes groups and gives sums; must not choose what to remove or name a price. Gross is the size of every member;
realisable is what the storage would give back, which hard links do not.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas import Column, TableSchema, tier_strength

__all__ = ["SAVINGS", "savings", "total"]

SAVINGS = TableSchema(
    "savings",
    (
        Column("location_id", pl.String(), "the location of the members"),
        Column("tier", pl.String(), "a Tier"),
        Column("objects", pl.Int64(), "members, that is, objects proposed for removal"),
        Column("gross_bytes", pl.Int64(), "sum of their sizes"),
        Column("realisable_bytes", pl.Int64(), "bytes that removing all of them frees; at most the gross"),
    ),
    key=("location_id", "tier"),
)


def savings(groups: pl.DataFrame) -> pl.DataFrame:
    """Sum up what the members of groups take, and what removing them frees.

    The bytes of a file with several names at several locations are counted where its first name is.

    Args:
        groups: GROUPS.

    Returns:
        SAVINGS, by location, the strongest tier first; none of a keeper.
    """
    members = groups.filter(~pl.col("is_keeper"))
    amounts = members.group_by("location_id", "tier").agg(
        objects=pl.len().cast(pl.Int64),
        gross_bytes=pl.col("size_bytes").sum(),
        realisable_bytes=pl.col("frees_bytes").sum(),
    )
    return SAVINGS.check(amounts.sort("location_id", tier_strength()))


def total(amounts: pl.DataFrame) -> pl.DataFrame:
    """One row: objects, gross_bytes and realisable_bytes over all locations and tiers.

    Args:
        amounts: SAVINGS.
    """
    return amounts.select(pl.col("objects", "gross_bytes", "realisable_bytes").sum())
