"""The kinds of jobs: what may be asked for, who may, what it takes, and what does it.

Takes the name of a kind with parameters and gives a job in the ledger; must not do it. Each kind checks its parameters
twice: before it is enqueued, so that whoever asks is told, and before it is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger import Job, Resource, Scope
from deeplens_kit.ledger.job_records import LONGEST_KEY
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs.running import JobRun

__all__ = ["JOB_KINDS", "JobKind", "kind_of", "submit"]

MAX_WAITING = 10_000
"""Jobs that may wait; more are refused with a time to ask again."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """One kind of jobs.

    Attributes:
        name: As it is asked for.
        label: For people.
        resource: What it takes most of.
        scope: Who may ask for it.
        module: Where it is done: a module beside this one with `parse_NAME` and `run_NAME`.
        max_attempts: How often it may be begun.
    """

    name: str
    label: str
    resource: Resource
    scope: Scope
    module: str
    max_attempts: int = 3

    def parse(self, parameters: Mapping[str, Any]) -> Any:
        """The parameters as a frozen value.

        Raises:
            SettingsError: One is missing or not allowed; UnknownNameError where there is none of that name.
        """
        return self._function("parse")(parameters)

    def run(self, workspace: Workspace, value: Any, run: JobRun) -> dict[str, Any]:
        """Do it; gives its result, as JSON can hold it."""
        result: dict[str, Any] = self._function("run")(workspace, value, run)
        return result

    def forget(self, workspace: Workspace, value: Any, job_id: str) -> None:
        """Forget what was kept for a job that is done, and is not to be done again."""
        function = getattr(self._module, f"forget_{self.name}", None)
        if function is not None:
            function(workspace, value, job_id)

    @property
    def _module(self) -> ModuleType:
        return import_module(f"deeplens_kit.service.jobs.{self.module}")

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self._module, f"{name}_{self.name}")
        return function


_KINDS = (
    JobKind("index", "Index locations", Resource.CPU, Scope.IMAGES_WRITE, "index_jobs"),
    JobKind("extract", "Compute features", Resource.CPU, Scope.IMAGES_WRITE, "index_jobs"),
    JobKind("thumbnails", "Make thumbnails", Resource.IO, Scope.IMAGES_WRITE, "thumbnail_jobs"),
    JobKind("ingest", "Take pictures in", Resource.IO, Scope.IMAGES_WRITE, "ingest_jobs"),
    JobKind("report", "Make a report", Resource.CPU, Scope.IMAGES_WRITE, "report_jobs"),
    # A try after a kill would tell people a second time.
    JobKind("schedule", "Run a schedule", Resource.CPU, Scope.IMAGES_WRITE, "schedule_jobs", max_attempts=1),
    JobKind("plan", "Make a plan", Resource.CPU, Scope.IMAGES_WRITE, "plan_jobs"),
    JobKind("apply", "Apply a plan", Resource.IO, Scope.IMAGES_DELETE, "plan_jobs"),
    JobKind("undo", "Undo what was applied", Resource.IO, Scope.IMAGES_DELETE, "plan_jobs"),
    JobKind("empty", "Empty the quarantine", Resource.IO, Scope.IMAGES_DELETE, "quarantine_jobs"),
    JobKind("restore", "Move files back from quarantine", Resource.IO, Scope.IMAGES_DELETE, "quarantine_jobs"),
    JobKind("workflow", "Run a workflow", Resource.CPU, Scope.IMAGES_DELETE, "plan_jobs"),
)

JOB_KINDS: Mapping[str, JobKind] = {kind.name: kind for kind in _KINDS}
"""Every kind by its name."""


def kind_of(name: str) -> JobKind:
    """The kind of a name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in JOB_KINDS:
        raise UnknownNameError("kind of job", name, JOB_KINDS)
    return JOB_KINDS[name]


def submit(
    workspace: Workspace,
    name: str,
    parameters: Mapping[str, Any],
    *,
    priority: int = 0,
    key: str = "",
    max_attempts: int | None = None,
    most_waiting: int | None = MAX_WAITING,
) -> Job:
    """Ask for a job, as the person and with the correlation id that are bound here.

    Args:
        workspace: An open workspace.
        name: Of the kind.
        parameters: Of the job, as JSON can hold them.
        priority: The higher, the earlier.
        key: Of two unfinished jobs with the same key there is one; of any length.
        max_attempts: How often it may be begun; None for as often as its kind.
        most_waiting: Where so many jobs wait it is refused; None to ask all the same.

    Raises:
        UnknownNameError: There is no such kind or parameter.
        SettingsError: A parameter is not allowed.
        QueueFullError: Too many jobs wait.
    """
    kind = kind_of(name)
    kind.parse(parameters)
    resource = kind.resource
    if name == "extract":
        # Only whoever set up the machines knows where there is a GPU: it need not be this one.
        resource = Resource(workspace.settings.jobs.extract_on)
    return workspace.ledger.enqueue(
        kind.name,
        parameters,
        priority=priority,
        resource=resource,
        max_attempts=kind.max_attempts if max_attempts is None else max_attempts,
        key=key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest(),
        max_waiting=most_waiting,
    )
