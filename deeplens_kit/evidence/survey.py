"""A survey: the candidates, what is proposed at each level, and the verdicts of the pairs that a sample drew.

Takes frames and gives, for any part of the candidates, what the sample says of it by stratum. Only pairs that luck drew
enter: in each stratum they are the luckiest ones, down to the last of them that has a verdict. A pair among them
without one was passed over, and counts as unsure, because what people pass over is seldom like the rest. Must not draw,
and must not compute a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.evidence.bounds import Cells
from deeplens_kit.evidence.sampling import lucky_order
from deeplens_kit.evidence.strata import Strata, strata_of
from deeplens_kit.evidence.tables import CANDIDATES, PROPOSALS, VERDICTS

__all__ = ["Survey"]

_KEY = ["digest_a", "digest_b"]
_VERDICTS = ("same", "different", "unsure")


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Candidates, proposals and the sample's verdicts; made by `of`.

    Attributes:
        candidates: CANDIDATES.
        proposals: PROPOSALS.
        levels: Thresholds, strictest first.
        strata: Of the candidates.
        order: int64 (n,), the candidates, the luckiest first.
        rows: int64 (m,), the pairs of the sample, passed-over ones among them.
        verdict: int8 (m,), of these: 0 same, 1 different, 2 unsure or passed over.
        passed_over: `digest_a` and `digest_b` of the pairs that luck drew without a verdict: ask for them first.
    """

    candidates: pl.DataFrame
    proposals: pl.DataFrame
    levels: tuple[float, ...]
    strata: Strata
    order: NDArray[np.int64]
    rows: NDArray[np.int64]
    verdict: NDArray[np.int8]
    passed_over: pl.DataFrame

    @classmethod
    def of(
        cls,
        candidates: pl.DataFrame,
        proposals: pl.DataFrame,
        levels: Sequence[float],
        verdicts: pl.DataFrame,
        sample: pl.DataFrame,
        seed: int,
        tier: str | None = None,
    ) -> Survey:
        """The survey.

        Args:
            candidates: CANDIDATES.
            proposals: PROPOSALS.
            levels: Thresholds, strictest first.
            verdicts: VERDICTS, one row a pair; those of pairs that were not drawn, or are gone, do not enter.
            sample: `digest_a` and `digest_b` of all pairs that stratified samples of this seed drew. With `position`,
                the order they were asked for in, a pair without a verdict before the last that has one was passed over
                as well where no later one of its stratum has a verdict.
            seed: Of the samples.
            tier: Only candidates of this tier; None for all.

        Raises:
            TypeError: A frame does not fit its schema, or a pair has two verdicts.
            UnknownNameError: A verdict is none.
        """
        candidates, proposals = CANDIDATES.check(candidates), PROPOSALS.check(proposals)
        strata = strata_of(candidates, proposals, levels)
        if tier is not None:
            # Strata are of one tier each, so that those of another are only left out.
            kept = candidates.with_row_index("pair").filter(pl.col("tier") == tier)
            places = kept.select("pair").with_columns(place=pl.int_range(kept.height, dtype=pl.UInt32))
            proposals = proposals.join(places, on="pair", how="inner").with_columns(pair="place").drop("place")
            candidates, proposals = kept.select(CANDIDATES.names), proposals.select(PROPOSALS.names)
            strata = strata_of(candidates, proposals, levels)
        nobody = np.zeros(0, np.int64), np.zeros(0, np.int8), candidates.select(_KEY).clear()
        order = lucky_order(candidates, seed)
        return cls(candidates, proposals, tuple(levels), strata, order, *nobody).told(verdicts, sample)

    def told(self, verdicts: pl.DataFrame, sample: pl.DataFrame) -> Survey:
        """The survey with other verdicts, or of another sample of the same seed; the candidates stay as they are.

        Args:
            verdicts: As for `of`.
            sample: As for `of`.

        Raises:
            TypeError: As `of`.
            UnknownNameError: As `of`.
        """
        verdicts = VERDICTS.check(verdicts)
        _refuse_verdicts(verdicts)
        candidates, strata, order = self.candidates, self.strata, self.order
        known = candidates.select(_KEY).join(_asked(sample, verdicts), on=_KEY, how="left", maintain_order="left")
        codes = known["verdict"].replace_strict(_VERDICTS, [0, 1, 2], default=-1, return_dtype=pl.Int8).to_numpy()
        asked = known["asked"].fill_null(False).to_numpy()
        parts = [np.empty(0, np.int64)]
        for stratum in range(len(strata.names)):
            mine = order[strata.number[order] == stratum]
            reached = np.flatnonzero(asked[mine])
            if len(reached):
                parts.append(mine[: reached[-1] + 1])
        rows = np.concatenate(parts)
        verdict = np.where(codes[rows] < 0, np.int8(2), codes[rows])
        passed_over = candidates.select(_KEY)[rows[codes[rows] < 0]]
        return replace(self, rows=rows, verdict=verdict, passed_over=passed_over)

    def proposed(self, level: int) -> NDArray[np.bool_]:
        """bool (n,): the candidates of which a removal is proposed at a level.

        Raises:
            IndexError: There is no such level.
        """
        if not 0 <= level < len(self.levels):
            raise IndexError(f"there is no level {level} among {len(self.levels)}")
        first, last = self.proposals["first_level"].to_numpy(), self.proposals["last_level"].to_numpy()
        chosen = np.zeros(self.candidates.height, bool)
        chosen[self.proposals["pair"].to_numpy()[(first <= level) & (level <= last)]] = True
        return chosen

    def frees_bytes(self, level: int) -> int:
        """Bytes that all that is proposed at a level would free."""
        there = self.proposals.filter((pl.col("first_level") <= level) & (pl.col("last_level") >= level))
        return int(there["frees_bytes"].sum())

    def drawn(self) -> NDArray[np.int64]:
        """int64 (h,): pairs of the sample in each stratum."""
        return self._count(np.ones(len(self.rows), bool))

    def answered(self) -> Survey:
        """The survey as it would be, were all that was passed over labelled `same`."""
        asked = self.candidates.select(_KEY)[self.rows]
        missing = self.passed_over.with_columns(missing=pl.lit(True))
        marked = asked.join(missing, on=_KEY, how="left", maintain_order="left")["missing"].fill_null(False).to_numpy()
        return replace(self, verdict=np.where(marked, np.int8(0), self.verdict), passed_over=self.passed_over.clear())

    def cells(self, part: NDArray[np.bool_], later: NDArray[np.int64] | None = None) -> Cells:
        """What the sample says of a part of the candidates.

        Args:
            part: bool (n,).
            later: int64 (h,), pairs of a larger sample in each stratum, whose further verdicts are all `same`; None for
                the sample as it is.
        """
        return self.split(part, later)[0]

    def split(self, part: NDArray[np.bool_], later: NDArray[np.int64] | None = None) -> tuple[Cells, Cells]:
        """What the sample says of a part of the candidates, and of the rest.

        Args:
            part: bool (n,).
            later: As for `cells`.
        """
        within = part[self.rows]
        pairs = np.bincount(self.strata.number[part], minlength=len(self.strata.names))
        return self._told(pairs, within, later), self._told(self.strata.sizes - pairs, ~within, later)

    def _told(self, pairs: NDArray[np.int64], within: NDArray[np.bool_], later: NDArray[np.int64] | None) -> Cells:
        drawn, labelled = self.drawn(), self._count(within)
        if later is not None:
            # As many of the further ones lie in the part as can be expected.
            share = (pairs - labelled) / np.maximum(self.strata.sizes - drawn, 1)
            labelled = labelled + np.floor((later - drawn) * share + 1e-9).astype(np.int64)
            drawn = later
        wrong, unsure = (self._count(within & (self.verdict == code)) for code in (1, 2))
        return Cells.of(self.strata.sizes, drawn, pairs, labelled, wrong, unsure)

    def _count(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(self.strata.number[self.rows[chosen]], minlength=len(self.strata.names))


def _asked(sample: pl.DataFrame, verdicts: pl.DataFrame) -> pl.DataFrame:
    """The pairs of the sample, each once, with their verdicts: those with one, and those before the last of these."""
    drawn = sample.select(_KEY).unique()
    if "position" in sample.columns:
        drawn = sample.group_by(_KEY).agg(pl.col("position").min())
    known = drawn.join(verdicts, on=_KEY, how="left")
    asked = pl.col("verdict").is_not_null()
    if "position" in sample.columns:
        asked |= pl.col("position") < pl.col("position").filter(pl.col("verdict").is_not_null()).max()
    return known.select(*_KEY, "verdict", asked=asked.fill_null(False))


def _refuse_verdicts(verdicts: pl.DataFrame) -> None:
    strange = verdicts.filter(~pl.col("verdict").is_in(_VERDICTS))["verdict"]
    if len(strange):
        raise UnknownNameError("verdict", strange[0], _VERDICTS)
    twice = verdicts.height - verdicts.select(_KEY).n_unique()
    if twice:
        raise TypeError(f"table {VERDICTS.name}: {twice} pairs have more than one verdict; settle them first")
