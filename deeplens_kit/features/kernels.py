"""The loops that numpy cannot express well, compiled by numba.

Takes contiguous uint8 pictures and gives hashes and sums; must not hold the GIL, so that threads are enough, and must
not be imported before an extractor is made: numba costs most of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

__all__ = ["clarity_sums", "compiled", "opponent_sums", "pdq_hash"]

_F32 = np.float32
_SIDE = 64
_KEPT = 16
_JAROSZ_PASSES = 2
_FLAT_QUALITY = 90
_FULL_QUALITY = 100

# Read-only in the signature accepts both kinds of array; a picture made by Pillow is read-only.
_RGB = types.Array(types.uint8, 3, "C", readonly=True)
_GREY = types.Array(types.uint8, 2, "C", readonly=True)
_PLANE = types.Array(types.float32, 2, "C")


def compiled(signature: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that compiles for this signature, without the GIL, cached on disk where there is a folder for it."""

    def compile_one(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(signature, nogil=True, cache=True)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # no folder to cache in: a read-only installation without a home folder
            return numba.njit(signature, nogil=True)(function)  # type: ignore[no-any-return]

    return compile_one


def _dct_rows() -> NDArray[np.float32]:
    """Rows 1..16 of the 64-point DCT-II matrix, (16, 64) float32, scaled by sqrt(2/64) rounded to float32."""
    frequency = np.arange(1, _KEPT + 1)[:, None]
    position = 2 * np.arange(_SIDE)[None, :] + 1
    scale = float(_F32(np.sqrt(2.0 / _SIDE)))
    return np.asarray(scale * np.cos(np.pi / 2.0 / _SIDE * frequency * position), dtype=np.float32)


_DCT = _dct_rows()


@compiled(types.void(_PLANE, _PLANE, types.int64))
def _box_along_rows(source: Any, target: Any, window: int) -> None:  # pragma: no cover - compiled
    """Running mean of `window` samples along each row; at the ends over the samples that exist.

    The reference keeps a float32 running sum, and on flat pictures its rounding decides bits: so does this one.
    """
    height, width = source.shape
    ahead = (window + 2) // 2 - 1
    for y in range(height):
        total = _F32(0.0)
        for x in range(ahead):
            total += source[y, x]
        for x in range(window - ahead):
            total += source[y, x + ahead]
            target[y, x] = total / _F32(x + ahead + 1)
        full = _F32(window)
        for x in range(window - ahead, width - ahead):
            total += source[y, x + ahead]
            total -= source[y, x + ahead - window]
            target[y, x] = total / full
        for x in range(max(width - ahead, window - ahead), width):
            total -= source[y, x + ahead - window]
            target[y, x] = total / _F32(width - x - ahead - 1 + window)


@compiled(types.void(_PLANE, _PLANE, types.int64))
def _box_along_columns(source: Any, target: Any, window: int) -> None:  # pragma: no cover - compiled
    """As along rows, with one running sum per column, so that the loops run over neighbours in memory."""
    height, width = source.shape
    ahead = (window + 2) // 2 - 1
    total = np.zeros(width, dtype=np.float32)
    for y in range(ahead):
        for x in range(width):
            total[x] += source[y, x]
    for y in range(height):
        first, last = y + ahead - window, y + ahead
        if last < height:
            for x in range(width):
                total[x] += source[last, x]
        if first >= 0:
            for x in range(width):
                total[x] -= source[first, x]
        count = _F32(min(last, height - 1) - max(first, -1))
        for x in range(width):
            target[y, x] = total[x] / count


@compiled(types.int64(_PLANE))
def _pdq_quality(small: Any) -> int:  # pragma: no cover - compiled
    """Sum of the gradients of the 64x64 picture in whole percents of the grey range, /90, at most 100."""
    total = 0
    for y in range(_SIDE):
        for x in range(_SIDE):
            if y + 1 < _SIDE:
                total += abs(int((small[y, x] - small[y + 1, x]) * _F32(100.0) / _F32(255.0)))
            if x + 1 < _SIDE:
                total += abs(int((small[y, x] - small[y, x + 1]) * _F32(100.0) / _F32(255.0)))
    return min(total // _FLAT_QUALITY, _FULL_QUALITY)


@compiled(types.void(_PLANE, _PLANE))
def _pdq_frequencies(small: Any, kept: Any) -> None:  # pragma: no cover - compiled
    """`kept` = D small D^T for the 16 kept rows of the DCT matrix; each sum runs over rising positions."""
    half = np.zeros((_KEPT, _SIDE), dtype=np.float32)
    for i in range(_KEPT):
        for k in range(_SIDE):
            for j in range(_SIDE):
                half[i, j] += _DCT[i, k] * small[k, j]
    for i in range(_KEPT):
        for j in range(_KEPT):
            total = _F32(0.0)
            for k in range(_SIDE):
                total += half[i, k] * _DCT[j, k]
            kept[i, j] = total


@compiled(types.int64(_RGB, types.Array(types.uint8, 1, "C")))
def pdq_hash(rgb: Any, out: Any) -> int:  # pragma: no cover - compiled
    """Write the 32 bytes of a picture's PDQ hash to `out` (zeros on entry) and return its quality.

    Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", Meta, 2019, section PDQ.

    Args:
        rgb: (height, width, 3) uint8, each side at least 5 px.
        out: (32,) uint8; byte 0 holds the bits of the highest frequencies, as in PDQ's hexadecimal form.

    Returns:
        Quality 0..100.
    """
    height, width = rgb.shape[0], rgb.shape[1]
    luma = np.empty((height, width), dtype=np.float32)
    for y in range(height):
        for x in range(width):
            luma[y, x] = _F32(rgb[y, x, 0] * 0.299 + rgb[y, x, 1] * 0.587 + rgb[y, x, 2] * 0.114)
    small = np.empty((_SIDE, _SIDE), dtype=np.float32)
    if height == _SIDE and width == _SIDE:
        small[:, :] = luma
    else:
        other = np.empty((height, width), dtype=np.float32)
        for _ in range(_JAROSZ_PASSES):
            _box_along_rows(luma, other, (width + 2 * _SIDE - 1) // (2 * _SIDE))
            _box_along_columns(other, luma, (height + 2 * _SIDE - 1) // (2 * _SIDE))
        for i in range(_SIDE):
            for j in range(_SIDE):
                small[i, j] = luma[int((i + 0.5) * height / _SIDE), int((j + 0.5) * width / _SIDE)]
    kept = np.empty((_KEPT, _KEPT), dtype=np.float32)
    _pdq_frequencies(small, kept)
    flat = kept.ravel()
    middle = np.sort(flat)[_KEPT * _KEPT // 2 - 1]  # the lower of the two middle values, as the reference takes it
    for bit in range(_KEPT * _KEPT):
        if flat[bit] > middle:
            place = _KEPT * _KEPT - 1 - bit
            out[place >> 3] |= np.uint8(128 >> (place & 7))
    quality: int = _pdq_quality(small)
    return quality


@compiled(types.void(_GREY, types.int64, types.int64, types.Array(types.int64, 1, "C")))
def clarity_sums(grey: Any, flat_step: int, edge_step: int, out: Any) -> None:  # pragma: no cover - compiled
    """Count, in one pass over a grey picture, what sharpness and plainness are made of; whole numbers only.

    Args:
        grey: (height, width) uint8, each side at least 3 px.
        flat_step: A step to a neighbour of at most this many grey levels is no gradient.
        edge_step: A step above this many grey levels is an edge.
        out: (9,) int64, overwritten: sum and sum of squares of the Laplacian over the inner pixels, flat pixels,
            edge pixels, strokes met along rows, rows with a stroke, strokes met along columns, columns with one,
            pixels that have a gradient (the (height - 1) x (width - 1) that have both neighbours).
    """
    height, width = grey.shape
    out[:] = 0
    column_strokes = np.zeros(width, dtype=np.int64)
    above = np.zeros(width, dtype=np.bool_)
    for y in range(height - 1):
        row_strokes = 0
        before = 0
        for x in range(width - 1):
            here = np.int64(grey[y, x])
            step = max(abs(np.int64(grey[y, x + 1]) - here), abs(np.int64(grey[y + 1, x]) - here))
            edge = int(step > edge_step)
            out[2] += step <= flat_step
            out[3] += edge
            row_strokes += edge & (1 - before)
            column_strokes[x] += edge and not above[x]
            before = edge
            above[x] = edge
            if x > 0 and y > 0:
                bend = np.int64(grey[y - 1, x]) + grey[y + 1, x] + grey[y, x - 1] + grey[y, x + 1] - 4 * here
                out[0] += bend
                out[1] += bend * bend
        out[4] += row_strokes
        out[5] += row_strokes > 0
    for x in range(width - 1):
        out[6] += column_strokes[x]
        out[7] += column_strokes[x] > 0
    out[8] = (height - 1) * (width - 1)


@compiled(types.void(_RGB, types.Array(types.int64, 1, "C")))
def opponent_sums(rgb: Any, out: Any) -> None:  # pragma: no cover - compiled
    """Sum the opponent colours of a picture and their squares, in one pass; whole numbers only.

    Args:
        rgb: (height, width, 3) uint8.
        out: (4,) int64, overwritten: sum and sum of squares of R - G, and of R + G - 2 B (twice yellow - blue).
    """
    height, width = rgb.shape[0], rgb.shape[1]
    out[:] = 0
    for y in range(height):
        red_green = red_green_squares = yellow_blue = yellow_blue_squares = np.int64(0)
        for x in range(width):
            red, green, blue = np.int32(rgb[y, x, 0]), np.int32(rgb[y, x, 1]), np.int32(rgb[y, x, 2])
            first, second = red - green, red + green - 2 * blue
            red_green += first
            red_green_squares += first * first
            yellow_blue += second
            yellow_blue_squares += second * second
        out[0] += red_green
        out[1] += red_green_squares
        out[2] += yellow_blue
        out[3] += yellow_blue_squares
