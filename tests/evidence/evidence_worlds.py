"""Small worlds of candidates and proposals whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from deeplens_kit.evidence import CANDIDATES, PROPOSALS, VERDICTS, Survey, draw_stratified

KEY = ["digest_a", "digest_b"]


@dataclass(frozen=True)
class World:
    """Candidates, of which the first at each level are the most alike."""

    candidates: pl.DataFrame
    proposals: pl.DataFrame
    levels: tuple[float, ...]

    def draw(self, budget: int, seed: int = 0) -> pl.DataFrame:
        return draw_stratified(self.candidates, self.proposals, self.levels, budget, seed)

    def survey(self, verdicts: pl.DataFrame, sample: pl.DataFrame, seed: int = 0, tier: str | None = None) -> Survey:
        return Survey.of(self.candidates, self.proposals, self.levels, verdicts, sample, seed, tier)

    def labelled(self, budget: int, wrong: Sequence[int] = (), seed: int = 0) -> Survey:
        """All of a sample labelled `same`, but for these of its positions."""
        sample = self.draw(budget, seed)
        return self.survey(verdicts_of(sample, wrong), sample, seed)


def world(counts: Sequence[int], never: int = 0, bytes_each: int = 1000, tier: str = "copy") -> World:
    """So many pairs enter at each level and stay; `never` more are proposed at none."""
    count = sum(counts) + never
    entering = np.repeat(np.arange(len(counts)), counts)
    levels = tuple(round(0.99 - 0.02 * level, 2) for level in range(len(counts)))
    scores = np.concatenate([np.array(levels)[entering], np.linspace(0.5, 0.1, never)])
    digests = [f"{number:064x}" for number in range(2 * count)]
    candidates = pl.DataFrame(
        {"digest_a": digests[::2], "digest_b": digests[1::2], "tier": [tier] * count, "score": scores},
        schema=CANDIDATES.polars,
    )
    rows = len(entering)
    proposals = pl.DataFrame(
        {
            "pair": np.arange(rows),
            "first_level": entering,
            "last_level": np.full(rows, len(counts) - 1),
            "frees_bytes": np.full(rows, bytes_each),
        },
        schema=PROPOSALS.polars,
    )
    return World(candidates, proposals, levels)


def verdicts_of(sample: pl.DataFrame, wrong: Sequence[int] = (), unsure: Sequence[int] = ()) -> pl.DataFrame:
    """Every pair of a sample is `same`, but for these of its positions."""
    words = ["same"] * sample.height
    for position in wrong:
        words[position] = "different"
    for position in unsure:
        words[position] = "unsure"
    return VERDICTS.check(sample.select(KEY).with_columns(verdict=pl.Series(words, dtype=pl.String)))
