"""Jobs that a page watches, in words: how far each is, and what came of it.

Takes jobs as the ledger keeps them, gives frozen lines; must not ask the ledger itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deeplens_kit.reporting.words import format_bytes, format_count, format_seconds, plural

if TYPE_CHECKING:
    from deeplens_kit.ledger import Job

__all__ = ["JobLine", "came_to", "describe_job"]

_TITLES = {
    "index": "Indexing",
    "extract": "Computing features",
    "thumbnails": "Making thumbnails",
    "ingest": "Taking pictures in",
    "report": "Making the report",
    "plan": "Making a plan",
    "apply": "Applying the plan",
    "undo": "Undoing",
    "empty": "Emptying the quarantine",
    "restore": "Moving files back",
    "workflow": "Running the workflow",
    "schedule": "Running the schedule",
}
_NAMING = ("locations", "name", "report", "schedule")
_ENDED = ("done", "failed", "cancelled", "dead")
_MOST_TROUBLES = 5
_WAITED_SECONDS = 20
"""After so long without a worker it is said that one may be missing."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as a page shows it.

    Attributes:
        job_id: Its id.
        kind: What kind.
        title: What is being done.
        state: As the ledger has it.
        says: How far it is, or what came of it.
        permille: How much is done; None where that is not known.
        ended: It does nothing more.
        failed: It ended without doing what it was for.
        stopping: Somebody asked it to stop.
        result: What it gave.
        parameters: What it was given.
    """

    job_id: str
    kind: str
    title: str
    state: str
    says: str
    permille: int | None
    ended: bool
    failed: bool
    stopping: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)


def describe_job(job: Job, now: datetime | None = None) -> JobLine:
    """A job in words.

    Args:
        job: As the ledger gives it.
        now: UTC; by default the time.
    """
    state, at = str(job.state), now or datetime.now(UTC)
    named = next((given for name in _NAMING if (given := job.parameters.get(name))), "")
    where = ", ".join(named) if isinstance(named, (list, tuple)) else str(named)
    title = _TITLES.get(job.kind, job.kind.capitalize()) + (f" {where}" if where else "")
    total, done = job.progress.total, job.progress.processed
    return JobLine(
        job_id=job.job_id,
        kind=job.kind,
        title=title,
        state=state,
        says=_says(job, state, at),
        permille=1000 if state == "done" else min(1000, done * 1000 // total) if total else None,
        ended=state in _ENDED,
        failed=state in _ENDED and state != "done",
        stopping=bool(job.cancel_asked),
        result=dict(job.result or {}),
        parameters=dict(job.parameters),
    )


def came_to(line: JobLine) -> str:
    """What a job that is done came to, in sentences; empty where it did not say."""
    result = line.result
    if line.kind == "index":
        places = [place for place in result.get("locations", ()) if isinstance(place, Mapping)]
        read, failed = (sum(int(place.get(name) or 0) for place in places) for name in ("read_files", "failures"))
        return f"{plural(read, 'file')} read, {plural(failed, 'failure')}." if places else ""
    if line.kind in ("report", "schedule"):
        return str(result.get("headline", ""))
    if line.kind == "workflow":
        return str(result.get("message", ""))
    troubles = [str(item.get("message", "")) for item in result.get("troubles", ()) if isinstance(item, Mapping)]
    figures = result.get("figures", {})
    counts = [f"{int(figures[name]):,} {name}" for name in ("done", "skipped", "failed", "undone") if figures.get(name)]
    parts = [f"{', '.join(counts)}."] if counts else []
    parts += _left_quarantine(line)
    parts += troubles[:_MOST_TROUBLES]
    if len(troubles) > _MOST_TROUBLES:
        parts.append(f"And {len(troubles) - _MOST_TROUBLES:,} more could not be made as they were.")
    if left := int(result.get("left_to_index") or 0):
        parts.append(f"Index again: {plural(left, 'picture')} left the catalog meanwhile.")
    return " ".join(parts)


def _left_quarantine(line: JobLine) -> list[str]:
    """What came of files in quarantine."""
    if line.kind == "restore":
        return [f"{plural(int(line.result.get('restored') or 0), 'file')} moved back."]
    if line.kind != "empty":
        return []
    removed, freed = (int(line.result.get(name) or 0) for name in ("removed", "freed_bytes"))
    return [f"{plural(removed, 'file')} removed for good; the storages report {format_bytes(freed)} free."]


def _says(job: Job, state: str, now: datetime) -> str:
    if state == "queued":
        if job.attempts:
            return (
                f"It did not work and is tried again soon ({plural(job.attempts, 'try', 'tries')} so far): {job.error}"
            )
        if job.error:
            return f"It waits until it can begin: {job.error}"
        waited = (now - job.created_at).total_seconds()
        late = "; no worker has taken it yet, and `deeplens jobs work` starts one" if waited > _WAITED_SECONDS else ""
        return f"Waiting for a worker{late}."
    if state == "running":
        return _progress(job)
    if state == "done":
        return "Done."
    if state == "cancelled":
        return "Stopped. What was done until then stands."
    return str(job.error or "It failed without saying why; the log of the worker has more.")


def _progress(job: Job) -> str:
    told = job.progress
    parts = [told.message] if told.message else []
    if told.total:
        parts.append(f"{told.processed:,} of {told.total:,}")
    elif told.processed:
        parts.append(format_count(told.processed))
    elif not parts:
        parts.append("Begun")
    if told.rate_per_second:
        parts.append(f"{told.rate_per_second:,.0f}/s")
    if told.seconds_left is not None and told.processed != told.total:
        parts.append(f"{format_seconds(max(0.0, told.seconds_left))} left")
    if told.failed:
        parts.append(plural(told.failed, "failure"))
    return ("Stopping after the step at hand: " if job.cancel_asked else "") + ", ".join(parts)
