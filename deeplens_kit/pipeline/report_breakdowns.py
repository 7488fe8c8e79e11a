"""Breakdowns of what could be freed: by folder, owner, format, age and storage class, from an open workspace.

Takes groups, gives a frame for each breakdown with names for people to read; must not choose what to remove, and reads
no object. The rows of each add up to the sums of `deeplens savings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from deeplens_kit.pipeline.owners import owners_of, workspace_owners
from deeplens_kit.pipeline.price_file import workspace_prices
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings import AGE_BUCKETS, age_bucket, break_down
from deeplens_kit.savings.folders import folder_of, heavy_folder_of, heavy_folders

__all__ = ["BREAKDOWNS", "Breakdowns", "break_down_savings", "member_facts", "place_name"]

BREAKDOWNS = ("folder", "owner", "format", "age", "storage_class")
"""What savings are broken down by, besides tier and location."""

_STORED = ["object_id", "modified_at", "storage_class"]
_LEAF = ["location_id", "folder"]


@dataclass(frozen=True, slots=True)
class Breakdowns:
    """What could be freed, broken down.

    Attributes:
        by: BREAKDOWN by each of BREAKDOWNS; a null name stands for what is not known, and of folders for all others.
        owners: Whether anybody is named as an owner.
        currency: Of the money; None without a price book.
        places: Columns location_id and storage_class of the members, each once.
    """

    by: Mapping[str, pl.DataFrame]
    owners: bool
    currency: str | None
    places: pl.DataFrame


def break_down_savings(workspace: Workspace, groups: pl.DataFrame, now: datetime) -> Breakdowns:
    """Break down what the members of groups would free.

    Args:
        workspace: An open workspace.
        groups: GROUPS with `location`, the name.
        now: What ages are counted to, with a zone.

    Raises:
        SettingsError: The price book or the list of owners cannot be read.
    """
    members = member_facts(workspace, groups.filter(~pl.col("is_keeper")), now)
    book, names = workspace_prices(workspace), dict(workspace.location_names().iter_rows())
    by = {name: break_down(members, name, names, book) for name in BREAKDOWNS}
    places = members.select("location_id", "storage_class").unique()
    return Breakdowns(by, bool(workspace_owners(workspace)), None if book is None else book.currency, places)


def member_facts(workspace: Workspace, members: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Members of groups with what they are broken down by.

    Args:
        workspace: An open workspace.
        members: Of GROUPS, with `location`.
        now: With a zone.

    Returns:
        object_id, location_id, size_bytes, frees_bytes, bucket (of `age_bucket`), and the columns of BREAKDOWNS, with
        "location:path/" of the folders that hold most as `folder`.
    """
    # 1. What the catalog knows of them. Whole days: one that has begun is not over.
    days = (pl.lit(now) - pl.col("modified_at")).dt.total_days()
    objects = workspace.catalog.objects(columns=_STORED).select("object_id", "storage_class", age_days=days)
    formats = workspace.catalog.pictures(columns=["digest", "format"], unreferenced=True)
    kept = members.select("object_id", "location_id", "location", "path", "digest", "size_bytes", "frees_bytes")
    known = kept.join(objects, on="object_id", how="left").join(formats, on="digest", how="left")
    # 2. What people said, and where they lie.
    named = known.with_columns(owners_of(known, workspace_owners(workspace)), folder_of().alias("folder"))
    amounts = named.group_by(_LEAF).agg(bytes=pl.col("frees_bytes").sum(), location=pl.col("location").first())
    heavy = heavy_folder_of(amounts.select(*_LEAF, "location"), heavy_folders(amounts.select(*_LEAF, "bytes")))
    places = heavy.select(*_LEAF, place=place_name("location", "heavy"))
    return (
        named.join(places, on=_LEAF, how="left")
        .with_columns(age_number=age_bucket(), folder="place")
        .select(
            *("object_id", "location_id", "size_bytes", "frees_bytes", "storage_class", "owner", "format", "folder"),
            bucket="age_number",
            age=pl.col("age_number").replace_strict(
                range(len(AGE_BUCKETS)), [words for words, _ in AGE_BUCKETS], return_dtype=pl.String
            ),
        )
    )


def place_name(location: str, folder: str) -> pl.Expr:
    """ "location:folder/" of two columns, "location:" for the top; null where the folder is."""
    end = pl.when(pl.col(folder) == "").then(pl.lit("")).otherwise(pl.lit("/"))
    return pl.concat_str(pl.col(location), pl.lit(":"), pl.col(folder), end)
