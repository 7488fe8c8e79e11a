"""Features that pictures lack, computed by a job.

Takes locations or images, gives a job; must not compute anything.
"""

from __future__ import annotations

from fastapi import APIRouter

from deeplens_kit.ledger import Scope
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.bodies import named_in_body
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.api.lookups import digest_of
from deeplens_kit.service.api.values.base import JobStarted
from deeplens_kit.service.api.values.ingest import ExtractRequest
from deeplens_kit.service.context import Held
from deeplens_kit.service.jobs.kinds import submit
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/features", tags=["index"])


@router.post(
    "/extract",
    summary="Compute features",
    status_code=202,
    dependencies=[needs(Scope.IMAGES_WRITE)],
    responses=PROBLEMS(400, 401, 403, 409, 413, 422, 429, 503),
)
def extract(asked: ExtractRequest, held: Held, once: Idempotent) -> JobStarted:
    """Have a job compute the features that are enabled and that pictures lack; `GET /models` says which there are."""
    ledger = held.workspace.ledger
    with named_in_body():
        names = [ledger.location(name).name for name in dict.fromkeys(asked.storage_locations)]
        digests = sorted({digest_of(held.workspace, image) for image in asked.image_ids})
        parameters: dict[str, object] = {"locations": names}
        if digests:
            parameters["digests"] = digests
        return once.job(lambda: submit(held.workspace, "extract", parameters), "/api/v1/index/status/")
