"""The inner loops of drawing a map, compiled: a million points in a few milliseconds.

Takes points that lie in the order of their tiles, fills arrays of pixels; must not choose a colour.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled

__all__ = ["compose", "count_points", "fill_discs", "grown", "positions_within", "within"]

_OPAQUE = 255
_RANK_BITS = 32


@compiled
def within(x: float, y: float, window: NDArray[np.float64]) -> bool:
    """Whether a place is in a window (low x, low y, high x, high y), its edges included."""
    return bool(window[0] <= x <= window[2] and window[1] <= y <= window[3])


@compiled
def positions_within(
    places: NDArray[np.float32], runs: NDArray[np.int64], window: NDArray[np.float64], most: int
) -> NDArray[np.int64]:
    """Positions of points in a window, rising; more than `most` are not looked for, so that one more may come.

    Args:
        places: float32 (n, 2), in the order of tiles.
        runs: int64 (r, 2), first and last (exclusive) positions of tiles that the window touches.
        window: As `within` has it.
        most: The most that are of interest.
    """
    found = np.empty(most + 1, np.int64)
    used = 0
    for run in range(len(runs)):
        for at in range(runs[run, 0], runs[run, 1]):
            if within(places[at, 0], places[at, 1], window):
                found[used] = at
                used += 1
                if used > most:
                    return found
    return found[:used]


@compiled
def count_points(
    places: NDArray[np.float32],
    codes: NDArray[np.uint8],
    picked: NDArray[np.bool_],
    runs: NDArray[np.int64],
    window: NDArray[np.float64],
    palette: NDArray[np.uint8],
    layers: NDArray[np.uint8],
    quiet: NDArray[np.uint32],
    named: NDArray[np.uint32],
    scaled: NDArray[np.uint8],
) -> None:
    """Count the points of every pixel, by layer and whether they are picked.

    Args:
        places: As `positions_within`, and so are `runs` and `window`.
        codes: uint8 (n,), the colour of each point.
        picked: bool (n,), or of no length where none is.
        palette: uint8 (256, 3), what a code looks like.
        layers: uint8 (256,), of a code: 0 quiet, 1 of the legend, 2 along the scale.
        quiet: uint32 (2, h, w), filled with points; the first row of pixels is the lowest.
        named: uint32 (2, h, w, 4), filled with points and the sums of their colours.
        scaled: uint8 (2, h, w), filled with the greatest code.
    """
    height, width = quiet.shape[1], quiet.shape[2]
    per_x, per_y = width / (window[2] - window[0]), height / (window[3] - window[1])
    for run in range(len(runs)):
        for at in range(runs[run, 0], runs[run, 1]):
            x, y = places[at, 0], places[at, 1]
            if not within(x, y, window):
                continue
            column = min(int((x - window[0]) * per_x), width - 1)
            row = min(int((y - window[1]) * per_y), height - 1)
            code = codes[at]
            plane = 1 if len(picked) and picked[at] else 0
            if layers[code] == 0:
                quiet[plane, row, column] += np.uint32(1)
            elif layers[code] == 1:
                pixel = named[plane, row, column]
                pixel[0] += np.uint32(1)
                for channel in range(3):
                    pixel[channel + 1] += np.uint32(palette[code, channel])
            elif code > scaled[plane, row, column]:
                scaled[plane, row, column] = code


@compiled
def compose(
    quiet: NDArray[np.uint32],
    named: NDArray[np.uint32],
    scaled: NDArray[np.uint8],
    quiet_alpha: NDArray[np.uint8],
    named_alpha: NDArray[np.uint8],
    palette: NDArray[np.uint8],
    quiet_colour: NDArray[np.uint8],
    faded: int,
) -> NDArray[np.uint8]:
    """Lay the layers over each other (Porter and Duff): quiet ones, the legend, the scale; picked ones over the others.

    Args:
        quiet: As `count_points` filled it, and so are `named` and `scaled`.
        quiet_alpha: uint8, by the number of points of a pixel.
        named_alpha: The same for the legend.
        palette: uint8 (256, 3).
        quiet_colour: uint8 (3,).
        faded: Of 255, what is left of points that are not picked.

    Returns:
        uint8 (h, w, 4), the highest row first, alpha not multiplied in.
    """
    height, width = quiet.shape[1], quiet.shape[2]
    image = np.zeros((height, width, 4), np.uint8)
    colour = np.zeros(3)
    for row in range(height):
        for column in range(width):
            total = 0.0
            colour[:] = 0.0
            for plane in range(2):
                left = faded / _OPAQUE if plane == 0 else 1.0
                for layer in range(3):
                    points = named[plane, row, column, 0]
                    if layer == 0:
                        above = quiet_alpha[quiet[plane, row, column]] / _OPAQUE
                    elif layer == 1:
                        above = named_alpha[points] / _OPAQUE
                    else:
                        above = 1.0 if scaled[plane, row, column] else 0.0
                    if above == 0.0:
                        continue
                    above *= left
                    back = total * (1.0 - above)
                    total = above + back
                    for channel in range(3):
                        if layer == 0:
                            own = float(quiet_colour[channel])
                        elif layer == 1:
                            own = named[plane, row, column, channel + 1] / points
                        else:
                            own = float(palette[scaled[plane, row, column], channel])
                        colour[channel] = (own * above + colour[channel] * back) / total
            if total > 0.0:
                pixel = image[height - 1 - row, column]
                for channel in range(3):
                    pixel[channel] = np.uint8(colour[channel] + 0.5)
                pixel[3] = np.uint8(total * _OPAQUE + 0.5)
    return image


@compiled
def grown(image: NDArray[np.uint8], most: int, crowded: float) -> NDArray[np.uint8]:
    """Let points grow into empty pixels around them where most of them stand alone.

    Args:
        image: uint8 (h, w, 4).
        most: The greatest radius in pixels.
        crowded: From this share of drawn pixels on that have others within twice the radius they do not grow.

    Returns:
        The same image where nothing grew.
    """
    height, width = image.shape[0], image.shape[1]
    radius = 0
    for tried in range(1, most + 1):
        drawn, near = 0, 0
        for row in range(height):
            for column in range(width):
                if image[row, column, 3]:
                    drawn += 1
                    near += _has_neighbour(image, row, column, 2 * tried)
        if drawn == 0 or near > crowded * drawn:
            break
        radius = tried
    if radius == 0:
        return image
    result = image.copy()
    for row in range(height):
        for column in range(width):
            if image[row, column, 3]:
                continue
            for down in range(max(-radius, -row), min(radius, height - 1 - row) + 1):
                for right in range(max(-radius, -column), min(radius, width - 1 - column) + 1):
                    alpha = image[row + down, column + right, 3]
                    if down * down + right * right <= radius * radius and alpha > result[row, column, 3]:
                        result[row, column] = image[row + down, column + right]
    return result


@compiled
def _has_neighbour(image: NDArray[np.uint8], row: int, column: int, reach: int) -> bool:
    height, width = image.shape[0], image.shape[1]
    for down in range(max(-reach, -row), min(reach, height - 1 - row) + 1):
        for right in range(max(-reach, -column), min(reach, width - 1 - column) + 1):
            if (down or right) and image[row + down, column + right, 3]:
                return True
    return False


@compiled
def fill_discs(places: NDArray[np.float64], radius: float, reach: int, best: NDArray[np.int64]) -> None:
    """For each pixel how much of it the disc covers that covers most of it and, of equals, the last: in one number.

    Args:
        places: float64 (n, 2), column and row of the middle of each disc.
        radius: In pixels.
        reach: Pixels around the middle that a disc can touch.
        best: int64 (h, w) of zeros, filled with cover (of 255) above 32 bits and the disc, counted from 1, in them.
    """
    height, width = best.shape
    for disc in range(len(places)):
        middle_x, middle_y = places[disc, 0], places[disc, 1]
        first_column, first_row = int(np.floor(middle_x)), int(np.floor(middle_y))
        for row in range(max(first_row - reach, 0), min(first_row + reach + 1, height)):
            for column in range(max(first_column - reach, 0), min(first_column + reach + 1, width)):
                gap = np.hypot(column + 0.5 - middle_x, row + 0.5 - middle_y)
                cover = int(min(max(radius + 0.5 - gap, 0.0), 1.0) * _OPAQUE)
                if cover:
                    best[row, column] = max(best[row, column], (cover << _RANK_BITS) | (disc + 1))
