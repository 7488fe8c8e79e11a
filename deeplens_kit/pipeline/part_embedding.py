"""The parts of a picture that is asked for, each with its vector and its hash.

Takes a file and the part of it that is asked for, gives parts in shares of that; must not search.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode import IsolatedDecoder
from deeplens_kit.decode.crop import cut, decoded_side_px, thumbnail_of
from deeplens_kit.decode.picture import THUMBNAIL_SIDE_PX
from deeplens_kit.features import Extractor
from deeplens_kit.features.panels import find_panels
from deeplens_kit.matching.evidence import REGIONS_OF
from deeplens_kit.search.part_candidates import AskedPart
from deeplens_kit.search.part_views import views_of
from deeplens_kit.search.query import Box

__all__ = ["asked_parts"]


def asked_parts(
    content: bytes,
    crop: Box,
    decoder: IsolatedDecoder,
    extractors: Mapping[str, Extractor],
    known: NDArray[np.floating] | None,
) -> list[AskedPart]:
    """What is asked for and the parts of it that are searched for, all of it first.

    Args:
        content: The file.
        crop: The part of it that is asked for, in shares of the upright picture.
        decoder: Decodes it within limits.
        extractors: By feature; the small copy-detection model and PDQ are used where they are there.
        known: The vector of what is asked for; None where it has to be computed.

    Raises:
        ObjectError: It cannot be decoded.
    """
    # Twice a thumbnail's side: half of it, which most parts are, is a thumbnail of its own.
    picture = cut(decoder.preview(content, decoded_side_px(crop, 2 * THUMBNAIL_SIDE_PX)).rgb, crop)
    thumbnail = thumbnail_of(picture)
    height, width = thumbnail.shape[:2]
    panels = [
        (item.left / width, item.top / height, item.right / width, item.bottom / height)
        for item in find_panels(thumbnail)
    ]
    views = views_of(panels, (picture.shape[1], picture.shape[0]))
    pixels = [thumbnail, *(thumbnail_of(cut(picture, view)) for view in views[1:])]
    vectors: list[NDArray[np.floating] | None] = [None] * len(views)
    if model := extractors.get(REGIONS_OF):
        first = [] if known is None else [known]
        vectors = [*first, *model.extract(pixels[len(first) :])["vector"]]
    hashes: list[bytes | None] = [None] * len(views)
    if hasher := extractors.get("pdq"):
        hashes = [row.tobytes() for row in hasher.extract(pixels)["pdq"]]
    return [AskedPart(*of_view) for of_view in zip(views, vectors, hashes, strict=True)]
