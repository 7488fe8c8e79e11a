"""How many pixels of a picture really carry detail; enlarging a picture adds none.

Takes the bytes of one file, gives a count; must be used only to choose which of two copies stays. Two marks of an
enlargement are looked for, each along rows and along columns. Repeated lines: nearest-neighbour enlargement gives
columns equal to their neighbour, so such runs are counted once. A band limit: every other kernel leaves the upper
part of the spectrum nearly empty, while edges, whose power falls with the square of the frequency, fill it in a
sharp photograph. The picture's own blur shows in the same way, and rightly: a blurred photograph resolves less.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode.picture import decode_luma
from deeplens_kit.settings import DecodeSettings

__all__ = ["effective_pixels", "effective_share"]

_TILE_PX = 128  # long enough that the window's own spread (2 bins) stays small below a fourfold enlargement
_MIN_TILE_PX = 32  # inclusive; below, nothing can be said and every pixel counts
_MAX_TILES = 96
_TILE_CONTRAST_SHARE = 0.25  # of the best tile's, inclusive: flat tiles hold only noise
_MIN_CONTRAST = 1.0  # grey levels per pixel, inclusive: below, there is no detail to measure

_ROUNDING_POWER = 1 / 12  # variance of rounding to whole grey levels
_SMOOTHING = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0

# Both were set on scikit-image's photographs and a set of consumer photographs, enlarged 1.5, 2 and 4 times
# with the usual kernels and saved as JPEG 85; see the tests for what they reach.
_EMPTY_BELOW = 0.12  # of the peak of the whitened spectrum, exclusive: the kernels' images lie below it
_STEEP_DROP = 5.0  # exclusive: power lost within `_STEEP_SPAN`; blur by optics falls more gently
_STEEP_SPAN = 1.25
_PRIOR_SPAN = 1.5  # the drop is measured against the mean from frequency / 1.5 on

_REPEAT_PERIODICITY = 0.15  # inclusive: amplitude of the line differences' rhythm; sharp kernels stay near 0.1
_REPEAT_LINE_SHARE = 0.75  # of the mean difference nearby, inclusive: a line that repeats its neighbour
_MAX_REPEAT = 8  # lines; the longest period looked for, inclusive
_LEAST_DISTINCT = 0.18  # of the lines, inclusive: below lie the blocks of strong JPEG compression, 8 px apart
_AXES_AGREE = 1.4  # inclusive ratio of both axes: an enlargement repeats both alike, a striped shirt only one


def effective_pixels(data: bytes, settings: DecodeSettings) -> int:
    """Count the pixels that carry detail; the same bytes always give the same count.

    Args:
        data: The whole file.
        settings: Limits, each inclusive.

    Returns:
        1 .. width x height of the stored picture.

    Raises:
        ObjectError: As `picture.decode_picture`.
    """
    luma = decode_luma(data, settings)
    across, down = effective_share(luma)
    return max(1, min(luma.size, round(luma.size * across * down)))


def effective_share(luma: NDArray[np.uint8]) -> tuple[float, float]:
    """The shares of width and height that carry detail.

    Args:
        luma: (height, width) uint8.

    Returns:
        Two numbers in (0, 1]: columns, rows.
    """
    shares = _band_limits(luma)
    distinct = _without_repeats(luma)
    if distinct.shape == luma.shape:
        return shares
    kept = distinct.shape[1] / luma.shape[1], distinct.shape[0] / luma.shape[0]
    limits = _band_limits(distinct)
    # Both marks are looked for in their own right: a kernel's ripple may pass for repeats, and hides none of its limit.
    return min(shares[0], kept[0] * limits[0]), min(shares[1], kept[1] * limits[1])


def _band_limits(luma: NDArray[np.uint8]) -> tuple[float, float]:
    """The shares of the frequencies along rows and along columns that carry signal; 1 where nothing can be said."""
    if min(luma.shape) < _MIN_TILE_PX:
        return 1.0, 1.0
    tiles = _contrasty_tiles(luma)
    if tiles is None:
        return 1.0, 1.0
    return _band_limit(tiles), _band_limit(tiles.swapaxes(1, 2))


def _without_repeats(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Drop the columns and rows that repeat the one before, where both do so alike."""
    columns, rows = _new_lines(luma), _new_lines(luma.T)
    shares = float(columns.mean()), float(rows.mean())
    if min(shares) < _LEAST_DISTINCT or max(shares) > _AXES_AGREE * min(shares):
        return luma
    return luma[np.ix_(rows, columns)]


def _new_lines(luma: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which columns differ from their left neighbour; all of them where repeats keep no rhythm."""
    width = luma.shape[1]
    every = np.ones(width, dtype=np.bool_)
    if width < 4 * _MAX_REPEAT:
        return every
    steps = np.abs(np.diff(luma.astype(np.int16), axis=1)).mean(axis=0)
    if steps.mean() < _MIN_CONTRAST / 4:
        return every
    span = 2 * _MAX_REPEAT + 1
    around = np.lib.stride_tricks.sliding_window_view(np.pad(steps, _MAX_REPEAT, mode="reflect"), span)
    mean = around.mean(axis=1)
    relative = steps / np.maximum(mean, 1e-6)
    if _rhythm(np.minimum(relative, _MAX_REPEAT) - 1) < _REPEAT_PERIODICITY:
        return every
    every[1:] = steps > _REPEAT_LINE_SHARE * mean
    return every


def _rhythm(signal: NDArray[np.float64]) -> float:
    """The greatest amplitude of a regular beat with a period of at most `_MAX_REPEAT` lines."""
    window = np.hanning(len(signal))
    amplitude = np.abs(np.fft.rfft(signal * window)) / window.sum()
    first = int(np.ceil(len(signal) / _MAX_REPEAT)) - 1
    return float(amplitude[first:].max())


def _contrasty_tiles(luma: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """(tiles, side, side) of the places with the most contrast, or None where there is none."""
    side = min(_TILE_PX, *luma.shape) & ~1
    rows, columns = (length // side for length in luma.shape)
    grid = luma[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2)
    tiles = grid.reshape(-1, side, side)
    contrast = np.array([_contrast(tile) for tile in tiles])
    if contrast.max() < _MIN_CONTRAST:
        return None
    order = np.argsort(-contrast, kind="stable")[:_MAX_TILES]
    chosen = order[contrast[order] >= _TILE_CONTRAST_SHARE * contrast.max()]
    return np.asarray(tiles[chosen], dtype=np.float32)


def _contrast(tile: NDArray[np.uint8]) -> float:
    signed = tile.astype(np.int16)
    return float(np.abs(np.diff(signed, axis=0)).mean() + np.abs(np.diff(signed, axis=1)).mean())


def _band_limit(tiles: NDArray[np.float32]) -> float:
    """The share of the horizontal frequencies up to Nyquist's that carry signal, in (0, 1]."""
    spectrum = _whitened_spectrum(tiles)
    bins = len(spectrum)
    peak = int(spectrum.argmax())
    empty = np.flatnonzero(spectrum[peak:] < spectrum[peak] + np.log(_EMPTY_BELOW))
    end = peak + int(empty[0]) if len(empty) else bins
    return min(1.0, (end + 1) / bins, (_steep_drop(spectrum) + 1) / bins)


def _whitened_spectrum(tiles: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log power of the horizontal gradient by frequency, from the first bin to Nyquist's; flat for ideal edges."""
    side = tiles.shape[2]
    window = np.hanning(side).astype(np.float32)
    centred = (tiles - tiles.mean(axis=2, keepdims=True)) * window
    power = (np.abs(np.fft.rfft(centred, axis=2)) ** 2).mean(axis=1) / float((window**2).sum())
    frequency = np.arange(1, side // 2 + 1) / side
    signal = np.maximum(power[:, 1:] - 2 * _ROUNDING_POWER, 1e-3) * np.sin(np.pi * frequency) ** 2
    logarithm = np.log(signal)
    # Each tile against its own peak, so that one loud texture does not speak for the picture.
    mean = (logarithm - logarithm.max(axis=1, keepdims=True)).mean(axis=0)
    half = len(_SMOOTHING) // 2
    return np.convolve(np.pad(mean, half, mode="edge"), _SMOOTHING, "valid")


def _steep_drop(spectrum: NDArray[np.float64]) -> int:
    """The first bin behind which the power falls off a cliff; the number of bins where there is none."""
    bins = len(spectrum)
    total = np.concatenate([[0.0], np.cumsum(spectrum)])
    for at in range(4, int((bins - 1) / _STEEP_SPAN)):
        start = int(at / _PRIOR_SPAN)
        prior = (total[at + 1] - total[start]) / (at + 1 - start)
        after = spectrum[round((at + 1) * _STEEP_SPAN) - 1]
        if prior - after > np.log(_STEEP_DROP):
            return round(at * (1 + _STEEP_SPAN) / 2)
    return bins
