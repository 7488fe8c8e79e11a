"""Within which bounds a plan of a workflow needs no person.

Takes bounds and what a plan comes to, gives sentences on what is beyond them; must not approve anything. Whatever
cannot be told counts as beyond.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Outcome, Tier

__all__ = ["PlanSize", "WorkflowBounds", "files_by_location", "plan_size"]

_FACTS = (Tier.BYTES, Tier.PIXELS)
"""Tiers that need no labels: equal bytes and equal samples are no judgement."""


@dataclass(frozen=True, slots=True)
class PlanSize:
    """What bounds are held against.

    Attributes:
        tiers: Evidence that its steps rest on.
        objects: Files that it acts on.
        size_bytes: Of these.
        shares: By name of location: the files there that it acts on, of those that are known there, 0..1.
        copy_precision: At least so much of what the rule calls a copy is one, as labels show; None where none do.
    """

    tiers: frozenset[str]
    objects: int
    size_bytes: int
    shares: Mapping[str, float]
    copy_precision: float | None


@dataclass(frozen=True, slots=True)
class WorkflowBounds:
    """Bounds that a person set; each is inclusive.

    Attributes:
        max_objects: Files at most, at least 1.
        max_bytes: Their bytes at most, at least 1.
        max_share: Of the files of each location at most, above 0, up to 1.
        copy_precision: Steps on the tier `copy` are within the bounds where labels show at least this precision,
            0.5..1; None: never.

    Raises:
        SettingsError: A bound is not allowed.
    """

    max_objects: int
    max_bytes: int
    max_share: float
    copy_precision: float | None = None

    def __post_init__(self) -> None:
        if self.max_objects < 1 or self.max_bytes < 1:
            raise SettingsError(
                f"Bounds of {self.max_objects:,} files and {self.max_bytes:,} bytes let nothing through; set at least "
                "1 of each."
            )
        if not 0 < self.max_share <= 1:
            raise SettingsError(f"The share of a location's files is {self.max_share:g}; allowed is above 0, up to 1.")
        if self.copy_precision is not None and not 0.5 <= self.copy_precision <= 1:
            raise SettingsError(f"The precision of copies is {self.copy_precision:g}; allowed is 0.5 to 1.")

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> WorkflowBounds | None:
        """Take what `to_json` gave; None for an empty mapping.

        Raises:
            SettingsError: It is something else.
        """
        if not document:
            return None
        try:
            return cls(**document)
        except TypeError as error:
            raise SettingsError("The bounds of the workflow cannot be read; set them again.") from error

    def exceeded(self, size: PlanSize) -> list[str]:
        """What of a plan is beyond the bounds, each in a few words; empty where it is within them."""
        beyond = []
        if size.objects > self.max_objects:
            beyond.append(f"{size.objects:,} files, {self.max_objects:,} are allowed")
        if size.size_bytes > self.max_bytes:
            beyond.append(f"{size.size_bytes:,} bytes, {self.max_bytes:,} are allowed")
        for name, share in sorted(size.shares.items()):
            if share > self.max_share:
                beyond.append(f"{share:.1%} of the files of {name}, {self.max_share:.1%} are allowed")
        beyond += self._by_tier(size)
        return beyond

    def _by_tier(self, size: PlanSize) -> list[str]:
        if others := sorted(size.tiers - {*map(str, _FACTS), str(Tier.COPY)}):
            return [f"steps on {others[0]}, which nobody allowed"]
        if Tier.COPY not in size.tiers:
            return []
        if self.copy_precision is None:
            return ["steps on copies, and only equal bytes and pixels are allowed"]
        if size.copy_precision is None:
            return [f"steps on copies, whose precision no labels show; {self.copy_precision:.1%} is asked for"]
        if size.copy_precision < self.copy_precision:
            return [
                f"steps on copies, of which labels show a precision of {size.copy_precision:.2%} at least; "
                f"{self.copy_precision:.2%} is asked for"
            ]
        return []


def plan_size(workspace: Workspace, evidence: Mapping[str, Any] | None, steps: pl.DataFrame) -> PlanSize:
    """What a plan comes to, for bounds.

    Args:
        workspace: An open workspace.
        evidence: What labels show of copies, as the document of the plan has it.
        steps: PLAN_STEPS.
    """
    known = files_by_location(workspace)
    names = {item.location_id: item.name for item in workspace.ledger.locations(inactive=True)}
    acted: dict[str, int] = dict(steps.group_by("victim_location_id").len().iter_rows())
    # What is not known there is all of it: a share that cannot be told is beyond every bound.
    shares = {names.get(key, key): min(1.0, count / max(known.get(key, 0), 1)) for key, count in acted.items()}
    lower = (evidence or {}).get("lower")
    return PlanSize(
        # A step that rests on no tier rests on something that no bound speaks of.
        frozenset(str(tier or "no evidence") for tier in steps["tier"].unique()),
        steps.height,
        int(steps["victim_size_bytes"].sum()),
        shares,
        None if lower is None else float(lower),
    )


def files_by_location(workspace: Workspace, location_ids: Collection[str] | None = None) -> dict[str, int]:
    """How many files are known at each location, by its id; those that are gone do not count."""
    objects = workspace.catalog.objects(columns=["location_id", "outcome"])
    counts = objects.filter(pl.col("outcome") != Outcome.GONE).group_by("location_id").len()
    found = {str(key): int(count) for key, count in counts.iter_rows()}
    return found if location_ids is None else {key: found.get(key, 0) for key in sorted(location_ids)}
