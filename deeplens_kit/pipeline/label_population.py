"""What labels speak of: the removals that some threshold would propose, as candidates and proposals.

Takes an open workspace or a threshold lab, gives frames for the package `evidence`; must not draw, label or estimate.
Pairs of equal bytes or equal samples are no candidates: that they are the same is known, and no label is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from deeplens_kit.matching import Regrouper, Rule
from deeplens_kit.matching.removal_levels import ladder_from, ladder_rules, missed_pairs, removal_levels
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier

__all__ = ["Population", "population_of"]

_PAIR = ("digest_a", "digest_b")


@dataclass(frozen=True, slots=True)
class Population:
    """The candidates of a workspace with the proposals at each level.

    Attributes:
        candidates: `evidence.CANDIDATES`: each pair of a keeper and a member that some level proposes, once, and of
            the pairs that the loosest step finds too little alike one for any two of its groups; with their likelihood
            as score.
        proposals: `evidence.PROPOSALS`.
        levels: The thresholds of the ladder, the strictest first; where a rule was asked for that is on no step, one
            more level stands for it.
        rules: The rule of each level.
        removals: REMOVAL_LEVELS, from which both come.
        regrouper: Gives totals for any rule.
        current: False when pictures were indexed after the last matching.
    """

    candidates: pl.DataFrame
    proposals: pl.DataFrame
    levels: list[float]
    rules: list[Rule]
    removals: pl.DataFrame
    regrouper: Regrouper
    current: bool

    def level_of(self, likelihood: float) -> int:
        """The loosest step that is at least as strict as a threshold; the strictest where none is."""
        return max((at for at, level in enumerate(self.levels) if level >= likelihood), default=0)

    def proposed_at(self, level: int) -> pl.DataFrame:
        """The rows of `removals` that a level proposes."""
        return self.removals.filter(pl.col("first_level") <= level, pl.col("last_level") >= level)

    def facts_at(self, level: int) -> pl.DataFrame:
        """What a level comes to by tier: tier, groups, objects, gross_bytes, realisable_bytes."""
        return self.regrouper.regroup(self.rules[level]).by_tier


def population_of(
    source: Workspace | ThresholdLab, rule: Rule | None = None, ladder: Sequence[float] = ladder_from()
) -> tuple[Population, int]:
    """The candidates and proposals as the stored pairs give them now, and the level of a rule; no file is touched.

    A rule is judged by itself, without decisions: who keeps what was labelled `different` would else take the wrong
    pairs out of the sample that is to tell of the others.

    Args:
        source: An open workspace, or a lab that was made of one.
        rule: Has a level of its own where it is on no step of the ladder; None for the steps alone, and level 0.
        ladder: Likelihoods, falling.
    """
    lab = source if isinstance(source, ThresholdLab) else ThresholdLab(source, decided=False)
    levels, rules = list(ladder), ladder_rules(ladder)
    if rule is not None and rule not in rules:
        levels, rules = [*levels, 0.0], [*rules, rule]
    level = 0 if rule is None else rules.index(rule)
    removals = removal_levels(lab.regrouper, rules)
    paired = removals.with_columns(
        digest_a=pl.min_horizontal("keeper_digest", "digest"), digest_b=pl.max_horizontal("keeper_digest", "digest")
    )
    missed = missed_pairs(lab.regrouper, rules[len(ladder) - 1])
    candidates = (
        pl.concat([paired.select(missed.columns), missed])
        .group_by(*_PAIR)
        .agg(score=pl.col("likelihood").max().fill_null(0.0))
        .sort(*_PAIR)
        .select(*_PAIR, tier=pl.lit(str(Tier.COPY)), score=pl.col("score").cast(pl.Float32))
    )
    numbered = candidates.select(*_PAIR).with_row_index("pair")
    proposals = (
        paired.join(numbered, on=_PAIR, maintain_order="left")
        .select(
            pl.col("pair").cast(pl.UInt32),
            pl.col("first_level", "last_level").cast(pl.Int32),
            pl.col("frees_bytes").cast(pl.Int64),
        )
        .sort("pair", "first_level", "last_level", "frees_bytes")
    )
    population = Population(candidates, proposals, levels, rules, removals, lab.regrouper, lab.current)
    return population, level
