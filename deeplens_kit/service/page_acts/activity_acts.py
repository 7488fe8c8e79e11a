"""What the page of activity reads and does: jobs of all, tried again; the audit trail, a page at a time.

Takes an open workspace and the session of a page, gives lines; must not do a job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deeplens_kit.ledger import FINISHED_STATES, Job, JobEvent, JobState, Scope
from deeplens_kit.service.jobs.kinds import JOB_KINDS
from deeplens_kit.service.page_acts.guarded import guarded
from deeplens_kit.service.page_acts.job_acts import JobbingActs, scope_of
from deeplens_kit.telemetry import redact, redact_value
from deeplens_kit.views.state.activity_state import (
    AuditLine,
    AuditPage,
    AuditWanted,
    JobDetail,
    JobPage,
    JobRow,
    JobsWanted,
)
from deeplens_kit.views.state.job_lines import JobLine, describe_job

__all__ = ["ActivityActs"]

_PER_PAGE = 25
_LATEST_STAGES = 50
_LONGEST_DETAILS = 400
_GROUPS: Mapping[str, tuple[JobState, ...]] = {
    "": (),
    "at_work": (JobState.QUEUED, JobState.RUNNING),
    "done": (JobState.DONE,),
    "failed": (JobState.FAILED, JobState.DEAD),
    "cancelled": (JobState.CANCELLED,),
}


class ActivityActs(JobbingActs):
    """Jobs and the audit trail."""

    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Kinds of jobs with what they are called."""
        return tuple((kind.name, kind.label) for kind in JOB_KINDS.values())

    @guarded(Scope.IMAGES_READ)
    def jobs_page(self, wanted: JobsWanted) -> JobPage:
        """A page of jobs, the latest first."""
        ledger = self._workspace.ledger
        before = wanted.pages[-1] if wanted.pages else None
        kinds = (wanted.kind,) if wanted.kind else ()
        jobs = ledger.jobs(_GROUPS.get(wanted.states, ()), kinds, limit=_PER_PAGE + 1, before=before)
        shown = jobs[:_PER_PAGE]
        older = (shown[-1].created_at, shown[-1].job_id) if len(jobs) > _PER_PAGE else None
        counts = {str(state): number for state, number in ledger.job_counts().items()}
        return JobPage(tuple(self._row(job) for job in shown), older, counts)

    @guarded(Scope.IMAGES_READ)
    def job(self, job_id: str) -> JobDetail:
        """One job with what it was told, what came of it, and its latest stages."""
        ledger = self._workspace.ledger
        job = ledger.job(job_id)
        kept = ledger.latest_job_events(job.job_id, limit=_LATEST_STAGES)
        names = {item.location_id: item.name for item in ledger.locations(inactive=True)}
        stages = tuple((event.at, event.stage, _place(event, names)) for event in kept)
        return JobDetail(self._row(job), _facts(job), stages)

    @guarded(Scope.ADMIN)
    def audit_page(self, wanted: AuditWanted) -> AuditPage:
        """A page of the audit trail, the latest first."""
        found = self._workspace.ledger.audit_trail(
            who=wanted.who or None,
            action=wanted.action or None,
            before=wanted.pages[-1] if wanted.pages else None,
            limit=_PER_PAGE + 1,
        )[::-1]
        lines = tuple(
            AuditLine(entry.sequence, entry.at, entry.who, entry.action, _short(entry.details))
            for entry in found[:_PER_PAGE]
        )
        return AuditPage(lines, lines[-1].sequence if len(found) > _PER_PAGE else None)

    @guarded(Scope.IMAGES_WRITE)
    def retry_job(self, job_id: str) -> JobLine:
        """Try a job again; whoever wants that must be one who may ask for its kind."""
        job = self._workspace.ledger.job(job_id)
        with self._session.act(scope_of(job)):
            return describe_job(self._workspace.ledger.retry_job(job.job_id))

    def _row(self, job: Job) -> JobRow:
        seconds = None
        if job.finished_at is not None and job.started_at is not None:
            seconds = (job.finished_at - job.started_at).total_seconds()
        again = job.state in FINISHED_STATES and job.state is not JobState.DONE
        # What came of it may be long; it is shown with the job alone.
        line = replace(describe_job(job), result={}, parameters={})
        may = again and self._session.may(Scope.IMAGES_WRITE) and self._session.may(scope_of(job))
        return JobRow(line, job.who, job.created_at, seconds, job.attempts, may)


def _facts(job: Job) -> tuple[tuple[str, str], ...]:
    facts = [("Job", job.job_id), ("Asked for by", job.who)]
    if job.parameters:
        facts.append(("With", _short(job.parameters)))
    facts.append(("Begun", f"{job.attempts} of at most {job.max_attempts} times"))
    if job.correlation_id:
        facts.append(("Correlation", job.correlation_id))
    if job.error:
        facts.append(("Went wrong", job.error))
    if job.result:
        facts.append(("Came to", _short(job.result)))
    return tuple(facts)


def _place(event: JobEvent, names: Mapping[str, str]) -> str:
    """The file that a stage is of; of the job itself nothing."""
    location_id, slash, path = event.image_id.partition("/")
    return f"{names.get(location_id, location_id)}: {path}" if slash else ""


def _short(details: Mapping[str, Any]) -> str:
    """Details on a line, without secrets."""
    shown = redact_value(dict(details))
    assert isinstance(shown, dict)
    parts = [f"{name} {item if isinstance(item, str) else json.dumps(item)}" for name, item in shown.items()]
    text = redact(", ".join(parts))
    return text if len(text) <= _LONGEST_DETAILS else f"{text[: _LONGEST_DETAILS - 1]}…"
