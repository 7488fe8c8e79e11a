"""Scans: locations are listed, what is new is read, and copies are looked for; by a job.

Takes names of locations, gives a job; must not read a file.
"""

from __future__ import annotations

from fastapi import APIRouter

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import Scope
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.job_answers import scan_status
from deeplens_kit.service.api.jobs import JobId
from deeplens_kit.service.api.values.base import JobStarted
from deeplens_kit.service.api.values.ingest import ScanRequest
from deeplens_kit.service.api.values.jobs import ScanStatus
from deeplens_kit.service.context import Held
from deeplens_kit.service.jobs.kinds import submit
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/index", tags=["index"])

_KINDS = ("index", "extract")


@router.post(
    "/scan",
    summary="Scan locations",
    status_code=202,
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 429, 503),
)
def scan(asked: ScanRequest, held: Held, once: Idempotent) -> JobStarted:
    """Have locations scanned by a job: what is new or changed is read, and what is gone is taken out."""
    ledger = held.workspace.ledger
    with named_in_body():
        names = [ledger.location(name).name for name in dict.fromkeys(asked.storage_locations)]
        parameters = {
            "locations": names,
            "retry_failed": asked.retry_failed,
            "accept_gone": asked.accept_gone,
            "and_match": asked.find_duplicates,
            "let_in": asked.include_forgotten,
        }
        return once.job(lambda: submit(held.workspace, "index", parameters), "/api/v1/index/status/")


@router.get(
    "/status/{job_id}",
    summary="Show how a scan stands",
    dependencies=[needs(Scope.IMAGES_READ)],
    responses=PROBLEMS(401, 403, 404, 422, 429, 503),
)
def scan_state(job_id: JobId, held: Held) -> ScanStatus:
    """Show how far a scan is, and what it found."""
    job = held.workspace.ledger.job(job_id)
    if job.kind not in _KINDS:
        raise UnknownNameError(
            "scan", job_id, (), advice=f"it is a job of kind {job.kind!r}: ask /api/v1/jobs/{job_id}."
        )
    return scan_status(job)
