"""What the ledger gives of reports that were made: frozen values without a connection behind them.

Takes nothing from other modules; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["ReportRun", "ReportRunState"]


class ReportRunState(StrEnum):
    """How a run of a report stands. `INTERRUPTED`: its process ended before it did."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ReportRun:
    """One run of a report, or of a workflow by its schedule.

    Attributes:
        run_id: Random hexadecimal.
        report: Its name, for example "savings"; "workflow" for a clean-up.
        schedule: The schedule that it is a run of; empty where somebody asked for it by hand.
        parameters: As they were given.
        state: How it stands.
        due_at: UTC: the time of the schedule that it makes good; None by hand.
        started_at: UTC.
        finished_at: UTC; None while it runs.
        delivered_at: UTC: when its page lay where it should and what is to be told was noted; None where that is still
            to come, or it did not finish.
        attempt: 1 for the first try at this time, 2 for the next.
        out: Where its page is, a path or a URL, without credentials.
        figures: Its headline numbers, exact, as JSON can hold them: what later reports plot.
        message: What came of it, in a sentence; may be empty.
        author: Who ran it, as "user@host".
        holder: The process, see `holder.current_holder`.
    """

    run_id: str
    report: str
    schedule: str
    parameters: Mapping[str, str]
    state: ReportRunState
    due_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    delivered_at: datetime | None
    attempt: int
    out: str
    figures: Mapping[str, Any]
    message: str
    author: str
    holder: str

    @property
    def is_open(self) -> bool:
        """Whether it is not over: it runs, or was made by a schedule and is not delivered."""
        undelivered = self.state is ReportRunState.FINISHED and self.delivered_at is None
        return self.state is ReportRunState.RUNNING or undelivered
