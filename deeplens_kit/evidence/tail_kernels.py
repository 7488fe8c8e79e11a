"""How likely a stratified sample is where so many pairs are wrong, in the worst way in which they can lie; compiled.

Takes sizes, draws and numbers of wrong pairs by stratum; gives exact tail probabilities and the greatest of them. A
sample is told by one whole number, the sum over strata of `int(scale * wrong + .5)`: any such sum gives a valid test,
and `scale` is chosen so that it follows the estimate. Must not know what a stratum is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled

__all__ = ["chance_in_all_ways", "sum_at_most", "worst_chance"]

_Counts = NDArray[np.int64]
_Numbers = NDArray[np.float64]
# Of the chance of the likeliest value: what is less likely than this adds nothing that a float64 could hold.
_NEGLIGIBLE = 1e-17
# The smallest step of the search for the worst way to lie is one pair, or this share of all wrong ones.
_FINEST_STEP = 4000
# A gain of a chance that is smaller than this share of it is the rounding of floats.
_NO_GAIN = 1e-12
_HALVINGS = 60
# With so few wrong pairs chances rise and fall by steps, so that each way to begin with is climbed from.
_FEW = 40


@compiled
def _chances(size: int, drawn: int, wrong: int, into: _Numbers) -> tuple[int, int]:
    """The hypergeometric law: chances of first, first + 1 ... wrong pairs among those drawn; gives first and count."""
    least, most = max(0, drawn + wrong - size), min(drawn, wrong)
    mode = min(max((drawn + 1) * (wrong + 1) // (size + 2), least), most)
    chance, first = 1.0, mode
    while first > least:
        chance *= first * (size - wrong - drawn + first) / ((wrong - first + 1.0) * (drawn - first + 1.0))
        if chance < _NEGLIGIBLE:
            break
        first -= 1
        into[first - least] = chance
    # Moved to the front once it is known where the law begins.
    shift = first - least
    for at in range(mode - first):
        into[at] = into[at + shift]
    into[mode - first] = 1.0
    chance, last = 1.0, mode
    while last < most:
        chance *= (wrong - last) * (drawn - last) / ((last + 1.0) * (size - wrong - drawn + last + 1.0))
        if chance < _NEGLIGIBLE:
            break
        last += 1
        into[last - first] = chance
    count, total = last - first + 1, 0.0
    for at in range(count):
        total += into[at]
    for at in range(count):
        into[at] /= total
    return first, count


@compiled
def sum_at_most(sizes: _Counts, drawn: _Counts, wrong: _Counts, scale: _Numbers, cap: int) -> float:
    """Chance that the sum over all strata is at most `cap`.

    Args:
        sizes: int64 (h,), pairs in each stratum.
        drawn: int64 (h,), pairs of the sample in each.
        wrong: int64 (h,), wrong pairs in each.
        scale: float64 (h,), what one wrong pair of the sample adds to the sum, before it is rounded.
        cap: Inclusive.

    Returns:
        0 to 1, exact but for the rounding of floats.
    """
    if cap < 0:
        return 0.0
    last = -1
    for stratum in range(len(sizes)):
        if drawn[stratum] and wrong[stratum]:
            last = stratum
    if last < 0:
        return 1.0
    room = 0
    for stratum in range(len(sizes)):
        room = max(room, drawn[stratum] + 1)
    chances, steps = np.empty(room), np.empty(room, np.int64)
    sums, following = np.empty(cap + 1), np.empty(cap + 1)
    sums[0] = 1.0
    low = high = 0
    for stratum in range(last):
        if not (drawn[stratum] and wrong[stratum]):
            continue
        first, count = _chances(sizes[stratum], drawn[stratum], wrong[stratum], chances)
        for at in range(count):
            steps[at] = int(scale[stratum] * (first + at) + 0.5)
        new_low, new_high = low + steps[0], min(cap, high + steps[count - 1])
        if new_low > cap:
            return 0.0
        for to in range(new_low, new_high + 1):
            following[to] = 0.0
        for reached in range(low, high + 1):
            chance = sums[reached]
            if chance == 0.0:
                continue
            for at in range(count):
                to = reached + steps[at]
                if to > cap:
                    break
                following[to] += chance * chances[at]
        sums, following = following, sums
        low, high = new_low, new_high
    first, count = _chances(sizes[last], drawn[last], wrong[last], chances)
    for at in range(count):
        steps[at] = int(scale[last] * (first + at) + 0.5)
        if at:
            chances[at] += chances[at - 1]
    found, at = 0.0, count - 1
    for reached in range(low, high + 1):
        while at >= 0 and reached + steps[at] > cap:
            at -= 1
        if at < 0:
            break
        found += sums[reached] * chances[at]
    return min(found, 1.0)


@compiled
def _filled(order: _Counts, low: _Counts, high: _Counts, total: int, lying: _Counts) -> None:
    """`total` wrong pairs, as many as may be in the first stratum of the order, then in the next."""
    left = total
    for stratum in range(len(low)):
        left -= low[stratum]
    for stratum in order:
        added = min(left, high[stratum] - low[stratum])
        lying[stratum] = low[stratum] + added
        left -= added


@compiled
def _most_varied(
    odds: _Numbers, sizes: _Counts, by_odds: _Counts, low: _Counts, high: _Counts, total: int, lying: _Counts
) -> None:
    """`total` wrong pairs such that the estimate varies most, about: its variance is concave in how they lie."""
    below, above = -odds[by_odds[0]] - 1.0, odds[by_odds[0]] + 1.0
    reached = 0
    for _ in range(_HALVINGS):
        price = (below + above) / 2
        reached = 0
        for stratum in range(len(sizes)):
            wanted = sizes[stratum] / 2 * (1 - price / odds[stratum])
            lying[stratum] = int(min(max(wanted, low[stratum]), high[stratum]))
            reached += lying[stratum]
        if reached == total:
            return
        if reached > total:
            below = price
        else:
            above = price
    # Rounding, and prices at which one stratum jumps, leave a rest, either way.
    for stratum in by_odds:
        added = min(max(total - reached, low[stratum] - lying[stratum]), high[stratum] - lying[stratum])
        lying[stratum] += added
        reached += added


@compiled
def _chance(sizes: _Counts, drawn: _Counts, lying: _Counts, scale: _Numbers, cap: int, above: bool) -> float:
    at_most = sum_at_most(sizes, drawn, lying, scale, cap)
    return 1.0 - at_most if above else at_most


@compiled
def chance_in_all_ways(
    sizes: _Counts, drawn: _Counts, scale: _Numbers, low: _Counts, high: _Counts, total: int, cap: int, above: bool
) -> float:
    """The greatest chance over each and every way in which `total` wrong pairs can lie; see `worst_chance`."""
    strata, best, left = len(sizes), 0.0, total
    lying = np.empty(strata, np.int64)
    for stratum in range(strata):
        lying[stratum] = low[stratum]
        left -= low[stratum]
    while True:
        if low[strata - 1] + left <= high[strata - 1]:
            lying[strata - 1] = low[strata - 1] + left
            best = max(best, _chance(sizes, drawn, lying, scale, cap, above))
        # The next way to share `left` out: one more in a stratum, as an odometer turns.
        at = strata - 2
        while at >= 0 and (left == 0 or lying[at] == high[at]):
            left += lying[at] - low[at]
            lying[at] = low[at]
            at -= 1
        if at < 0:
            return best
        lying[at] += 1
        left -= 1


@compiled
def worst_chance(
    sizes: _Counts,
    drawn: _Counts,
    scale: _Numbers,
    low: _Counts,
    high: _Counts,
    total: int,
    cap: int,
    above: bool,
    odds: _Numbers,
    orders: _Counts,
    enough: float,
    climbing: bool,
) -> float:
    """A great chance of a sum of at most `cap`, or above it, over the ways in which `total` wrong pairs can lie.

    Args:
        sizes: int64 (h,), pairs in each stratum.
        drawn: int64 (h,), pairs of the sample in each, at least 1 and fewer than all.
        scale: float64 (h,), as for `sum_at_most`.
        low: int64 (h,), fewest wrong pairs that may lie in each.
        high: int64 (h,), most of them.
        total: How many there are; from the sum of `low` to that of `high`.
        cap: Inclusive.
        above: Ask for sums above `cap`.
        odds: float64 (h,), pairs that were not drawn for one that was.
        orders: int64 (k, h), orders of the strata in which they are filled to begin with, the first by falling odds.
        enough: The search ends where a chance above this is found.
        climbing: Move wrong pairs from one stratum to another, ever fewer at a time, while that makes it likelier.
    """
    best, strata = -1.0, len(sizes)
    lying = np.empty(strata, np.int64)
    for start in range(len(orders) + 1):
        if start:
            _filled(orders[start - 1], low, high, total, lying)
        else:
            _most_varied(odds, sizes, orders[0], low, high, total, lying)
        chance = _chance(sizes, drawn, lying, scale, cap, above)
        climbs = climbing and chance <= enough and (start == 0 or total <= _FEW or chance > best)
        finest = max(1, total // _FINEST_STEP)
        step = max(finest, total // 8) if climbs else 0
        while step:
            moved = False
            for pair in range(strata * strata):
                source, goal = pair // strata, pair % strata
                size = min(step, lying[source] - low[source], high[goal] - lying[goal])
                if source == goal or size <= 0 or chance > enough:
                    continue
                lying[source] -= size
                lying[goal] += size
                tried = _chance(sizes, drawn, lying, scale, cap, above)
                if tried > chance * (1 + _NO_GAIN):
                    chance, moved = tried, True
                else:
                    lying[source] += size
                    lying[goal] -= size
            if not moved or chance > enough:
                step = 0 if step <= finest or chance > enough else max(finest, step // 4)
        best = max(best, chance)
        if best > enough:
            break
    return best
