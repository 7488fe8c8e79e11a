"""Savings with names and, where the workspace has a price book, with money.

Takes an open workspace and groups, gives a frame by location and tier; must not choose what to remove or read an
object.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from deeplens_kit.pipeline.price_file import workspace_prices
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings import price_members, savings
from deeplens_kit.schemas import GROUPS, OBJECTS, tier_strength

__all__ = ["savings_of_groups"]

_CLASS = "storage_class"


def savings_of_groups(workspace: Workspace, groups: pl.DataFrame) -> pl.DataFrame:
    """What removing the members of groups would free.

    Args:
        workspace: An open workspace.
        groups: GROUPS.

    Returns:
        SAVINGS with `location`, the name; where the workspace has a price book with the columns of MONEY too.

    Raises:
        SettingsError: The price book cannot be read, or says what is not allowed.
    """
    groups = groups.select(GROUPS.names)
    names = workspace.location_names()
    amounts = savings(groups)
    book = workspace_prices(workspace)
    if book is not None:
        members = groups.filter(~pl.col("is_keeper")).join(_kept_facts(workspace), on="object_id", how="left")
        money = price_members(members, dict(names.iter_rows()), book)
        amounts = amounts.join(money, on=["location_id", "tier"], how="left")
    return amounts.join(names, on="location_id", how="left").sort("location", tier_strength())


def _kept_facts(workspace: Workspace) -> pl.DataFrame:
    """Age and storage class of objects, which their prices depend on."""
    stored = [name for name in ("object_id", "modified_at", _CLASS) if name in OBJECTS.names]
    # Whole days: one that has begun is not over.
    age = (pl.lit(datetime.now(UTC)) - pl.col("modified_at")).dt.total_days()
    return workspace.catalog.objects(columns=stored).with_columns(age_days=age).drop("modified_at")
