"""What the ledger gives: frozen values without a connection behind them.

Takes nothing from other modules; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["AuditEntry", "Location", "Run", "RunState"]


class RunState(StrEnum):
    """How a run stands; all but `running` are ends."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Location:
    """A place that holds files.

    Attributes:
        location_id: Short random hexadecimal; stays when the location is renamed.
        name: Unique.
        url: fsspec address, without credentials.
        options: Of its kind of storage; secrets are references such as "${NAME}".
        created_at: UTC.
        active: Whether it is indexed when no location is named.
    """

    location_id: str
    name: str
    url: str
    options: Mapping[str, Any]
    created_at: datetime
    active: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job.

    Attributes:
        run_id: Random hexadecimal.
        kind: What was run, for example "index".
        location_id: Where; None for a run over all locations.
        state: How it stands.
        holder: The process that runs it, as `current_holder` names it.
        started_at: UTC.
        finished_at: UTC; None while running.
        settings: The settings it ran with.
        figures: Its counts and coverage; empty until it ended.
        message: Why it ended early; empty otherwise.
    """

    run_id: str
    kind: str
    location_id: str | None
    state: RunState
    holder: str
    started_at: datetime
    finished_at: datetime | None
    settings: Mapping[str, Any]
    figures: Mapping[str, Any]
    message: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that a person or job made.

    Attributes:
        at: UTC.
        who: As "user@host".
        action: For example "location.added".
        details: What was changed, without secrets.
    """

    at: datetime
    who: str
    action: str
    details: Mapping[str, Any]
