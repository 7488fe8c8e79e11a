"""What to label next: samples of the candidates for estimates, or near a boundary.

Takes candidates, proposals and thresholds; gives pairs in the order to ask for them. A pair's luck is a number that
depends on the seed and its digests alone (permanent random numbers, Ohlsson 1995): a larger sample of one seed holds
the smaller one, and pictures that come or go move no other pair. Must not look at a verdict: what is drawn may
depend on nothing that labels say.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError
from deeplens_kit.evidence.strata import Strata, entering_levels, strata_of
from deeplens_kit.evidence.tables import SAMPLE

__all__ = ["allocation", "draw_boundary", "draw_stratified", "luck_of", "lucky_order"]

# Each stratum gets so many before any gets more.
_FIRST_LABELS = 2
# SHA-256 in hexadecimal; of a longer text only the beginning counts.
_DIGEST_BYTES = 64


def draw_stratified(
    candidates: pl.DataFrame, proposals: pl.DataFrame, levels: Sequence[float], budget: int, seed: int
) -> pl.DataFrame:
    """A sample for estimates: of each stratum of proposals by its size, and some of what is never proposed.

    Any first part of it is a sample by itself, and one of a larger budget begins with it.

    Args:
        candidates: CANDIDATES.
        proposals: PROPOSALS.
        levels: Thresholds, strictest first.
        budget: Pairs to draw; all where there are fewer.
        seed: Of the luck; one a workspace, so that samples add up.

    Returns:
        SAMPLE, in the order to ask for them.

    Raises:
        SettingsError: The budget is below 1.
    """
    _refuse_budget(budget)
    strata = strata_of(candidates, proposals, levels)
    taken = allocation(strata.weights, strata.sizes, budget)
    order = lucky_order(candidates, seed)
    waiting = [iter(order[strata.number[order] == stratum].tolist()) for stratum in range(len(strata.names))]
    rows = np.array([next(waiting[stratum]) for stratum in taken], np.int64)
    share = np.bincount(taken, minlength=len(strata.names)) / np.maximum(strata.sizes, 1)
    return _sample(candidates, rows, strata, share[taken])


def draw_boundary(
    candidates: pl.DataFrame,
    proposals: pl.DataFrame,
    levels: Sequence[float],
    level: int,
    budget: int,
    leave_out: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The pairs nearest to a threshold, half of them proposed there and half not: where a label teaches most.

    They are picked, not drawn, so that their chance of being in it is not known and no estimate counts them.

    Args:
        candidates: CANDIDATES.
        proposals: PROPOSALS.
        levels: Thresholds, strictest first.
        level: Of the threshold, from 0.
        budget: Pairs to pick; fewer where there are no more.
        leave_out: `digest_a` and `digest_b` of pairs not to ask for, for example because they are labelled.

    Returns:
        SAMPLE without chances, the nearest first.

    Raises:
        SettingsError: The budget is below 1, or there is no such level.
    """
    _refuse_budget(budget)
    if not 0 <= level < len(levels):
        raise SettingsError(
            f"The level is {level}; there are {len(levels)} thresholds, so give 0 to {len(levels) - 1}."
        )
    strata, entering = strata_of(candidates, proposals, levels), entering_levels(candidates.height, proposals)
    scores = candidates["score"].to_numpy().astype(np.float64)
    steps = np.where(entering >= 0, np.abs(entering - level), len(levels))
    inside = (entering >= 0) & (entering <= level)
    free = np.ones(candidates.height, bool)
    if leave_out is not None:
        key = ["digest_a", "digest_b"]
        known = leave_out.select(key).unique().with_columns(known=pl.lit(True))
        free = (
            candidates.select(key).join(known, on=key, how="left", maintain_order="left")["known"].is_null().to_numpy()
        )
    picked = []
    for side, sign in ((inside, 1.0), (~inside, -1.0)):
        # Nearest by level; within one the least alike of those proposed, and the most alike of the others.
        order = np.lexsort((luck_of(candidates, 0), sign * scores, steps))
        picked.append(order[(side & free)[order]])
    yes, no = picked
    half = (budget + 1) // 2
    yes = yes[: max(half, budget - len(no))]
    no = no[: budget - len(yes)]
    rows = np.array([row for pair in _alternating(yes.tolist(), no.tolist()) for row in pair], np.int64)
    return _sample(candidates, rows, strata, None)


def lucky_order(candidates: pl.DataFrame, seed: int) -> NDArray[np.int64]:
    """int64 (n,): rows of the candidates, the luckiest first."""
    return np.argsort(luck_of(candidates, seed), kind="stable")


def luck_of(candidates: pl.DataFrame, seed: int) -> NDArray[np.float64]:
    """float64 (n,): a number from 0 to 1 for each pair, as good as random, by the seed and its two digests alone."""
    mixed = np.full(candidates.height, np.uint64(seed & 0xFFFF_FFFF_FFFF_FFFF))
    for column in ("digest_a", "digest_b"):
        # One text of all digests, each as long as the others, is read as numbers at once.
        text = candidates[column].str.slice(0, _DIGEST_BYTES).str.pad_end(_DIGEST_BYTES, "\0").str.join("").item()
        words = np.frombuffer(text.encode("ascii", "replace"), np.uint64).reshape(-1, _DIGEST_BYTES // 8)
        for word in words.T:
            mixed = _mixed(mixed ^ word)
        mixed = _mixed(mixed)
    return (mixed >> np.uint64(11)) / np.float64(2**53)


def allocation(weights: NDArray[np.float64], sizes: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """Which stratum each label goes to, in order: by weight, as seats of a parliament are given.

    The method of Webster and Sainte-Laguë: a larger budget never takes a label from a stratum.

    Args:
        weights: float64 (h,), above 0.
        sizes: int64 (h,), pairs in each stratum.
        budget: Labels; no more than there are pairs are given.
    """
    given = np.zeros(len(sizes), np.int64)
    queue = [(0, -weights[stratum], stratum) for stratum in range(len(sizes)) if sizes[stratum]]
    heapq.heapify(queue)
    taken: list[int] = []
    while queue and len(taken) < budget:
        *_, stratum = heapq.heappop(queue)
        taken.append(stratum)
        given[stratum] += 1
        if given[stratum] < sizes[stratum]:
            later = int(given[stratum] >= _FIRST_LABELS)
            heapq.heappush(queue, (later, -weights[stratum] / (given[stratum] + 0.5), stratum))
    return np.array(taken, np.int64)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood 2014): each bit of the input changes about half of those of the output."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E37_79B9_7F4A_7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return words ^ (words >> np.uint64(31))


def _sample(
    candidates: pl.DataFrame, rows: NDArray[np.int64], strata: Strata, inclusion: NDArray[np.float64] | None
) -> pl.DataFrame:
    numbers = strata.number[rows]
    frame = candidates.select("digest_a", "digest_b")[rows].with_columns(
        position=pl.int_range(len(rows), dtype=pl.Int64),
        pair=pl.Series(rows, dtype=pl.UInt32),
        stratum=pl.Series([strata.names[number] for number in numbers], dtype=pl.String),
        stratum_size=pl.Series(strata.sizes[numbers], dtype=pl.Int64),
        inclusion=pl.lit(None, pl.Float64) if inclusion is None else pl.Series(inclusion, dtype=pl.Float64),
    )
    return SAMPLE.check(frame)


def _alternating(yes: list[int], no: list[int]) -> list[list[int]]:
    longest = max(len(yes), len(no))
    return [yes[at : at + 1] + no[at : at + 1] for at in range(longest)]


def _refuse_budget(budget: int) -> None:
    if budget < 1:
        raise SettingsError(f"The number of labels is {budget}; it must be at least 1.")
