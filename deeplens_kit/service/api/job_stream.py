"""The stream of jobs: stages of images and states of jobs as they come, as server-sent events.

Takes where a reader stood, gives events until it leaves; must not read the ledger itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from deeplens_kit.ledger import Scope
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.ids import image_id_of
from deeplens_kit.service.api.jobs import JobId
from deeplens_kit.service.context import Held
from deeplens_kit.service.jobs.stream import StreamItem, events
from deeplens_kit.service.limits import streaming
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

LastEventId = Annotated[str | None, Header(alias="Last-Event-ID", max_length=18, pattern=r"^[0-9]{1,18}$")]
After = Annotated[int | None, Query(ge=0, le=2**62, description="The id of the last event that the caller has.")]

# So often something is sent where nothing happens: whoever is between would take the silence for the end.
_PING_SECONDS = 15
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: stages of images, and states of jobs.",
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "object",
                    "required": ["event", "data"],
                    "properties": {
                        "event": {"enum": ["stage", "progress", "forgotten", "end"]},
                        "data": {"type": "string", "description": "JSON."},
                        "id": {"type": "string", "description": "Of a stage: to be sent back as Last-Event-ID."},
                    },
                }
            }
        },
    }
}


@router.get(
    "/events",
    summary="Follow all jobs",
    dependencies=[needs(Scope.IMAGES_READ), streaming()],
    response_class=EventSourceResponse,
    responses={**_STREAM, **PROBLEMS(401, 403, 422, 429, 503)},
)
async def follow_all(held: Held, after: After = None, last_event_id: LastEventId = None) -> EventSourceResponse:
    """Follow the stages of images and jobs as they come; with `Last-Event-ID` from where the caller was cut off."""
    return _streamed(events(held.workspace, _position(after, last_event_id)))


@router.get(
    "/{job_id}/events",
    summary="Follow a job",
    dependencies=[needs(Scope.IMAGES_READ), streaming()],
    response_class=EventSourceResponse,
    responses={**_STREAM, **PROBLEMS(401, 403, 404, 422, 429, 503)},
)
async def follow_job(
    job_id: JobId, held: Held, after: After = None, last_event_id: LastEventId = None
) -> EventSourceResponse:
    """Follow the stages of one job; the stream ends when it does."""
    job = await asyncio.to_thread(held.workspace.ledger.job, job_id)
    return _streamed(events(held.workspace, _position(after, last_event_id), job.job_id))


def _position(after: int | None, last_event_id: str | None) -> int | None:
    """Where the stream begins; a browser that was cut off says so by the header. None: with what comes now."""
    return int(last_event_id) if last_event_id is not None else after


def _streamed(items: AsyncIterator[StreamItem]) -> EventSourceResponse:
    return EventSourceResponse(_written(items), ping=_PING_SECONDS)


async def _written(items: AsyncIterator[StreamItem]) -> AsyncIterator[ServerSentEvent]:
    async for item in items:
        data = dict(item.data)
        if data.get("image_id"):
            data["image_id"] = image_id_of(data["image_id"])
        sequence = None if item.sequence is None else str(item.sequence)
        yield ServerSentEvent(json.dumps(data, separators=(",", ":")), event=item.event, id=sequence)
