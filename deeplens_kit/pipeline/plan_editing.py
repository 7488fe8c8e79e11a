"""What people do with a plan that was made: hold it against another, take steps out, say yes or no.

Takes an open workspace and ids of plans, gives frames and records; writes to the ledger and touches no file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from deeplens_kit.actions import chosen_steps, diff_steps, rows_of_csv, steps_of_rows, trimmed
from deeplens_kit.errors import PlanError, PlanStateError
from deeplens_kit.ledger import PlanRecord, PlanState
from deeplens_kit.ledger.act_values import LIVE_PLANS
from deeplens_kit.pipeline.plan_facts import location_names, plan_places, plan_prices
from deeplens_kit.pipeline.plan_freshness import evidence_at, require_fresh
from deeplens_kit.pipeline.plan_summary import totals_of
from deeplens_kit.pipeline.planning import load_steps, save_steps
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["approve_plan", "compared_plans", "diff_plans", "list_plans", "plan_before", "refuse_plan", "trim_plan"]

_LISTED = pl.Schema(
    {
        "plan_id": pl.String(),
        "kind": pl.String(),
        "state": pl.String(),
        "action": pl.String(),
        "steps": pl.Int64(),
        "bytes": pl.Int64(),
        "frees_bytes": pl.Int64(),
        "author": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "approved_by": pl.String(),
        "replaces": pl.String(),
    }
)
_TRIMMED = (PlanState.DRAFT, PlanState.APPROVED, PlanState.REFUSED)


def list_plans(workspace: Workspace, *, superseded: bool = False) -> pl.DataFrame:
    """Plans, the latest first: plan_id, kind, state, action, steps, bytes, frees_bytes, author, created_at ...

    Args:
        workspace: An open workspace.
        superseded: Also those of which another took the place.
    """
    plans = workspace.ledger.plans(None if superseded else LIVE_PLANS)
    return pl.DataFrame([_line(plan) for plan in plans], schema=_LISTED, orient="row")


def plan_before(workspace: Workspace, record: PlanRecord) -> PlanRecord | None:
    """The plan that a plan is held against: which it replaces, else the last one of its kind before it."""
    if record.replaces:
        return workspace.ledger.plan(record.replaces)
    # Itself is among them, and of two of one moment it may be the second.
    older = workspace.ledger.plans(kind=record.kind, until=record.created_at, limit=2)
    return next((plan for plan in older if plan.plan_id != record.plan_id), None)


def diff_plans(workspace: Workspace, old: str | None, new: str) -> pl.DataFrame:
    """What tells two plans apart: PLAN_DIFF.

    Args:
        workspace: An open workspace.
        old: Id of the first; None for what `plan_before` gives.
        new: Id of the second.

    Raises:
        UnknownNameError: There is no such plan.
        PlanError: There is none before it.
    """
    before, after = compared_plans(workspace, old, new)
    return diff_steps(load_steps(workspace, before), load_steps(workspace, after))


def compared_plans(workspace: Workspace, old: str | None, new: str) -> tuple[PlanRecord, PlanRecord]:
    """The two plans that `diff_plans` holds against each other; takes and raises the same."""
    after = workspace.ledger.plan(new)
    before = plan_before(workspace, after) if old is None else workspace.ledger.plan(old)
    if before is None:
        raise PlanError(f"Plan {after.plan_id} is the first of its kind; name the plan to hold it against.")
    return before, after


def trim_plan(
    workspace: Workspace,
    plan_id: str,
    *,
    drop: Collection[int] = (),
    drop_groups: Collection[str] = (),
    only_locations: Sequence[str] = (),
    keep: Collection[int] | None = None,
    from_csv: bytes | None = None,
) -> PlanRecord:
    """Take steps out of a plan: a new plan, a draft, takes its place. What belongs together is dropped together.

    Args:
        workspace: An open workspace.
        plan_id: The plan.
        drop: Numbers of steps.
        drop_groups: Ids of groups, or how they begin.
        only_locations: Names of locations; steps on files elsewhere are dropped.
        keep: Numbers of the steps that alone may stay; None for all.
        from_csv: An export of the plan as CSV out of which rows were taken: what it still names may stay.

    Raises:
        PlanError: There is no such step, nothing would change, or no step would be left.
        PlanStateError: It was applied, or is.
    """
    record = workspace.ledger.plan(plan_id)
    if record.state not in _TRIMMED:
        then = f"plan {record.replaced_by} took its place" if record.replaced_by else "make a new one"
        raise PlanStateError(f"Plan {record.plan_id} is {record.state}, so no step can be taken out of it; {then}.")
    steps = load_steps(workspace, record)
    if from_csv is not None:
        named = set(steps_of_rows(steps, rows_of_csv(from_csv)))
        keep = named if keep is None else named & set(keep)
    ids = [workspace.ledger.location(name).location_id for name in only_locations]
    chosen = chosen_steps(steps, drop=drop, drop_groups=drop_groups, only_locations=ids, keep=keep)
    if chosen.height == steps.height:
        raise PlanError(f"That takes no step out of plan {record.plan_id}; it stays as it is.")
    prices, places, names = plan_prices(workspace), plan_places(workspace), location_names(workspace)
    less = trimmed(steps, chosen, prices)
    if less.is_empty():
        raise PlanError(
            f"No step of plan {record.plan_id} would be left; refuse it with `deeplens plan refuse {record.plan_id}`."
        )
    totals = totals_of(less, places, names, prices, str(record.document.get("proof", "token")))
    document: Mapping[str, object] = {
        **record.document,
        "made_by": "trim",
        "evidence_at": evidence_at(record).isoformat(),
        "totals": totals,
        "dropped": steps.height - less.height,
        "dropped_along": chosen.height - less.height,
    }
    return save_steps(workspace, less, document, kind=record.kind, replaces=record.plan_id)


def approve_plan(workspace: Workspace, plan_id: str, note: str = "", *, now: datetime | None = None) -> PlanRecord:
    """Say yes to a plan as it stands, as the person who runs this process.

    Raises:
        PlanStaleError: It has to be made anew first, see `require_fresh`.
        PlanNotApprovedError: The workspace asks for the approval of somebody else than who made it.
        PlanStateError: It is neither a draft nor approved.
    """
    record = workspace.ledger.plan(plan_id)
    if record.state in (PlanState.DRAFT, PlanState.APPROVED):
        require_fresh(workspace, record, load_steps(workspace, record), now or datetime.now(UTC))
    other = workspace.settings.actions.other_approver
    return workspace.ledger.approve_plan(record.plan_id, record.steps_digest, note, other_approver=other)


def refuse_plan(workspace: Workspace, plan_id: str, why: str = "") -> PlanRecord:
    """Say no to a plan, as the person who runs this process.

    Raises:
        PlanStateError: It is neither a draft nor approved.
    """
    return workspace.ledger.refuse_plan(workspace.ledger.plan(plan_id).plan_id, why)


def _line(plan: PlanRecord) -> tuple[object, ...]:
    totals, choice = plan.document.get("totals", {}), plan.document.get("choice", {})
    yes = [said.who for said in plan.approvals if said.approved and said.steps_digest == plan.steps_digest]
    return (
        plan.plan_id,
        plan.kind,
        str(plan.state),
        choice.get("action"),
        plan.steps,
        totals.get("bytes"),
        totals.get("frees_bytes"),
        plan.author,
        plan.created_at,
        ", ".join(dict.fromkeys(yes)) or None,
        plan.replaces or None,
    )
