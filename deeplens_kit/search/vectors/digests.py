"""Digests as 32 bytes each, and which of them are the same, for millions at once.

Takes digests in hexadecimal or as bytes, gives bytes, texts and rows. Most questions are answered by the first eight
bytes, as numbers that are in the order of the digests; all 32 are compared before anything counts as the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["DIGEST_BYTES", "digest_bytes", "digest_texts", "leading_numbers", "rows_of", "sorting_order"]

DIGEST_BYTES = 32

_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_VALUES = np.full(256, 255, np.uint8)
_VALUES[_DIGITS] = np.arange(16)
_BLOCK = 65_536


def digest_bytes(digests: pl.Series | Sequence[str]) -> NDArray[np.uint8]:
    """Digests in hexadecimal, of 64 small digits each, as uint8 (n, 32).

    Raises:
        ValueError: One of them is something else.
    """
    texts = digests if isinstance(digests, pl.Series) else pl.Series("digest", list(digests), pl.String)
    packed = np.empty((len(texts), DIGEST_BYTES), np.uint8)
    for first in range(0, len(texts), _BLOCK):
        part = texts.slice(first, _BLOCK)
        if part.null_count() or not (part.str.len_bytes() == 2 * DIGEST_BYTES).all():
            raise ValueError("a digest has 64 digits")
        values = _VALUES[np.frombuffer(str(part.str.join().item()).encode(), np.uint8)].reshape(-1, DIGEST_BYTES, 2)
        if values.max(initial=0) > 15:
            raise ValueError("a digest has digits from 0 to f only")
        packed[first : first + len(part)] = (values[:, :, 0] << 4) | values[:, :, 1]
    return packed


def digest_texts(digests: NDArray[np.uint8]) -> pl.Series:
    """Digests, uint8 (n, 32), in hexadecimal."""
    pieces = []
    for first in range(0, len(digests), _BLOCK):
        text = np.ascontiguousarray(digests[first : first + _BLOCK]).tobytes().hex()
        pieces.append(pl.Series([text[at : at + 2 * DIGEST_BYTES] for at in range(0, len(text), 2 * DIGEST_BYTES)]))
    return pl.concat(pieces).alias("digest") if pieces else pl.Series("digest", [], pl.String)


def leading_numbers(digests: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The first eight bytes of digests, uint8 (n, 32), as numbers in their order: uint64 (n,)."""
    return np.ascontiguousarray(digests[:, :8]).view(">u8").reshape(-1).astype(np.uint64)


def sorting_order(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The rows of digests, uint8 (n, 32), in rising order."""
    numbers = leading_numbers(digests)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    if not (ordered[1:] == ordered[:-1]).any():
        return order
    # Digests of contents never agree in 64 bits; those of a test may.
    words = np.ascontiguousarray(digests).view(">u8")
    return np.lexsort([words[:, column] for column in range(words.shape[1] - 1, -1, -1)])


def rows_of(known: NDArray[np.uint8], asked: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where digests are among others.

    Args:
        known: uint8 (n, 32), each once; a search among those in rising order is the faster.
        asked: uint8 (m, 32).

    Returns:
        int64 (m,): the row of `known` that each has; -1 where it is not there.
    """
    if len(known) == len(asked) and np.array_equal(known, asked):
        return np.arange(len(known), dtype=np.int64)
    rows = np.full(len(asked), -1, np.int64)
    if not len(known) or not len(asked):
        return rows
    numbers, wanted = leading_numbers(known), leading_numbers(asked)
    order = None if bool((numbers[1:] > numbers[:-1]).all()) else np.argsort(numbers, kind="stable")
    ordered = numbers if order is None else numbers[order]
    if order is not None and (ordered[1:] == ordered[:-1]).any():
        return _joined(known, asked)
    at = np.searchsorted(ordered, wanted)
    inside = np.flatnonzero(at < len(ordered))
    hits = inside[ordered[at[inside]] == wanted[inside]]
    found = at[hits] if order is None else order[at[hits]]
    same = (known[found] == asked[hits]).all(axis=1)
    rows[hits[same]] = found[same]
    return rows


def _joined(known: NDArray[np.uint8], asked: NDArray[np.uint8]) -> NDArray[np.int64]:
    """As `rows_of`, whatever the digests have in common."""
    row = {digest.tobytes(): number for number, digest in enumerate(known)}
    return np.array([row.get(digest.tobytes(), -1) for digest in asked], np.int64)
