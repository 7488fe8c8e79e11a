"""How an exact Hamming search cuts hashes into bands, or compares everything because that is cheaper.

Takes the number of items, their length and the radius; gives bands with a radius each such that two hashes within
the whole radius are surely within the radius of a band in at least one (Norouzi, Punjani and Fleet, "Fast search in
Hamming space with multi-index hashing", CVPR 2012, section 3.1). Must not look at the hashes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Band", "BandPlan", "plan_bands"]

# Nanoseconds on an AMD EPYC with AVX-512, where only the ratios matter: looking into a bucket, finding something in
# it, each item in it (half of which lie behind the query), each item where everything is compared (the same half).
_BUCKET_COST, _FILLED_COST, _ITEM_COST, _SCAN_COST = 6.0, 12.0, 1.1, 0.8

# 2^22 buckets are 16 MB for each band.
_MAX_WIDTH = 22


@dataclass(frozen=True, slots=True)
class Band:
    """Bits `low` up to `low + width` of a hash, probed within `radius` bits (inclusive)."""

    low: int
    width: int
    radius: int

    def masks(self) -> NDArray[np.uint64]:
        """What to flip in a key to reach every key within the radius: uint64, nearest first."""
        flips = [
            sum(1 << bit for bit in chosen)
            for count in range(self.radius + 1)
            for chosen in combinations(range(self.width), count)
        ]
        return np.array(flips, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class BandPlan:
    """The bands to probe; none: compare everything."""

    bands: tuple[Band, ...]

    @property
    def scans(self) -> bool:
        """Every item is compared."""
        return not self.bands


def plan_bands(items: int, bits: int, radius: int) -> BandPlan:
    """The cheapest exact plan. For small radii its bands come out about log2(items) bits wide.

    Args:
        items: How many hashes are searched.
        bits: Bits of a hash, a multiple of 64.
        radius: Bits, inclusive.
    """
    best, least = BandPlan(()), items * _SCAN_COST
    for count in range(math.ceil(bits / _MAX_WIDTH), bits // 4 + 1):
        bands = _cut(bits, count, radius)
        cost = sum(_probes(band) * _visit(items / 2**band.width) for band in bands)
        if cost < least:
            best, least = BandPlan(bands), cost
    return best


def _cut(bits: int, count: int, radius: int) -> tuple[Band, ...]:
    """`count` bands of nearly equal width: the first radius % count + 1 probe one bit further than the rest."""
    share, further = divmod(radius, count)
    bands, low = [], 0
    for number in range(count):
        width = bits // count + (number < bits % count)
        reach = min(share if number <= further else share - 1, width)
        # A band with nothing to probe is not built.
        if reach >= 0:
            bands.append(Band(low, width, reach))
        low += width
    return tuple(bands)


def _probes(band: Band) -> int:
    return sum(math.comb(band.width, count) for count in range(band.radius + 1))


def _visit(load: float) -> float:
    """Cost of looking into one bucket that holds `load` items on average."""
    return _BUCKET_COST + _FILLED_COST * min(load, 1.0) + _ITEM_COST * load
