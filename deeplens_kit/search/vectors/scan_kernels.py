"""Scores of float16 vectors where they lie, in a file or in memory, without a copy of them in 32 bits.

Takes the bits of float16 values and gives float32 scores. Nothing in it may be NaN or without bounds: `storable` sees
to that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["products", "squared_distances", "widened"]

# Fifteen bits moved to the place of a float32's are its value divided by this, also where the float16 has no leading
# one: IEEE 754, the difference of the exponents' offsets is 112.
_SCALE = np.float32(2.0**112)
_SIGN, _VALUE = np.uint32(0x8000), np.uint32(0x7FFF)
_TO_SIGN, _TO_VALUE = np.uint32(16), np.uint32(13)


def _read_as_float32(typing_context: Any, bits: Any) -> Any:
    """How numba reads 32 bits as a float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.uint32), generate


_as_float32 = cast("Callable[[Any], np.float32]", intrinsic(_read_as_float32))

# Sums may be taken in any order: that is what lets sixteen products run in one instruction.
_vectorised = numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})


@_vectorised
def products(bits: NDArray[np.uint16], rows: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """The product of a vector (d,) with rows of (n, d): float32 (m,)."""
    scores = np.empty(len(rows), np.float32)
    for number in range(len(rows)):
        row, total = rows[number], np.float32(0.0)
        for column in range(bits.shape[1]):
            value = np.uint32(bits[row, column])
            total += _as_float32(((value & _SIGN) << _TO_SIGN) | ((value & _VALUE) << _TO_VALUE)) * query[column]
        scores[number] = total * _SCALE
    return scores


@_vectorised
def squared_distances(
    bits: NDArray[np.uint16], rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The squared distance of a vector (d,) from rows of (n, d): float32 (m,)."""
    distances = np.empty(len(rows), np.float32)
    for number in range(len(rows)):
        row, total = rows[number], np.float32(0.0)
        for column in range(bits.shape[1]):
            value = np.uint32(bits[row, column])
            found = _as_float32(((value & _SIGN) << _TO_SIGN) | ((value & _VALUE) << _TO_VALUE)) * _SCALE
            total += (found - query[column]) * (found - query[column])
        distances[number] = total
    return distances


@_vectorised
def widened(bits: NDArray[np.uint16], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows of (n, d) as float32 (m, d)."""
    vectors = np.empty((len(rows), bits.shape[1]), np.float32)
    for number in range(len(rows)):
        row = rows[number]
        for column in range(bits.shape[1]):
            value = np.uint32(bits[row, column])
            bit = ((value & _SIGN) << _TO_SIGN) | ((value & _VALUE) << _TO_VALUE)
            vectors[number, column] = _as_float32(bit) * _SCALE
    return vectors
