"""Progress of indexing: a bar in a notebook or on a terminal, a line now and then elsewhere.

Takes snapshots from the pipeline, shows them where a person looks; must not slow the work down or write to standard
output. The words are the same everywhere.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deeplens_kit.reporting.words import format_count, format_seconds, plural

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from deeplens_kit.pipeline.progress import ProgressListener, ProgressSnapshot

__all__ = [
    "PlainProgress",
    "figures",
    "in_notebook",
    "progress_listener",
    "say_signal",
    "say_signal_of_schedules",
    "say_signal_of_steps",
    "title",
]

_STAGES = {
    "scan": "listing",
    "features": "adding features",
    "index": "reading",
    "match": "matching",
    "verify": "looking closely",
    "samples": "comparing samples",
    "resolution": "measuring resolution",
    "detail": "measuring detail",
    "convert": "converting",
    "ingest": "taking in",
    "map": "laying out the map",
    "clusters": "finding clusters",
    "report": "making the report",
    "check": "checking",
    "apply": "applying",
    "undo": "undoing",
    "empty": "emptying",
}
_SAID_ON_SIGNAL = {
    1: b"\nStopping: what was read is being committed. Press Ctrl-C again to abort.\n",
    2: b"\nAborting. What was committed is kept.\n",
}
_SAID_OF_STEPS = {
    1: b"\nStopping: the step at hand is being finished; then it is said how to go on. Press Ctrl-C again to abort.\n",
    2: b"\nAborting. Every step that was done is kept; the one at hand is settled when you go on, or undo.\n",
}
_SAID_OF_SCHEDULES = {
    1: b"\nStopping: what is being made is ended, and made anew by the next one. Press Ctrl-C again to abort.\n",
    2: b"\nAborting. What was being made is taken up by the next one.\n",
}
_STDERR = 2
# A log file wants to know that it goes on, not how smoothly.
_LINE_SECONDS = 5.0


@contextmanager
def progress_listener(*, quiet: bool = False) -> Iterator[ProgressListener | None]:
    """A listener that fits where this process shows things, or None.

    Args:
        quiet: Show nothing where no person looks on: neither a notebook nor a terminal.
    """
    if in_notebook():
        # A module of its own: widgets are loaded only where they can be seen.
        from deeplens_kit.views.notebook_progress import NotebookProgress

        with NotebookProgress() as widgets:
            yield widgets
    elif sys.stderr.isatty():
        from rich.console import Console

        with _bars(Console(stderr=True, highlight=False)) as bars:
            shown_on = _TerminalProgress(bars)
            yield shown_on
            shown_on.end()
    else:
        yield None if quiet else PlainProgress()


def say_signal(number: int) -> None:
    """Say on standard error what the first or second interrupt does; a notebook's widget says what came of it."""
    if in_notebook():
        return
    # Written past Python's buffers: the signal may have come in the middle of a write to them.
    os.write(_STDERR, _SAID_ON_SIGNAL[number])


def say_signal_of_steps(number: int) -> None:
    """As `say_signal`, of work that changes files step by step."""
    if not in_notebook():
        os.write(_STDERR, _SAID_OF_STEPS[number])


def say_signal_of_schedules(number: int) -> None:
    """As `say_signal`, of runs that are due."""
    if not in_notebook():
        os.write(_STDERR, _SAID_OF_SCHEDULES[number])


def title(snapshot: ProgressSnapshot) -> str:
    """What is being done, and where: "share: reading"."""
    # Imported here: the storages load polars, which help need not wait for.
    from deeplens_kit.storage.paths import display_path

    stage = _STAGES.get(snapshot.stage, snapshot.stage)
    return f"{display_path(snapshot.location)}: {stage}" if snapshot.location else stage


def figures(snapshot: ProgressSnapshot) -> str:
    """How far it is: "250 of 1,000, 50/s, 15 s left, 2 failures"."""
    parts = [format_count(snapshot.done)]
    if snapshot.total is not None:
        parts = [f"{snapshot.done:,} of {snapshot.total:,}"]
    if snapshot.rate_per_second > 0:
        parts.append(f"{snapshot.rate_per_second:,.0f}/s")
    if snapshot.seconds_left is not None and snapshot.total != snapshot.done:
        parts.append(f"{format_seconds(max(0.0, snapshot.seconds_left))} left")
    if snapshot.failures:
        parts.append(plural(snapshot.failures, "failure"))
    if snapshot.skipped:
        parts.append(f"{format_count(snapshot.skipped)} skipped")
    return ", ".join(parts)


class PlainProgress:
    """A line every few seconds; work that is done sooner prints none.

    Args:
        clock: Seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._printed = clock()

    def update(self, snapshot: ProgressSnapshot) -> None:
        """Print `snapshot` when it is time again."""
        now = self._clock()
        if now - self._printed < _LINE_SECONDS:
            return
        self._printed = now
        sys.stderr.write(f"{title(snapshot)}: {figures(snapshot)}\n")
        sys.stderr.flush()


class _TerminalProgress:
    """A bar per stage, the last one moving."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def update(self, snapshot: ProgressSnapshot) -> None:
        key = (snapshot.location, snapshot.stage)
        if key not in self._tasks:
            self.end()
            self._tasks[key] = self._bars.add_task(title(snapshot), total=snapshot.total, figures="")
        total = snapshot.total
        self._bars.update(self._tasks[key], completed=snapshot.done, total=total, figures=figures(snapshot))

    def end(self) -> None:
        """Let no bar move on whose total was never known."""
        for task in self._bars.tasks:
            if task.total is None:
                self._bars.update(task.id, total=max(1, task.completed), completed=max(1, task.completed))


def _bars(console: object) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    assert isinstance(console, Console)
    # markup=False: a location may be named "[red]".
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[figures]}", markup=False),
        console=console,
        refresh_per_second=8,
    )


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook that can show widgets; asked without loading either."""
    if "ipykernel" not in sys.modules:
        return False
    from importlib.util import find_spec

    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None and find_spec("ipywidgets") is not None
