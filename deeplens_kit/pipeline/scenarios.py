"""Scenarios: what other thresholds and other keep policies would come to, side by side.

Takes an open workspace, gives a frame; must not write. One threshold lab answers for all thresholds of a policy, so
that only a further policy takes long: it reads and orders all pairs anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from deeplens_kit.matching import KeepPolicy, Rule, Thresholds
from deeplens_kit.pipeline.keep_policies import chosen_policy, known_policies
from deeplens_kit.pipeline.rule_in_use import chosen_rule
from deeplens_kit.pipeline.thresholds import ThresholdLab
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier

__all__ = ["MOST_PICTURES_FOR_POLICIES", "compare_scenarios"]

MOST_PICTURES_FOR_POLICIES = 100_000
"""Inclusive. Up to so many pictures all known policies are tried where none are named: beyond, each takes some 20
seconds for a million pictures."""

_COLUMNS = pl.Schema(
    {
        "policy": pl.String(),
        "rule": pl.String(),
        "in_use": pl.Boolean(),
        "groups": pl.Int64(),
        "objects": pl.Int64(),
        "gross_bytes": pl.Int64(),
        "realisable_bytes": pl.Int64(),
        "more_bytes": pl.Int64(),
        "largest_group": pl.Int64(),
        "withheld": pl.Int64(),
    }
)


def compare_scenarios(
    workspace: Workspace,
    likelihoods: Sequence[float] = (),
    policies: Sequence[KeepPolicy | str | Path] = (),
    *,
    tiers: Collection[Tier | str] | None = None,
    rule: Rule | None = None,
    policy: KeepPolicy | str | Path | None = None,
) -> pl.DataFrame:
    """What each likelihood with each keep policy would come to.

    Args:
        workspace: An open workspace.
        likelihoods: Least likelihoods of a copy, 0 to 1, besides the rule that is compared with.
        policies: Keep policies besides the one that is compared with; none for all known ones, where that is soon told.
        tiers: Tiers to propose from; None for all.
        rule: Compared with; None for the rule in use.
        policy: Compared with, as for `chosen_policy`; None for the policy in use.

    Returns:
        Columns policy, rule, in_use (what is compared with, the first row), groups, objects, gross_bytes,
        realisable_bytes, more_bytes (than what is compared with), largest_group, withheld.
    """
    base, keep = chosen_rule(workspace, rule), chosen_policy(workspace, policy)
    rules = [(base.name, base)]
    rules += [(f"likelihood {bound:g}", _rule(bound)) for bound in dict.fromkeys(likelihoods)]
    rows = []
    first: int | None = None
    for other in [keep, *_others(workspace, keep, policies)]:
        lab = ThresholdLab(workspace, other)
        for name, judged in rules:
            found = lab.outcome(judged, tiers)
            first = found.realisable_bytes if first is None else first
            rows.append(
                (
                    other.name,
                    name,
                    (other, judged) == (keep, base),
                    found.groups,
                    found.objects,
                    found.gross_bytes,
                    found.realisable_bytes,
                    found.realisable_bytes - first,
                    found.largest_group,
                    found.withheld,
                )
            )
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")


def _rule(likelihood: float) -> Rule:
    return Thresholds(likelihood_min=likelihood, page_likelihood_min=likelihood).rule()


def _others(workspace: Workspace, keep: KeepPolicy, policies: Sequence[KeepPolicy | str | Path]) -> list[KeepPolicy]:
    if policies:
        chosen = [chosen_policy(workspace, item) for item in policies]
    elif workspace.catalog.count_pictures() <= MOST_PICTURES_FOR_POLICIES:
        chosen = list(known_policies(workspace).values())
    else:
        chosen = []
    others: list[KeepPolicy] = []
    for item in chosen:
        if item != keep and item not in others:
            others.append(item)
    return others
