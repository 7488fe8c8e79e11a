"""What the API says of jobs, as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from deeplens_kit.service.api.values.base import Answer

__all__ = ["JobAnswer", "JobProgressAnswer", "JobTiming", "ProgressFigures", "ScanStatus"]


class ProgressFigures(Answer):
    """How far a job is, in images."""

    total_images: int | None = Field(description="Null while it is not known.")
    processed: int = Field(description="Done, those that failed among them.")
    failed: int
    remaining: int | None
    percentage: float | None = Field(default=None, ge=0, le=100)


class JobTiming(Answer):
    """When a job began, and when it will be done."""

    started_at: datetime | None = Field(description="UTC; null while it waits.")
    finished_at: datetime | None = None
    estimated_completion: datetime | None = Field(description="Null while there is no estimate.")
    average_processing_time_ms: float | None = Field(description="Of an image.")


class JobProgressAnswer(ProgressFigures):
    """How far a job is, with what it is at."""

    message: str
    rate_per_second: float
    seconds_left: float | None


class JobAnswer(Answer):
    """A job."""

    job_id: str
    kind: str
    label: str
    status: str = Field(description="queued, running, done, failed, cancelled or dead.")
    who: str
    priority: int
    resource: str
    attempts: int
    max_attempts: int
    created_at: datetime
    progress: JobProgressAnswer
    timing: JobTiming
    error: str
    error_code: str
    cancel_asked: bool
    correlation_id: str
    parameters: dict[str, Any] | None = Field(default=None, description="Where one job is asked for.")
    results: dict[str, Any] | None = Field(default=None, description="What came of it, where one job is asked for.")


class ScanStatus(Answer):
    """How a scan stands."""

    job_id: str
    status: str
    storage_locations: list[str] = Field(description="Those that are scanned; empty for all.")
    progress: ProgressFigures
    timing: JobTiming
    results: dict[str, Any] = Field(description="By location what was found, read and indexed; empty until it is done.")
    error: str
