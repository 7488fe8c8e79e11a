"""The page of activity: which part is looked at, how far back, and what was read for it.

Takes what acts read and do, holds it for a viewer; must not import Panel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import param

from deeplens_kit.views.state.acting_state import ActingState

if TYPE_CHECKING:
    from deeplens_kit.views.state.job_lines import JobLine

__all__ = [
    "ACTIVITY_TABS",
    "ActivityActing",
    "ActivityState",
    "AuditLine",
    "AuditPage",
    "AuditWanted",
    "JobDetail",
    "JobPage",
    "JobRow",
    "JobsWanted",
]

ACTIVITY_TABS = (("jobs", "Jobs"), ("audit", "Audit trail"))
"""The parts of the page, with what they are called."""


@dataclass(frozen=True, slots=True)
class JobsWanted:
    """Which jobs are looked at.

    Attributes:
        states: A name of `JOB_STATES` of the viewer; empty for all.
        kind: Of a job; empty for all.
        pages: Where each page that was turned begins, the present one last.
    """

    states: str = ""
    kind: str = ""
    pages: tuple[tuple[datetime, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AuditWanted:
    """Which lines of the audit trail are looked at.

    Attributes:
        who: Of this person alone; empty for all.
        action: This action, or those that begin so up to a dot; empty for all.
        pages: Where each page that was turned begins, the present one last.
    """

    who: str = ""
    action: str = ""
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in the list.

    Attributes:
        line: What it is and how it stands.
        who: Who asked for it.
        created_at: UTC.
        seconds: How long it took; None where it has not begun, or runs.
        attempts: How often it was begun.
        may_retry: Whether it can be tried again.
    """

    line: JobLine
    who: str
    created_at: datetime
    seconds: float | None
    attempts: int
    may_retry: bool


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs, the latest first.

    Attributes:
        rows: The jobs.
        older: Where the next page begins; None where this is the last.
        counts: How many jobs there are by state.
    """

    rows: tuple[JobRow, ...]
    older: tuple[datetime, str] | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class JobDetail:
    """One job with all that is known of it.

    Attributes:
        row: The job.
        facts: Names and texts.
        stages: When and what, the latest first; a bounded number.
    """

    row: JobRow
    facts: tuple[tuple[str, str], ...]
    stages: tuple[tuple[datetime, str, str], ...]


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line of the audit trail.

    Attributes:
        sequence: Its place.
        at: UTC.
        who: Who did it.
        action: What.
        details: In a few words.
    """

    sequence: int
    at: datetime
    who: str
    action: str
    details: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some lines of the audit trail, the latest first.

    Attributes:
        lines: The lines.
        older: Where the next page begins; None where this is the last.
    """

    lines: tuple[AuditLine, ...]
    older: int | None


class ActivityActing(Protocol):
    """What is read and done on the page of activity; each asks whether whoever is there may."""

    def may(self, name: str) -> bool:
        """Whether whoever is there may do an act of this name."""

    def kinds(self) -> tuple[tuple[str, str], ...]:
        """Kinds of jobs with what they are called."""

    def jobs_page(self, wanted: JobsWanted) -> JobPage:
        """A page of jobs."""

    def job(self, job_id: str) -> JobDetail:
        """One job."""

    def audit_page(self, wanted: AuditWanted) -> AuditPage:
        """A page of the audit trail."""

    def retry_job(self, job_id: str) -> JobLine:
        """Try a job again that ended without being done."""

    def jobs_at_work(self) -> tuple[JobLine, ...]:
        """Jobs that have not ended."""

    def look_at_jobs(self, job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        """How jobs stand now."""

    def stop_job(self, job_id: str) -> JobLine:
        """Ask a job to stop."""


class ActivityState(ActingState):
    """What is looked at.

    Attributes:
        part: Of `ACTIVITY_TABS`, or "job" for one of them.
        job_id: The job that is looked at.
        jobs_wanted: Which jobs.
        audit_wanted: Which lines.
        shown: The part and what was read for it; None until it is.
    """

    part: Any = param.Selector(default="jobs", objects=["jobs", "audit", "job"])
    job_id = param.String(default="")
    jobs_wanted = param.ClassSelector(class_=JobsWanted, default=JobsWanted())
    audit_wanted = param.ClassSelector(class_=AuditWanted, default=AuditWanted())

    def look_at(self, part: str, job_id: str = "") -> None:
        """Look at another part."""
        self.leave()
        self.param.update(part=part, job_id=job_id, shown=None)
        self.reread()

    def want_jobs(self, states: str, kind: str) -> None:
        """Look at other jobs, from the latest on."""
        self.jobs_wanted = JobsWanted(states, kind)
        self.reread()

    def want_audit(self, who: str, action: str) -> None:
        """Look at other lines, from the latest on."""
        self.audit_wanted = AuditWanted(who, action)
        self.reread()

    def turn(self, *, older: bool) -> None:
        """Turn the page that is shown; what is not there is not turned to."""
        if self.shown is None or self.part not in ("jobs", "audit"):
            return
        name = "jobs_wanted" if self.part == "jobs" else "audit_wanted"
        wanted, begin = getattr(self, name), self.shown[1].older
        if older and begin is None:
            return
        pages = (*wanted.pages, begin) if older else wanted.pages[:-1]
        self.param.update(**{name: replace(wanted, pages=pages)})
        self.reread()
