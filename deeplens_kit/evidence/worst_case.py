"""The numbers of wrong pairs that a stratified sample leaves believable, however they lie in the strata.

Takes counts by stratum and an allowed error, gives the fewest and the most. A number is believable where one of the
ways in which so many can lie makes the sample likely enough. Few ways are all looked at; of many the worst is searched
for. Must not know where counts come from.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["WorstCase", "stratum_bounds"]

_Counts = NDArray[np.int64]
# So many ways to lie are all looked at.
_ALL_WAYS = 500


class WorstCase:
    """A stratified sample and the worst ways in which wrong pairs can lie.

    Args:
        sizes: int64 (h,), pairs in each stratum.
        drawn: int64 (h,), pairs of the sample in each, at least 1 and fewer than all.
        scale: float64 (h,), what one wrong pair of the sample adds to the sum that tells samples apart.
        low: int64 (h,), fewest wrong pairs that may lie in each.
        high: int64 (h,), most of them.
    """

    def __init__(self, sizes: _Counts, drawn: _Counts, scale: NDArray[np.float64], low: _Counts, high: _Counts) -> None:
        self._columns = (sizes, drawn, scale, low, high)
        self._fewest, self._most = int(low.sum()), int(high.sum())
        self._odds = (sizes - drawn) / drawn
        by_odds = np.argsort(-self._odds, kind="stable")
        # The least sampled first, the most sampled first, and each stratum first.
        each = [np.concatenate([[first], by_odds[by_odds != first]]) for first in by_odds[1:]]
        self._orders = np.array([by_odds, by_odds[::-1], *each])

    def chance(self, total: int, cap: int, *, above: bool, enough: float = 1.0, thorough: bool = True) -> float:
        """The greatest chance of a sum of at most `cap`, or above it, where `total` pairs are wrong.

        Args:
            total: Within what may lie in the strata.
            cap: Inclusive.
            above: Ask for sums above `cap`.
            enough: The search may end where a chance above this is found.
            thorough: Look at all ways to lie, or climb where they are many.
        """
        from deeplens_kit.evidence.tail_kernels import chance_in_all_ways, worst_chance

        strata = len(self._odds)
        if thorough and math.comb(total - self._fewest + strata - 1, strata - 1) <= _ALL_WAYS:
            return float(chance_in_all_ways(*self._columns, total, cap, above))
        orders = self._orders if thorough else self._orders[:2]
        return float(worst_chance(*self._columns, total, cap, above, self._odds, orders, enough, thorough))

    def most(self, cap: int, error: float) -> int:
        """The greatest number of wrong pairs under which a sum of at most `cap` is likelier than `error`."""
        below, above = self._fewest, self._most
        while below < above:
            middle = (below + above + 1) // 2
            if self.chance(middle, cap, above=False, enough=error, thorough=False) > error:
                below = middle
            else:
                above = middle - 1
        # What a thorough search finds beyond: the greatest chance falls as wrong pairs are added.
        step = 1
        while step:
            further = below + step
            if further <= self._most and self.chance(further, cap, above=False, enough=error) > error:
                below, step = further, step * 2
            else:
                step //= 2
        return below

    def fewest(self, reached: int, error: float) -> int:
        """The least number of wrong pairs under which a sum of at least `reached` is likelier than `error`."""
        below, above = self._fewest, self._most
        while below < above:
            middle = (below + above) // 2
            if self.chance(middle, reached - 1, above=True, enough=error, thorough=False) > error:
                above = middle
            else:
                below = middle + 1
        step = 1
        while step:
            further = above - step
            if further >= self._fewest and self.chance(further, reached - 1, above=True, enough=error) > error:
                above, step = further, step * 2
            else:
                step //= 2
        return above


def stratum_bounds(size: int, drawn: int, found: int, error: float) -> tuple[int, int]:
    """Fewest and most wrong pairs of one stratum of which `found` among `drawn` are wrong, each but for `error`.

    The plain hypergeometric bounds, exact.
    """
    from deeplens_kit.evidence.tail_kernels import sum_at_most

    one, whole, sampled = np.ones(1), np.array([size]), np.array([drawn])

    def at_most(cap: int, wrong: int) -> float:
        return float(sum_at_most(whole, sampled, np.array([wrong]), one, cap))

    below, above = found, size - (drawn - found)
    while below < above:
        middle = (below + above + 1) // 2
        if at_most(found, middle) > error:
            below = middle
        else:
            above = middle - 1
    most = below
    below, above = found, size - (drawn - found)
    while below < above:
        middle = (below + above) // 2
        if 1 - at_most(found - 1, middle) > error:
            above = middle
        else:
            below = middle + 1
    return below, most
