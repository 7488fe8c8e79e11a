"""Exact bounds of how many pairs of a part of the population are wrong, from a stratified sample.

Takes counts by stratum, gives the fewest and the most wrong pairs that the sample leaves believable. The law of each
stratum is hypergeometric (drawing without replacement from a finite population). Over several strata a hypothesis "so
many are wrong in all" is kept where any way in which they can lie in the strata makes the sample likely enough
(Wendell and Schmee 1996), lying only as a small part of the error lets each stratum have it (Berger and Boos 1994).
Must not know where counts come from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.evidence.worst_case import WorstCase, stratum_bounds

__all__ = ["Cells", "wrong_bounds"]

# Of the allowed error, what is spent on where wrong pairs can lie at all.
_NUISANCE_SHARE = 0.02
# A part of a stratum that so few of its sample are expected in is counted against the whole stratum; see `Cells.of`.
_FEW_EXPECTED = 5.0
# The sum that tells a sample apart counts a wrong pair of the most sampled stratum as this much, or all pairs as this.
_UNITS_PER_PAIR, _UNITS_IN_ALL = 4.0, 2048.0

_Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """What a sample says of one part of the population, by stratum.

    Attributes:
        pairs: int64 (h,), pairs of the part in each stratum.
        sizes: int64 (h,), pairs of what the sample is counted against: the part, or the stratum; see `of`.
        drawn: int64 (h,), pairs of the sample in that.
        labelled: int64 (h,), pairs of the sample in the part.
        wrong: int64 (h,), of these, different pictures.
        unsure: int64 (h,), of these, without a clear verdict.
    """

    pairs: _Counts
    sizes: _Counts
    drawn: _Counts
    labelled: _Counts
    wrong: _Counts
    unsure: _Counts

    @classmethod
    def of(
        cls, sizes: _Counts, drawn: _Counts, pairs: _Counts, labelled: _Counts, wrong: _Counts, unsure: _Counts
    ) -> Cells:
        """The cells of a part of the strata.

        Given how many of the sample fall into a part, they are a sample of the part: this is counted where some can be
        expected to. Where hardly one is, none may be, which would leave all of the part in doubt: there "wrong and in
        the part" is what the sample of the whole stratum is asked for. Which of the two holds depends on sizes alone,
        so that both are exact.

        Args:
            sizes: int64 (h,), pairs in each stratum.
            drawn: int64 (h,), pairs of the sample in each.
            pairs: int64 (h,), pairs of the part in each.
            labelled: int64 (h,), pairs of the sample in the part.
            wrong: int64 (h,), of these, different pictures.
            unsure: int64 (h,), of these, without a clear verdict.
        """
        whole = (drawn * pairs < _FEW_EXPECTED * sizes) & (pairs < sizes)
        there = pairs > 0
        return cls(
            *(
                values[there]
                for values in (
                    pairs, np.where(whole, sizes, pairs), np.where(whole, drawn, labelled), labelled, wrong, unsure,
                )
            )
        )  # fmt: skip

    @property
    def total(self) -> int:
        """Pairs of the part."""
        return int(self.pairs.sum())

    def share_right(self) -> float | None:
        """Estimate of the share of the part that is right, unsure counted as wrong; None without a sample."""
        if not self.total or (self.drawn == 0).any():
            return None
        wrong = float(((self.wrong + self.unsure) * (self.sizes / self.drawn)).sum())
        return min(max(1 - wrong / self.total, 0.0), 1.0)


def wrong_bounds(
    cells: Cells, error_below: float, error_above: float, *, unsure_wrong: bool | None = None
) -> tuple[int, int]:
    """The fewest and the most wrong pairs of the part, each believable but for its error.

    Args:
        cells: The sample.
        error_below: Chance, at most, that there are fewer than the fewest; 0 for what is certain.
        error_above: Chance, at most, that there are more than the most; 0 for what is certain.
        unsure_wrong: Count `unsure` as wrong, or as right; None counts it as right below and as wrong above.
    """
    fewest = cells.wrong + cells.unsure if unsure_wrong is True else cells.wrong
    most = cells.wrong if unsure_wrong is False else cells.wrong + cells.unsure
    return _bound(cells, fewest, error_below, above=False), _bound(cells, most, error_above, above=True)


def _bound(cells: Cells, found: _Counts, error: float, *, above: bool) -> int:
    low, high = found, cells.pairs - (cells.labelled - found)
    if not error:
        return int((high if above else low).sum())
    # What is not sampled at all may be all wrong, or not at all; what is sampled whole is known.
    open_cells = (cells.drawn > 0) & (low < high)
    closed = int((high if above else low)[~open_cells].sum())
    if not open_cells.any():
        return closed
    columns = (cells.sizes, cells.drawn, found, low, high)
    # Sorted, so that what is known of the same counts is found again, in whatever order the strata come.
    rows = sorted(zip(*(column[open_cells].tolist() for column in columns), strict=True))
    return closed + _bound_of_rows(tuple(rows), error, above)


@lru_cache(maxsize=65_536)
def _bound_of_rows(rows: tuple[tuple[int, int, int, int, int], ...], error: float, above: bool) -> int:
    sizes, drawn, found, low, high = np.array(rows, np.int64).T.copy()
    alone = len(rows) == 1
    each = error if alone else error * _NUISANCE_SHARE / (2 * len(rows))
    for at in range(len(rows)):
        fewest, most = stratum_bounds(sizes[at], drawn[at], found[at], each)
        low[at], high[at] = max(low[at], fewest), min(high[at], most)
    if alone:
        return int(high[0] if above else low[0])
    left = error * (1 - _NUISANCE_SHARE)
    by_pair = sizes / drawn
    unit = max(by_pair.min() / _UNITS_PER_PAIR, sizes.sum() / _UNITS_IN_ALL)
    scale = by_pair / unit
    reached = int(np.floor(scale * found + 0.5).sum())
    case = WorstCase(sizes, drawn, scale, low, high)
    return case.most(reached, left) if above else case.fewest(reached, left)
