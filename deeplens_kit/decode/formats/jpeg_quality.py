"""Estimate of the quality with which a JPEG was saved, from its quantisation tables.

Takes the tables in the zigzag order of the file, gives 1..100; must not look at pixels. Exact for every encoder
that scales the example tables of ITU-T T.81, Annex K, as the Independent JPEG Group's does; otherwise the
quality whose scaled example tables have the same mean step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

__all__ = ["estimate_quality"]

# ITU-T T.81 (1992), tables K.1 and K.2, row by row.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def _zigzag(rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    # Diagonals of the 8 x 8 block; the odd ones run downwards.
    order = sorted(
        ((row, column) for row in range(8) for column in range(8)),
        key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]),
    )
    return tuple(rows[row][column] for row, column in order)


_BASES = (_zigzag(_LUMINANCE), _zigzag(_CHROMINANCE))


@lru_cache(maxsize=1)
def _known() -> dict[tuple[int, ...], int]:
    """Luminance table -> quality, for every quality of the IJG scale."""
    return {_scaled(0, quality): quality for quality in range(1, 101)}


@lru_cache(maxsize=256)
def _scaled(base: int, quality: int) -> tuple[int, ...]:
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((step * percent + 50) // 100, 1), 255) for step in _BASES[base])


def estimate_quality(tables: Sequence[tuple[int, ...]]) -> int | None:
    """Estimate the IJG quality.

    Args:
        tables: The table of the first component and, if there is one, of the second: 64 steps each, zigzag order.

    Returns:
        1..100, or None without tables.
    """
    if not tables:
        return None
    exact = _known().get(tables[0])
    if exact is not None and (len(tables) == 1 or tables[1] in (_scaled(1, exact), tables[0])):
        return exact
    return _nearest(tuple(tables[:2]))


@lru_cache(maxsize=1024)  # a library holds the tables of a few cameras and programs
def _nearest(tables: tuple[tuple[int, ...], ...]) -> int:
    target = sum(map(sum, tables))

    def miss(quality: int) -> tuple[int, int]:
        mine = [_scaled(base, quality) for base in range(len(tables))]
        return abs(sum(map(sum, mine)) - target), -quality

    return min(range(1, 101), key=miss)
