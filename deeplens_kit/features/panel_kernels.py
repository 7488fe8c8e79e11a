"""The loops that find panels, compiled by numba.

Takes contiguous uint8 pictures and gives counts of step edges, the straight lines among them and the rectangles that
lines make; must not decide which rectangles are panels. Loaded where a panel is first looked for, as `kernels` is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from deeplens_kit.features.kernels import compiled

__all__ = ["drawn_share", "framed", "seams", "straight_lines"]

_RGB = types.Array(types.uint8, 3, "C", readonly=True)
_COUNTS = types.Array(types.int32, 2, "C")
_PLACES = types.Array(types.int64, 1, "C")

# A seam steps by at least so many of 256 levels in one channel from one pixel to the next (inclusive) ...
_STEP_LEVELS = 10
# ... more than anything within so many pixels beside it ...
_REACH_PX = 4
# ... and lasts: so far on both sides the colours still differ by so much. A printed line does not last.
_LASTING_PX, _LASTING_LEVELS = 3, 8
# Pixels that differ by more (exclusive) from those left and above, summed, have something drawn on them.
_DRAWN_LEVELS = 6
_LINE_APART_PX = 3


@compiled(_COUNTS(_RGB))
def seams(rgb: Any) -> Any:  # pragma: no cover - compiled
    """For each upright line between pixels, how many rows from the top step there, or one pixel beside it.

    Args:
        rgb: (height, width, 3).

    Returns:
        int32 (height + 1, width + 1): rows above each y with a seam at x; differences count any part of a line.
    """
    height, width = rgb.shape[:2]
    counts = np.zeros((height + 1, width + 1), np.int32)
    step = np.zeros(width + 1, np.int32)
    mark = np.zeros(width + 2, np.uint8)
    for y in range(height):
        for x in range(1, width):
            most = np.int32(0)
            for channel in range(3):
                there = abs(np.int32(rgb[y, x, channel]) - np.int32(rgb[y, x - 1, channel]))
                if there > most:
                    most = there
            step[x] = most
        mark[:] = 0
        for x in range(1, width):
            if step[x] < _STEP_LEVELS:
                continue
            highest = True
            for beside in range(max(1, x - _REACH_PX), min(width, x + _REACH_PX + 1)):
                if step[beside] > step[x]:
                    highest = False
                    break
            if not highest:
                continue
            left, right, lasts = max(0, x - 1 - _LASTING_PX), min(width - 1, x + _LASTING_PX), False
            for channel in range(3):
                if abs(np.int32(rgb[y, right, channel]) - np.int32(rgb[y, left, channel])) >= _LASTING_LEVELS:
                    lasts = True
            if lasts:
                mark[x] = 1
        for x in range(1, width):
            counts[y + 1, x] = counts[y, x] + (mark[x] | mark[x - 1] | mark[x + 1])
    return counts


@compiled(_PLACES(_COUNTS, types.float64, types.float64, types.int64))
def straight_lines(counts: Any, shortest: Any, rate: Any, most: Any) -> Any:  # pragma: no cover - compiled
    """The upright lines along which most pixels step, longest first.

    Args:
        counts: From `seams`.
        shortest: What a wholly stepping line must have in pixels to count; a broken one must be longer.
        rate: Share of steps from which on a longer line is a better one.
        most: Lines at most.

    Returns:
        int64, x of each.
    """
    height, width = counts.shape[0] - 1, counts.shape[1] - 1
    gain = np.zeros(width + 1, np.float64)
    for x in range(2, width - 1):
        run = 0.0
        for y in range(height):
            run = max(0.0, run + (counts[y + 1, x] - counts[y, x]) - rate)
            gain[x] = max(gain[x], run)
    places = np.zeros(most, np.int64)
    found = 0
    while found < most:
        first = np.int64(np.argmax(gain))
        if gain[first] < shortest * (1.0 - rate):
            break
        # A seam counts at its neighbours too: the middle of what is equally good is where it is.
        last = first
        while last + 1 < width and gain[last + 1] >= gain[first]:
            last += 1
        places[found] = (first + last) // 2
        found += 1
        gain[max(0, first - _LINE_APART_PX) : last + _LINE_APART_PX + 1] = 0.0
    return places[:found].copy()


@compiled(types.Array(types.float64, 2, "C")(_COUNTS, _COUNTS, _PLACES, _PLACES, types.int64, *([types.float64] * 3)))
def framed(
    upright: Any, level: Any, columns: Any, rows: Any, side: Any, least: Any, most: Any, support: Any
) -> Any:  # pragma: no cover - compiled
    """Rectangles whose every side is a seam or the picture's own border.

    Args:
        upright: `seams` of the picture.
        level: `seams` of the transposed picture.
        columns: int64, x of lines, rising, the two borders among them.
        rows: int64, y of lines, rising, the two borders among them.
        side: Pixels of the shortest side, inclusive.
        least: Pixels of the smallest area, inclusive.
        most: Pixels of the greatest area, inclusive: less than that of the picture.
        support: Least share of steps on each inner side, inclusive.

    Returns:
        float64 (m, 6): left, top, right, bottom, share of steps on the whole frame, greatest share on a line across.
    """
    width, height = upright.shape[1] - 1, upright.shape[0] - 1
    across, down = len(columns), len(rows)
    found = np.zeros((across * (across - 1) // 2 * (down * (down - 1) // 2), 6), np.float64)
    count = 0
    for i in range(across):
        for j in range(i + 1, across):
            left, right = columns[i], columns[j]
            if right - left < side:
                continue
            for k in range(down):
                for m in range(k + 1, down):
                    top, bottom = rows[k], rows[m]
                    wide, tall = right - left, bottom - top
                    if tall < side or wide * tall < least or wide * tall > most:
                        continue
                    steps, length, weakest = 0.0, 0.0, 1.0
                    for x in (left, right):
                        if 0 < x < width:
                            on = np.float64(upright[bottom, x] - upright[top, x])
                            steps, length, weakest = steps + on, length + tall, min(weakest, on / tall)
                    for y in (top, bottom):
                        if 0 < y < height:
                            on = np.float64(level[right, y] - level[left, y])
                            steps, length, weakest = steps + on, length + wide, min(weakest, on / wide)
                    if weakest < support:
                        continue
                    inner = 0.0
                    for x in columns:
                        if 2 * (x - left) >= side and 2 * (right - x) >= side:
                            inner = max(inner, (upright[bottom, x] - upright[top, x]) / tall)
                    for y in rows:
                        if 2 * (y - top) >= side and 2 * (bottom - y) >= side:
                            inner = max(inner, (level[right, y] - level[left, y]) / wide)
                    found[count, 0], found[count, 1], found[count, 2], found[count, 3] = left, top, right, bottom
                    found[count, 4], found[count, 5] = steps / length, inner
                    count += 1
    return found[:count].copy()


@compiled(types.float64(_RGB, types.int64, types.int64, types.int64, types.int64))
def drawn_share(rgb: Any, left: Any, top: Any, right: Any, bottom: Any) -> Any:  # pragma: no cover - compiled
    """Share of a rectangle's pixels, every second of every second row, on which something is drawn, 0..1."""
    seen, drawn = 0, 0
    for y in range(top + 1, bottom - 1, 2):
        for x in range(left + 1, right - 1, 2):
            here = np.int32(rgb[y, x, 1])
            seen += 1
            if abs(here - np.int32(rgb[y, x - 1, 1])) + abs(here - np.int32(rgb[y - 1, x, 1])) > _DRAWN_LEVELS:
                drawn += 1
    return drawn / max(seen, 1)
