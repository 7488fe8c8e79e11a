"""Jobs: what is done outside the web process, how far it is, and what came of it.

Takes ids, gives what the ledger has; must not do a job.
"""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import Job, JobState, Scope
from deeplens_kit.service.access.dependencies import Caller, needs
from deeplens_kit.service.api.job_answers import job_answer
from deeplens_kit.service.api.paging import Cursor, Limit
from deeplens_kit.service.api.values.base import Page
from deeplens_kit.service.api.values.jobs import JobAnswer
from deeplens_kit.service.context import Held
from deeplens_kit.service.jobs.kinds import JOB_KINDS
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["JobId", "router"]

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{8,64}$", description="The id of a job.")]
State = Literal["queued", "running", "done", "failed", "cancelled", "dead"]


@router.get(
    "",
    summary="List jobs",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 422, 429, 503),
)
def list_jobs(
    held: Held,
    status: Annotated[list[State], Query(max_length=6)] = [],  # noqa: B006 - FastAPI takes a copy for each request
    kind: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006
    who: Annotated[str, Query(max_length=200, description="Only those that this person asked for.")] = "",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[JobAnswer]:
    """List jobs, the latest first."""
    states = [JobState(name) for name in status]
    found = held.workspace.ledger.jobs(states, kind, who, limit=limit + 1, before=_before(cursor))
    shown = found[:limit]
    following = _cursor(shown[-1]) if len(found) > limit else None
    return Page[JobAnswer](items=[job_answer(job, whole=False) for job in shown], next_cursor=following)


@router.get(
    "/{job_id}",
    summary="Show a job",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def show_job(job_id: JobId, held: Held) -> JobAnswer:
    """Show a job with its parameters and what came of it."""
    return job_answer(held.workspace.ledger.job(job_id), whole=True)


@router.post(
    "/{job_id}/cancel",
    summary="Cancel a job",
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def cancel_job(job_id: JobId, held: Held, who: Caller) -> JobAnswer:
    """End a job that waits; one that runs ends as soon as it can, and what it did stands."""
    job = held.workspace.ledger.job(job_id)
    _permit(job, who)
    return job_answer(held.workspace.ledger.cancel_job(job.job_id), whole=True)


@router.post(
    "/{job_id}/retry",
    summary="Try a job again",
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(401, 403, 404, 409, 422, 429, 503),
)
def retry_job(job_id: JobId, held: Held, who: Caller) -> JobAnswer:
    """Queue a job again that failed, is dead or was cancelled."""
    job = held.workspace.ledger.job(job_id)
    _permit(job, who)
    return job_answer(held.workspace.ledger.retry_job(job.job_id), whole=True)


def _permit(job: Job, who: Caller) -> None:
    """Refuse where somebody might not have asked for such a job."""
    kind = JOB_KINDS.get(job.kind)
    who.require(kind.scope if kind is not None else Scope.ADMIN)


def _cursor(job: Job) -> str:
    plain = json.dumps([job.created_at.isoformat(), job.job_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(plain.encode()).rstrip(b"=").decode()


def _before(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    try:
        at, job_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not isinstance(job_id, str) or not job_id.isalnum():
            raise ValueError("it lacks something")
        return moment.astimezone(UTC), job_id
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError) as error:
        raise SettingsError("The cursor cannot be read; give `next_cursor` of an answer as it is.") from error
