"""What a moved threshold changes, compiled: how far pairs lie from their bounds, and who keeps whom.

Takes arrays of numbers that `regrouping` prepared once; gives margins and keepers. Must not know what a column means
beyond its place: bounds, widths and the reasons to withhold come in as numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled

__all__ = ["adjacency", "distance_columns", "keepers_of", "largest_star", "margin_of", "margins", "nearest"]

distance_columns = 2
"""Of the columns of evidence so many are distances, in whole bits; the others are cosines."""


@compiled
def margin_of(value: float, bound: float, width: float, is_distance: bool) -> float:
    """How far evidence is from an inclusive bound, in units of `width`: not negative where it meets the bound.

    Between the last distance that meets a bound and the first that does not lies a whole bit; half of it is given to
    each, so that both are equally near.
    """
    return (bound + 0.5 - value) / width if is_distance else (value - bound) / width


@compiled
def _clause_margin(values: NDArray[np.float32], bounds: NDArray[np.float64], widths: NDArray[np.float64]) -> float:
    """The least margin of the bounds that are set (not NaN); evidence that is missing (NaN) meets none."""
    least = np.inf
    for column in range(len(bounds)):
        if np.isnan(bounds[column]):
            continue
        if np.isnan(values[column]):
            return -np.inf
        least = min(least, margin_of(values[column], bounds[column], widths[column], column < distance_columns))
    return least


@compiled
def margins(
    evidence: NDArray[np.float32],
    situation: NDArray[np.uint8],
    other_shots: NDArray[np.bool_],
    clauses: NDArray[np.float64],
    firsts: NDArray[np.int64],
    other: NDArray[np.float64],
    widths: NDArray[np.float64],
) -> NDArray[np.float32]:
    """How far each pair is from the nearest clause of its situation; not negative where it is a copy.

    Args:
        evidence: float32 (m, 5), pHash and PDQ distance in bits, two cosines, the likelihood; NaN where missing.
        situation: uint8 (m,), which clauses apply; the last situation is that no clause does.
        other_shots: bool (m,), where the clause `other` must hold as well.
        clauses: float64 (c, 5), bounds by clause, NaN where not set.
        firsts: int64 (situations,), where the clauses of each situation begin; the last is c.
        other: float64 (0 or 1, 5).
        widths: float64 (5,), what is one unit in each column.

    Returns:
        float32 (m,), -inf where nothing applies or evidence is missing.
    """
    count, situations = len(evidence), len(firsts) - 1
    found = np.full(count, -np.inf, np.float32)
    for pair in range(count):
        applies = situation[pair]
        if applies >= situations:
            continue
        best = -np.inf
        for clause in range(firsts[applies], firsts[applies + 1]):
            best = max(best, _clause_margin(evidence[pair], clauses[clause], widths))
        if other_shots[pair] and len(other):
            best = min(best, _clause_margin(evidence[pair], other[0], widths))
        found[pair] = best
    return found


@compiled
def nearest(
    margins: NDArray[np.float32],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    place: NDArray[np.int64],
    limit: int,
    accepted: bool,
) -> NDArray[np.int64]:
    """The edges nearest to their bounds on one side, the nearest first, equally near ones by the places of their ends.

    Args:
        margins: float32 (m,).
        left: int32 (m,).
        right: int32 (m,).
        place: int64 (n,), of each picture.
        limit: At most so many.
        accepted: Of those that are copies, else of those that are not; without evidence (-inf) neither.
    """
    kept, distance = np.empty(limit, np.int64), np.empty(limit, np.float32)
    first, second = np.empty(limit, np.int64), np.empty(limit, np.int64)
    count = 0
    for edge in range(len(margins)):
        margin = margins[edge]
        if limit == 0 or (margin >= 0) != accepted or margin == -np.inf:
            continue
        away = abs(margin)
        if count == limit and away > distance[limit - 1]:
            continue
        low, high = place[left[edge]], place[right[edge]]
        if low > high:
            low, high = high, low
        at = count
        while at > 0 and (
            away < distance[at - 1]
            or (away == distance[at - 1] and (low < first[at - 1] or (low == first[at - 1] and high < second[at - 1])))
        ):
            at -= 1
        if at == limit:
            continue
        count = min(count + 1, limit)
        for behind in range(count - 1, at, -1):
            kept[behind], distance[behind] = kept[behind - 1], distance[behind - 1]
            first[behind], second[behind] = first[behind - 1], second[behind - 1]
        kept[at], distance[at], first[at], second[at] = edge, away, low, high
    return kept[:count]


@compiled
def adjacency(
    left: NDArray[np.int32], right: NDArray[np.int32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The edges at each picture: int64 (count + 1,) where they begin, int32 (2 m,) their numbers."""
    starts = np.zeros(count + 1, np.int64)
    for edge in range(len(left)):
        starts[left[edge] + 1] += 1
        starts[right[edge] + 1] += 1
    for picture in range(count):
        starts[picture + 1] += starts[picture]
    edges = np.empty(2 * len(left), np.int32)
    free = starts[:-1].copy()
    for edge in range(len(left)):
        for picture in (left[edge], right[edge]):
            edges[free[picture]] = edge
            free[picture] += 1
    return starts, edges


@compiled
def keepers_of(
    accepted: NDArray[np.bool_],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    outdone: NDArray[np.uint8],
    allowed: NDArray[np.uint8],
    proposable: NDArray[np.uint8],
    starts: NDArray[np.int64],
    edges: NDArray[np.int32],
    classes: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
    """Visit pictures best first; one that nobody has taken takes every free copy of it that it may take.

    Args:
        accepted: bool (m,), which edges are copies.
        left: int32 (m,), rising, the picture that is better where the sizes are of one class.
        right: int32 (m,), the other picture, rising where `left` stays.
        outdone: uint8 (m,), bit 0 where the right one, a copy, would make the left one an upscale, bit 1 vice versa.
        allowed: uint8 (m,), bit (4 where the right one keeps) + (1 where the left is an upscale) + (2 where the right
            is) says whether the one that comes first may take the other.
        proposable: uint8 (m,), bit 0 says whether the right one's relation to the left one is proposed, bit 1 the left
            one's to the right one: where it is not, nothing was withheld.
        starts: int64 (n + 1,), from `adjacency`.
        edges: int32 (2 m,), from `adjacency`.
        classes: int32 (2, n), the class of size of each picture, as it is and as an upscale.

    Returns:
        int32 (n,) keeper of each picture, int32 (n,) the edge by which it was taken, both -1 for none, and how many
        copies have two ends that nobody took.
    """
    count = len(starts) - 1
    keeper, link = np.full(count, -1, np.int32), np.full(count, -1, np.int32)
    if count == 0:
        return keeper, link, 0
    # 1. Which pictures a smaller copy outdoes.
    upscale = np.zeros(count, np.uint8)
    for edge in range(len(left)):
        if accepted[edge] and outdone[edge]:
            upscale[left[edge]] |= outdone[edge] & 1
            upscale[right[edge]] |= outdone[edge] >> 1
    # 2. The order: larger classes first, else by number; counted out, because there are few classes.
    lowest, highest = classes.min(), classes.max()
    places = np.zeros(highest - lowest + 2, np.int64)
    for picture in range(count):
        places[highest - classes[upscale[picture], picture] + 1] += 1
    for place in range(1, len(places)):
        places[place] += places[place - 1]
    order = np.empty(count, np.int32)
    for picture in range(count):
        place = highest - classes[upscale[picture], picture]
        order[places[place]] = picture
        places[place] += 1
    # 3. The stars.
    for place in range(count):
        picture = int(order[place])
        if keeper[picture] >= 0:
            continue
        for at in range(starts[picture], starts[picture + 1]):
            edge = edges[at]
            if not accepted[edge]:
                continue
            first = left[edge] == picture
            other = right[edge] if first else left[edge]
            case = (0 if first else 4) + upscale[left[edge]] + 2 * upscale[right[edge]]
            if keeper[other] < 0 and (allowed[edge] >> case) & 1:
                keeper[other], link[other] = picture, edge
    # 4. What matches and was taken by nobody, nor took the other end, was withheld.
    withheld, last = 0, -1  # the last that was counted
    for number in range(len(left)):
        low, high = left[number], right[number]
        if accepted[number] and keeper[low] < 0 and keeper[high] < 0:
            right_keeps = classes[upscale[low], low] < classes[upscale[high], high]
            if not (proposable[number] >> (1 if right_keeps else 0)) & 1:
                continue
            # Edges are in order, so that one given twice is met twice in a row.
            if last < 0 or left[number] != left[last] or right[number] != right[last]:
                withheld += 1
            last = number
    return keeper, link, withheld


@compiled
def largest_star(keeper: NDArray[np.int32], objects: NDArray[np.int64]) -> tuple[int, int]:
    """How many pictures keep others, and the most objects that one of them keeps."""
    members = np.zeros(len(keeper), np.int64)
    for picture in range(len(keeper)):
        if keeper[picture] >= 0:
            members[keeper[picture]] += objects[picture]
    keepers, most = 0, 0
    for picture in range(len(keeper)):
        keepers += members[picture] > 0
        most = max(most, members[picture])
    return keepers, most
