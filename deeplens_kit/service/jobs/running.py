"""One job being done: as whom, for whom its progress is told, and what came of it.

Takes a claimed job and gives how it ended to the ledger; must not choose jobs. What it does is done by the person who
asked for it, with the correlation id of the request.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deeplens_kit.errors import (
    CredentialMissingError,
    DecoderUnavailableError,
    DeepLensError,
    Interrupted,
    JobLostError,
    LeaseHeldError,
    LocationEmptiedError,
    LocationError,
    LocationReadOnlyError,
    ReportError,
    WorkspaceError,
    WorkspaceMissingError,
    WorkspaceSchemaError,
)
from deeplens_kit.ledger import Job, JobProgress, Ledger, acting_as, working_for
from deeplens_kit.pipeline.progress import ProgressSnapshot
from deeplens_kit.telemetry import bound_context, get_logger

__all__ = ["JobRun", "StopReason", "again_in_seconds", "carry_out"]

_log = get_logger(__name__)

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 5.0, 600.0
# Between two tries at a location that another run works at.
_HELD_WAIT_SECONDS = 10.0
_PASSING = (LocationError, WorkspaceError, DecoderUnavailableError, ReportError)
_LASTING = (LocationEmptiedError, LocationReadOnlyError, WorkspaceMissingError, WorkspaceSchemaError)


class StopReason(StrEnum):
    """Why a job is to end before it is done."""

    CANCELLED = "cancelled"
    ENDING = "ending"
    """The worker ends; another one goes on with it."""
    LOST = "lost"
    """Another worker may have it."""


@dataclass(frozen=True, slots=True)
class _Told:
    progress: JobProgress
    number: int


class JobRun:
    """What a job's work sees of its job.

    Args:
        job: As it was taken.

    Attributes:
        job: The same.
        stop: Set when it is to end; what was done is kept.
        reason: Why it is to end; None where it is not.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.stop = threading.Event()
        self.reason: StopReason | None = None
        self._told = _Told(JobProgress(), 0)

    @property
    def progress(self) -> JobRun:
        """A listener for work that tells how far it is."""
        return self

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Take how far it is; the worker writes it down in its own time."""
        where = f"{snapshot.location}: " if snapshot.location else ""
        self.tell(
            JobProgress(
                snapshot.total,
                snapshot.done,
                snapshot.failures,
                f"{where}{snapshot.stage}",
                round(snapshot.rate_per_second, 3),
                None if snapshot.seconds_left is None else round(snapshot.seconds_left, 1),
            )
        )

    def tell(self, progress: JobProgress) -> None:
        """Say how far it is."""
        self._told = _Told(progress, self._told.number + 1)

    def told(self) -> tuple[JobProgress, int]:
        """How far it is, and a number that grows with each time that it said so."""
        told = self._told
        return told.progress, told.number

    def end(self, reason: StopReason) -> None:
        """Have it end; the first reason stays."""
        if self.reason is None:
            self.reason = reason
        self.stop.set()

    def check(self) -> None:
        """Raise Interrupted where it is to end."""
        if self.stop.is_set():
            raise Interrupted("The job was ended before it was done; what was done is kept.")


def carry_out(ledger: Ledger, run: JobRun, work: Callable[[JobRun], Mapping[str, Any]]) -> Job | None:
    """Do a job and say in the ledger how it ended.

    Args:
        ledger: Of its workspace.
        run: The job.
        work: Does it; gives its result.

    Returns:
        The job as it stands; None where this worker has it no more, or the ledger cannot be written.
    """
    job = run.job
    correlation_id = job.correlation_id or job.job_id
    with acting_as(job.who), bound_context(correlation_id=correlation_id), working_for(job.job_id):
        _log.info("job begun", job=job.job_id, kind=job.kind, attempt=job.attempts)
        try:
            ended = _carried_out(ledger, run, work)
        except DeepLensError as error:
            # Its lease runs out, and it is taken up again.
            _log.error("end of a job not recorded", job=job.job_id, reason=str(error))
            return None
        _log.info("job ended", job=job.job_id, kind=job.kind, state=str(ended.state), code=ended.error_code)
        return ended


def _carried_out(ledger: Ledger, run: JobRun, work: Callable[[JobRun], Mapping[str, Any]]) -> Job:
    job = run.job
    try:
        result = work(run)
    except JobLostError:
        raise
    except Exception as error:
        if run.reason is StopReason.LOST:
            raise JobLostError(f"Job {job.job_id} was lost while it was done.", job.job_id) from error
        if isinstance(error, Interrupted) and run.reason is StopReason.ENDING:
            return ledger.release_job(job)
        if isinstance(error, Interrupted) and run.reason is StopReason.CANCELLED:
            return ledger.end_cancelled_job(job)
        return _failed(ledger, job, error)
    progress, _ = run.told()
    ledger.beat_job(job, progress)
    return ledger.finish_job(job, result)


def _failed(ledger: Ledger, job: Job, error: Exception) -> Job:
    if isinstance(error, LeaseHeldError):
        wait = _HELD_WAIT_SECONDS * random.uniform(0.5, 1.5)
        return ledger.fail_job(job, str(error), code=error.code, again_in_seconds=wait, counts=False)
    if isinstance(error, DeepLensError):
        again = again_in_seconds(job.attempts) if _is_passing(error) else None
        _log.warning("job failed", job=job.job_id, kind=job.kind, code=error.code, reason=str(error))
        return ledger.fail_job(job, str(error), code=error.code, again_in_seconds=again)
    # A defect of ours, or what the system said: it may pass; the log has the traceback.
    _log.error("job failed", job=job.job_id, kind=job.kind, exc_info=error)
    said = f"It ended by an error of the program ({type(error).__name__}); the log of the worker has the details."
    return ledger.fail_job(job, said, code="unexpected", again_in_seconds=again_in_seconds(job.attempts))


def _is_passing(error: DeepLensError) -> bool:
    """Whether another try may go well without anybody doing anything."""
    if isinstance(error, CredentialMissingError):
        return error.passing
    return isinstance(error, _PASSING) and not isinstance(error, _LASTING)


def again_in_seconds(attempts: int) -> float:
    """When a job is tried again that was begun so often: twice as long each time, up to ten minutes, within half.

    The jitter keeps jobs that failed together, as when a storage was away, from coming back together.
    """
    longest = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(attempts - 1, 20))
    return longest * random.uniform(0.5, 1.0)
