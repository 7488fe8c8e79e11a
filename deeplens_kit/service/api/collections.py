"""Collections: pictures that people put together under a name.

Takes names and images, gives what is in them; writes what people say to the ledger and touches no file.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import Collection, NoteChange, Scope
from deeplens_kit.pipeline.noting import note_at
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.listing import listed_images
from deeplens_kit.service.api.lookups import found_image
from deeplens_kit.service.api.paging import Cursor, Limit, page_of
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.images import ImageItem
from deeplens_kit.service.api.values.overview import (
    CollectionAnswer,
    CollectionChange,
    CollectionMembers,
    CollectionRequest,
)
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/collections", tags=["collections"])

CollectionId = Annotated[str, Path(min_length=1, max_length=200, description="Its name.")]


@router.get(
    "",
    summary="List the collections",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_collections(held: Held, limit: Limit = 100, cursor: Cursor = None) -> Page[CollectionAnswer]:
    """List the collections by name."""
    return page_of(held.workspace.ledger.collections(), limit, cursor, "collections", _shown)


@router.post(
    "",
    summary="Make a collection",
    status_code=201,
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 429, 503),
)
def make_collection(asked: CollectionRequest, held: Held, once: Idempotent) -> CollectionAnswer:
    """Make an empty collection; uploads that name one that is not there make it, too."""
    return once(
        lambda: _shown(held.workspace.ledger.add_collection(asked.collection_id, asked.description)),
        lambda made: show_collection(made.name, held),
    )


@router.get(
    "/{collection_id}",
    summary="Show a collection",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show_collection(collection_id: CollectionId, held: Held) -> CollectionAnswer:
    """Show a collection."""
    return _shown(_found(held, collection_id))


@router.get(
    "/{collection_id}/images",
    summary="List the pictures of a collection",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def list_members(collection_id: CollectionId, held: Held, limit: Limit = 100, cursor: Cursor = None) -> Page[ImageItem]:
    """List the pictures of a collection, by place."""
    found = _found(held, collection_id)
    return listed_images(held, SearchFilters(collections=(found.name,)), "", limit, cursor)


@router.post(
    "/{collection_id}/images",
    summary="Put images into a collection, or take them out",
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
def change_members(
    collection_id: CollectionId, asked: CollectionMembers, held: Held, once: Idempotent
) -> CollectionChange:
    """Put images into a collection, or take them out of it; an image is in one at most."""
    return once(lambda: _changed(held, collection_id, asked))


def _changed(held: Service, collection_id: str, asked: CollectionMembers) -> CollectionChange:
    name, ledger = _found(held, collection_id).name, held.workspace.ledger
    wanted = name if asked.action == "add" else ""
    changed = 0
    with named_in_body():
        # All of them first: where one is not there nothing is changed.
        found = [found_image(held.workspace, image_id) for image_id in dict.fromkeys(asked.image_ids)]
        digests = [image.require_digest() for image in found]
    for image, digest in zip(found, digests, strict=True):
        location_id, path = image.location.location_id, image.row["path"]
        before = note_at(held.workspace, location_id, path, digest)
        now = before.collection if before is not None else ""
        if (now == name) == (wanted == name):
            continue
        ledger.annotate(location_id, path, digest, NoteChange(collection=wanted), moved_from=before)
        changed += 1
    return CollectionChange(collection_id=name, changed=changed, unchanged=len(found) - changed)


def _found(held: Service, name: str) -> Collection:
    known = {item.name: item for item in held.workspace.ledger.collections()}
    if name not in known:
        raise UnknownNameError("collection", name, known)
    return known[name]


def _shown(item: Collection) -> CollectionAnswer:
    return CollectionAnswer(
        collection_id=item.name, description=item.description, created_at=item.created_at, pictures=item.pictures
    )
