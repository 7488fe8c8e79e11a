"""The page of reports: which part is looked at, what can be made, and what was.

Takes what acts read and do, holds it for a viewer; must not import Panel, or make a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import param

from deeplens_kit.views.state.acting_state import ActingState

if TYPE_CHECKING:
    from deeplens_kit.reporting.notebook_parameters import Parameter
    from deeplens_kit.views.state.job_lines import JobLine

__all__ = [
    "MadeReports",
    "ReportActing",
    "ReportLine",
    "ReportOffer",
    "ReportsState",
    "ScheduleLine",
    "SchedulesShown",
    "typed_text",
]

_PARTS = ("made", "schedules")


@dataclass(frozen=True, slots=True)
class ReportOffer:
    """A report that can be made.

    Attributes:
        name: Its name.
        tells: What it tells.
        parameters: What it can be asked for, in order.
    """

    name: str
    tells: str
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A report that was made, or was to be.

    Attributes:
        run_id: Of the run.
        report: Its name.
        schedule: Of which it is a run; empty by hand.
        state: As the ledger has it.
        started_at: UTC.
        seconds: How long it took; None while it runs.
        headline: What it says, or why it failed.
        figures: Its headline numbers in words: name and value.
        parameters: That it was asked for, as texts.
        author: Who asked for it.
        page: Path of its page on this server; empty where it is not kept here.
        files: Files for a download: what each is, and its path on this server.
    """

    run_id: str
    report: str
    schedule: str
    state: str
    started_at: datetime
    seconds: float | None
    headline: str
    figures: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    author: str
    page: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MadeReports:
    """What can be made, and what was.

    Attributes:
        offers: Every report.
        lines: The latest runs.
        in_all: How many runs there are.
    """

    offers: tuple[ReportOffer, ...]
    lines: tuple[ReportLine, ...]
    in_all: int


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A schedule as the page lists it.

    Attributes:
        name: How people name it.
        what: The report, or the workflow.
        cron: When, as the file has it.
        zone: Time zone of these times.
        next_at: In that time zone; None while it is paused.
        paused: It is left out.
        told: Hosts of who is told.
        runs: Its latest runs.
        is_workflow: It runs a workflow, which takes more to ask for.
    """

    name: str
    what: str
    cron: str
    zone: str
    next_at: datetime | None
    paused: bool
    told: tuple[str, ...]
    runs: tuple[ReportLine, ...]
    is_workflow: bool


@dataclass(frozen=True, slots=True)
class SchedulesShown:
    """The schedules of the workspace.

    Attributes:
        lines: In their order.
        problem: Why the file cannot be read; empty where it can, or there is none.
        has_file: There is a file of schedules.
    """

    lines: tuple[ScheduleLine, ...]
    problem: str = ""
    has_file: bool = True


def typed_text(value: object) -> str:
    """A default as it is typed."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


class ReportActing(Protocol):
    """What is read and done on the page of reports; each asks whether whoever is there may."""

    def may(self, name: str) -> bool:
        """Whether whoever is there may do an act of this name."""

    def made(self) -> MadeReports:
        """What can be made, and what was."""

    def schedules(self) -> SchedulesShown:
        """The schedules of the workspace."""

    def run(self, name: str, given: Mapping[str, str], *, pdf: bool) -> JobLine:
        """Begin to make a report."""

    def run_schedule(self, name: str) -> JobLine:
        """Begin a run of a schedule that makes a report."""

    def run_workflow(self, name: str) -> JobLine:
        """Begin the workflow of a schedule."""

    def jobs_at_work(self) -> tuple[JobLine, ...]:
        """Jobs of this page that have not ended."""

    def look_at_jobs(self, job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        """How jobs stand now."""

    def stop_job(self, job_id: str) -> JobLine:
        """Ask a job to stop."""


class ReportsState(ActingState):
    """What the page of reports looks at.

    Attributes:
        part: "made" or "schedules".
        asking: The report whose parameters are being filled in; empty for none.
        typed: What was filled in for it.
        shown: What was read for what is looked at; None while it is being read.
    """

    part: Any = param.Selector(default="made", objects=list(_PARTS))
    asking = param.String(default="")
    typed: Any = param.Parameter(default={})

    def look_at(self, part: str) -> None:
        """Look at a part; one that there is not is passed over."""
        if part in _PARTS:
            self.leave()
            self.param.update(part=part, asking="", typed={}, shown=None, revision=self.revision + 1)

    def ask_for(self, name: str) -> None:
        """Fill in the parameters of a report; with an empty name of none."""
        self.leave()
        self.param.update(asking=name, typed={})
