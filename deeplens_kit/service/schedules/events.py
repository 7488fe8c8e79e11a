"""What a scheduler tells while it goes on: frozen values, for lines or for programs.

Takes nothing from other modules but what they tell of; must not write or decide anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from deeplens_kit.ledger import ReportRun
from deeplens_kit.pipeline.notice_outbox import NoticeSent

__all__ = ["FileRead", "RunEnded", "SchedulerEvent"]


@dataclass(frozen=True, slots=True)
class FileRead:
    """The file of schedules was read: at the start, or since it was changed.

    Attributes:
        file: The file.
        schedules: How many are in force now.
        coming: The next of them with its time, in its own zone; the earliest first.
        problem: Why it was not taken; empty where it was. The schedules of before stay in force.
        again: Whether one was in force before.
    """

    file: Path
    schedules: int
    coming: tuple[tuple[str, datetime], ...]
    problem: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run ended, well or not.

    Attributes:
        run: As the ledger has it.
        tries: How often it is tried in all.
        retry_at: When it is tried again, in the zone of its schedule; None where it is not.
    """

    run: ReportRun
    tries: int = 1
    retry_at: datetime | None = None


SchedulerEvent: TypeAlias = FileRead | RunEnded | NoticeSent
