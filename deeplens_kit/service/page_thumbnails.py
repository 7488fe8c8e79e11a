"""The pictures on the pages: thumbnails by digest.

Takes requests of a page, gives WebP; must not change anything. Programs have `/api/v1/thumbnails`.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Path, Response

from deeplens_kit.decode import THUMBNAIL_SIDES_PX
from deeplens_kit.ledger.access_values import Scope
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.context import Held
from deeplens_kit.views.cards import PLACEHOLDER

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

# A digest names one content for ever, so what was fetched once need never be asked for again.
_FOR_EVER = "private, max-age=31536000, immutable"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@router.get("/thumbnails/{digest}/{side}.webp", dependencies=[needs(Scope.IMAGES_READ)])
def thumbnail(
    service: Held, digest: Annotated[str, Path(max_length=64)], side: Annotated[str, Path(max_length=4)]
) -> Response:
    """Answer with WebP, or with a drawing that says there is no preview."""
    if not _DIGEST.fullmatch(digest) or not side.isdecimal() or int(side) not in THUMBNAIL_SIDES_PX:
        return Response(status_code=404)
    content = service.desk.thumbnail(digest, int(side))
    if content is None:
        drawing = unquote(PLACEHOLDER.partition(",")[2])
        return Response(drawing, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})
    return Response(content, media_type="image/webp", headers={"Cache-Control": _FOR_EVER})
