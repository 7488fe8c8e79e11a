"""A report on record while it is made: its run begins, shows that it lives, and ends in the ledger.

Takes the ledger and what the report is; gives a place for its headline numbers. Must not make the report.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deeplens_kit.errors import DeepLensError, Interrupted
from deeplens_kit.ledger import Ledger, ReportRun, ReportRunState
from deeplens_kit.telemetry import get_logger

__all__ = ["RecordedReport", "beating", "recorded_report"]

_BEAT_SECONDS = 10.0

_log = get_logger(__name__)


@dataclass(slots=True)
class RecordedReport:
    """What is noted of a run at its end; filled in while it is made.

    Attributes:
        run: As it began.
        figures: Its headline numbers, as JSON can hold them.
        message: What came of it, in a sentence.
    """

    run: ReportRun
    figures: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""


@contextmanager
def recorded_report(
    ledger: Ledger,
    report: str,
    parameters: Mapping[str, str],
    *,
    out: str = "",
    schedule: str = "",
    due_at: datetime | None = None,
    attempt: int = 1,
) -> Iterator[RecordedReport]:
    """Keep the making of a report on record; arguments as of `Ledger.begin_report_run`.

    The run has finished when the block ends, was interrupted by Ctrl-C or SIGTERM, and has failed by any other error.

    Raises:
        ReportRunningError: The schedule runs already, or was run for this time or a later one.
    """
    run = ledger.begin_report_run(report, parameters, out=out, schedule=schedule, due_at=due_at, attempt=attempt)
    noted = RecordedReport(run)
    try:
        with beating(ledger, run.run_id):
            yield noted
    except BaseException as error:
        stopped = isinstance(error, (Interrupted, KeyboardInterrupt, GeneratorExit, SystemExit))
        state = ReportRunState.INTERRUPTED if stopped else ReportRunState.FAILED
        with suppress(DeepLensError):
            said = str(error) or ("It was stopped." if stopped else type(error).__name__)
            ledger.end_report_run(run.run_id, state, noted.figures, said)
        raise
    ledger.end_report_run(run.run_id, ReportRunState.FINISHED, noted.figures, noted.message)


@contextmanager
def beating(ledger: Ledger, run_id: str) -> Iterator[None]:
    """Show that a run lives, from a thread, while the block runs."""
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(_BEAT_SECONDS):
            try:
                ledger.beat_report_run(run_id)
            except DeepLensError as error:
                _log.warning("heartbeat failed", run_id=run_id, error=str(error))

    thread = threading.Thread(target=beat, name=f"report-{run_id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
