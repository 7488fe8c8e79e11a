"""The stream of jobs: stages as they are committed, and how far jobs are.

Takes an open workspace and where a reader stood, gives items without end, or until its job is finished; must not block
the loop that it runs in. Stages have a number: whoever comes back with the last one misses none. How far a job is has
none: it is what stands now, and what stood meanwhile is of no interest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from deeplens_kit.ledger import Job, JobEvent, JobState, Ledger
from deeplens_kit.pipeline import Workspace

__all__ = ["StreamItem", "events", "job_document"]

_POLL_SECONDS = 0.5
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One thing that is told.

    Attributes:
        event: "stage", "progress", "forgotten" (what the reader missed is kept no more) or "end" (the job is finished).
        data: As JSON can hold it.
        sequence: Of a stage: to be sent back by who comes back; None for all else.
    """

    event: str
    data: Mapping[str, Any]
    sequence: int | None = None


async def events(
    workspace: Workspace, after: int | None = None, job_id: str = "", *, poll_seconds: float = _POLL_SECONDS
) -> AsyncIterator[StreamItem]:
    """What becomes of jobs from a moment on.

    Args:
        workspace: An open workspace.
        after: The last sequence that the reader has; None for what comes from now on, of one job all there is.
        job_id: Of one job alone, and then until it is finished.
        poll_seconds: Between two looks.

    Raises:
        UnknownNameError: There is no such job.
    """
    ledger = workspace.ledger
    if job_id:
        job_id = (await asyncio.to_thread(ledger.job, job_id)).job_id
    first, last = await asyncio.to_thread(ledger.job_event_bounds)
    if after is None:
        after = 0 if job_id else last
    elif after < first - 1 and not job_id:
        yield StreamItem("forgotten", {"first": first, "last": last})
    shown: dict[str, Mapping[str, Any]] = {}
    while True:
        # The jobs first: what is told of one that is finished is then committed.
        jobs = await asyncio.to_thread(_jobs, ledger, job_id)
        while told := await asyncio.to_thread(ledger.job_events, after, job_id, limit=_AT_ONCE):
            for item in told:
                after = item.sequence
                yield StreamItem("stage", _stage(item), item.sequence)
        for job in jobs:
            document = job_document(job)
            if shown.get(job.job_id) != document:
                shown[job.job_id] = document
                yield StreamItem("progress", document)
        if job_id and jobs[0].is_finished:
            yield StreamItem("end", job_document(jobs[0]))
            return
        shown = {job.job_id: shown[job.job_id] for job in jobs}
        await asyncio.sleep(poll_seconds)


def job_document(job: Job) -> dict[str, Any]:
    """How a job stands, as JSON can hold it; without its parameters and result, which may be long."""
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "state": str(job.state),
        "who": job.who,
        "attempts": job.attempts,
        "progress": job.progress.to_json(),
        "error": job.error,
        "error_code": job.error_code,
        "cancel_asked": job.cancel_asked,
    }


def _jobs(ledger: Ledger, job_id: str) -> tuple[Job, ...]:
    return (ledger.job(job_id),) if job_id else ledger.jobs((JobState.RUNNING,))


def _stage(event: JobEvent) -> dict[str, Any]:
    return {
        "sequence": event.sequence,
        "job_id": event.job_id,
        "image_id": event.image_id,
        "stage": event.stage,
        "at": event.at.isoformat(),
        "details": dict(event.details),
    }
