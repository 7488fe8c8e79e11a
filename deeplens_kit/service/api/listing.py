"""Lists of pictures: those that filters and words let through, by place.

Takes filters, gives a page; must not search by likeness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import Path

from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.query import Query
from deeplens_kit.service.api.ids import ID_PATTERN
from deeplens_kit.service.api.paging import cursor_of, position_of
from deeplens_kit.service.api.results import results_of
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.images import ImageItem
from deeplens_kit.service.api.values.search import SearchResult
from deeplens_kit.service.context import Service

__all__ = ["ImageId", "listed_images"]

ImageId = Annotated[str, Path(pattern=ID_PATTERN, description="An image_id, or a picture_id.")]
"""An image, in a path."""


def listed_images(held: Service, filters: SearchFilters, words: str, limit: int, cursor: str | None) -> Page[ImageItem]:
    """A page of the pictures that filters and words let through.

    Args:
        held: What is served.
        filters: What may be listed.
        words: Full text; empty for all.
        limit: Pictures of a page at most.
        cursor: Where it begins.

    Raises:
        UnknownNameError: A filter names what there is not.
        SettingsError: The cursor is of another list.
    """
    asked = (repr(filters), words)
    start = position_of(cursor, asked)
    # No indexed file is empty, so this lets all through, and says that all are asked for.
    wanted = replace(filters, min_bytes=max(filters.min_bytes, 1))
    answer = held.desk.searcher.search(Query((), words=words, filters=wanted, limit=limit, offset=start))
    items = _items(results_of(answer, held.settings.thumbnail_base, with_metadata=True))
    end = start + len(items)
    following = cursor_of(asked, end) if items and end < answer.found else None
    return Page[ImageItem](items=items, next_cursor=following, total=answer.found if answer.found_all else None)


def _items(results: Sequence[SearchResult]) -> list[ImageItem]:
    return [
        ImageItem(
            image_id=item.image_id,
            picture_id=item.picture_id,
            storage_location=item.storage_location,
            file_path=item.file_path,
            locations=item.locations,
            metadata=item.metadata,
            thumbnail_url=item.thumbnail_url,
        )
        for item in results
        if item.metadata is not None
    ]
