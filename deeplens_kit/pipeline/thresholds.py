"""The threshold lab: what a workspace's pairs come to under one rule after another, answered from memory.

Takes an open workspace, or frames, reads them once, and gives totals, borderline pairs and counts for any thresholds;
must not write, and reads no object.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from deeplens_kit.catalog.freed_memory import give_back
from deeplens_kit.errors import UnknownNameError
from deeplens_kit.matching import (
    STRICT,
    GraphFloor,
    KeepPolicy,
    Regrouper,
    Rule,
    Thresholds,
    borderline_pairs,
    count_pairs,
    graph_floor,
)
from deeplens_kit.matching.numbered_pairs import PAIR_COLUMNS
from deeplens_kit.pipeline.file_listing import placed_files
from deeplens_kit.pipeline.findings import GROUP_OBJECT_COLUMNS, GROUP_PICTURE_COLUMNS
from deeplens_kit.pipeline.graph import floor_of, is_current
from deeplens_kit.pipeline.keep_facts import policy_state, with_keep_facts
from deeplens_kit.pipeline.keep_policies import chosen_policy
from deeplens_kit.pipeline.kind_prices import KindPrices, prices_state
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier
from deeplens_kit.settings import MatchSettings

__all__ = ["PROPOSED_TIERS", "ThresholdLab", "ThresholdOutcome"]

PROPOSED_TIERS = (Tier.BYTES, Tier.PIXELS, Tier.COPY)
"""Tiers that groups are proposed from."""


@dataclass(frozen=True, slots=True)
class ThresholdOutcome:
    """What `list_groups` and `summarise_savings` would add up to by these thresholds.

    Attributes:
        groups: Keepers with at least one removable object, by tier.
        objects: Objects proposed for removal.
        gross_bytes: Their sizes.
        realisable_bytes: What their removal frees.
        largest_group: Objects of the largest group with its keeper; 0 where there is no group.
        withheld: Pairs of a keeper and a copy that is not proposed.
        by_tier: Columns tier, groups, objects, gross_bytes, realisable_bytes: one row for each tier asked for.
        seconds: How long it took.
        money: MONEY with `location`, as `summarise_savings` has it; None where the workspace has no price book.
    """

    groups: int
    objects: int
    gross_bytes: int
    realisable_bytes: int
    largest_group: int
    withheld: int
    by_tier: pl.DataFrame
    seconds: float
    money: pl.DataFrame | None = None


class ThresholdLab:
    """Answers for thresholds, from what the workspace held when this was made; safe to use from several threads.

    Args:
        workspace: An open workspace; it may be closed afterwards.
        policy: As for `list_groups`.
        decided: Whether what people decided holds; without it the rule alone is judged.

    Attributes:
        floor: The weakest evidence at which pairs are stored and looked at.
        current: False when pictures were indexed after the last matching: index again, and make a new lab.
    """

    floor: GraphFloor
    current: bool
    _prices: KindPrices | None

    def __init__(
        self, workspace: Workspace, policy: KeepPolicy | str | Path | None = None, *, decided: bool = True
    ) -> None:
        keep = chosen_policy(workspace, policy)
        self._asked = policy, decided
        # Before anything is read: what changes meanwhile is then noticed.
        self._state = _state_of(workspace, keep)
        regrouper = Regrouper(
            lambda: self._priced(workspace, keep),
            lambda: workspace.catalog.pictures(columns=GROUP_PICTURE_COLUMNS),
            workspace.catalog.pair_parts(PAIR_COLUMNS),
            policy=keep,
            decisions=workspace.ledger.decisions() if decided else None,
            crowd_pictures=workspace.settings.group.crowd_pictures,
        )
        self._load(regrouper, floor_of(workspace))
        self.current = is_current(workspace)
        give_back()

    @classmethod
    def of(
        cls, objects: pl.DataFrame, pictures: pl.DataFrame, pairs: pl.DataFrame, *, floor: GraphFloor | None = None
    ) -> Self:
        """A lab over frames.

        Args:
            objects: OBJECTS, as for `group`.
            pictures: `digest` and what there is of the columns that grouping looks at.
            pairs: PAIRS.
            floor: The weakest evidence among the pairs; None for that of the default settings.
        """
        lab = cls.__new__(cls)
        lab._asked, lab._state, lab._prices = (None, True), (), None
        lab._load(Regrouper(objects, pictures, pairs), floor or graph_floor(MatchSettings(), pictures.height))
        lab.current = True
        return lab

    def refreshed(self, workspace: Workspace) -> Self:
        """A lab of what the workspace holds now: this one where nothing that it answers from has changed since.

        Else all is loaded anew. A picture that came can make another one an upscale, become its keeper or complete a
        family, so that any row may change with it; and most of the time goes into reading the stored pairs, which a
        lab that kept the rest would have to read as well, to know which of them are new.

        Args:
            workspace: The one that this was made of, open.
        """
        policy, decided = self._asked
        if self._state == _state_of(workspace, chosen_policy(workspace, policy)):
            return self
        return type(self)(workspace, policy, decided=decided)

    def _load(self, regrouper: Regrouper, floor: GraphFloor) -> None:
        self._regrouper = regrouper
        self.floor = floor
        self._counted: tuple[tuple[float, int], pl.DataFrame] | None = None

    def _priced(self, workspace: Workspace, keep: KeepPolicy) -> pl.DataFrame:
        """The files with what the policy asks of them and, where there are prices, their kind."""
        files = with_keep_facts(workspace, placed_files(workspace, GROUP_OBJECT_COLUMNS), keep)
        files, self._prices = KindPrices.of(workspace, files)
        return files

    @property
    def regrouper(self) -> Regrouper:
        """What answers, for any rule."""
        return self._regrouper

    @property
    def pictures(self) -> int:
        """Pictures that an indexed object holds."""
        return self._regrouper.pictures

    @property
    def pairs(self) -> int:
        """Stored pairs of such pictures."""
        return len(self._regrouper.edges.left)

    @property
    def unseen(self) -> int:
        """Of these pairs so many that no close look has judged yet: no threshold proposes them."""
        return self._regrouper.edges.odds["plain_odds"].null_count()

    def outcome(self, thresholds: Thresholds | Rule, tiers: Collection[Tier | str] | None = None) -> ThresholdOutcome:
        """What the thresholds come to: the totals of `list_groups(rule=thresholds.rule())`, to the byte.

        Args:
            thresholds: The bounds, or a rule.
            tiers: Tiers to propose from: `bytes`, `pixels` and `copy`; None for all.

        Raises:
            UnknownNameError: A tier is unknown.
        """
        start = time.perf_counter()
        chosen = None if tiers is None else [_tier(name) for name in tiers]
        found = self._regrouper.regroup(_rule(thresholds), chosen)
        sums = found.by_tier.drop("tier").sum().row(0, named=True)
        return ThresholdOutcome(
            **sums,
            largest_group=found.largest_group,
            withheld=found.withheld,
            by_tier=found.by_tier,
            money=None if self._prices is None or found.by_kind is None else self._prices.money(found.by_kind),
            seconds=time.perf_counter() - start,
        )

    def borderline(self, thresholds: Thresholds | Rule, limit: int = 12) -> pl.DataFrame:
        """The pairs nearest to the bounds, half of them just copies and half just not.

        Args:
            thresholds: The bounds, or a rule.
            limit: The most rows.

        Returns:
            BORDERLINE, the clearest copy first; page-like pictures are measured against their own bound.

        Raises:
            SettingsError: The limit is below 0.
        """
        return borderline_pairs(self._regrouper, _rule(thresholds), limit)

    def histogram(self, thresholds: Thresholds | Rule = STRICT) -> pl.DataFrame:
        """How many pairs there are at each likelihood, and at each distance of other shots: HISTOGRAM.

        Args:
            thresholds: The bounds, or a rule: what they call a page, and too little to tell, moves bars; nothing else.
        """
        rule = _rule(thresholds)
        key = (rule.page_tone_min, rule.pdq_quality_min)
        counted = self._counted
        if counted is None or counted[0] != key:
            counted = self._counted = key, count_pairs(self._regrouper, rule)
        return counted[1]


def _state_of(workspace: Workspace, policy: KeepPolicy) -> tuple[object, ...]:
    """Names everything that a lab answers from; no row is read."""
    catalog, ledger = workspace.catalog, workspace.ledger
    places = tuple((item.location_id, item.name, workspace.kind_of(item).place) for item in ledger.locations())
    settings = workspace.settings.match, workspace.settings.group
    return (
        *(catalog.versions(), catalog.pairs_version(), ledger.decisions_version()),
        *(policy_state(workspace, policy), prices_state(workspace), places, settings),
    )


def _rule(thresholds: Thresholds | Rule) -> Rule:
    return thresholds if isinstance(thresholds, Rule) else thresholds.rule()


def _tier(name: Tier | str) -> Tier:
    known = [str(tier) for tier in PROPOSED_TIERS]
    if str(name) not in known:
        raise UnknownNameError("tier of proposed groups", str(name), known)
    return Tier(name)
