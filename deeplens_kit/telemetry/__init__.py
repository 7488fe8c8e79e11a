"""Logging with run and correlation ids, secrets masked, and spans and counters for the stages.

Takes events, names of stages and counts from any module; gives lines on standard error and the time that each stage
took. Must not know what a stage does, open a store or write a file. The logging loads where it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deeplens_kit.telemetry.redaction import MASK, redact, redact_value, register_secret
from deeplens_kit.telemetry.spans import StageClock, StageTimes, add_cpu, collect_stage_times, count, span

if TYPE_CHECKING:
    from deeplens_kit.telemetry.logs import (
        Carried,
        LogLevel,
        bound_context,
        carry_context,
        configure_logging,
        current_context,
        get_logger,
    )

__all__ = [
    "MASK",
    "Carried",
    "LogLevel",
    "StageClock",
    "StageTimes",
    "add_cpu",
    "bound_context",
    "carry_context",
    "collect_stage_times",
    "configure_logging",
    "count",
    "current_context",
    "get_logger",
    "redact",
    "redact_value",
    "register_secret",
    "span",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from deeplens_kit.telemetry import logs

    return getattr(logs, name)
