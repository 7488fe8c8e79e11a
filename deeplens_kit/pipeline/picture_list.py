"""The pictures of a workspace: one row per distinct content, with the facts that people ask for.

Takes an open workspace, gives a frame; must not write, and reads no object.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["list_pictures"]

# What places the person who took a picture stays out unless it is asked for.
_PRIVATE_COLUMNS = ("gps_latitude", "gps_longitude")


def list_pictures(workspace: Workspace, *, private: bool = False) -> pl.DataFrame:
    """Every picture with its facts and features, and how many objects hold it.

    Args:
        workspace: An open workspace.
        private: Also where pictures were taken (GPS).

    Returns:
        PICTURES without `run_id`, and the columns objects (count), location and path (of the first object by name).
        A picture is listed as long as an object holds it.
    """
    pictures = workspace.catalog.pictures().drop("run_id")
    if not private:
        pictures = pictures.drop(_PRIVATE_COLUMNS)
    places = (
        workspace.catalog.objects(columns=["digest", "location_id", "path"])
        .join(workspace.location_names(), on="location_id", how="left")
        .sort("location", "path")
        .group_by("digest", maintain_order=True)
        .agg(objects=pl.len().cast(pl.Int64), location=pl.col("location").first(), path=pl.col("path").first())
    )
    return pictures.join(places, on="digest", how="inner").sort("location", "path", "digest")
