"""What people say of files, laid against where they lie now, for a search.

Takes an open workspace and its places, gives SEARCH_NOTES; reads the ledger, and of moved files the catalog.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import SEARCH_NOTES

__all__ = ["notes_of_places"]

_SAID = ("collection", "tags", "description", "category", "source")


def notes_of_places(workspace: Workspace, places: pl.DataFrame) -> pl.DataFrame:
    """SEARCH_NOTES: the note of each file, of its place or else of its content, as `note_of_file` gives it.

    Args:
        workspace: An open workspace.
        places: SEARCH_PLACES of the files.
    """
    notes = workspace.ledger.notes()
    if not notes:
        return SEARCH_NOTES.empty()
    rows = [
        (f"{note.location_id}/{note.path}", note.digest, note.at, *(getattr(note, name) for name in _SAID))
        for note in notes
    ]
    said = {name: SEARCH_NOTES.polars[name] for name in _SAID}
    known = pl.DataFrame(
        [(*row[:4], list(row[4]), *row[5:]) for row in rows],
        schema={"object_id": pl.String, "digest": pl.String, "at": pl.Datetime("us", "UTC"), **said},
        orient="row",
    )
    # 1. Of its place, where the content is still the same.
    of_place = places.select("object_id", "digest").join(known, on=["object_id", "digest"])
    # 2. Of a content that no longer lies where that was said: of every file that holds it and has no note of its own.
    objects = workspace.catalog.objects_of(known["digest"].unique().to_list(), ["object_id", "digest"])
    moved = known.join(objects, on=["object_id", "digest"], how="anti")
    latest = moved.sort("at", descending=True).unique("digest", keep="first", maintain_order=True)
    of_content = (
        places.select("object_id", "digest")
        .join(of_place, on="object_id", how="anti")
        .join(latest.drop("object_id"), on="digest")
    )
    columns = SEARCH_NOTES.names
    return SEARCH_NOTES.check(pl.concat([of_place.select(columns), of_content.select(columns)]).sort("object_id"))
