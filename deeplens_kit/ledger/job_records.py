"""The part of the ledger that is the queue of jobs, and the outbox of stages.

Takes and gives frozen values; must not do a job or know what its parameters mean. Every method is one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from deeplens_kit.errors import JobLostError, SettingsError
from deeplens_kit.ledger import job_events as event_rows
from deeplens_kit.ledger import jobs as rows
from deeplens_kit.ledger.engine import database_now
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.ledger.job_values import (
    ImageStage,
    Job,
    JobEvent,
    JobProgress,
    JobState,
    Resource,
    StageIntent,
)
from deeplens_kit.ledger.transactions import Transactions
from deeplens_kit.ledger.working import current_job
from deeplens_kit.telemetry import current_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from deeplens_kit.ledger.job_models import JobRow

__all__ = ["JobRecords"]

LONGEST_KEY = 200
"""Letters of the key of a job, inclusive."""
# A transaction that others wait for.
_PRUNED_AT_ONCE = 1_000


class JobRecords(Transactions):
    """Work that is done outside the process that was asked for it."""

    # --- Asked for ---------------------------------------------------------------------------------------

    def enqueue(
        self,
        kind: str,
        parameters: Mapping[str, object],
        *,
        priority: int = 0,
        resource: Resource | str = Resource.CPU,
        max_attempts: int = 3,
        key: str = "",
        max_waiting: int | None = None,
    ) -> Job:
        """Ask for a job, as this person and with the correlation id that is bound here.

        Args:
            kind: What is to be done.
            parameters: With what, as JSON can hold it; without secrets.
            priority: The higher, the earlier.
            resource: What it takes most of.
            max_attempts: How often it may be begun; at least 1.
            key: Of two unfinished jobs with the same key there is one, the first; at most 200 letters.
            max_waiting: Refuse where so many wait already; None for no bound.

        Raises:
            SettingsError: A value is not allowed.
            QueueFullError: Too many wait.
        """
        if max_attempts < 1:
            raise SettingsError(f"A job may be begun {max_attempts} times; it must be at least 1.")
        if len(key) > LONGEST_KEY:
            raise SettingsError(f"The key of a job has {len(key)} letters; at most {LONGEST_KEY} are allowed.")
        values = {
            "kind": kind,
            "parameters": parameters,
            "priority": priority,
            "resource": Resource(resource).value,
            "max_attempts": max_attempts,
            "key": key,
        }
        correlation_id = current_context().get("correlation_id", "")
        with self._writing() as (session, now):
            return rows.enqueue(session, values, current_person(), correlation_id, max_waiting, now)

    def job(self, job_id: str) -> Job:
        """The job of an id, or of the beginning of one; UnknownNameError where there is none."""
        with self._reading() as session:
            return rows.frozen(rows.find(session, job_id))

    def jobs(
        self,
        states: Collection[JobState] = (),
        kinds: Collection[str] = (),
        who: str = "",
        *,
        limit: int = 100,
        before: tuple[datetime, str] | None = None,
    ) -> tuple[Job, ...]:
        """Jobs, the latest first.

        Args:
            states: Only those that stand so.
            kinds: Only these.
            who: Only those that this person asked for.
            limit: At most so many.
            before: `created_at` and `job_id` of the last one of the page before.
        """
        with self._reading() as session:
            return rows.listed(session, states, kinds, who, limit, before)

    def job_counts(self) -> Mapping[JobState, int]:
        """How many jobs stand how; all states."""
        with self._reading() as session:
            return rows.counts(session)

    def cancel_job(self, job_id: str) -> Job:
        """End a job that waits, and ask the worker of one that runs to end it.

        A dead one is given up by it: nobody waits to try it again, and it is forgotten in time.

        Raises:
            JobStateError: It has ended otherwise.
        """
        with self._writing() as (session, now):
            return rows.cancel(session, job_id, current_person(), now)

    def retry_job(self, job_id: str) -> Job:
        """Queue a job again that failed, is dead or was cancelled; its attempts begin anew.

        Raises:
            JobStateError: It is done, is queued or runs; or an unfinished one has its key.
        """
        with self._writing() as (session, now):
            return rows.retry(session, job_id, current_person(), now)

    def prune_jobs(self, days: float) -> int:
        """Forget jobs that ended longer ago, but for dead ones, for which somebody may still come; gives how many.

        What the audit trail tells of them stays.
        """
        forgotten = 0
        while True:
            with self._writing() as (session, now):
                found = rows.prune(session, days, current_person(), now, _PRUNED_AT_ONCE)
            forgotten += found
            if found < _PRUNED_AT_ONCE:
                return forgotten

    # --- Worked on ---------------------------------------------------------------------------------------

    def claim_job(self, worker: str, resources: Collection[Resource], lease_seconds: float) -> Job | None:
        """Take the next job that is due; of several workers that ask, one gets it.

        Jobs whose worker is gone are queued again first: its lease ran out by the database's clock, or it is seen to be
        dead from here.

        Args:
            worker: `current_holder()`.
            resources: What there is room for.
            lease_seconds: How long it is the worker's without a heartbeat.
        """
        with self._reading() as session:
            # An idle worker asks often, and who reads keeps nobody waiting.
            if not resources or not rows.is_any_due(session, database_now(session.connection())):
                return None
        with self._writing() as (session, now):
            return rows.claim(session, worker, resources, lease_seconds, now)

    def beat_job(
        self, job: Job, progress: JobProgress, *, lease_seconds: float = 60.0, stages: Iterable[ImageStage] = ()
    ) -> bool:
        """Show that a job is worked on, how far it is and what it has done.

        Returns:
            Whether to go on; False where somebody wants it to end.

        Raises:
            JobLostError: Its worker has it no more; nothing was written.
        """
        with self._held(job) as (session, row, now):
            row.progress = progress.to_json()
            row.lease_until = now + timedelta(seconds=lease_seconds)
            event_rows.add(session, job.job_id, stages, now)
            return not row.cancel_asked

    def finish_job(self, job: Job, result: Mapping[str, object], *, stages: Iterable[ImageStage] = ()) -> Job:
        """Say that a job is done and what came of it; JobLostError where it is not this worker's."""
        with self._held(job) as (session, row, now):
            event_rows.add(session, job.job_id, stages, now)
            return rows.end(session, row, JobState.DONE, now, result=result)

    def fail_job(
        self,
        job: Job,
        error: str,
        *,
        code: str = "",
        again_in_seconds: float | None = None,
        counts: bool = True,
        result: Mapping[str, object] | None = None,
    ) -> Job:
        """Say that a job went wrong.

        Args:
            job: As it was taken.
            error: What went wrong, for people.
            code: Of the error.
            again_in_seconds: When to try again; None where that would not help. One that was begun as often as it may
                be is dead.
            counts: Whether this attempt is one of those that it has: one that had to wait for another is none.
            result: What came of it so far.

        Raises:
            JobLostError: It is not this worker's.
        """
        with self._held(job) as (session, row, now):
            if again_in_seconds is None:
                return rows.end(session, row, JobState.FAILED, now, error=error, code=code, result=result)
            if not counts:
                row.attempts -= 1
            elif row.attempts >= row.max_attempts:
                return rows.end(session, row, JobState.DEAD, now, error=error, code=code, result=result)
            return rows.end(
                session, row, JobState.QUEUED, now, error=error, code=code, result=result,
                again_in_seconds=again_in_seconds,
            )  # fmt: skip

    def end_cancelled_job(self, job: Job, result: Mapping[str, object] | None = None) -> Job:
        """Say that a job ended because somebody wanted it to; JobLostError where it is not this worker's."""
        with self._held(job) as (session, row, now):
            return rows.end(session, row, JobState.CANCELLED, now, result=result)

    def release_job(self, job: Job) -> Job:
        """Give a job back that was begun, for another worker to go on with; it is no attempt."""
        with self._held(job) as (session, row, now):
            row.attempts -= 1
            return rows.end(session, row, JobState.QUEUED, now)

    @contextmanager
    def _held(self, job: Job) -> Iterator[tuple[Session, JobRow, datetime]]:
        with self._writing() as (session, now):
            row = rows.held(session, job.job_id, job.turn)
            if row is None:
                raise JobLostError(
                    f"Job {job.job_id} is not worked on by this worker any more: it was too slow to show that it "
                    "lives, and another may have taken it.",
                    job.job_id,
                )
            yield session, row, now

    # --- The outbox of stages ----------------------------------------------------------------------------

    def job_events(self, after: int = 0, job_id: str = "", *, limit: int = 500) -> tuple[JobEvent, ...]:
        """Stages that were told, in the order in which they were committed.

        Args:
            after: A sequence: those that come after it. Whoever goes on from the last one that it got misses none.
            job_id: Of one job alone; empty for all.
            limit: At most so many.
        """
        with self._reading() as session:
            return event_rows.since(session, after, job_id, limit)

    def latest_job_events(self, job_id: str, *, limit: int = 100) -> tuple[JobEvent, ...]:
        """Stages that were told of a job, the latest first."""
        with self._reading() as session:
            return event_rows.latest(session, job_id, limit)

    def job_event_bounds(self) -> tuple[int, int]:
        """The first sequence that is kept, and the last that was given: what came before the first is forgotten."""
        with self._reading() as session:
            return event_rows.bounds(session)

    def prune_job_events(self, days: float) -> None:
        """Forget what was told longer ago."""
        found = event_rows.PRUNED_AT_ONCE
        while found == event_rows.PRUNED_AT_ONCE:
            with self._writing() as (session, now):
                found = event_rows.prune(session, days, now)

    def tell_stages(self, stages: Iterable[ImageStage]) -> None:
        """Tell of stages to which images have come, for the job that this thread works on, if any."""
        with self._writing() as (session, now):
            event_rows.add(session, current_job(), stages, now)

    def intend_stages(self, run_id: str, location_id: str, stages: Sequence[ImageStage]) -> None:
        """Note what is about to be true of some images, before the catalog is written; `tell_intended` comes after.

        A run has one note at a time. One that is left was made by a run that ended in between: only the catalog says
        which of it is true.
        """
        with self._writing() as (session, now):
            event_rows.intend(session, StageIntent(run_id, location_id, current_job(), tuple(stages)), now)

    def intended_stages(self, location_id: str) -> Sequence[StageIntent]:
        """What runs at a location have noted and not told."""
        with self._reading() as session:
            return event_rows.intents(session, location_id)

    def tell_intended(self, run_id: str, image_ids: Collection[str] | None = None) -> None:
        """Tell what a run has noted, and strike the note.

        Args:
            run_id: The run.
            image_ids: Only of these is it true; None for all.
        """
        with self._writing() as (session, now):
            note = event_rows.intent(session, run_id)
            if note is None:
                return
            true = [item for item in note.stages if image_ids is None or item.image_id in image_ids]
            event_rows.add(session, note.job_id, true, now)
            event_rows.forget_intent(session, run_id)
