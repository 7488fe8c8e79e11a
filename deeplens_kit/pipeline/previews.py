"""Thumbnails of pictures, from the cache or made anew from an object.

Takes an open workspace and a digest, gives WebP bytes; fills the cache of thumbnails and writes nothing else.
"""

from __future__ import annotations

from deeplens_kit.decode import encode_thumbnail
from deeplens_kit.errors import LocationError, ObjectError
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["thumbnail"]


def thumbnail(workspace: Workspace, digest: str, side_px: int = 300) -> bytes | None:
    """The thumbnail of a picture as WebP; None when it is neither cached nor can be made.

    Args:
        workspace: An open workspace.
        digest: The picture.
        side_px: 150, 300 or 600, the longer side.
    """
    cached = workspace.thumbnails.get(digest, side_px)
    if cached is not None:
        return cached
    kinds = {item.location_id: item for item in workspace.ledger.locations(inactive=True)}
    places = workspace.catalog.objects_of([digest], ["location_id", "path"])
    for location_id, path in places.sort("location_id", "path").iter_rows():
        if location_id not in kinds:
            continue
        try:
            data = workspace.kind_of(kinds[location_id]).read(
                path, expected=None, max_bytes=workspace.settings.decode.max_bytes
            )
            preview = encode_thumbnail(workspace.decoder.preview(data, side_px).rgb, side_px)
        except (ObjectError, LocationError):
            continue
        workspace.thumbnails.put(digest, preview, side_px)
        return preview
    return None
