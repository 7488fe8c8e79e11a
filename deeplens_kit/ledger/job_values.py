"""What the ledger gives of jobs and of the stages of images: frozen values without a connection behind them.

Takes nothing from other modules; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = [
    "FINISHED_STATES",
    "ImageStage",
    "Job",
    "JobEvent",
    "JobProgress",
    "JobState",
    "Resource",
    "StageIntent",
]


class JobState(StrEnum):
    """How a job stands. `FAILED`: trying again would not help. `DEAD`: it was tried as often as it may be."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"


FINISHED_STATES = frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.DEAD})
"""States in which nobody works on a job any more, nor will unless somebody asks."""


class Resource(StrEnum):
    """What a job takes most of: a worker runs so many of each at a time."""

    CPU = "cpu"
    GPU = "gpu"
    IO = "io"


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is.

    Attributes:
        total: Items in all; None while it is not known.
        processed: Items finished, failed ones included.
        failed: Items that failed.
        message: What is being done, in a few words; may be empty.
        rate_per_second: Items per second.
        seconds_left: An estimate; None while there is none.
    """

    total: int | None = None
    processed: int = 0
    failed: int = 0
    message: str = ""
    rate_per_second: float = 0.0
    seconds_left: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "total": self.total,
            "processed": self.processed,
            "failed": self.failed,
            "message": self.message,
            "rate_per_second": self.rate_per_second,
            "seconds_left": self.seconds_left,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> JobProgress:
        """Take what `to_json` gave."""
        return cls(**{name: document[name] for name in cls.__slots__ if name in document})


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work outside the process that was asked for it.

    Attributes:
        job_id: Random hexadecimal.
        kind: What is to be done, for example "index".
        parameters: With what, as JSON can hold it.
        state: How it stands.
        who: Who asked for it; what it does is done by them.
        priority: The higher, the earlier.
        resource: What it takes most of.
        attempts: How often it was begun.
        max_attempts: How often it may be.
        created_at: UTC.
        started_at: UTC: when it was begun last; None before.
        finished_at: UTC; None until then.
        due_at: UTC: not begun before.
        lease_until: UTC: until then it is its worker's, unless that is seen to be dead; None where it has none.
        worker: The process that works on it, or did last; empty before.
        progress: How far it is.
        result: What came of it, as JSON can hold it.
        error: Why it failed, or was tried again; empty where nothing went wrong.
        error_code: Of the kind of error; empty as `error`.
        correlation_id: Of the request that asked for it; may be empty.
        cancel_asked: Whether somebody wants it to end.
        key: Of two unfinished jobs with the same key there is one; may be empty.
        turn: How often a worker took it: what a worker says of a turn that is over does not count.
    """

    job_id: str
    kind: str
    parameters: Mapping[str, Any]
    state: JobState
    who: str
    priority: int
    resource: Resource
    attempts: int
    max_attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime
    lease_until: datetime | None
    worker: str
    progress: JobProgress
    result: Mapping[str, Any]
    error: str
    error_code: str
    correlation_id: str
    cancel_asked: bool
    key: str
    turn: int

    @property
    def is_finished(self) -> bool:
        """Whether nobody works on it any more, nor will unless somebody asks."""
        return self.state in FINISHED_STATES


@dataclass(frozen=True, slots=True)
class ImageStage:
    """That an image has come to a stage.

    Attributes:
        image_id: The object, as "location/path"; empty for what is told of the job itself.
        stage: For example "indexed", "failed", "gone", "quarantined".
        details: As JSON can hold them.
    """

    image_id: str
    stage: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A stage in the outbox.

    Attributes:
        sequence: Its place among all; the next one is greater by one, in the order in which they were committed.
        job_id: The job that did it; empty where it was done without one.
        image_id: The object; empty for what is told of the job itself.
        stage: As of `ImageStage`; of a job its states.
        at: UTC.
        details: As JSON can hold them.
    """

    sequence: int
    job_id: str
    image_id: str
    stage: str
    at: datetime
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StageIntent:
    """Stages that are about to be true: noted before the catalog is written, told when it was.

    Attributes:
        run_id: The run that writes; its rows bear it.
        location_id: Where.
        job_id: The job that it runs for; may be empty.
        stages: What will be told.
    """

    run_id: str
    location_id: str
    job_id: str
    stages: tuple[ImageStage, ...]
