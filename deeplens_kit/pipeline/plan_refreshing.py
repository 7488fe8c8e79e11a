"""Plans made anew from what they were made from: of groups, or of a retention rule.

Takes an open workspace and the id of a plan, gives the plan that takes its place, a draft, and what changed; writes to
the ledger and touches no file. What a person dropped by hand stays dropped.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.actions import diff_steps
from deeplens_kit.errors import PlanError
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.pipeline.planning import DUPLICATES, load_steps, plan_anew
from deeplens_kit.pipeline.retention import RETENTION, retention_anew
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["refresh_plan"]


def refresh_plan(workspace: Workspace, plan_id: str) -> tuple[PlanRecord, pl.DataFrame]:
    """Make a plan anew from what it was made from, in its place; what was dropped by hand stays dropped.

    Returns:
        The new plan, a draft, and PLAN_DIFF from the old to the new.

    Raises:
        PlanError: Nothing is left to do, or it is no plan that can be made anew.
        PlanStateError: It is being applied.
    """
    old = workspace.ledger.plan(plan_id)
    if old.kind == DUPLICATES and "choice" in old.document:
        new = plan_anew(workspace, old, _dropped(workspace, old))
    elif old.kind == RETENTION and "retention" in old.document:
        new = retention_anew(workspace, old, _dropped(workspace, old))
    else:
        raise PlanError(
            f"Plan {old.plan_id} is of kind {old.kind}, which is made neither from groups nor by a retention rule; "
            "make a new one."
        )
    return new, diff_steps(load_steps(workspace, old), load_steps(workspace, new))


def _dropped(workspace: Workspace, record: PlanRecord) -> pl.Series:
    """Ids of the objects that were dropped by hand from a plan, or from one that it was made from."""
    found: list[pl.DataFrame] = []
    while record.replaces:
        older = workspace.ledger.plan(record.replaces)
        if record.document.get("made_by") == "trim":
            file = ["victim_location_id", "victim_path"]
            found.append(load_steps(workspace, older).join(load_steps(workspace, record), on=file, how="anti"))
        record = older
    empty = pl.Series([], dtype=pl.String)
    name = pl.concat_str("victim_location_id", pl.lit("/"), "victim_path")
    return pl.concat([empty, *(steps.select(name).to_series() for steps in found)])
