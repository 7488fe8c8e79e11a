"""What pages, the API and other jobs ask for alike: of two jobs that would do the same to the same thing there is one.

Takes an open workspace and whole ids or names, gives a job; must not look at whether whoever asks may: that is done
before. The keys stand here alone: told in two ways, a plan that is applied from a page would be begun by the API again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from deeplens_kit.errors import JobStateError
from deeplens_kit.ledger import Job, JobState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs.kinds import submit

__all__ = ["apply_plan", "empty", "go_on", "index_from_now", "restore", "run_workflow", "undo"]

_MOST_LOOKED_AT = 1_000


def apply_plan(workspace: Workspace, plan_id: str) -> Job:
    """Have a plan applied."""
    return submit(workspace, "apply", {"plan_id": plan_id}, key=f"apply {plan_id}")


def go_on(workspace: Workspace, application_id: str) -> Job:
    """Have an application gone on with that was paused or halted, or whose process ended."""
    return submit(workspace, "apply", {"application_id": application_id}, key=f"go on {application_id}")


def undo(workspace: Workspace, application_id: str) -> Job:
    """Have all that an application did made as it was."""
    return submit(workspace, "undo", {"application_id": application_id}, key=f"undo {application_id}")


def empty(workspace: Workspace, application_id: str, *, expired_before: datetime | None = None) -> Job:
    """Have files of an application removed from quarantine for good: all, or what expired before a time.

    Raises:
        JobStateError: The other is being done already.
    """
    before = "" if expired_before is None else expired_before.isoformat()
    parameters = {"application_id": application_id, "expired_before": before}
    job = submit(workspace, "empty", parameters, key=f"empty {application_id}")
    if bool(job.parameters.get("expired_before")) != bool(before):
        of = "what expired" if before == "" else "all of it"
        raise JobStateError(
            f"Nothing was begun: job {job.job_id} is removing {of} from this quarantine already; wait for it, or stop "
            "it, and ask again.",
            job.job_id,
        )
    return job


def restore(workspace: Workspace, application_id: str = "", items: Sequence[str] = ()) -> Job:
    """Have files moved back from quarantine: all of an application, or some."""
    parameters = {"application_id": application_id, "items": list(items)}
    key = f"restore {application_id}" if application_id else ""
    return submit(workspace, "restore", parameters, key=key)


def run_workflow(workspace: Workspace, name: str, *, index_first: bool = False, schedule: str = "") -> Job:
    """Have a workflow run once; as a run of a schedule where one is named."""
    parameters = {"name": name, "index_first": index_first, "schedule": schedule}
    # As of a schedule: a try after a kill would tell people a second time.
    attempts = 1 if schedule else None
    return submit(workspace, "workflow", parameters, key=f"workflow {name}", max_attempts=attempts)


def index_from_now(workspace: Workspace, location: str) -> Job:
    """Have a location indexed by a run that has not begun yet: one at work may have listed what is there already."""
    waiting = workspace.ledger.jobs((JobState.QUEUED,), ("index",), limit=_MOST_LOOKED_AT)
    for job in waiting:
        named = job.parameters.get("locations") or (location,)
        if location in named:
            return job
    # Whoever asks has stored what is to be indexed: a full queue would leave it out of every answer. One waits at most.
    return submit(workspace, "index", {"locations": [location]}, most_waiting=None)
