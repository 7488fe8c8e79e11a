"""Locations: the places that hold files, and what they are opened for.

Takes names, addresses and options, gives locations; must not list or read their files. A credential is never taken or
given: options hold references to it, and one that stands in clear is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path

from deeplens_kit.errors import RequestConflictError
from deeplens_kit.ledger import Location, Scope
from deeplens_kit.pipeline import add_location, change_location, check_locations
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.paging import Cursor, Limit, page_of
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.storage import (
    KindAnswer,
    OptionAnswer,
    StorageAnswer,
    StorageChange,
    StorageRequest,
    StorageTest,
)
from deeplens_kit.service.context import Held
from deeplens_kit.service.limits import costly
from deeplens_kit.service.problems import PROBLEMS
from deeplens_kit.storage import Permission, describe_kinds, normalise_url

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/storage", tags=["storage"])

LocationName = Annotated[str, Path(min_length=1, max_length=200, description="Name of a location.")]


@router.get(
    "",
    summary="List locations",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_storage(held: Held, limit: Limit = 100, cursor: Cursor = None) -> Page[StorageAnswer]:
    """List the locations by name, those that are left out of scans too."""
    return page_of(held.workspace.ledger.locations(inactive=True), limit, cursor, "storage", _shown)


@router.get(
    "/kinds",
    summary="List kinds of locations",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_kinds(limit: Limit = 100, cursor: Cursor = None) -> Page[KindAnswer]:
    """List the kinds of places that can be locations, with their options."""
    return page_of(
        describe_kinds(),
        limit,
        cursor,
        "kinds",
        lambda kind: KindAnswer(
            kind=kind.scheme,
            title=kind.title,
            url=kind.url,
            options=[
                OptionAnswer(
                    name=item.name, takes=item.takes, default=item.default, meaning=item.meaning, secret=item.secret
                )
                for item in kind.options
            ],
        ),
    )


@router.post(
    "/add",
    summary="Add a location",
    status_code=201,
    dependencies=[needs(Scope.ADMIN), costly()],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 424, 429, 501, 503),
)
def add_storage(asked: StorageRequest, held: Held, once: Idempotent) -> StorageAnswer:
    """Add a place under a name. It is read, never written, unless its option `permissions` says otherwise."""
    with named_in_body():
        return once(
            lambda: _shown(
                add_location(
                    held.workspace,
                    asked.name,
                    asked.url,
                    asked.options,
                    unreachable=asked.unreachable,
                    active=asked.active,
                )
            ),
            lambda made: _shown(
                next(item for item in held.workspace.ledger.locations(inactive=True) if item.location_id == made.name)
            ),
        )


@router.get(
    "/{name}",
    summary="Show a location",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show_storage(name: LocationName, held: Held) -> StorageAnswer:
    """Show a location."""
    return _shown(held.workspace.ledger.location(name))


@router.put(
    "/{name}",
    summary="Change a location",
    dependencies=[needs(Scope.ADMIN)],
    responses=PROBLEMS(400, 401, 403, 404, 409, 413, 422, 429, 501, 503),
)
def change_storage(name: LocationName, asked: StorageChange, held: Held) -> StorageAnswer:
    """Say all of a location anew: its options, its name, and whether it is scanned. Its address stays."""
    before = held.workspace.ledger.location(name)
    with named_in_body():
        if asked.url is not None and normalise_url(asked.url, asked.options) != before.url:
            raise RequestConflictError(
                f"The address of location {name!r} does not change: what is known of its files is known by it. Add "
                "another location."
            )
        gone = [key for key in before.options if key not in asked.options]
        changed = change_location(
            held.workspace, name, asked.options, without=gone, active=asked.active, new_name=asked.name or ""
        )
    return _shown(changed)


@router.delete(
    "/{name}",
    summary="Leave a location out",
    dependencies=[needs(Scope.ADMIN)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def leave_out_storage(name: LocationName, held: Held) -> StorageAnswer:
    """Leave a location out of scans, searches and groups. It stays on record, and so does what was done there."""
    return _shown(held.workspace.ledger.set_location_active(name, False))


@router.post(
    "/{name}/test",
    summary="Test a location",
    dependencies=[needs(Scope.IMAGES_WRITE), costly()],
    responses=PROBLEMS(401, 403, 404, 422, 429, 501, 503),
)
def test_storage(name: LocationName, held: Held) -> StorageTest:
    """Ask a location whether it can be reached, read and written; its answer may be that it cannot."""
    row = check_locations(held.workspace, [held.workspace.ledger.location(name).name]).row(0, named=True)
    return StorageTest(
        name=row["location"],
        state=row["state"],
        message=row["message"],
        may_read=row["may_read"],
        may_write=row["may_write"],
        clock_skew_seconds=row["clock_skew_seconds"],
        capacity_bytes=row["capacity_bytes"],
        free_bytes=row["free_bytes"],
        remarks=row["remarks"],
    )


def _shown(location: Location) -> StorageAnswer:
    options: Mapping[str, Any] = location.options
    scheme, separator, _ = location.url.partition("://")
    return StorageAnswer(
        name=location.name,
        location_id=location.location_id,
        kind=scheme if separator else "file",
        url=location.url,
        options=dict(options),
        permissions=str(options.get("permissions", Permission.READ)),
        active=location.active,
        created_at=location.created_at,
    )
