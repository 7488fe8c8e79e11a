"""Samples of pairs to be labelled: drawn by chance for estimates, or near a threshold for people.

Takes an open workspace and a budget, gives a draw that the ledger keeps with its strata; must not label or estimate.
All draws of a workspace that are for estimates come from one seed: a larger one holds the smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import LabelSample
from deeplens_kit.matching.removal_levels import ladder_from
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.label_population import population_of
from deeplens_kit.pipeline.verdicts import settled
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["DrawnSample", "SampleKind", "draw_sample", "drawn_pairs", "sample_ladder", "sample_seed"]

_PAIR = ["digest_a", "digest_b"]
_SEED = 0
_MOST_PAIRS = 100_000


class SampleKind(StrEnum):
    """What a sample is for: estimates, or what lies near a threshold, where a person learns most."""

    STRATIFIED = "stratified"
    BOUNDARY = "boundary"


@dataclass(frozen=True, slots=True)
class DrawnSample:
    """A sample that was drawn.

    Attributes:
        sample: As the ledger keeps it.
        strata: stratum, pairs (there are), drawn, labelled: one row for each stratum, in the order of names.
        candidates: Pairs that some threshold proposes.
        left: Pairs of it without a label.
        new: Pairs of it that no sample held before.
        current: False when pictures were indexed after the last matching: index first, and draw again.
    """

    sample: LabelSample
    strata: pl.DataFrame
    candidates: int
    left: int
    new: int
    current: bool


def draw_sample(
    workspace: Workspace,
    budget: int,
    *,
    near_threshold: float | None = None,
    strictest: float | None = None,
    seed: int | None = None,
) -> DrawnSample:
    """Draw pairs to be labelled and keep the draw in the ledger.

    Args:
        workspace: An open workspace.
        budget: Pairs of the sample, 1 to 100,000. One for estimates holds the earlier ones, so this is their number in
            all; labels that there are stay.
        near_threshold: None for a sample for estimates, by chance within strata of strictness. A likelihood for the
            unlabelled pairs that are nearest to it: they teach a person and the calibration, and say nothing of
            precision.
        strictest: The strictest threshold that is to be judged, from .5 to 1; None for that of the last sample for
            estimates, or .98. What proposes much that is wrong needs stricter ones, and more labels for them.
        seed: Of a sample for estimates; None for that of the earlier ones.

    Raises:
        SettingsError: The budget or threshold is not allowed, no pair is proposed by any threshold, or the seed differs
            from that of earlier samples.
    """
    from deeplens_kit import evidence

    if not 1 <= budget <= _MOST_PAIRS:
        raise SettingsError(f"The budget is {budget:,}; it must be from 1 to {_MOST_PAIRS:,} pairs.")
    if near_threshold is not None and not 0 <= near_threshold <= 1:
        raise SettingsError(f"The threshold is {near_threshold:g}; it must be a likelihood from 0 to 1.")
    # 1. What there is to draw from.
    ladder = sample_ladder(workspace) if strictest is None else ladder_from(strictest)
    population, _ = population_of(workspace, ladder=ladder)
    if not population.candidates.height:
        raise SettingsError(
            "There is no pair to label: no threshold proposes a copy; run `deeplens index` where files are new."
        )
    kept = sample_seed(workspace)
    if seed is not None and kept is not None and seed != kept:
        raise SettingsError(
            f"The samples of this workspace have the seed {kept}, not {seed}; leave the seed out, or their labels "
            "would not go together."
        )
    seed = kept if seed is None else seed
    seed = _SEED if seed is None else seed
    # 2. The draw, and what of it is new.
    known = settled(workspace.ledger.labels())
    frames = population.candidates, population.proposals, population.levels
    if near_threshold is None:
        kind = SampleKind.STRATIFIED
        drawn = evidence.draw_stratified(*frames, budget, seed)
    else:
        kind = SampleKind.BOUNDARY
        level = population.level_of(near_threshold)
        drawn = evidence.draw_boundary(*frames, level, budget, known.select(_PAIR))
    if not drawn.height:
        raise SettingsError("Every pair near this threshold has a label already; name another threshold.")
    earlier = drawn_pairs(workspace, kind)
    # 3. Kept with all that tells it from another.
    strata = _strata(drawn, known)
    document = {
        "budget": budget,
        "candidates": population.candidates.height,
        "levels": population.levels,
        "near_threshold": near_threshold,
        "policy": chosen_policy(workspace).to_json(),
        "strata": dict(strata.select("stratum", "pairs").iter_rows()),
    }
    sample = workspace.ledger.add_label_sample(
        str(kind), seed, document, drawn.sort("position").select(*_PAIR, "stratum")
    )
    return DrawnSample(
        sample,
        strata,
        population.candidates.height,
        drawn.join(known, on=_PAIR, how="anti").height,
        drawn.join(earlier, on=_PAIR, how="anti").height,
        population.current,
    )


def sample_seed(workspace: Workspace) -> int | None:
    """The seed of the workspace's samples for estimates; None before the first."""
    samples = workspace.ledger.label_samples(str(SampleKind.STRATIFIED))
    return samples[0].seed if samples else None


def sample_ladder(workspace: Workspace) -> tuple[float, ...]:
    """The thresholds that the last sample for estimates was drawn for; the default ones before the first."""
    samples = workspace.ledger.label_samples(str(SampleKind.STRATIFIED))
    return tuple(samples[0].document["levels"]) if samples else ladder_from()


def drawn_pairs(workspace: Workspace, kind: SampleKind = SampleKind.STRATIFIED) -> pl.DataFrame:
    """digest_a and digest_b of every pair that a sample of this kind holds, and its position in the latest of them."""
    samples = workspace.ledger.label_samples(str(kind))
    parts = [workspace.ledger.label_items(sample.sample_id).select(*_PAIR, "position") for sample in samples]
    # Only the latest has an order that can be told: the earlier ones are of other populations.
    parts[1:] = [part.with_columns(position=pl.lit(None, pl.Int64)) for part in parts[1:]]
    empty = pl.DataFrame(schema={**dict.fromkeys(_PAIR, pl.String), "position": pl.Int64})
    every = pl.concat([empty, *(part.with_columns(pl.col("position").cast(pl.Int64)) for part in parts)])
    return every.group_by(_PAIR).agg(pl.col("position").min()).sort(_PAIR)


def _strata(drawn: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    marked = drawn.join(known.select(*_PAIR, labelled=pl.lit(True)), on=_PAIR, how="left")
    return (
        marked.group_by("stratum")
        .agg(
            pairs=pl.col("stratum_size").max(),
            drawn=pl.len().cast(pl.Int64),
            labelled=pl.col("labelled").fill_null(False).sum().cast(pl.Int64),
        )
        .sort("stratum")
    )
