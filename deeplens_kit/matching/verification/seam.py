"""Seams: whether a picture was pasted into another, told by what runs along its edges there.

Takes a picture and where in it another one lies, gives whether there is a seam; must not align or judge. A crop goes
on across its edges as it does inside; what was pasted in ends there at once, within a thin frame, or in a shadow.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.base import Grey

__all__ = ["has_seam"]

_INSIDE_PX, _OUTSIDE_PX = 24, 16
"""So far to both sides of an edge lines are drawn along it, one for each pixel: frames of 12 px are crossed wholly."""

_SPAN_PX = 4  # between the two lines that make a step: alignment errs by a pixel, JPEG blurs by another
_INNER_PX = -5  # steps at and beyond it, inwards, are the picture's own
_BORDER_PX = -2  # from here outwards, inclusive, a step may come from pasting
_STEP = 10.0  # grey levels, exclusive
_RATIO = 2.0  # exclusive: a step at the border itself against the strongest inside; one edge tells
_WIDE_RATIO = 1.5  # exclusive: a step at or beyond the border; two edges tell
_WIDE_EDGES = 2  # inclusive
_SHARE = 0.40  # a step is as strong as that which 60 % of an edge's length exceed
_SAMPLES = 160  # along an edge
_EDGE_MARGIN_PX = 8.0  # an edge of one picture this near to the other's edge is no line inside it
_LEAST_SEEN = 0.5  # of an edge, inclusive
_LEAST_LENGTH_PX = 12.0  # of an edge, inclusive


def has_seam(picture: Grey, corners: NDArray[np.float64]) -> bool:
    """Whether edges of a smaller view are lines in the picture that holds it.

    Args:
        picture: The larger view.
        corners: (4, 2), of the smaller view in pixels of the larger, one after the other round it.
    """
    wide_edges = 0
    centre = corners.mean(axis=0)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        lines = _lines_along(picture, start, end, centre)
        if lines is None:
            continue
        steps = np.abs(lines[_SPAN_PX:] - lines[:-_SPAN_PX])
        rank = int(_SHARE * steps.shape[1])
        strengths = np.partition(steps, rank, axis=1)[:, rank]
        places = np.arange(len(strengths)) - _INSIDE_PX + _SPAN_PX // 2
        inner = float(strengths[places <= _INNER_PX].max()) + 1
        border = float(strengths[places == 0][0])
        if border > _STEP and border > _RATIO * inner:
            return True
        wide = float(strengths[places >= _BORDER_PX].max())
        wide_edges += wide > _STEP and wide > _WIDE_RATIO * inner
    return wide_edges >= _WIDE_EDGES


def _lines_along(
    picture: Grey, start: NDArray[np.float64], end: NDArray[np.float64], centre: NDArray[np.float64]
) -> NDArray[np.float32] | None:
    """Grey levels on lines parallel to an edge, from inside outwards: (lines, samples); None for no line inside."""
    across = np.array([end[1] - start[1], start[0] - end[0]])
    length = float(np.hypot(*across))
    if length < _LEAST_LENGTH_PX:
        return None
    outwards = across / length
    if np.dot(outwards, start - centre) < 0:
        outwards = -outwards
    # The ends are left out: there the other edges meet it.
    along = start + (end - start) * np.linspace(0.02, 0.98, _SAMPLES)[:, None]
    reach = along + outwards * _EDGE_MARGIN_PX
    bounds = np.array([picture.shape[1] - 1.0, picture.shape[0] - 1.0])
    seen = ((reach >= 0) & (reach <= bounds) & (along >= 0) & (along <= bounds)).all(axis=1)
    if seen.mean() < _LEAST_SEEN:
        return None
    offsets = np.arange(-_INSIDE_PX, _OUTSIDE_PX + 1)
    x, y = np.moveaxis(along[seen] + outwards * offsets[:, None, None], 2, 0).astype(np.float32)
    sampled = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)
