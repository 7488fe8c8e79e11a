"""Which numbers of a picture of floating-point or very large whole numbers are black and white.

Takes samples of any range, gives that range; must not be led by a few of them: highlights above white, ringing below
black, what a sensor missed. What was meant by a number is not written down anywhere in such files.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["shares", "shown_range"]

_MOST_LOOKED_AT = 1_000_000  # own bound: samples from all over the picture tell as much as all of them
_FEW = 0.001  # of the samples, at either end, that say nothing about the range
_WHITES: Final = (1.0, 255.0, 65535.0, float(2**32 - 1))
_USED: Final = {1.0: 1 / 64, 255.0: 1 / 4, 65535.0: 1 / 4, float(2**32 - 1): 1 / 4}
"""The share of a natural range that the brightest samples reach (inclusive) where that range was meant: less of it is
what somebody measured, and would be black. Light is often dim, so that of 0 to 1 less suffices."""

_USED_BY_WHOLE_NUMBERS = 1 / 8  # inclusive: of 0 to 255, where all are whole numbers
_BELOW_BLACK = 0.1  # of the range, inclusive: resampling rings so far below black
_FAR_FROM_BLACK = 0.25  # of the brightest, inclusive: heights and temperatures begin there, light does not
_MOSTLY = 75.0  # per cent of the samples that are no brighter than white, where 0 to 1 was meant
_DIM = 1 / 64  # of white: a picture whose samples mostly are darker is none with white at 1
_LONG_TAIL = 8.0  # times what most samples reach (exclusive): the brightest are highlights
_ROUNDING = 1e-3  # of whole numbers that were kept as floating-point ones


def shares(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Samples by their place in the range that they were meant in: 0 black, 1 white, clipped; NaN is black."""
    low, high = shown_range(samples)
    placed = (samples.astype(np.float64) - low) / (high - low)
    return np.clip(np.nan_to_num(placed, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)


def shown_range(samples: NDArray[Any]) -> tuple[float, float]:
    """What is black and what is white, the former below the latter.

    Args:
        samples: Real numbers of any shape; those that are not finite say nothing.
    """
    flat = samples.reshape(-1)
    # An odd step, so that of pictures of even width not the same columns alone are looked at.
    flat = flat[:: (flat.size // _MOST_LOOKED_AT) | 1].astype(np.float64)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 1.0
    low = float(np.quantile(flat, _FEW, method="lower"))
    high = float(np.quantile(flat, 1 - _FEW, method="higher"))
    most = float(np.quantile(flat, _MOSTLY / 100, method="higher"))
    if low < -_BELOW_BLACK * high:
        return (low, high) if low < high else (low, 0.0)
    whole = bool(np.abs(flat - np.round(flat)).max() <= _ROUNDING)
    natural = _natural(high, most, whole)
    if natural is not None:
        return 0.0, natural
    if high <= 0:
        return 0.0, 1.0
    if low >= _FAR_FROM_BLACK * high:
        return (low, high) if low < high else (0.0, high)
    if high > _LONG_TAIL * most > 0:
        high = 2 * most
    return 0.0, high


def _natural(high: float, most: float, whole: bool) -> float | None:
    """White of the usual range that was meant; None where it was none of them."""
    for white in _WHITES:
        used = _USED_BY_WHOLE_NUMBERS if whole and white == _WHITES[1] else _USED[white]
        if high <= white:
            return white if high >= used * white else None
        if white == _WHITES[0] and not whole and _DIM <= most <= white:
            return white  # what is brighter than white are highlights
    return None
