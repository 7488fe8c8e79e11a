"""Vectors in small families, and names for them."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

COUNT, DIMENSIONS = 1200, 32


def vectors(seed: int = 1, count: int = COUNT) -> NDArray[np.float16]:
    """Unit vectors in families of four."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.normal(size=(-(-count // 4), DIMENSIONS)), 4, axis=0)[:count]
    rows = centres + 0.5 * random.normal(size=centres.shape)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float16)


def names(count: int = COUNT, start: int = 0) -> list[str]:
    """Digests in no order."""
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(start, start + count)]


def queries(count: int = 6) -> NDArray[np.float32]:
    """Between stored vectors and others, of any length."""
    return vectors(2, count).astype(np.float32) + vectors()[: 4 * count : 4].astype(np.float32)
