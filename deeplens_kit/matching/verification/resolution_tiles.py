"""Corresponding tiles of two pictures: cut where the finer sampled one has most contrast, laid on each other exactly.

Takes two luma planes and an affine transform that is right within a few pixels, gives tiles of the finer sampled
picture with what each must be sampled at in the other. Must not judge what it cuts. The cost hangs on the number of
tiles alone, never on the size of the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["TILE_PX", "WINDOW", "TilePairs", "cut_tiles", "frequencies", "spectra"]

TILE_PX = 64
"""Side of a tile on the finer grid: fourfold enlargements still have 16 px of the coarser picture in it."""

_MAX_TILES = 8
_MAX_CANDIDATES = 8  # positions along each axis among which the tiles are chosen
_CONTRAST_SHARE = 0.15  # of the best tile's, inclusive: flat tiles hold only noise
_MAX_READ_PX = 4_000_000  # of the finer picture in all tiles together, where it is reduced first
_MARGIN_PX = 14  # of the coarser picture around each tile: alignment may move it, kernels look beyond it

_WHOLE_VIEW_PX = 1.5  # inclusive, or ...
_WHOLE_VIEW_SHARE = 0.02  # ... this share of the longer side: the transform means the whole of both pictures
_REACH = 3.0  # pixels of the coarser picture by which the transform may be wrong, inclusive
_STEPS = 2  # of Lucas and Kanade's method
_FITS = 0.02  # exclusive: share of the variance that blurred tiles differ by; then no other transform is tried
_SNAP_GAIN = 0.9  # exclusive: another transform must leave so much less than the one that means the whole view

_window = np.hanning(TILE_PX + 2)[1:-1].astype(np.float32)
WINDOW = np.outer(_window, _window)
"""float32 (TILE_PX, TILE_PX), Hann's window without its zeros."""

_WINDOW_POWER = float((WINDOW**2).sum())
_FY = np.fft.fftfreq(TILE_PX)[:, None].astype(np.float32)
_FX = np.fft.rfftfreq(TILE_PX)[None, :].astype(np.float32)
_AXIS = np.arange(TILE_PX, dtype=np.float32)

_Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class TilePairs:
    """Tiles of the finer picture and where they lie in the coarser one.

    Attributes:
        fine: float32 (n, TILE_PX, TILE_PX), of the finer sampled picture, the one with most contrast first.
        patches: n float32 pieces of the coarser picture, each larger than its tile's view.
        transforms: float64 (n, 2, 3), pixels of a tile to pixels of its patch.
        scale: Pixels of the tiles' grid per pixel of the coarser picture along a line.
        contrast: Mean difference of neighbours in the best tile, in grey levels.
    """

    fine: _Array
    patches: tuple[_Array, ...]
    transforms: _Array
    scale: float
    contrast: float

    def sampled(self, interpolation: int) -> _Array:
        """float32 (n, TILE_PX, TILE_PX), the coarser picture at the tiles' pixels, by one of OpenCV's kernels."""
        return np.stack(
            [_sample(patch, way, interpolation) for patch, way in zip(self.patches, self.transforms, strict=True)]
        )


def frequencies() -> tuple[_Array, _Array]:
    """Cycles per pixel along x and y of `spectra`."""
    return _FX, _FY


def spectra(tiles: _Array) -> _Array:
    """complex (n, TILE_PX, TILE_PX / 2 + 1) of windowed tiles less their mean; squares are powers per pixel."""
    centred = (tiles - tiles.mean((1, 2), keepdims=True)) * (WINDOW / np.float32(np.sqrt(_WINDOW_POWER)))
    return np.asarray(np.fft.rfft2(centred))


def cut_tiles(fine: NDArray[np.uint8], coarse: NDArray[np.uint8], matrix: _Array, reduction: int) -> TilePairs | None:
    """Choose tiles, cut them, and refine the transform.

    Args:
        fine: (height, width) uint8, the picture with more pixels along a line of the view that both show.
        coarse: (height, width) uint8.
        matrix: float64 (2, 3), pixels of `fine` to those of `coarse`.
        reduction: `fine` is averaged over so many pixels a side first.

    Returns:
        None where no tile lies within both pictures.
    """
    # 1. The transforms from the grid of the tiles; a reduced pixel lies amid those that it stands for.
    whole = _whole_view(matrix, fine.shape, coarse.shape)
    given = _from_reduced(matrix, reduction)
    places, contrast = _places(fine, coarse.shape, given, reduction)
    if not len(places):
        return None
    tiles = np.stack([_tile(fine, place, reduction) for place in places])
    # 2. The whole view where that fits, because resizing maps exactly so; else what fits better.
    best: tuple[float, TilePairs] | None = None
    for known in ([] if whole is None else [_from_reduced(whole, reduction)]) + [given]:
        pairs = _paired(tiles, coarse, known, places, contrast)
        left, pairs = _aligned(pairs, places, snapped=known is not given)
        if best is None or left < best[0] * _SNAP_GAIN:
            best = left, pairs
        if best[0] < _FITS and known is not given:
            break
    return None if best is None else best[1]


def _from_reduced(matrix: _Array, reduction: int) -> _Array:
    way = np.array(matrix, np.float64)
    way[:, 2] += way[:, :2].sum(axis=1) * (reduction - 1) / 2
    way[:, :2] *= reduction
    return way


def _whole_view(matrix: _Array, fine: tuple[int, ...], coarse: tuple[int, ...]) -> _Array | None:
    """The transform that lays corner on corner in the same turn, or None where the matrix means something else."""
    height, width = fine[:2]
    sides = coarse[1], coarse[0]
    way = np.zeros((2, 3))
    turned = abs(matrix[0, 0] * matrix[1, 1]) < abs(matrix[0, 1] * matrix[1, 0])
    for row, side in enumerate(sides):
        column = 1 - row if turned else row
        step = side / (width, height)[column]
        ahead = matrix[row, column] >= 0
        way[row, column] = step if ahead else -step
        way[row, 2] = step / 2 - 0.5 if ahead else side - 0.5 - step / 2
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    apart = float(np.abs((matrix - way) @ corners).max())
    return way if apart <= max(_WHOLE_VIEW_PX, _WHOLE_VIEW_SHARE * max(sides)) else None


def _places(
    fine: NDArray[np.uint8], coarse: tuple[int, ...], way: _Array, reduction: int
) -> tuple[NDArray[np.int64], float]:
    """Upper left corners of the tiles on the reduced grid, the most contrasty first, and the contrast of the first."""
    height, width = fine.shape[0] // reduction, fine.shape[1] // reduction
    if min(height, width) < TILE_PX:
        return np.empty((0, 2), np.int64), 0.0
    steps = [min(_MAX_CANDIDATES, (side - TILE_PX) // (TILE_PX // 2) + 1) for side in (width, height)]
    lines = [
        np.linspace(0, side - TILE_PX, step).astype(np.int64) for side, step in zip((width, height), steps, strict=True)
    ]
    found = np.stack(np.meshgrid(*lines), -1).reshape(-1, 2)
    corners = np.array([[0, 0], [TILE_PX, 0], [0, TILE_PX], [TILE_PX, TILE_PX]])
    seen = (found[:, None] + corners) @ way[:, :2].T + way[:, 2]
    inside = ((seen >= -_WHOLE_VIEW_PX) & (seen <= np.array([coarse[1], coarse[0]]) + 0.5)).all(axis=(1, 2))
    found = found[inside]
    if not len(found):
        return found, 0.0
    span, step = TILE_PX * reduction, 2 * reduction
    samples = np.stack([fine[y : y + span : step, x : x + span : step] for x, y in found * reduction]).astype(np.int16)
    contrast = np.abs(np.diff(samples, axis=1)).mean((1, 2)) + np.abs(np.diff(samples, axis=2)).mean((1, 2))
    order = np.argsort(-contrast, kind="stable")
    limit = max(2, min(_MAX_TILES, _MAX_READ_PX // span**2))
    taken: list[int] = []
    for at in order:
        if len(taken) >= limit or contrast[at] < _CONTRAST_SHARE * contrast[order[0]]:
            break
        if all(np.abs(found[at] - found[other]).max() >= TILE_PX // 2 for other in taken):
            taken.append(int(at))
    return found[taken], float(contrast[order[0]])


def _tile(fine: NDArray[np.uint8], place: _Array, reduction: int) -> _Array:
    (left, top), span = place * reduction, TILE_PX * reduction
    piece = fine[top : top + span, left : left + span].astype(np.float32)
    return piece if reduction == 1 else cv2.resize(piece, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)


def _paired(tiles: _Array, coarse: NDArray[np.uint8], way: _Array, places: _Array, contrast: float) -> TilePairs:
    """The pieces of the coarser picture that the tiles need."""
    corners = np.array([[0, 0], [TILE_PX, 0], [0, TILE_PX], [TILE_PX, TILE_PX]])
    patches, transforms = [], []
    for place in places:
        seen = (place + corners) @ way[:, :2].T + way[:, 2]
        first = np.maximum(np.floor(seen.min(axis=0)).astype(int) - _MARGIN_PX, 0)
        last = np.maximum(np.ceil(seen.max(axis=0)).astype(int) + _MARGIN_PX, first + 4)
        patches.append(np.ascontiguousarray(coarse[first[1] : last[1], first[0] : last[0]], np.float32))
        local = way.copy()
        local[:, 2] += way[:, :2] @ place - first
        transforms.append(local)
    scale = 1 / float(np.sqrt(abs(np.linalg.det(way[:, :2]))))
    return TilePairs(tiles, tuple(patches), np.stack(transforms), scale, contrast)


def _sample(patch: _Array, way: _Array, interpolation: int) -> _Array:
    way = way.astype(np.float32)
    x = way[0, 0] * _AXIS[None, :] + way[0, 1] * _AXIS[:, None] + way[0, 2]
    y = way[1, 0] * _AXIS[None, :] + way[1, 1] * _AXIS[:, None] + way[1, 2]
    return cv2.remap(patch, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)


def _aligned(pairs: TilePairs, places: _Array, *, snapped: bool) -> tuple[float, TilePairs]:
    """The pairs moved so that they fit, and the share of the tiles' variance that is left once both are blurred.

    A transform that means the whole view is moved only where it clearly does not fit.
    """
    ways, scale = pairs.transforms.copy(), pairs.scale
    count = len(places)
    blurred = _blurred(pairs.fine, scale)
    if not snapped:
        other = TilePairs(pairs.fine, pairs.patches, ways, scale, pairs.contrast).sampled(cv2.INTER_LINEAR)
        ways[:, :, 2] -= ways[:, :, :2] @ _coarse_shift(pairs.fine, other, scale)
    left = np.inf
    for step in range(_STEPS + 1):
        moved = TilePairs(pairs.fine, pairs.patches, ways.copy(), scale, pairs.contrast)
        shifts, weights, left = _shifts(blurred, _blurred(moved.sampled(cv2.INTER_LINEAR), scale))
        if step == _STEPS or (snapped and np.abs(shifts).max() < 0.15 * scale):
            break
        common = _smooth(np.clip(shifts, -2 * scale, 2 * scale), weights, places, scale)
        ways[:, :, 2] += np.einsum("nij,nj->ni", ways[:, :, :2], common[:count])
    return left, moved


def _blurred(tiles: _Array, scale: float) -> _Array:
    sigma = max(1.0, 0.6 * scale)
    return np.stack([cv2.GaussianBlur(tile, (0, 0), sigma) for tile in tiles])


def _coarse_shift(fine: _Array, other: _Array, scale: float) -> _Array:
    """Whole pixels by which all tiles together are off, from the phases of what both pictures can show."""
    distance = np.hypot(_FX, _FY)
    band = (distance < 0.45 / scale) & (distance > 1.5 / TILE_PX)
    cross = spectra(fine) * spectra(other).conj() * band
    cross /= np.abs(cross) + 1e-3 * np.abs(cross).max() + 1e-9
    peak = np.fft.irfft2(cross.sum(axis=0), s=(TILE_PX, TILE_PX))
    reach = max(2, min(TILE_PX // 4, round(_REACH * scale)))
    middle = np.roll(peak, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    row, column = np.unravel_index(int(middle.argmax()), middle.shape)
    return np.array([column - reach, row - reach], np.float64)


def _shifts(fine: _Array, other: _Array) -> tuple[_Array, _Array, float]:
    """By how much each tile is off (x, y), what each axis has to say, and the share of the variance that differs."""
    along = np.empty_like(other), np.empty_like(other)
    along[0][:, :, 1:-1] = (other[:, :, 2:] - other[:, :, :-2]) / 2
    along[1][:, 1:-1] = (other[:, 2:] - other[:, :-2]) / 2
    for axis, values in enumerate(along):
        values[(..., [0, -1]) if axis == 0 else (slice(None), [0, -1])] = 0
    differs = fine - other
    differs -= (differs * WINDOW).sum((1, 2), keepdims=True) / WINDOW.sum()
    weighted = along[0] * WINDOW, along[1] * WINDOW
    xx, yy = (weighted[0] * along[0]).sum((1, 2)), (weighted[1] * along[1]).sum((1, 2))
    xy = (weighted[0] * along[1]).sum((1, 2))
    at = (weighted[0] * differs).sum((1, 2)), (weighted[1] * differs).sum((1, 2))
    damped = 0.02 * (xx + yy) + 1e-3  # an edge says nothing of its own direction
    determinant = (xx + damped) * (yy + damped) - xy**2
    shifts = np.stack(
        [((yy + damped) * at[0] - xy * at[1]) / determinant, ((xx + damped) * at[1] - xy * at[0]) / determinant], 1
    )
    spread = ((fine - fine.mean((1, 2), keepdims=True)) ** 2 * WINDOW).sum()
    return shifts, np.stack([xx, yy], 1), float((differs**2 * WINDOW).sum() / (spread + 1e-6))


def _smooth(shifts: _Array, weights: _Array, places: _Array, scale: float) -> _Array:
    """Shifts that one small affine correction explains, outliers left out."""
    count = len(places)
    middle = places.mean(axis=0)
    span = max(TILE_PX, float(np.ptp(places, axis=0).max()))
    terms = np.column_stack([np.ones(count), (places - middle) / span])
    reluctance = np.diag([1e-6, 0.3, 0.3] if count >= 5 else [1e-6, 30.0, 30.0])
    fitted = np.empty_like(shifts)
    for axis in (0, 1):
        amounts = shifts[:, axis]
        away = np.abs(amounts - np.median(amounts))
        weight = np.sqrt(weights[:, axis]) * (away <= max(0.5 * scale, 3 * float(np.median(away)) + 0.05))
        weight = weight * count / (weight.sum() + 1e-9)
        found = np.linalg.solve(terms.T @ (terms * weight[:, None]) + reluctance, terms.T @ (weight * amounts))
        fitted[:, axis] = terms @ found
    return fitted
