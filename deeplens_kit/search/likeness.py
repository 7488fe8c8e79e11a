"""From pictures and words with weights to the pictures that are most like all of them together.

Takes values to compare with, each of one term under one feature with its weight and its calibration, and what the
library holds of the features; gives positions with scores and what these are made of, the best first. The score is
the weighted sum of calibrated similarities, of what results are to be unlike subtracted, from 0 to 1. Must not read
anything, or compute a feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.schemas import SEARCH_PARTS, Tier
from deeplens_kit.search.calibration import Calibration
from deeplens_kit.search.comparers import AskedValue, Comparer, VectorComparer, combined

__all__ = ["LikenessPart", "LikenessRanking", "parts_frame", "rank_likeness"]

_LEAST_FETCHED = 256
_FETCHED_PER_RESULT = 4
_GROWTH = 8
# Up to so many pictures all are scored: it costs what a few rounds of fetching do.
_ALL_SCORED = 4096
# More of one feature are not looked at: the answer then says how good a picture left out can be.
_MOST_FETCHED = 8192


@dataclass(frozen=True, slots=True, eq=False)
class LikenessPart:
    """One term of a query under one feature.

    Attributes:
        term: Number of the term in the query, from 0.
        feature: What is compared.
        asked: The value of the term.
        weight: Signed; all absolute weights of a query sum to 1.
        calibration: Of the feature.
        itself: Position of the very picture that is asked for; None where it is not in the library, or only a part of
            it is asked for.
    """

    term: int
    feature: str
    asked: AskedValue
    weight: float
    calibration: Calibration
    itself: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LikenessRanking:
    """What was found, the best first; of equal scores the very pictures asked for first, then the lower position.

    Attributes:
        positions: int64 (n,).
        scores: float32 (n,), above 0.
        values: float64 (n, parts), greater for what is more alike; NaN where a picture lacks the feature.
        similarities: The same calibrated, 0..1; 0 where a picture lacks the feature.
        bound: The score that no picture left out can exceed; None where none is left out.
        is_certain: Whether the first results asked for are the best there are.
        compared: Pictures that might have been found.
    """

    positions: NDArray[np.int64]
    scores: NDArray[np.float32]
    values: NDArray[np.float64]
    similarities: NDArray[np.float64]
    bound: float | None
    is_certain: bool
    compared: int

    @property
    def rows(self) -> pl.DataFrame:
        """Columns position, score, tier, as of a `Ranking`."""
        return pl.DataFrame({"position": self.positions, "score": self.scores}).with_columns(tier=pl.lit(Tier.SCENE))

    def chosen(self, rows: NDArray[np.int64]) -> LikenessRanking:
        """The same with some of its results alone."""
        return replace(
            self,
            positions=self.positions[rows],
            scores=self.scores[rows],
            values=self.values[rows],
            similarities=self.similarities[rows],
        )


def rank_likeness(
    parts: Sequence[LikenessPart],
    comparers: Mapping[str, Comparer],
    count: int,
    wanted: NDArray[np.bool_] | None,
    limit: int,
    *,
    min_score: float = 0.0,
    least_fetched: int = _LEAST_FETCHED,
    all_scored: int = _ALL_SCORED,
    most_fetched: int = _MOST_FETCHED,
) -> LikenessRanking:
    """Find the pictures of a library that are most like what is asked for.

    Args:
        parts: One of a weight above 0 at least.
        comparers: By feature.
        count: Pictures of the library.
        wanted: bool (count,), what may be found; None for all.
        limit: How many results have to be certain; more may be given.
        min_score: Results below it are left out.
        least_fetched: Pictures that each part fetches at first.
        all_scored: Of so many pictures (inclusive) none is left out.
        most_fetched: Pictures that each part fetches at most; the bound tells what that may have cost.
    """
    compared = count if wanted is None else int(wanted.sum())
    least = np.float32(min_score)
    if compared <= all_scored:
        everything = np.arange(count) if wanted is None else np.flatnonzero(wanted)
        return _ranked(parts, comparers, everything, least, None, limit, compared)
    # As many as may be asked for are fetched in any case.
    fetched = max(least_fetched, _FETCHED_PER_RESULT * limit)
    most = max(most_fetched, fetched)
    while True:
        positions, bound = _fetched(parts, comparers, wanted, fetched)
        ranking = _ranked(parts, comparers, positions, least, bound, limit, compared)
        if ranking.is_certain or fetched >= most:
            return ranking
        fetched = min(_GROWTH * fetched, most)


def parts_frame(ranking: LikenessRanking, parts: Sequence[LikenessPart], digests: pl.Series) -> pl.DataFrame:
    """SEARCH_PARTS of a ranking's results, in their order; `digests` are theirs."""
    number = len(ranking.positions)
    by_result = {
        "digest": digests.gather(np.repeat(np.arange(number), len(parts))),
        "term": np.tile(np.array([part.term for part in parts], np.int32), number),
        "feature": pl.Series([part.feature for part in parts] * number, dtype=pl.String),
        "value": _as_measured(ranking.values, parts),
        "similarity": ranking.similarities.reshape(-1),
        "weight": np.tile(np.array([part.weight for part in parts]), number),
    }
    frame = pl.DataFrame(by_result).filter(pl.col("value").is_not_nan())
    return SEARCH_PARTS.check(frame.cast(dict.fromkeys(("value", "similarity", "weight"), pl.Float32)))


def _as_measured(values: NDArray[np.float64], parts: Sequence[LikenessPart]) -> NDArray[np.float64]:
    """Values as their metric has them: distances above 0."""
    signs = np.array([-1.0 if part.calibration.same == 0.0 else 1.0 for part in parts])
    return np.asarray((values * signs).reshape(-1))


def _ranked(
    parts: Sequence[LikenessPart],
    comparers: Mapping[str, Comparer],
    positions: NDArray[np.int64],
    least: np.float32,
    bound: float | None,
    limit: int,
    compared: int,
) -> LikenessRanking:
    values = np.full((len(positions), len(parts)), np.nan)
    similarities = np.zeros_like(values)
    for column, part in enumerate(parts):
        values[:, column] = comparers[part.feature].values(part.asked, positions)
        similarities[:, column] = np.nan_to_num(part.calibration.similarity(values[:, column]))
        if part.itself is not None:
            similarities[positions == part.itself, column] = 1.0
    weights = np.array([part.weight for part in parts])
    scores = np.clip((similarities * weights).sum(axis=1), 0.0, 1.0).astype(np.float32)
    kept = np.flatnonzero((scores > 0) & (scores >= least))
    others = ~np.isin(positions[kept], [part.itself for part in parts if part.itself is not None])
    order = kept[np.lexsort((positions[kept], others, -scores[kept]))]
    scores = scores[order]
    above = bound is not None and len(order) >= limit and float(scores[limit - 1]) > np.float32(bound)
    certain = bound is None or bound <= 0 or np.float32(bound) < least or above
    return LikenessRanking(positions[order], scores, values[order], similarities[order], bound, bool(certain), compared)


def _fetched(
    parts: Sequence[LikenessPart], comparers: Mapping[str, Comparer], wanted: NDArray[np.bool_] | None, k: int
) -> tuple[NDArray[np.int64], float | None]:
    """Positions, each once, rising, and the score that others can have at best: None where there are no others.

    What a part did not fetch is no more alike to it than the last that it did, so a picture that no part fetched can
    at best have all of these together (Fagin, Lotem and Naor 2003: the threshold algorithm).
    """
    found, bound, cut = [np.zeros(0, np.int64)], 0.0, False
    for part in parts:
        if part.weight <= 0:
            continue
        near = comparers[part.feature].nearest(part.asked, k, wanted)
        found.append(near.positions)
        if near.beyond is not None:
            cut = True
            bound += part.weight * float(part.calibration.similarity(np.array(near.beyond)))
        if part.itself is not None and (wanted is None or wanted[part.itself]):
            found.append(np.array([part.itself]))
    for feature in dict.fromkeys(part.feature for part in parts):
        comparer = comparers[feature]
        mine = [part for part in parts if part.feature == feature]
        if len(mine) < 2 or not isinstance(comparer, VectorComparer):
            continue
        # What is near to all of them together is often near enough to none to be fetched by it.
        vectors = [np.asarray(part.asked, np.float64) for part in mine]
        together = combined(vectors, [part.weight / part.calibration.spread for part in mine])
        if together is not None:
            found.append(comparer.nearest(together, k, wanted).positions)
    return np.unique(np.concatenate(found)), bound if cut else None
