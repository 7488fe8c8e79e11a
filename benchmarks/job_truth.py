"""What must be true of jobs after whatever was killed: the order of what the ledger tells of them, and its chains.

Takes an open workspace, gives what is wrong; must not change anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from deeplens_kit.ledger import Job, JobEvent
from deeplens_kit.pipeline import Workspace

__all__ = ["Problem", "events_of", "once_told", "told_in_order"]

# Begun, given back or lost as often as may be, and done at last.
_ORDER = re.compile(r"queued running (queued running )*done")
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it must be.

    Attributes:
        kind: "lost", "doubled", "not_ended" or "disordered".
        said: What, for people.
    """

    kind: str
    said: str


def events_of(workspace: Workspace, job_id: str = "") -> Iterator[JobEvent]:
    """All that the outbox tells, of one job where it is named."""
    after = 0
    while told := workspace.ledger.job_events(after, job_id, limit=_AT_ONCE):
        yield from told
        after = told[-1].sequence


def once_told(workspace: Workspace, job: Job, images: Collection[str], stage: str) -> list[Problem]:
    """Whether a job told of these images that they came to a stage, each once, and of its own end once."""
    told = list(events_of(workspace, job.job_id))
    found = Counter(event.image_id for event in told if event.stage == stage)
    problems = [Problem("lost", f"nobody was told that {name} is {stage}") for name in images if not found[name]]
    problems += [
        Problem("doubled", f"{times} times told that {name} is {stage}") for name, times in found.items() if times > 1
    ]
    own = " ".join(event.stage.removeprefix("job.") for event in told if not event.image_id)
    if _ORDER.fullmatch(own) is None:
        problems.append(Problem("disordered", f"job {job.job_id} was told of as {own}"))
    lines = [
        line for line in workspace.ledger.audit_trail(action="job.enqueued") if line.details.get("job_id") == job.job_id
    ]
    if len(lines) != 1:
        problems.append(Problem("lost" if not lines else "doubled", f"{len(lines)} lines of audit for {job.job_id}"))
    return problems


def told_in_order(workspace: Workspace) -> list[Problem]:
    """Whether no number is missing in the outbox, no note of a stage is left, and the chains of the ledger hold."""
    numbers = [event.sequence for event in events_of(workspace)]
    problems = []
    if numbers != list(range(1, len(numbers) + 1)):
        problems.append(Problem("disordered", "the outbox has gaps, or two stages of one number"))
    for location in workspace.ledger.locations():
        if left := workspace.ledger.intended_stages(location.location_id):
            problems.append(Problem("lost", f"{len(left)} notes of stages at {location.name} were never told"))
    verdict = workspace.ledger.verify_audit()
    if verdict.first_broken is not None:
        problems.append(Problem("disordered", f"the audit trail is broken: {verdict}"))
    return problems
