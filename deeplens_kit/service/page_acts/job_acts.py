"""What every page that begins jobs does with them: enqueue, look how they stand, ask them to stop.

Takes an open workspace and the session of a page, gives lines; must not do the work itself: a worker does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deeplens_kit.ledger import Job, JobState, Scope
from deeplens_kit.service.jobs.kinds import JOB_KINDS, submit
from deeplens_kit.service.page_acts.guarded import ActingSession, Guarded, guarded
from deeplens_kit.views.state.job_lines import JobLine, describe_job

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["JobbingActs", "scope_of"]

_AT_WORK = (JobState.QUEUED, JobState.RUNNING)


class JobbingActs(Guarded):
    """Jobs of a page.

    Args:
        workspace: An open workspace.
        session: Of the page.

    Attributes:
        job_kinds: Of the jobs that the page shows.
    """

    job_kinds: tuple[str, ...] = ()

    def __init__(self, workspace: Workspace, session: ActingSession) -> None:
        self._workspace = workspace
        super().__init__(session)

    def _submit(self, kind: str, parameters: Mapping[str, Any], *, key: str = "") -> JobLine:
        """Begin a job; one with the same key that has not ended is given instead of a second one."""
        return describe_job(submit(self._workspace, kind, parameters, key=key))

    @guarded(Scope.IMAGES_READ)
    def jobs_at_work(self) -> tuple[JobLine, ...]:
        """Jobs of this page that have not ended, the latest first."""
        found = self._workspace.ledger.jobs(states=_AT_WORK, kinds=self.job_kinds)
        return tuple(describe_job(job) for job in found)

    @guarded(Scope.IMAGES_READ)
    def look_at_jobs(self, job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        """How jobs stand now."""
        return tuple(describe_job(self._workspace.ledger.job(job_id)) for job_id in job_ids)

    @guarded(Scope.IMAGES_WRITE)
    def stop_job(self, job_id: str) -> JobLine:
        """Ask a job to stop after the step that it is at; whoever wants that must be one who may ask for its kind."""
        job = self._workspace.ledger.job(job_id)
        with self._session.act(scope_of(job)):
            return describe_job(self._workspace.ledger.cancel_job(job.job_id))


def scope_of(job: Job) -> Scope:
    """What it takes to ask for a job of its kind."""
    return JOB_KINDS[job.kind].scope if job.kind in JOB_KINDS else Scope.ADMIN
