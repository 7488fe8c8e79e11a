"""Matches that are not proposed, as rows with the places of both pictures.

Takes the frame of withheld matches, gives one row for each with a file that stands for either picture; must not judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.cli.tables import Column, Sheet, place
from deeplens_kit.reporting.words import format_score

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import Workspace

__all__ = ["withheld_rows", "withheld_sheet"]

_COLUMNS = (
    "path",
    "location",
    "keeper_path",
    "keeper_location",
    "tier",
    "score",
    "reason",
    "digest",
    "keeper_digest",
    "object_id",
)


def withheld_rows(workspace: Workspace, withheld: pl.DataFrame) -> pl.DataFrame:
    """Withheld matches, strongest first; where several files hold a picture, the first by location and path."""
    import polars as pl

    digests = pl.concat([withheld["digest"], withheld["keeper_digest"]]).unique()
    places = (
        workspace.catalog.objects(columns=["object_id", "digest", "location_id", "path"])
        .filter(pl.col("digest").is_in(digests.implode()))
        .join(workspace.location_names(), on="location_id", how="left")
        .sort("location", "path")
        .unique("digest", keep="first", maintain_order=True)
        .select("digest", "location", "path", "object_id")
    )
    keepers = places.select(keeper_digest="digest", keeper_location="location", keeper_path="path")
    rows = withheld.join(places, on="digest", how="left").join(keepers, on="keeper_digest", how="left")
    return rows.select(*_COLUMNS).sort("score", "keeper_digest", "digest", descending=[True, False, False])


def withheld_sheet(rows: pl.DataFrame) -> Sheet:
    """The rows for people."""
    columns = (
        Column("score", "right"),
        Column("tier"),
        Column("not proposed", fold=True),
        Column("matches", fold=True),
        Column("why not", fold=True),
    )
    lines = [
        (
            format_score(row["score"]),
            row["tier"],
            place(row["location"], row["path"]),
            place(row["keeper_location"], row["keeper_path"]),
            row["reason"],
        )
        for row in rows.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No match is withheld.")
