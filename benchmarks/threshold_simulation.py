"""Whether intervals, curves and recommended thresholds keep what they claim, on populations whose truth is known.

A population has a few thousand pairs, of which some are wrong. Many samples are drawn of it, each is labelled by the
truth, and what is computed of it is held against the truth: how often an interval holds it, how often all bounds of a
curve do, how often a recommended threshold breaks its promise, and how wide intervals are beside stratified Wilson
intervals (Yan and Su 2010), which are about right for large samples and promise nothing for small ones.

    python -m benchmarks.threshold_simulation [--draws N] [--budget N ...] [--processes N] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.report import Report, print_report
from deeplens_kit.evidence import CANDIDATES, PROPOSALS, VERDICTS, Survey, draw_stratified, recall, removal_curve
from deeplens_kit.evidence.bounds import Cells
from deeplens_kit.evidence.recommending import passed_levels

__all__ = ["POPULATIONS", "Population", "main", "measure", "population", "simulated", "wilson_width"]

SEED = 20_261_201
DRAWS, BUDGETS, WRONG_SHARES = 500, (50, 200, 1_000), (0.005, 0.05, 0.3)
POPULATIONS = ("rising", "unrelated", "not nested")
CONFIDENCE = 0.95
LEVELS = tuple(round(0.98 - 0.06 * step, 2) for step in range(9))
_PROPOSED, _NEVER = 2_400, 900
# The levels at which an interval is looked at, each by itself: as if it had been chosen before.
_LOOKED_AT = (1, 4, len(LEVELS) - 1)
_PROMISES = (0.99, 0.95)


@dataclass(frozen=True)
class Population:
    """Pairs with their truth.

    Attributes:
        candidates: CANDIDATES.
        proposals: PROPOSALS.
        wrong: bool (n,), which candidates are different pictures.
        precision: float64 (levels,), the truth at each level.
    """

    candidates: pl.DataFrame
    proposals: pl.DataFrame
    wrong: NDArray[np.bool_]
    precision: NDArray[np.float64]


def population(kind: str, wrong_share: float, seed: int) -> Population:
    """A population of one kind.

    Args:
        kind: "rising": the lower the score the more are wrong. "unrelated": wrong ones lie anywhere. "not nested": as
            rising, but a fifth of the proposals end before the loosest level, and some begin anew.
        wrong_share: Of the pairs that are proposed at some level, 0 to 1.
        seed: Of which.
    """
    random = np.random.default_rng([seed, POPULATIONS.index(kind), int(wrong_share * 1000)])
    count = _PROPOSED + _NEVER
    # Half of the proposals at the strict end, as in a library of plain copies.
    strength = np.concatenate([random.beta(0.6, 1.0, _PROPOSED), np.full(_NEVER, 1.0)])
    score = np.where(strength < 1, 1 - strength * 0.5, random.random(count) * 0.5)
    first = np.array([sum(bound > value for bound in LEVELS) for value in score[:_PROPOSED]])
    first = np.minimum(first, len(LEVELS) - 1)
    chance = np.ones(_PROPOSED) if kind == "unrelated" else strength[:_PROPOSED] ** 2 + 0.002
    wrong = np.zeros(count, bool)
    # So many are wrong, no more and no fewer, the likelier ones first (Efraimidis and Spirakis 2006).
    keys = random.random(_PROPOSED) ** (1 / chance)
    wrong[np.argsort(-keys)[: round(_PROPOSED * wrong_share)]] = True
    wrong[_PROPOSED:] = random.random(_NEVER) < 0.9
    rows = np.arange(_PROPOSED)
    last = np.full(_PROPOSED, len(LEVELS) - 1)
    if kind == "not nested":
        ends = random.random(_PROPOSED) < 0.2
        last = np.where(ends, random.integers(first, len(LEVELS)), last)
        again = np.flatnonzero((last + 2 < len(LEVELS)) & (random.random(_PROPOSED) < 0.5))
        rows, first = np.concatenate([rows, again]), np.concatenate([first, last[again] + 2])
        last = np.concatenate([last, np.full(len(again), len(LEVELS) - 1)])
    digests = [f"{number:064x}" for number in range(2 * count)]
    candidates = pl.DataFrame(
        {"digest_a": digests[::2], "digest_b": digests[1::2], "tier": ["copy"] * count, "score": score},
        schema=CANDIDATES.polars,
    )
    frees = random.integers(20_000, 4_000_000, len(rows))
    proposals = pl.DataFrame(
        {"pair": rows, "first_level": first, "last_level": last, "frees_bytes": frees}, schema=PROPOSALS.polars
    )
    truth = []
    for level in range(len(LEVELS)):
        there = np.unique(rows[(first <= level) & (level <= last)])
        truth.append(1 - wrong[there].mean())
    return Population(candidates, proposals, wrong, np.array(truth))


def simulated(kind: str, wrong_share: float, budget: int, draws: int, seed: int) -> dict[str, object]:
    """What many samples of one population say, against the truth."""
    whole = population(kind, wrong_share, seed)
    labels = whole.candidates.select("digest_a", "digest_b").with_columns(
        verdict=pl.Series(np.where(whole.wrong, "different", "same"))
    )
    labels = VERDICTS.check(labels)
    # Just more than the middle level keeps, so that showing it there is an error, and an easy one to make.
    middle = _LOOKED_AT[1]
    edge = whole.precision[middle] + 1e-6
    held = dict.fromkeys(
        ("interval_low_level", "interval_middle", "interval_loosest", "one_sided", "all_levels", "recall"), 0
    )
    broken = dict.fromkeys((*_PROMISES, edge), 0)
    shown = dict.fromkeys((*_PROMISES, edge), 0)
    widths, wilson, wilson_finite = (np.zeros(len(_LOOKED_AT)) for _ in range(3))
    one_sided = np.zeros(len(_LOOKED_AT))
    found = Survey.of(whole.candidates, whole.proposals, LEVELS, labels.clear(), labels, seed).proposed(middle)
    recall_truth, recall_width = (found & ~whole.wrong).sum() / (~whole.wrong).sum(), 0.0
    for draw in range(draws):
        sample = draw_stratified(whole.candidates, whole.proposals, LEVELS, budget, seed + draw)
        survey = Survey.of(whole.candidates, whole.proposals, LEVELS, labels, sample, seed + draw)
        curve = removal_curve(survey, CONFIDENCE, recalls=False)
        low, high, lower, together = (curve.rows[name].to_numpy() for name in ("low", "high", "lower", "simultaneous"))
        for at, (name, level) in enumerate(zip(list(held)[:3], _LOOKED_AT, strict=True)):
            truth = whole.precision[level]
            held[name] += bool(low[level] - 1e-12 <= truth <= high[level] + 1e-12)
            one_sided[at] += bool(lower[level] - 1e-12 <= truth)
            widths[at] += high[level] - low[level]
            cells = survey.cells(survey.proposed(level))
            wilson[at] += wilson_width(cells, CONFIDENCE, finite=False)
            wilson_finite[at] += wilson_width(cells, CONFIDENCE, finite=True)
        share = recall(survey, middle, CONFIDENCE)
        recall_width += share.high - share.low
        held["recall"] += bool(share.low - 1e-12 <= recall_truth <= share.high + 1e-12)
        held["all_levels"] += bool((together - 1e-12 <= whole.precision).all())
        for promise in broken:
            passed = passed_levels(curve, promise)
            shown[promise] += bool(passed)
            broken[promise] += bool(passed) and bool((whole.precision[passed] < promise).any())
    held["one_sided"] = int(one_sided.min())
    return {
        "population": kind,
        "wrong_share": wrong_share,
        "labels": budget,
        "draws": draws,
        **{f"held_{name}": found for name, found in held.items()},
        "promise_99_shown": shown[_PROMISES[0]],
        "promise_99_broken": broken[_PROMISES[0]],
        "promise_95_shown": shown[_PROMISES[1]],
        "promise_95_broken": broken[_PROMISES[1]],
        "edge_promise_broken": broken[edge],
        "recall_mean_width": round(recall_width / draws, 4),
        "mean_width": round(float(widths.mean()) / draws, 4),
        "wilson_width": round(float(wilson.mean()) / draws, 4),
        "times_wilson": round(float(widths.sum() / wilson.sum()), 3),
        "times_wilson_worst_level": round(float((widths / wilson).max()), 3),
        "times_wilson_finite": round(float(widths.sum() / wilson_finite.sum()), 3),
    }


def wilson_width(cells: Cells, confidence: float, *, finite: bool) -> float:
    """Width of the stratified Wilson interval with weights by size (Yan and Su 2010).

    The quantile of each stratum is chosen so that normal errors of the strata add up as they should; the variance is
    that of the Wilson interval, which is not 0 where nothing was found wrong.

    Args:
        cells: The sample.
        confidence: Above 0, below 1.
        finite: Count a sample from a finite population as one that is larger by (N - 1) / (N - n).
    """
    pairs, labelled = _joined(cells.pairs, cells.labelled)
    _, wrong = _joined(cells.pairs, cells.labelled, cells.wrong)
    counted = labelled.astype(np.float64)
    if finite:
        counted = labelled * np.maximum(pairs - 1, 1) / np.maximum(pairs - labelled, 1e-9)
    quantile = float(norm.ppf((1 + confidence) / 2))
    share, weights = wrong / labelled, pairs / pairs.sum()

    def half_widths(at: float) -> NDArray[np.float64]:
        variance = share * (1 - share) / counted + at**2 / (4 * counted**2)
        return at * np.sqrt(variance) / (1 + at**2 / counted)

    spread = half_widths(quantile)
    if not spread.sum():
        return 0.0
    each = quantile * float(np.sqrt(np.sum((weights * spread) ** 2)) / np.sum(weights * spread))
    return 2 * float(np.sum(weights * half_widths(each)))


def _joined(pairs: NDArray[np.int64], labelled: NDArray[np.int64], *more: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """A stratum of which nothing is labelled joined with the one before, or the first that is."""
    place = np.maximum(np.cumsum(labelled > 0) - 1, 0)
    summed = [np.bincount(place, values).astype(np.int64) for values in (pairs, labelled, *more)]
    return [summed[0], summed[-1]]


def measure(draws: int = DRAWS, budgets: Sequence[int] = BUDGETS, processes: int = 2, seed: int = SEED) -> Report:
    """Simulate every population, share of wrong pairs and budget."""
    report = Report("threshold_simulation", seed)
    report.figures["confidence"] = CONFIDENCE
    cases = [(*case, draws, seed) for case in itertools.product(POPULATIONS, WRONG_SHARES, budgets)]
    if processes == 1:
        for case in cases:
            report.add(**simulated(*case))
        return report
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for row in pool.map(simulated, *zip(*cases, strict=True)):
            report.add(**row)
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS, help="samples of each population")
    parser.add_argument("--budget", type=int, nargs="+", default=list(BUDGETS), help="labels of a sample")
    parser.add_argument("--processes", type=int, default=2, help="processes to simulate in")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    print_report(measure(options.draws, options.budget, options.processes), as_json=options.json)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
