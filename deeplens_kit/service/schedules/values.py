"""A schedule: what is made or run, when, where it goes, and who is told.

Takes what was read of a file, gives a frozen value that can travel to another process; must not open a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from deeplens_kit.reporting.cron import CronTimes, parse_cron

__all__ = ["WORKFLOW", "Schedule"]

WORKFLOW = "workflow"
"""In the place of a report's name: a run of a workflow."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One entry of `schedules.yaml`.

    Attributes:
        name: How people name it; the key of its history.
        report: What is made, for example "savings"; "workflow" for a clean-up.
        parameters: Of the report, as texts; of a workflow its name and whether it indexes first.
        cron: When, five fields as every cron reads them.
        zone: Time zone of these times, by its IANA name.
        to: The page: an absolute path or a URL, with {date} and {time} to be filled; empty for a workflow.
        to_options: Of the kind of storage that a URL names; credentials are references.
        pdf: Whether a PDF goes beside the page.
        notify: Addresses that are told, see `notify_targets`.
        link: What people open, with {date}, {time} and {file} to be filled; empty for where the page is.
        retries: Further tries after one that failed.
        retry_minutes: Until the first of them; doubled each time.
        paused: Left out until somebody takes that back.
    """

    name: str
    report: str
    parameters: Mapping[str, str]
    cron: str
    zone: str
    to: str = ""
    to_options: Mapping[str, Any] = field(default_factory=dict)
    pdf: bool = False
    notify: tuple[str, ...] = ()
    link: str = ""
    retries: int = 2
    retry_minutes: float = 5.0
    paused: bool = False

    @property
    def times(self) -> CronTimes:
        """When, to be reckoned with."""
        return parse_cron(self.cron)

    @property
    def what(self) -> str:
        """In a word or two: the report, or the workflow by its name."""
        return f"workflow {self.parameters[WORKFLOW]}" if self.report == WORKFLOW else self.report

    @property
    def in_store(self) -> bool:
        """Whether its page goes into a store that is named by a URL."""
        return "://" in self.to

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "notify": list(self.notify)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Schedule:
        """Take what `to_json` gave."""
        return cls(**{**document, "notify": tuple(document["notify"])})
