"""What is kept for a time only: stages of images, jobs that ended, and bytes that no job wants any more.

Takes an open workspace, forgets; must not touch what a job or a person waits for.
"""

from __future__ import annotations

from deeplens_kit.ledger import JobState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs.spool import Spool

__all__ = ["prune"]

_SPOOLED_SECONDS = 86_400.0
"""What was sent gets its job within a request; a day is more than enough."""

_WANTED = tuple(state for state in JobState if state is not JobState.DONE)
_AT_ONCE = 500


def prune(workspace: Workspace) -> None:
    """Forget what is older than it is kept."""
    ledger, settings = workspace.ledger, workspace.settings.jobs
    ledger.prune_job_events(settings.events_kept_days)
    if settings.keep_days:
        # Their stages are gone by then: those have numbers without gaps, so they go by their age alone.
        ledger.prune_jobs(max(settings.keep_days, settings.events_kept_days))
    wanted: set[str] = set()
    before = None
    while page := ledger.jobs(_WANTED, ["ingest"], limit=_AT_ONCE, before=before):
        for job in page:
            wanted.add(job.job_id)
            items = job.parameters.get("items", ())
            wanted |= {str(item[name]) for item in items for name in ("file", "link") if item.get(name)}
        before = page[-1].created_at, page[-1].job_id
    Spool(workspace.directory).prune(wanted, _SPOOLED_SECONDS)
