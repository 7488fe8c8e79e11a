"""Strata of the candidates: by the level at which a removal is first proposed, and by score where it never is.

Takes candidates, proposals and thresholds; gives the stratum of each candidate and what share of the labels it gets.
Each threshold's set is then nearly a union of strata; what it has of a stratum in part is a domain of it. Must not
look at a verdict: what is drawn may depend on nothing that labels say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.evidence.tables import CANDIDATES, PROPOSALS
from deeplens_kit.schemas import Tier

__all__ = ["Strata", "entering_levels", "strata_of"]

# A stratum of proposals is closed at the level where it holds this share of what is left, inclusive, and so many pairs.
_BAND_SHARE, _BAND_PAIRS, _MOST_BANDS = 1 / 3, 20, 4
# Of all labels, those that go to pairs that no level proposes; half of them to the quarter that is most alike.
_RECALL_SHARE, _MOST_ALIKE = 0.06, 0.75


@dataclass(frozen=True, slots=True)
class Strata:
    """Which stratum each candidate is of.

    Attributes:
        names: Of the strata: those of proposals first, strictest first.
        number: int64 (n,), place among the names of each candidate's stratum.
        sizes: int64 (h,), candidates in each.
        weights: float64 (h,), share of the labels that each gets, not normalised.
        ends: Of the strata of proposals, the last level at which their pairs enter, rising for each tier.
    """

    names: tuple[str, ...]
    number: NDArray[np.int64]
    sizes: NDArray[np.int64]
    weights: NDArray[np.float64]
    ends: tuple[int, ...]


def strata_of(candidates: pl.DataFrame, proposals: pl.DataFrame, levels: Sequence[float]) -> Strata:
    """The strata.

    Args:
        candidates: CANDIDATES.
        proposals: PROPOSALS.
        levels: Thresholds, strictest first.

    Raises:
        TypeError: A frame does not fit its schema, or has pairs of tiers that are facts.
    """
    candidates = CANDIDATES.check(candidates)
    tiers = candidates["tier"]
    facts = int(tiers.is_in([str(Tier.BYTES), str(Tier.PIXELS)]).sum())
    if facts:
        raise TypeError(f"{facts} candidates are of a tier that is a fact, which no label can prove: leave them out")
    entering = entering_levels(candidates.height, proposals)
    if entering.max(initial=-1) >= len(levels):
        raise TypeError(f"a proposal begins at level {entering.max()}, but there are {len(levels)} thresholds")
    scores = candidates["score"].to_numpy()
    parts: list[tuple[str, float, int, NDArray[np.bool_]]] = []
    never: list[tuple[str, float, int, NDArray[np.bool_]]] = []
    for tier in tiers.unique().sort():
        mine = (tiers == tier).to_numpy()
        for first, last in _bands(entering[mine & (entering >= 0)], len(levels)):
            chosen = mine & (entering >= first) & (entering <= last)
            span = f"{levels[first]:g}" if first == last else f"{levels[first]:g} to {levels[last]:g}"
            # By size: the worst case of a bound puts all that may be wrong into the stratum that is sampled least.
            parts.append((f"{tier}: proposed from {span} on", float(chosen.sum()), last, chosen))
        left = mine & (entering < 0)
        if left.any():
            alike = scores >= np.quantile(scores[left], _MOST_ALIKE)
            for name, chosen in (("never proposed, most alike", left & alike), ("never proposed", left & ~alike)):
                if chosen.any():
                    never.append((f"{tier}: {name}", 0.0, -1, chosen))
    proposed = sum(weight for _, weight, *_ in parts) or 1.0
    share = proposed * _RECALL_SHARE / (1 - _RECALL_SHARE) / max(len(never), 1)
    number = np.zeros(candidates.height, np.int64)
    for place, (*_, chosen) in enumerate(parts + never):
        number[chosen] = place
    return Strata(
        tuple(name for name, *_ in parts + never),
        number,
        np.bincount(number, minlength=len(parts) + len(never)) if len(number) else np.zeros(0, np.int64),
        np.array([weight for _, weight, *_ in parts] + [share] * len(never)),
        tuple(last for _, _, last, _ in parts),
    )


def entering_levels(count: int, proposals: pl.DataFrame) -> NDArray[np.int64]:
    """int64 (count,): the strictest level at which each candidate is proposed, -1 where it never is."""
    proposals = PROPOSALS.check(proposals)
    nothing = np.iinfo(np.int64).max
    entering = np.full(count, nothing)
    np.minimum.at(entering, proposals["pair"].to_numpy(), proposals["first_level"].to_numpy().astype(np.int64))
    return np.where(entering == nothing, -1, entering)


def _bands(entering: NDArray[np.int64], levels: int) -> list[tuple[int, int]]:
    """First and last entering level of each stratum of proposals: all pairs are in one."""
    counts = np.bincount(entering, minlength=levels)
    bands: list[tuple[int, int]] = []
    first, held, left = 0, 0, int(counts.sum())
    for level in range(levels):
        held += int(counts[level])
        if held >= max(_BAND_PAIRS, left * _BAND_SHARE) and len(bands) < _MOST_BANDS - 1:
            bands.append((first, level))
            first, left, held = level + 1, left - held, 0
    if held:
        # A rest of a few pairs is no stratum of its own, unless there is no other.
        if held < _BAND_PAIRS and bands:
            first = bands.pop()[0]
        bands.append((first, levels - 1))
    return bands
