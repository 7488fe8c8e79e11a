"""Images: one stored file each, what is known of it, what people say of it, and its features.

Takes ids, gives what the catalog and the ledger have; must not read a file.
"""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Query

from deeplens_kit.ledger import NoteChange, ObjectNote, Scope
from deeplens_kit.pipeline.noting import note_at
from deeplens_kit.schemas import Outcome
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.ids import image_id_of
from deeplens_kit.service.api.listing import ImageId, listed_images
from deeplens_kit.service.api.lookups import FoundImage, found_image
from deeplens_kit.service.api.paging import Cursor, Limit
from deeplens_kit.service.api.picture_features import features_of_picture
from deeplens_kit.service.api.results import places_of, thumbnail_url
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.images import (
    ImageAnswer,
    ImageFailure,
    ImageFeatures,
    ImageItem,
    ImageNoteChange,
    ImageNotes,
)
from deeplens_kit.service.api.values.search import PictureMetadata, Place
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/images", tags=["images"])

_FACTS = ["digest", "width_px", "height_px", "size_bytes", "format", "taken_at", "camera"]
_Names = Annotated[list[str], Query(max_length=100)]


@router.get(
    "",
    summary="List pictures",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_images(
    held: Held,
    storage_location: _Names = [],  # noqa: B006 - FastAPI takes a copy for each request
    collection_id: _Names = [],  # noqa: B006
    tag: _Names = [],  # noqa: B006
    format: _Names = [],  # noqa: B006
    words: Annotated[str, Query(max_length=1000)] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ImageItem]:
    """List the indexed pictures with their places, by place; each once, however many files hold it."""
    with named_in_body():
        wanted = SearchFilters(
            locations=tuple(storage_location), collections=tuple(collection_id), tags=tuple(tag), formats=tuple(format)
        )
        return listed_images(held, wanted, words, limit, cursor)


@router.get(
    "/{image_id}",
    summary="Show an image",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show_image(
    image_id: ImageId,
    held: Held,
    groups: Annotated[bool, Query(description="Whether to tell the groups of copies that hold it.")] = False,
) -> ImageAnswer:
    """Show a stored file by its image_id; by a picture_id the first that holds the picture."""
    return _shown(held, found_image(held.workspace, image_id), with_groups=groups)


@router.patch(
    "/{image_id}",
    summary="Say something of an image",
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
def annotate_image(image_id: ImageId, asked: ImageNoteChange, held: Held) -> ImageAnswer:
    """Put an image into a collection, give it tags, a description, a category or a source."""
    workspace = held.workspace
    found = found_image(workspace, image_id)
    location_id, path, digest = found.location.location_id, found.row["path"], found.require_digest()
    change = NoteChange(
        asked.collection_id,
        tuple(asked.add_tags),
        tuple(asked.remove_tags),
        asked.description,
        asked.category,
        asked.source,
    )
    before = note_at(workspace, location_id, path, digest)
    workspace.ledger.annotate(location_id, path, digest, change, moved_from=before)
    return _shown(held, found, with_groups=False)


@router.get(
    "/{image_id}/features",
    summary="Show the features of an image",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show_features(
    image_id: ImageId,
    held: Held,
    name: Annotated[list[str], Query(max_length=100, description="Only these features.")] = [],  # noqa: B006
    vectors: Annotated[bool, Query(description="Whether to give the numbers of vectors, too.")] = False,
) -> ImageFeatures:
    """Show what was computed from the picture of an image: hashes, measures, and which vectors there are."""
    found = found_image(held.workspace, image_id)
    return features_of_picture(held.workspace, found, names=name, vectors=vectors)


def _shown(held: Service, found: FoundImage, *, with_groups: bool) -> ImageAnswer:
    workspace, row, digest = held.workspace, found.row, found.digest
    known = workspace.catalog.pictures([digest], columns=_FACTS) if digest else None
    note = note_at(workspace, found.location.location_id, row["path"], digest) if digest else None
    is_indexed = known is not None and known.height > 0
    return ImageAnswer(
        image_id=image_id_of(row["object_id"]),
        picture_id=digest,
        storage_location=found.location.name,
        file_path=row["path"],
        status=row["outcome"],
        file_size=row["size_bytes"],
        modified_at=row["modified_at"],
        storage_class=row["storage_class"],
        locations=_places(held, digest) if digest else [],
        metadata=_metadata(known.row(0, named=True)) if known is not None and is_indexed else None,
        notes=_notes(note),
        thumbnail_url=thumbnail_url(held.settings.thumbnail_base, digest) if digest and is_indexed else None,
        group_ids=_group_ids(held, row["object_id"]) if with_groups else [],
        failure=None if row["outcome"] == Outcome.INDEXED else _failure(held, found),
    )


def _places(held: Service, digest: str) -> list[Place]:
    columns = ["object_id", "location_id", "path", "size_bytes", "modified_at"]
    rows = held.workspace.catalog.objects_of([digest], columns)
    named = rows.join(held.workspace.location_names(), on="location_id").sort("location", "path")
    return places_of(named)


def _metadata(row: dict[str, Any]) -> PictureMetadata:
    return PictureMetadata(
        width=row["width_px"],
        height=row["height_px"],
        file_size=row["size_bytes"],
        format=row["format"],
        taken_at=row["taken_at"],
        camera=row["camera"],
    )


def _notes(note: ObjectNote | None) -> ImageNotes:
    if note is None:
        return ImageNotes()
    return ImageNotes(
        collection_id=note.collection or None,
        tags=list(note.tags),
        description=note.description,
        category=note.category,
        source=note.source,
    )


def _failure(held: Service, found: FoundImage) -> ImageFailure:
    failures = held.workspace.catalog.failures(found.location.location_id)
    rows = failures.filter(pl.col("object_id") == found.row["object_id"])
    if rows.is_empty():
        return ImageFailure(code=found.row["outcome"], message="")
    row = rows.row(0, named=True)
    return ImageFailure(code=row["code"], message=row["message"], failed_at=row["failed_at"])


def _group_ids(held: Service, object_id: str) -> list[str]:
    groups = held.desk.findings().frames.groups
    return groups.filter(pl.col("object_id") == object_id)["group_id"].unique().sort().to_list()
