"""An index run that is watched: progress while it goes, a summary when it is done, and Ctrl-C that keeps what was read.

Takes an open workspace and what to index, gives the summary; must not index anything itself.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deeplens_kit import pipeline
from deeplens_kit.pipeline.stopping import stop_on_signals
from deeplens_kit.reporting.index_summary import IndexSummary
from deeplens_kit.views.index_progress import progress_listener, say_signal

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Budget, MatchReport, Throttle, Workspace

__all__ = ["watched_index"]


def watched_index(
    workspace: Workspace,
    names: Sequence[str] | None,
    *,
    workers: int | None,
    retry_failed: bool,
    accept_gone: bool,
    and_match: bool,
    throttle: Throttle | None,
    budget: Budget | None,
    quiet: bool,
) -> IndexSummary:
    """Index locations and show how it goes; the arguments are those of `Workbench.index`."""
    found: list[MatchReport] = []
    with stop_on_signals((signal.SIGINT,), say_signal) as stop, progress_listener(quiet=quiet) as listener:
        reports = pipeline.index(
            workspace,
            names,
            workers=workers,
            progress=listener,
            stop=stop,
            and_match=and_match,
            accept_gone=accept_gone,
            retry_failed=retry_failed,
            throttle=throttle,
            budget=budget,
            matched=found.append,
        )
    return IndexSummary(reports, match=found[0] if found else None)
