"""Which of two pictures resolves more: the larger one may be a mere enlargement of the smaller.

Takes the luma of both and the transform that lays one on the other, gives a ratio, and nothing where the evidence is
thin; opens no files. One picture alone does not tell an enlargement from a soft photograph; the pair does. Whatever
the kernel (nearest, linear, cubic, Lanczos) and however it was sharpened, an enlargement is a linear function of the
smaller picture, beyond whose Nyquist frequency the larger one then holds only what that function predicts, noise and
the traces of codecs. Genuine detail is not predicted, is strong for the contrast around it, is gathered at edges and
texture (noise is spread evenly), and makes edges steeper. These marks are weighed together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.verification.resolution_tiles import (
    TILE_PX,
    WINDOW,
    TilePairs,
    cut_tiles,
    frequencies,
    spectra,
)

__all__ = ["RESOLUTION", "resolution_ratio"]

RESOLUTION = "resolution/3"
"""Name and version of this measure: a ratio under another name is another measure's."""

_Array = NDArray[Any]

_SAME_SCALE = 1.05  # inclusive: below, both pictures have as many pixels along a line
_MIN_SCALE = 1.12  # inclusive: the band between both Nyquist frequencies is too thin below
_REDUCE_FROM = 4.6  # exclusive scale, from which the larger picture is reduced first ...
_REDUCE_TO = 2.5  # ... to about this; one octave beyond the smaller picture's Nyquist frequency is enough
_MIN_TILES = 2  # inclusive
_MIN_CONTRAST = 1.0  # grey levels between neighbours in the best tile, exclusive: below there is nothing to see

# Set on 2,562 pairs from 70 photographs and drawings (scikit-image, Debian's wallpapers) and drawn documents: enlarged
# 1.2 to 4 times by ten kernels, sharpened or with noise, or reduced by eight, with JPEG, WebP and AVIF of 50 to 95.
_GENUINE = 0.85  # probability, inclusive: from here the larger picture has more
_ENLARGED = 0.15  # inclusive: up to here it has not; between them nobody knows
# Exclusive. What plain enlargements of drawn pages leave unexplained makes their edges steeper by .38 at most; more is
# either detail or sharpening, whatever the other marks say.
_STEEPER = 0.6
_INTERCEPT = -1.176
_USUAL: dict[str, tuple[float, float]] = {  # mean and spread, so that weights compare
    "structured": (-3.898, 1.771),
    "unexplained_log": (-0.759, 1.224),
    "unexplained": (0.674, 0.336),
    "spread": (1.019, 0.423),
    "edges": (0.094, 0.142),
    "power": (2.648, 2.485),
    "gain": (0.965, 0.300),
    "gain_top": (1.029, 0.433),
    "shared": (0.891, 0.171),
    "shared_top": (0.785, 0.227),
}
_WEIGHTS: tuple[tuple[tuple[str, ...], float], ...] = (
    (("structured",), 2.351),
    (("unexplained",), 3.738),
    (("spread",), 0.259),
    (("edges",), 2.022),
    (("structured", "shared_top"), 1.674),
    (("unexplained_log", "power"), 1.209),
    (("gain_top", "shared"), 1.444),
    (("gain_top", "power"), -0.459),
    (("gain", "edges"), -0.698),
    (("structured", "edges"), -1.015),
    (("shared_top", "shared"), -0.550),
    (("spread", "edges"), -0.334),
)

_BANDS = ((0.05, 0.15), (0.15, 0.25), (0.25, 0.35), (0.35, 0.45))  # cycles per pixel of the smaller picture
_LOST_GAIN = 0.3  # exclusive: of a band that the smaller picture shows the other keeps less, so has lost it
_MISSING_GAIN = 0.2  # exclusive: of a band so little that the larger picture cannot be what the smaller was made from
_ALIKE = 0.7  # exclusive: share in common of the lowest band, without which nothing is compared
_LEVEL_BAND = (0.22, 0.42)  # what detail beyond is measured against
_QUIET = 2.0  # power added to that level: tiles without signal weigh little
_BLOCK_PX = 8  # the evenness of noise shows over blocks of this side
_FLOOR_SHARE = 0.1  # the quietest blocks tell how strong even noise is

# Pictures of one size, of which one was blown up: much stricter, because noise and dither of the other look alike.
_FAINT_POWER = 0.1  # exclusive: share of the other's power in the top band
_SHARED_TOP = 0.5  # inclusive: share in common of the top band, without which two of equal power are not equal
_SOFT_BAND = (0.25, 0.45)
_SOFT_EDGES = 0.1  # inclusive: the contours of a palette of 32 colours reach .08
_SOFT_SPREAD = 0.8  # inclusive


@dataclass(frozen=True, slots=True)
class _Rest:
    """What the coarser picture does not explain of the finer one in a band.

    Attributes:
        power: Its power for the contrast around, the median of the tiles.
        structured: Of that what is not evenly spread.
        unexplained: Its share of all power in the band.
        spread: How unevenly it lies: standard deviation of the logarithm over blocks; noise has about .4.
        edges: Correlation with what would make edges steeper, without sign.
    """

    power: float
    structured: float
    unexplained: float
    spread: float
    edges: float


def resolution_ratio(luma_a: NDArray[np.uint8], luma_b: NDArray[np.uint8], matrix: NDArray[np.floating[Any]]) -> float:
    """How many pixels a resolves per pixel of b, along a line of what both show.

    Args:
        luma_a: (height, width) uint8, upright, at full resolution.
        luma_b: (height, width) uint8, likewise.
        matrix: float (2, 3), pixel coordinates of a (x, y; whole numbers are centres) to those of b, right within
            about three pixels of the coarser picture; turned and mirrored views may be.

    Returns:
        The scale of the matrix where the larger picture has more detail; at most 1 in favour of the smaller picture
        where the larger is an enlargement; NaN where the evidence is too thin to say either.
    """
    way = np.array(matrix, np.float64)
    area = abs(float(np.linalg.det(way[:, :2])))
    if not math.isfinite(area) or area <= 0:
        return math.nan
    scale = 1 / math.sqrt(area)
    if scale < 1:
        back = np.linalg.inv(way[:, :2])
        ratio = resolution_ratio(luma_b, luma_a, np.column_stack([back, -back @ way[:, 2]]))
        return 1 / ratio
    reduction = max(1, round(scale / _REDUCE_TO)) if scale > _REDUCE_FROM else 1
    pairs = cut_tiles(luma_a, luma_b, way, reduction)
    if pairs is None or len(pairs.fine) < _MIN_TILES or pairs.contrast <= _MIN_CONTRAST:
        return math.nan
    if scale <= _SAME_SCALE:
        return _same_scale(pairs, scale)
    return math.nan if scale < _MIN_SCALE else _enlarged(pairs, scale)


def _enlarged(pairs: TilePairs, scale: float) -> float:
    """The ratio of a larger picture to a smaller one."""
    beyond = _beyond(pairs)
    fine, cubic = spectra(pairs.fine), pairs.sampled(cv2.INTER_CUBIC)
    smooth = spectra(cubic)
    # 1. What both hold below the smaller picture's Nyquist frequency.
    weight, level = _weights(fine, beyond)
    gains, shared = _transfer(fine, smooth, beyond, weight)
    if not shared[0] > _ALIKE:
        return math.nan
    # 2. What only the larger one can hold.
    high = beyond > 0.5 + pairs.scale / TILE_PX
    kernels = [spectra(pairs.sampled(kernel)) for kernel in (cv2.INTER_NEAREST, cv2.INTER_LINEAR)]
    terms = _terms(kernels[0], kernels[1], smooth, high)
    steeper = spectra(_steepened(cubic, pairs.scale))
    rest = _rest(fine, steeper, terms, weight, high, beyond < 1.0)
    # 3. The verdict; an enlargement may even have lost what the smaller picture shows.
    probability = _probability(rest, gains, shared, level)
    lost = [band[0] for band, gain in zip(_BANDS, gains, strict=True) if gain < _LOST_GAIN]
    if probability >= _GENUINE:
        # Enlarged from still fewer pixels than the smaller one has, it is no function of that, and no detail either.
        return scale if min(gains) >= _MISSING_GAIN else math.nan
    if probability > _ENLARGED or rest.edges > _STEEPER:
        return math.nan
    return min([1.0, *(2 * frequency for frequency in lost)])


def _same_scale(pairs: TilePairs, scale: float) -> float:
    """The ratio of pictures of one size: the scale, unless one was clearly blown up from fewer pixels."""
    beyond = _beyond(pairs)
    first, second = pairs.fine, pairs.sampled(cv2.INTER_CUBIC)
    spectrum = spectra(first), spectra(second)
    top = (beyond > _BANDS[-1][0]) & (beyond < _BANDS[-1][1])
    powers = [float(np.median((np.abs(part) ** 2 * top).sum((1, 2)))) for part in spectrum]
    if min(powers) >= _FAINT_POWER * max(powers):
        # The steps of a picture blown up by repeating pixels are as strong as detail, but none of the other's.
        _, shared = _transfer(*spectrum, beyond, _weights(spectrum[0], beyond)[0])
        return scale if shared[-1] >= _SHARED_TOP else math.nan
    soft, sharp = (1, 0) if powers[1] < powers[0] else (0, 1)
    weight, _ = _weights(spectrum[sharp], beyond)
    lost, shared = _transfer(spectrum[soft], spectrum[sharp], beyond, weight)
    if not shared[0] > _ALIKE:
        return math.nan
    band = (beyond > _SOFT_BAND[0]) & (beyond < _SOFT_BAND[1])
    terms = _terms(spectrum[soft], spectrum[soft], spectrum[soft], band)
    steeper = spectra(_steepened((first, second)[soft], 2.0))
    rest = _rest(spectrum[sharp], steeper, terms, weight, band, band)
    if rest.edges < _SOFT_EDGES or rest.spread < _SOFT_SPREAD:
        return math.nan
    left = min([1.0, *(2 * part[0] for part, gain in zip(_BANDS, lost, strict=True) if gain < _LOST_GAIN)])
    return scale * left if soft == 0 else scale / left


def _beyond(pairs: TilePairs) -> _Array:
    """Frequencies of the tiles' spectra in cycles per pixel of the coarser picture, the greater of both its axes."""
    fx, fy = frequencies()
    turn = np.linalg.inv(pairs.transforms[0][:, :2]).T
    axes = [np.abs(turn[row, 0] * fx + turn[row, 1] * fy) for row in (0, 1)]
    return np.asarray(np.maximum(*axes))


def _weights(fine: _Array, beyond: _Array) -> tuple[_Array, float]:
    """What makes tiles of different contrast count alike, and the usual power below the Nyquist frequency."""
    middle = (beyond > _LEVEL_BAND[0]) & (beyond < _LEVEL_BAND[1])
    level = (np.abs(fine) ** 2 * middle).sum((1, 2)) / max(1, middle.sum())
    return 1 / (level + _QUIET), float(np.median(level))


def _transfer(fine: _Array, smooth: _Array, beyond: _Array, weight: _Array) -> tuple[list[float], list[float]]:
    """For each of `_BANDS` how strongly the first shows what the second does, and the share in common (-1 .. 1)."""
    gains, shared = [], []
    for low, top in _BANDS:
        band = (beyond > low) & (beyond < top)
        mine, its = fine[:, band], smooth[:, band]
        cross = float(((mine * its.conj()).real.sum(1) * weight).sum())
        power = [float(((np.abs(part) ** 2).sum(1) * weight).sum()) for part in (mine, its)]
        gains.append(cross / (power[1] + 1e-9))
        shared.append(cross / math.sqrt(power[0] * power[1] + 1e-12))
    return gains, shared


def _terms(nearest: _Array, linear: _Array, cubic: _Array, band: _Array) -> _Array:
    """Linear functions of the coarser picture by which enlargements are predicted: complex (terms, tiles, bins).

    Each kernel, sharpened and blurred within the fine grid; first derivatives stand for shifts that are left over.
    """
    axes = [np.broadcast_to(axis, band.shape)[band] for axis in frequencies()]
    square = axes[0] ** 2 + axes[1] ** 2
    blur = np.exp(-2 * np.pi**2 * square)  # a Gaussian of one pixel; to the fourth power, of two
    kernels = nearest[:, band], linear[:, band], cubic[:, band]
    found = [
        *(kernels[0] * part for part in (1, blur, np.sqrt(square))),
        *(kernels[1] * part for part in (1, square, blur)),
        *(kernels[2] * part for part in (1, square, blur, blur**4)),
        *(kernel * (1j * axis) for kernel in kernels[:2] for axis in axes),
    ]
    return np.stack(found)


def _rest(fine: _Array, steeper: _Array, terms: _Array, weight: _Array, band: _Array, near: _Array) -> _Rest:
    """What the terms leave unexplained in a band; powers are of those bins that are also `near`."""
    share = np.sqrt(weight)[:, None]
    weighted = (terms * share).reshape(len(terms), -1)
    target, edges = fine[:, band] * share, steeper[:, band] * share
    both = np.stack([target.ravel(), edges.ravel()])
    rest, edges = (both - _explained(weighted, both)).reshape(2, *target.shape)
    inner = near[band]
    left = (np.abs(rest[:, inner]) ** 2).mean(axis=1)
    whole = (np.abs(target[:, inner]) ** 2).mean(axis=1)
    norm = math.sqrt(float((np.abs(rest) ** 2).sum() * (np.abs(edges) ** 2).sum()))
    spread, floor = _unevenness(rest, band)
    power = float(np.median(left))
    return _Rest(
        power=power,
        structured=power * (1 - floor),
        unexplained=float(left.sum() / (whole.sum() + 1e-9)),
        spread=spread,
        edges=abs(float((rest * edges.conj()).real.sum())) / (norm + 1e-12),
    )


def _explained(terms: _Array, targets: _Array) -> _Array:
    """The least squares prediction of each target by real multiples of the terms."""
    gram = (terms @ terms.conj().T).real
    gram[np.diag_indices_from(gram)] += 1e-5 * np.diag(gram) + 1e-9
    return np.asarray(np.linalg.solve(gram, (terms @ targets.conj().T).real).T @ terms)


def _steepened(tiles: _Array, scale: float) -> _Array:
    """What sharpening without overshoot would add: the direction in which edges get steeper."""
    reach = max(1, round(scale / 2))
    around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    added = []
    for tile in tiles:
        sharper = tile + 3 * (tile - cv2.GaussianBlur(tile, (0, 0), 0.8 * scale))
        added.append(np.clip(sharper, cv2.erode(tile, around), cv2.dilate(tile, around)) - tile)
    return np.stack(added)


def _unevenness(rest: _Array, band: _Array) -> tuple[float, float]:
    """Standard deviation of the logarithm of energy over blocks, and the share of it that the quietest have too."""
    full = np.zeros((len(rest), *band.shape), np.complex64)
    full[:, band] = rest
    edge = TILE_PX // 8
    inner = slice(edge, TILE_PX - edge)
    energy = (np.fft.irfft2(full, s=(TILE_PX, TILE_PX)) / WINDOW)[:, inner, inner] ** 2
    count = energy.shape[1] // _BLOCK_PX
    blocks = energy.reshape(len(rest), count, _BLOCK_PX, count, _BLOCK_PX).mean((2, 4)).ravel() + 1e-12
    return float(np.log(blocks).std()), float(np.quantile(blocks, _FLOOR_SHARE) / blocks.mean())


def _probability(rest: _Rest, gains: list[float], shared: list[float], level: float) -> float:
    """That the larger picture holds detail of its own: a logistic curve over marks and products of two of them."""
    marks = {
        "structured": math.log(max(rest.structured, 1e-4)),
        "unexplained_log": math.log(max(rest.unexplained, 1e-3)),
        "unexplained": rest.unexplained,
        "spread": min(rest.spread, 2.0),
        "edges": min(rest.edges, 1.0),
        "power": math.log(max(rest.power * level, 1e-2)),
        "gain": min(max(gains[2], 0.0), 2.0),
        "gain_top": min(max(gains[3], 0.0), 2.0),
        "shared": min(max(shared[2], 0.0), 1.0),
        "shared_top": min(max(shared[3], 0.0), 1.0),
    }
    scaled = {name: (marks[name] - mean) / spread for name, (mean, spread) in _USUAL.items()}
    total = _INTERCEPT + sum(weight * math.prod(scaled[name] for name in names) for names, weight in _WEIGHTS)
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))
