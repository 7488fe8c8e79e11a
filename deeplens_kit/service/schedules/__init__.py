"""Schedules: reports and clean-ups that recur, by a file that people write and the ledger that keeps what was run.

Takes a file and an open workspace, gives what is due, runs it and tells of it; must not compute a report itself. The
names below load their modules when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.service.schedules.notices import send_waiting
    from deeplens_kit.service.schedules.performing import perform
    from deeplens_kit.service.schedules.schedule_file import SCHEDULES_FILE, read_schedules, schedule_named
    from deeplens_kit.service.schedules.scheduler import Scheduler
    from deeplens_kit.service.schedules.tables import list_schedules, schedule_history
    from deeplens_kit.service.schedules.turns import Turn, next_turn
    from deeplens_kit.service.schedules.values import Schedule

__all__ = [
    "SCHEDULES_FILE",
    "Schedule",
    "Scheduler",
    "Turn",
    "list_schedules",
    "next_turn",
    "perform",
    "read_schedules",
    "schedule_history",
    "schedule_named",
    "send_waiting",
]

_HOMES = {
    "SCHEDULES_FILE": "schedule_file",
    "Schedule": "values",
    "Scheduler": "scheduler",
    "Turn": "turns",
    "list_schedules": "tables",
    "next_turn": "turns",
    "perform": "performing",
    "read_schedules": "schedule_file",
    "schedule_history": "tables",
    "schedule_named": "schedule_file",
    "send_waiting": "notices",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
