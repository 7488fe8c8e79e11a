"""Plans: what is proposed to be done with copies, held against another, trimmed, approved or refused, and applied.

Takes what is wanted, gives plans and jobs; must not touch a file: a job applies, and only what somebody who may has
approved as it stands.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from deeplens_kit.errors import PlanStaleError
from deeplens_kit.ledger import PlanState, Scope
from deeplens_kit.ledger.act_values import LIVE_PLANS
from deeplens_kit.pipeline import (
    approve_plan,
    make_plan,
    refresh_plan,
    refuse_plan,
    rule_named,
    trim_plan,
)
from deeplens_kit.pipeline.keep_policies import policy_named
from deeplens_kit.pipeline.plan_pages import steps_within
from deeplens_kit.service.access.dependencies import Caller, needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.paging import Cursor, Limit, StoredList, page_of
from deeplens_kit.service.api.plan_answers import application_answer, plan_answer, plan_change, plan_step
from deeplens_kit.service.api.values.base import JobStarted, Page
from deeplens_kit.service.api.values.plans import (
    ApplicationAnswer,
    PlanAnswer,
    PlanApproveRequest,
    PlanChange,
    PlanRefuseRequest,
    PlanRequest,
    PlanStep,
    PlanTrimRequest,
)
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.jobs import asking
from deeplens_kit.service.limits import costly
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/plans", tags=["plans"])

PlanId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$", description="The id of a plan, or how it begins.")]
State = Literal["draft", "approved", "refused", "applying", "applied", "undone", "superseded"]


@router.get(
    "",
    summary="List plans",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_plans(
    held: Held,
    status: Annotated[list[State], Query(max_length=7, description="Empty: all but superseded ones.")] = [],  # noqa: B006
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PlanAnswer]:
    """List plans, the latest first."""
    ledger = held.workspace.ledger
    wanted = frozenset(PlanState(name) for name in status) or LIVE_PLANS
    found = StoredList(ledger.count_plans(wanted), lambda most, first: ledger.plans(wanted, limit=most, offset=first))
    return page_of(found, limit, cursor, ("plans", tuple(sorted(wanted))), plan_answer)


@router.post(
    "",
    summary="Make a plan",
    status_code=201,
    dependencies=[needs(Scope.IMAGES_WRITE), costly()],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 429, 503),
)
def make(asked: PlanRequest, held: Held, once: Idempotent) -> PlanAnswer:
    """Make a plan of what is done with copies, and save it as a draft; nothing is done."""
    return once(lambda: _made(held, asked), lambda made: show(made.name, held))


@router.get(
    "/{plan_id}",
    summary="Show a plan",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show(plan_id: PlanId, held: Held) -> PlanAnswer:
    """Show how a plan stands, what it was made from and what it comes to."""
    return plan_answer(held.workspace.ledger.plan(plan_id))


@router.get(
    "/{plan_id}/steps",
    summary="List the steps of a plan",
    dependencies=[needs(Scope.IMAGES_READ), costly()],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def list_steps(plan_id: PlanId, held: Held, limit: Limit = 100, cursor: Cursor = None) -> Page[PlanStep]:
    """List the steps of a plan, in the order of acting.

    Approving and applying check all steps against `steps_digest`; a page of them is read by itself.
    """
    record, names = held.workspace.ledger.plan(plan_id), _names(held)
    rows = StoredList(record.steps, lambda most, first: steps_within(held.workspace, record, first, most).to_dicts())
    return page_of(rows, limit, cursor, ("steps", record.plan_id), lambda row: plan_step(row, names))


@router.get(
    "/{plan_id}/diff",
    summary="Compare a plan",
    dependencies=[needs(Scope.IMAGES_READ), costly()],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def diff(
    plan_id: PlanId,
    held: Held,
    against: Annotated[
        str | None, Query(pattern=r"^[0-9a-f]{1,32}$", description="Another plan; by default the one before it.")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PlanChange]:
    """List what changed from one plan to another: files that came, went, or have another keeper, tier or size."""
    rows, names = _Rows(held.diffs.of(held.workspace, against, plan_id)), _names(held)
    return page_of(rows, limit, cursor, ("diff", plan_id, against), lambda row: plan_change(row, names))


@router.post(
    "/{plan_id}/trim",
    summary="Take steps out of a plan",
    status_code=201,
    dependencies=[needs(Scope.IMAGES_WRITE), costly()],
    responses=PROBLEMS(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
def trim(plan_id: PlanId, asked: PlanTrimRequest, held: Held, once: Idempotent) -> PlanAnswer:
    """Take steps out of a plan: a new plan takes its place, to be approved anew."""
    return once(lambda: _trimmed(held, plan_id, asked), lambda made: show(made.name, held))


@router.post(
    "/{plan_id}/refresh",
    summary="Make a plan anew",
    status_code=201,
    dependencies=[needs(Scope.IMAGES_WRITE), costly()],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def refresh(plan_id: PlanId, held: Held, once: Idempotent) -> PlanAnswer:
    """Make a plan anew from what it was made from, in its place; `diff` of the new one says what changed."""
    return once(lambda: plan_answer(refresh_plan(held.workspace, plan_id)[0]), lambda made: show(made.name, held))


@router.post(
    "/{plan_id}/approve",
    summary="Approve a plan",
    dependencies=[needs(Scope.PLANS_APPROVE)],
    responses=PROBLEMS(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
def approve(plan_id: PlanId, asked: PlanApproveRequest, held: Held) -> PlanAnswer:
    """Say yes to a plan as it stands; refused where it is stale, or where it has other steps than were looked at."""
    record = held.workspace.ledger.plan(plan_id)
    if asked.steps_digest not in (None, record.steps_digest):
        raise PlanStaleError(
            f"Plan {record.plan_id} has other steps ({record.steps_digest[:12]}…) than those that were looked at; look "
            "at it again."
        )
    return plan_answer(approve_plan(held.workspace, record.plan_id, asked.note))


@router.post(
    "/{plan_id}/refuse",
    summary="Refuse a plan",
    dependencies=[needs(Scope.PLANS_APPROVE)],
    responses=PROBLEMS(400, 401, 403, 404, 409, 413, 422, 429, 503),
)
def refuse(plan_id: PlanId, asked: PlanRefuseRequest, held: Held) -> PlanAnswer:
    """Say no to a plan, also to one that was approved: it is not applied any more."""
    return plan_answer(refuse_plan(held.workspace, plan_id, asked.why))


@router.post(
    "/{plan_id}/apply",
    summary="Apply a plan",
    status_code=202,
    dependencies=[needs(Scope.PLANS_APPROVE)],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def apply(plan_id: PlanId, held: Held, once: Idempotent, who: Caller) -> JobStarted:
    """Have a job apply an approved plan: every file goes to quarantine first, and undoing takes it all back."""
    # Whoever was let approve alone moves no file.
    who.require(Scope.IMAGES_DELETE)
    record = held.workspace.ledger.plan(plan_id)
    return once.job(lambda: asking.apply_plan(held.workspace, record.plan_id))


@router.get(
    "/{plan_id}/applications",
    summary="List the applications of a plan",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def list_applications(
    plan_id: PlanId, held: Held, limit: Limit = 100, cursor: Cursor = None
) -> Page[ApplicationAnswer]:
    """List the applications of a plan, the latest first."""
    record = held.workspace.ledger.plan(plan_id)
    found = held.workspace.ledger.applications(record.plan_id)
    return page_of(found, limit, cursor, ("applications", record.plan_id), application_answer)


def _made(held: Service, asked: PlanRequest) -> PlanAnswer:
    workspace = held.workspace
    with named_in_body():
        record = make_plan(
            workspace,
            tiers=asked.tiers,
            action=asked.action,
            rule=None if asked.rule is None else rule_named(workspace, asked.rule),
            policy=None if asked.policy is None else policy_named(workspace, asked.policy),
            locations=asked.storage_locations,
            limit=asked.limit,
            to=asked.move_to,
            storage_class=asked.storage_class,
            merge_metadata=asked.merge_metadata,
        )
    return plan_answer(record)


def _trimmed(held: Service, plan_id: str, asked: PlanTrimRequest) -> PlanAnswer:
    record = held.workspace.ledger.plan(plan_id)
    with named_in_body():
        return plan_answer(
            trim_plan(
                held.workspace,
                record.plan_id,
                drop=asked.drop,
                drop_groups=asked.drop_groups,
                only_locations=asked.only_locations,
            )
        )


class _Rows:
    """The rows of a frame as a sequence: only those of a page are made."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return int(self._frame.height)

    def __getitem__(self, part: slice) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._frame[part].to_dicts()
        return rows


def _names(held: Service) -> dict[str, str]:
    return {item.location_id: item.name for item in held.workspace.ledger.locations(inactive=True)}
