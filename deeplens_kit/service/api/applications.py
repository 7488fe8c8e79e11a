"""Applications: what was done by plans, undone by a job, and certified.

Takes ids, gives what the ledger has; must not touch a file.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from deeplens_kit.ledger import Scope
from deeplens_kit.pipeline.certifying import certificate
from deeplens_kit.service.access.dependencies import Caller, needs
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.paging import Cursor, Limit, page_of
from deeplens_kit.service.api.plan_answers import application_answer
from deeplens_kit.service.api.values.base import JobStarted, Page
from deeplens_kit.service.api.values.plans import ApplicationAnswer
from deeplens_kit.service.context import Held
from deeplens_kit.service.jobs import asking
from deeplens_kit.service.limits import costly
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/applications", tags=["plans"])

ApplicationId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$", description="Its id, or how it begins.")]


@router.get(
    "",
    summary="List applications",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_all(held: Held, limit: Limit = 100, cursor: Cursor = None) -> Page[ApplicationAnswer]:
    """List what was applied, the latest first."""
    return page_of(held.workspace.ledger.applications(), limit, cursor, "applications", application_answer)


@router.get(
    "/{application_id}",
    summary="Show an application",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show(application_id: ApplicationId, held: Held) -> ApplicationAnswer:
    """Show how an application stands."""
    return application_answer(held.workspace.ledger.application(application_id))


@router.get(
    "/{application_id}/certificate",
    summary="Show the certificate of an application",
    dependencies=[needs(Scope.IMAGES_READ), costly()],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def certify(application_id: ApplicationId, held: Held) -> dict[str, Any]:
    """Show what an application did and proved, what was skipped and why, and what emptying freed."""
    return certificate(held.workspace, application_id).to_json()


@router.post(
    "/{application_id}/undo",
    summary="Undo an application",
    status_code=202,
    dependencies=[needs(Scope.PLANS_APPROVE)],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def undo(application_id: ApplicationId, held: Held, once: Idempotent, who: Caller) -> JobStarted:
    """Have a job make all that an application did as it was."""
    who.require(Scope.IMAGES_DELETE)
    name = held.workspace.ledger.application(application_id).application_id
    return once.job(lambda: asking.undo(held.workspace, name))


@router.post(
    "/{application_id}/resume",
    summary="Go on with an application",
    status_code=202,
    dependencies=[needs(Scope.PLANS_APPROVE)],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def resume(application_id: ApplicationId, held: Held, once: Idempotent, who: Caller) -> JobStarted:
    """Have a job go on with an application that was paused or halted, or whose process ended."""
    who.require(Scope.IMAGES_DELETE)
    name = held.workspace.ledger.application(application_id).application_id
    return once.job(lambda: asking.go_on(held.workspace, name))
