"""Matches that are not proposed, as rows with the places of both pictures.

Takes the frames of withheld and of related matches, gives one row for each with both files; must not judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.reporting.words import format_score, withheld_words

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import Workspace

__all__ = ["related_rows", "withheld_rows", "withheld_sheet"]

_COLUMNS = (
    "path",
    "location",
    "keeper_path",
    "keeper_location",
    "tier",
    "score",
    "reason",
    "companion",
    "digest",
    "keeper_digest",
    "object_id",
    "keeper_object_id",
)


_RELATED_COLUMNS = (
    "path",
    "location",
    "relation",
    "other_path",
    "other_location",
    "tier",
    "score",
    "reason",
    "digest",
    "other_digest",
    "object_id",
    "other_object_id",
)


def withheld_rows(workspace: Workspace, withheld: pl.DataFrame) -> pl.DataFrame:
    """Withheld matches, strongest first, with the places of the file that stays and of the one that would."""
    import polars as pl

    named = pl.concat([withheld["object_id"], withheld["keeper_object_id"]]).unique()
    places = (
        workspace.catalog.objects(columns=["object_id", "location_id", "path"])
        .filter(pl.col("object_id").is_in(named.implode()))
        .join(workspace.location_names(), on="location_id", how="left")
        .select("object_id", "location", "path")
    )
    keepers = places.select(keeper_object_id="object_id", keeper_location="location", keeper_path="path")
    rows = withheld.join(places, on="object_id", how="left").join(keepers, on="keeper_object_id", how="left")
    order = ["score", "keeper_digest", "digest", "object_id"]
    return rows.select(*_COLUMNS).sort(order, descending=[True, False, False, False])


def related_rows(workspace: Workspace, related: pl.DataFrame) -> pl.DataFrame:
    """What matches in part and is not proposed, strongest first, with the places of both pictures."""
    import polars as pl

    named = pl.concat([related["object_id"], related["other_object_id"]]).unique()
    places = (
        workspace.catalog.objects(columns=["object_id", "location_id", "path"])
        .filter(pl.col("object_id").is_in(named.implode()))
        .join(workspace.location_names(), on="location_id", how="left")
        .select("object_id", "location", "path")
    )
    others = places.select(other_object_id="object_id", other_location="location", other_path="path")
    rows = related.join(places, on="object_id", how="left").join(others, on="other_object_id", how="left")
    return rows.select(*_RELATED_COLUMNS).sort("score", "digest", "other_digest", descending=[True, False, False])


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
            withheld_words(row["reason"], row["companion"] and shown(row["companion"])),
        )
        for row in rows.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No match is withheld.")
