"""Jobs of the ledger as values of the API.

Takes a job, gives what goes out as JSON; must not ask the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from deeplens_kit.ledger import Job
from deeplens_kit.search.link import shown_link
from deeplens_kit.service.api.values.base import JobStarted
from deeplens_kit.service.api.values.jobs import JobAnswer, JobProgressAnswer, JobTiming, ProgressFigures, ScanStatus
from deeplens_kit.service.jobs.kinds import JOB_KINDS
from deeplens_kit.telemetry import redact_value

__all__ = ["figures_of", "job_answer", "job_started", "scan_status", "timing_of"]


def job_started(job: Job, path: str = "/api/v1/jobs/") -> JobStarted:
    """What is told of a job that was put into the queue.

    Args:
        job: The job.
        path: Under which it is asked for.
    """
    return JobStarted(
        job_id=job.job_id,
        kind=job.kind,
        status=str(job.state),
        created_at=job.created_at,
        status_url=f"{path}{job.job_id}",
    )


def job_answer(job: Job, *, whole: bool) -> JobAnswer:
    """A job.

    Args:
        job: The job.
        whole: With parameters and results, which may be long.
    """
    kind, progress = JOB_KINDS.get(job.kind), job.progress
    return JobAnswer(
        job_id=job.job_id,
        kind=job.kind,
        label=kind.label if kind is not None else job.kind,
        status=str(job.state),
        who=job.who,
        priority=job.priority,
        resource=str(job.resource),
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        created_at=job.created_at,
        progress=JobProgressAnswer(
            **figures_of(job).model_dump(),
            message=progress.message,
            rate_per_second=progress.rate_per_second,
            seconds_left=progress.seconds_left,
        ),
        timing=timing_of(job),
        error=job.error,
        error_code=job.error_code,
        cancel_asked=job.cancel_asked,
        correlation_id=job.correlation_id,
        parameters=plain(job.parameters) if whole else None,
        results=plain(job.result) if whole else None,
    )


def figures_of(job: Job, total: int | None = None) -> ProgressFigures:
    """How far a job is.

    Args:
        job: The job.
        total: Of its images, where that is known beforehand.
    """
    progress = job.progress
    total = progress.total if total is None else total
    share = None if not total else min(100.0, round(100 * progress.processed / total, 1))
    return ProgressFigures(
        total_images=total,
        processed=progress.processed,
        failed=progress.failed,
        remaining=None if total is None else max(0, total - progress.processed),
        percentage=share,
    )


def timing_of(job: Job) -> JobTiming:
    """When a job began, and when it will be done."""
    progress, done = job.progress, job.progress.processed
    ends = None
    if not job.is_finished and job.started_at is not None and progress.seconds_left is not None:
        ends = datetime.now(UTC) + timedelta(seconds=progress.seconds_left)
    average = None
    if job.started_at is not None and job.finished_at is not None and done:
        average = round((job.finished_at - job.started_at).total_seconds() * 1000 / done, 1)
    elif progress.rate_per_second > 0:
        average = round(1000 / progress.rate_per_second, 1)
    return JobTiming(
        started_at=job.started_at,
        finished_at=job.finished_at,
        estimated_completion=ends,
        average_processing_time_ms=average,
    )


def scan_status(job: Job) -> ScanStatus:
    """How a scan stands."""
    return ScanStatus(
        job_id=job.job_id,
        status=str(job.state),
        storage_locations=[str(name) for name in job.parameters.get("locations", ())],
        progress=figures_of(job),
        timing=timing_of(job),
        results=plain(job.result),
        error=job.error,
    )


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of the ledger as it goes out: whoever may look at jobs gets no key of whoever asked for one."""
    shown = redact_value(document)
    assert isinstance(shown, dict)
    for item in shown.get("items", ()):
        if isinstance(item, dict) and item.get("url"):
            item["url"] = shown_link(item["url"])
    return shown
