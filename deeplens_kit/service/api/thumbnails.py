"""Thumbnails of pictures, to be kept for ever by whoever fetched one.

Takes the id of a picture or an image and a size, gives WebP; must not give the picture itself. A digest names one
content for ever, so by a picture_id a thumbnail never changes; an image may hold another picture tomorrow, so by an
image_id it is asked for again, and costs no bytes where it is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import Scope
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.ids import is_picture_id
from deeplens_kit.service.api.listing import ImageId
from deeplens_kit.service.api.lookups import digest_of
from deeplens_kit.service.context import Held
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/thumbnails", tags=["images"])

Size = Literal["small", "medium", "large", "150", "300", "600"]
_SIDES: Mapping[str, int] = {"small": 150, "medium": 300, "large": 600, "150": 150, "300": 300, "600": 600}

_FOR_EVER = "private, max-age=31536000, immutable"
_ASK_AGAIN = "private, no-cache"
_ADVICE = "no file that holds it can be read now, or it is no picture that is decoded."
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "A WebP picture.", "content": {"image/webp": {"schema": {"type": "string"}}}},
    304: {"description": "It is the one that the caller has."},
}


@router.get(
    "/{image_id}",
    summary="Fetch a thumbnail",
    dependencies=[needs(Scope.IMAGES_READ)],
    response_class=Response,
    responses={**_RESPONSES, **PROBLEMS(401, 403, 404, 422, 429, 503)},
)
async def fetch_thumbnail(
    image_id: ImageId,
    held: Held,
    size: Annotated[Size, Query(description="Longer side: small 150, medium 300, large 600 pixels.")] = "medium",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Fetch the thumbnail of a picture, by its picture_id (kept for ever) or by an image_id."""
    side = _SIDES[size]
    fixed = is_picture_id(image_id)
    digest = image_id if fixed else await asyncio.to_thread(digest_of, held.workspace, image_id)
    tag = f'"{digest[:32]}-{side}"'
    headers = {
        "Cache-Control": _FOR_EVER if fixed else _ASK_AGAIN,
        "ETag": tag,
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if if_none_match is not None and _has(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    # Off the event loop: one that is not cached is made from the file, which takes a while.
    content = await asyncio.to_thread(held.desk.thumbnail, digest, side)
    if content is None:
        raise UnknownNameError("preview of the picture", image_id[:80], (), advice=_ADVICE)
    return Response(content, media_type="image/webp", headers=headers)


def _has(given: str, tag: str) -> bool:
    """Whether one of the tags that a caller has is this one; weak ones count as well (RFC 9110, 13.1.2)."""
    return any(item.strip().removeprefix("W/") in (tag, "*") for item in given.split(","))
