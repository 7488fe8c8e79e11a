"""Panels: upright rectangles of a picture that are pictures themselves.

Takes a thumbnail and gives the rectangles that straight seams cut out of it: the cells of a collage, a picture pasted
on another, what a screenshot shows, what bars or a frame surround. Most photographs have none. Must not compare
pictures. A seam is a step edge that is straight, upright or level, and long; a rectangle needs one on every side that
is not the picture's own border.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deeplens_kit.features.base import Thumbnail
from deeplens_kit.features.region_rows import MOST_REGIONS

__all__ = ["Panel", "find_panels"]

# On the development benchmark these find 53 of the 60 parts of collages and screenshots, and a panel in 8 % of its
# plain photographs.
_SHORTEST_SIDE_PX = 40
_LEAST_AREA, _MOST_AREA = 0.06, 0.95
_SHORTEST_LINE = 0.16
_LINE_RATE = 0.5
_MOST_LINES = 12
_LEAST_SUPPORT = 0.6
# A line through the middle makes a rectangle two: it counts twice against it as far as more than half of it steps.
_INNER_FREE, _INNER_WEIGHT = 0.5, 2.0
_MOST_OVERLAP = 0.6
_LEAST_DRAWN = 0.03


class Panel(NamedTuple):
    """A rectangle in pixels of the thumbnail; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels."""
        return max(0, self.right - self.left) * max(0, self.bottom - self.top)

    def overlap(self, other: Panel) -> float:
        """Pixels of both over pixels of either, 0..1."""
        common = Panel(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        return common / (self.area + other.area - common)


def find_panels(pixels: Thumbnail) -> list[Panel]:
    """Panels of a thumbnail, the clearest first, at most `MOST_REGIONS`; often none.

    Args:
        pixels: (height, width, 3) uint8.
    """
    from deeplens_kit.features.panel_kernels import drawn_share, framed, seams, straight_lines

    height, width = pixels.shape[:2]
    if min(height, width) < _SHORTEST_SIDE_PX:
        return []
    # 1. Straight seams, upright and level.
    picture = np.ascontiguousarray(pixels)
    upright, level = seams(picture), seams(np.ascontiguousarray(picture.transpose(1, 0, 2)))
    columns = straight_lines(upright, _SHORTEST_LINE * height, _LINE_RATE, _MOST_LINES)
    rows = straight_lines(level, _SHORTEST_LINE * width, _LINE_RATE, _MOST_LINES)
    if not len(columns) and not len(rows):
        return []
    # 2. The rectangles that they make with one another and the borders.
    found = framed(
        upright,
        level,
        np.sort(np.append(columns, (0, width))),
        np.sort(np.append(rows, (0, height))),
        _SHORTEST_SIDE_PX,
        _LEAST_AREA * width * height,
        _MOST_AREA * width * height,
        _LEAST_SUPPORT,
    )
    # 3. The clearest of them that show something and are not one another.
    against = _INNER_WEIGHT * np.maximum(found[:, 5] - _INNER_FREE, 0.0)
    panels: list[Panel] = []
    for row in np.argsort(against - found[:, 4], kind="stable"):
        panel = Panel(*(int(place) for place in found[row, :4]))
        if (
            all(panel.overlap(other) < _MOST_OVERLAP for other in panels)
            and drawn_share(picture, *panel) > _LEAST_DRAWN
        ):
            panels.append(panel)
        if len(panels) == MOST_REGIONS:
            break
    return panels
