"""A process that applies, resumes or undoes steps and is killed by the system in the middle: no handler, no farewell.

Takes the address of a ledger, locations by their settings, and steps; ends by SIGKILL at the n-th occasion, those
within calls of the operating system included, or by itself where there are fewer.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from benchmarks.fault_strikes import CALLS
from deeplens_kit.actions import Acting, ActStep, ApplyOptions, Ground, history_of, settle_open, undo_steps
from deeplens_kit.ledger import Ledger
from deeplens_kit.storage import open_location

__all__ = ["OPTIONS", "Victim", "act", "killed_at"]

OPTIONS = ApplyOptions(stop_after_failures=0, stop_at_skip_share=1.0)
"""How steps are done: to the end, whatever becomes of some."""

_OF_SYSTEM = ("fsync", "link", "unlink", "rename", "mkdir")
"""Calls of the operating system that last; occasions before and after each."""

_LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Victim:
    """What the process is told.

    Attributes:
        ledger: Its URL.
        application_id: The application, which was started.
        locations: Id, name, URL and options of each.
        environment: Variables that the options refer to.
        steps: Of the plan.
        writes: What steps write.
    """

    ledger: str
    application_id: str
    locations: Sequence[tuple[str, str, str, Mapping[str, Any]]]
    environment: Mapping[str, str]
    steps: Sequence[ActStep]
    writes: Mapping[int, bytes] = field(default_factory=dict)


def act(what: str, ground: Ground, steps: Sequence[ActStep]) -> Any:
    """Apply, resume or undo."""
    if what == "apply":
        return Acting(ground).run(steps)
    settle_open(ground)
    histories = history_of(ground.ledger.journal(ground.application_id))
    return Acting(ground).run(steps, histories) if what == "resume" else undo_steps(ground, histories)


def killed_at(victim: Victim, what: str, at: int) -> bool:
    """Run the process to its end; whether it was killed.

    Raises:
        RuntimeError: It ended by itself, and not well.
    """
    context = multiprocessing.get_context("forkserver")
    # What the main module of the benchmark imports, which each process would import for itself.
    context.set_forkserver_preload([__name__, "benchmarks.fault_checks", "benchmarks.report", "pytest"])
    process = context.Process(target=_live, args=(victim, what, at))
    process.start()
    process.join(_LONGEST_SECONDS)
    code = process.exitcode
    if code not in (0, -signal.SIGKILL):
        process.kill()
        raise RuntimeError(f"the process that was to be killed ended with {code}")
    return code != 0


def _live(victim: Victim, what: str, at: int) -> None:
    os.environ.update(victim.environment)
    seen, lock = [0], threading.Lock()

    def occasion(_name: str = "") -> None:
        with lock:
            seen[0] += 1
            if seen[0] > at:
                os.kill(os.getpid(), signal.SIGKILL)

    with ExitStack() as stack:
        kinds = {}
        for location_id, name, url, options in victim.locations:
            kind = open_location(location_id, name, url, options)
            stack.callback(kind.close)
            for call in CALLS:
                setattr(kind, call, partial(_between, occasion, getattr(kind, call)))
            kinds[location_id] = kind
        ledger = stack.enter_context(Ledger.open(victim.ledger))
        for call in _OF_SYSTEM:
            stack.enter_context(mock.patch.object(os, call, partial(_between, occasion, getattr(os, call))))
        content = victim.writes
        ground = Ground(
            victim.application_id, kinds, ledger, OPTIONS, occasion, content=lambda step: content.get(step.step)
        )
        act(what, ground, victim.steps)


def _between(occasion: Callable[[], None], call: Callable[..., Any], /, *values: Any, **named: Any) -> Any:
    occasion()
    answer = call(*values, **named)
    occasion()
    return answer
