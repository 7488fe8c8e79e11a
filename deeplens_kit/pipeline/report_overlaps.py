"""Which folders hold what other folders hold: of the files that are indexed, by their bytes and by the groups.

Takes an open workspace and groups, gives the overlaps that say most with the names of locations; must not read an
object.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.pipeline.file_listing import placed_files
from deeplens_kit.pipeline.report_breakdowns import place_name
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings.overlap import folder_overlaps, telling_overlaps
from deeplens_kit.schemas import Outcome, Tier

__all__ = ["MOST_OVERLAPS", "overlaps_of_groups"]

MOST_OVERLAPS = 20
"""Of a report; more are a list that nobody reads."""

_FILES = ["location_id", "path", "digest", "size_bytes"]


def overlaps_of_groups(workspace: Workspace, groups: pl.DataFrame, most: int = MOST_OVERLAPS) -> pl.DataFrame:
    """The overlaps that say most.

    Args:
        workspace: An open workspace.
        groups: GROUPS.
        most: The most rows.

    Returns:
        `savings.overlap.OVERLAPS` with `place_a` and `place_b`, "location:folder/".
    """
    files = placed_files(workspace, _FILES).filter(pl.col("outcome") == Outcome.INDEXED).select(_FILES)
    keepers = groups.filter("is_keeper").select("group_id", keeper_digest="digest")
    alike = groups.filter(~pl.col("is_keeper") & (pl.col("tier") != str(Tier.BYTES)))
    copies = alike.join(keepers, on="group_id").select("digest", "keeper_digest").unique()
    # Files of a family go with it whether they are pictures or not.
    copies = copies.filter(pl.col("digest") != pl.col("keeper_digest")).drop_nulls()
    found = telling_overlaps(folder_overlaps(files, copies), most)
    names = workspace.location_names()
    for side in ("a", "b"):
        named = names.rename({"location_id": f"location_{side}", "location": f"name_{side}"})
        found = found.join(named, on=f"location_{side}", how="left", maintain_order="left").with_columns(
            place_name(f"name_{side}", f"folder_{side}").alias(f"place_{side}")
        )
    return found.drop("name_a", "name_b")
