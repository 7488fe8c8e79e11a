"""Answers of the pipeline as values of the API.

Takes frames and frozen values, gives what goes out as JSON; must not ask a store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from deeplens_kit.pipeline import SearchAnswer
from deeplens_kit.service.api.ids import image_id_of
from deeplens_kit.service.api.values.search import Facet, Match, PictureMetadata, Place, SearchResult

__all__ = ["THUMBNAIL_PX", "facets_of", "places_of", "results_of", "thumbnail_url"]

THUMBNAIL_PX = 300
"""Long side of the thumbnails that answers lead to: that which indexing keeps."""


def thumbnail_url(base: str, picture_id: str, size: int = THUMBNAIL_PX) -> str:
    """Where a thumbnail is: an address that never changes what it leads to.

    Args:
        base: What stands before the path; empty for this server.
        picture_id: The picture.
        size: Long side in pixels.
    """
    return f"{base.rstrip('/')}/api/v1/thumbnails/{picture_id}?size={size}"


def results_of(answer: SearchAnswer, base: str, *, with_metadata: bool) -> list[SearchResult]:
    """The results of a search, in order.

    Args:
        answer: What was found.
        base: As for `thumbnail_url`.
        with_metadata: Whether each tells what is known of its picture.
    """
    return list(_results(answer, base, with_metadata))


def facets_of(answer: SearchAnswer) -> list[Facet]:
    """What each filter could be set to."""
    return [Facet(**row) for row in answer.facets.iter_rows(named=True)]


def places_of(rows: pl.DataFrame) -> list[Place]:
    """Places from columns object_id, location, path, size_bytes and modified_at."""
    return [_place(row) for row in rows.iter_rows(named=True)]


def _place(row: Mapping[str, Any]) -> Place:
    return Place(
        image_id=image_id_of(row["object_id"]),
        storage_location=row["location"],
        file_path=row["path"],
        file_size=row["size_bytes"],
        modified_at=row["modified_at"],
    )


def _results(answer: SearchAnswer, base: str, with_metadata: bool) -> Iterator[SearchResult]:
    places: dict[str, list[Place]] = {}
    for place in answer.places.iter_rows(named=True):
        places.setdefault(place["digest"], []).append(_place(place))
    for row in answer.results.iter_rows(named=True):
        stored = places[row["digest"]]
        first = next(one for one in stored if (one.storage_location, one.file_path) == (row["location"], row["path"]))
        yield SearchResult(
            image_id=first.image_id,
            picture_id=row["digest"],
            similarity_score=min(1.0, max(0.0, row["score"])),
            file_path=row["path"],
            storage_location=row["location"],
            locations=stored,
            metadata=_metadata(row) if with_metadata else None,
            thumbnail_url=thumbnail_url(base, row["digest"]),
            match=Match(tier=row["tier"], why=row["why"], relation=row["relation"], saves_bytes=row["saves_bytes"]),
        )


def _metadata(row: Mapping[str, Any]) -> PictureMetadata:
    return PictureMetadata(
        width=row["width_px"],
        height=row["height_px"],
        file_size=row["size_bytes"],
        format=row["format"],
        taken_at=row["taken_at"],
        camera=row["camera"],
    )
