"""Closer looks at parts of pictures: of the one that is asked for, and of those in the library.

Takes bytes and looks, gives looks at parts of them; must not compare. The picture asked for is decoded once, as large
as its part needs; a look at a part of a picture in the library is cut out of that at the whole.
"""

from __future__ import annotations

import threading

import numpy as np

from deeplens_kit.decode import IsolatedDecoder
from deeplens_kit.decode.crop import cut, decoded_side_px
from deeplens_kit.matching.verification.base import LOOK_SIDE_PX, Grey, Look
from deeplens_kit.search.part_views import ALL_OF_IT
from deeplens_kit.search.query import Box

__all__ = ["AskedLooks", "look_within"]

_LEAST_SIDE_PX = 16
# What the whole picture is decoded to at most, so that a small part of it has all of its pixels.
_LONGEST_DECODED_PX = 8_192


class AskedLooks:
    """Looks at a picture that is asked for, and at parts of it; safe to share between threads.

    Args:
        content: The file.
        decoder: Decodes it within limits.
        crop: The part of it that is asked for, of which all others are parts.

    Raises:
        ObjectError: It cannot be decoded.
    """

    def __init__(self, content: bytes, decoder: IsolatedDecoder, crop: Box = ALL_OF_IT) -> None:
        grey = decoder.grey(content, decoded_side_px(crop, LOOK_SIDE_PX, longest_px=_LONGEST_DECODED_PX))
        self._grey = _reduced(cut(grey, crop))
        self._lock = threading.Lock()
        self._looks: dict[Box, Look | None] = {}

    def at(self, box: Box) -> Look | None:
        """The look at a part, in shares of what is asked for; None where it is too small."""
        with self._lock:
            if box not in self._looks:
                self._looks[box] = _looked(cut(self._grey, box))
            return self._looks[box]


def look_within(look: Look, box: Box) -> Look | None:
    """The look at a part of a picture; None where it is too small."""
    return look if box == ALL_OF_IT else _looked(cut(look.levels[0], box))


def _reduced(grey: Grey) -> Grey:
    # Imported here: OpenCV is loaded where pixels are compared.
    import cv2

    scale = LOOK_SIDE_PX / max(*grey.shape, 1)
    if scale >= 1.0:
        return grey
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _looked(grey: Grey) -> Look | None:
    if min(grey.shape) < _LEAST_SIDE_PX:
        return None
    from deeplens_kit.matching.verification.local_features import look_at

    return look_at(grey)
