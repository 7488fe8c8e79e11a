"""The parts of a picture that are searched for one by one: all of it, its panels, and a fixed set of crops.

Takes the panels that were found, gives boxes, and puts a box within a box; must not look at pixels. A seam shows where
a collage was put together; the fixed crops stand in where none is seen.
"""

from __future__ import annotations

from collections.abc import Sequence

from deeplens_kit.search.query import Box

__all__ = ["ALL_OF_IT", "share_of", "views_of", "within"]

ALL_OF_IT: Box = (0.0, 0.0, 1.0, 1.0)

# On the development benchmark, 59 parts of collages and screenshots among 890 pictures: their originals are among the
# five nearest of the whole picture for 0.77 and 0.85 of them, with panels for 0.87 and 0.95, with these for all. Thirds
# and ninths, at twice the time, find no more.
_CROPS: tuple[Box, ...] = (
    *((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)),
    *((0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0)),
    (0.25, 0.25, 0.75, 0.75),
)
_SAME = 0.85  # of either (inclusive), the common area: so near to one another, two boxes are one
_LEAST_PX = 48  # a view with a shorter side says nothing that another does not


def views_of(panels: Sequence[Box], size: tuple[int, int]) -> list[Box]:
    """The boxes to search for, all of the picture first, each but once.

    Args:
        panels: Boxes in shares of the picture.
        size: Its width and height in pixels.
    """
    views: list[Box] = [ALL_OF_IT]
    for box in (*panels, *_CROPS):
        left, top, right, bottom = box
        shortest = min((right - left) * size[0], (bottom - top) * size[1])
        if shortest >= _LEAST_PX and all(share_of(box, other) < _SAME for other in views):
            views.append(box)
    return views


def within(box: Box, inner: Box) -> Box:
    """A box that is given in shares of another one, in the shares which that is given in."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    return left + inner[0] * width, top + inner[1] * height, left + inner[2] * width, top + inner[3] * height


def share_of(box: Box, other: Box) -> float:
    """What two boxes have in common, of all that either covers, 0..1."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    common = max(0.0, width) * max(0.0, height)
    return common / (_area(box) + _area(other) - common)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
