"""A plan that is looked at before anybody approves it: saved as a draft, or what it would be if locations were opened.

Takes a document and steps, gives frozen values; must not touch a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from deeplens_kit.actions import steps_digest
from deeplens_kit.ledger import PlanRecord, PlanState
from deeplens_kit.ledger.holder import current_person

__all__ = ["PlanProposal", "unsaved_plan"]

_BY_LOCATION = pl.Schema(
    {
        "location": pl.String(),
        "tier": pl.String(),
        "steps": pl.Int64(),
        "bytes": pl.Int64(),
        "frees_bytes": pl.Int64(),
        "money_per_month": pl.String(),
        "currency": pl.String(),
    }
)
_LEFT_OUT = pl.Schema(
    {
        "location": pl.String(),
        "code": pl.String(),
        "objects": pl.Int64(),
        "bytes": pl.Int64(),
        "message": pl.String(),
        "examples": pl.List(pl.String()),
    }
)


@dataclass(frozen=True, slots=True)
class PlanProposal:
    """What a plan does, or would do.

    Attributes:
        record: The plan; its id is empty where it was not saved.
        steps: PLAN_STEPS.
        closed: Names of the locations that have to be opened for changes first; none where the plan was saved, or where
            there is nothing to do.
    """

    record: PlanRecord
    steps: pl.DataFrame
    closed: tuple[str, ...] = ()

    @property
    def is_saved(self) -> bool:
        """Whether it is a draft in the ledger, to be rehearsed and approved."""
        return bool(self.record.plan_id)

    @property
    def by_location(self) -> pl.DataFrame:
        """Steps, bytes, bytes freed and money a month (exact, as text) by location and tier."""
        return pl.DataFrame(self.record.document["totals"]["by_location"], schema=_BY_LOCATION)

    @property
    def left_out(self) -> pl.DataFrame:
        """Copies that are no step: by location and reason how many, their bytes, and a few of them."""
        lines = self.record.document["left_out"]
        return pl.DataFrame(lines, schema=_LEFT_OUT)

    @property
    def plan_id(self) -> str:
        """Id of the saved plan; empty where there is none."""
        return self.record.plan_id


def unsaved_plan(document: Mapping[str, Any], steps: pl.DataFrame) -> PlanRecord:
    """The record of a plan that nobody can approve or apply: the ledger does not have it.

    Args:
        document: What it was made from, and its totals.
        steps: PLAN_STEPS.
    """
    return PlanRecord(
        plan_id="",
        kind="duplicates",
        state=PlanState.DRAFT,
        author=current_person(),
        created_at=datetime.now(UTC),
        document=document,
        steps_digest=steps_digest(steps),
        steps=steps.height,
    )
