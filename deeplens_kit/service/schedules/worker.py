"""A run of a schedule in a process of its own, whose memory goes back with it.

Takes a request and an event that ends it early; gives how the process ended. What came of the run is in the ledger: a
process that is killed leaves a run there whose holder is dead, and nothing else to clear up.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from deeplens_kit.errors import DeepLensError, Interrupted, ReportRunningError
from deeplens_kit.service.schedules.values import WORKFLOW, Schedule
from deeplens_kit.telemetry import redact

__all__ = ["WorkRequest", "WorkResult", "run_in_process"]

# A report ends its kernel, a workflow the step that it is at.
_STOP_SECONDS, _KILL_SECONDS = 60.0, 10.0
_LOOKS_SECONDS = 0.2
_SAID_BYTES = 4096


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """What is to be run.

    Attributes:
        workspace: Its folder.
        schedule: The schedule.
        due_at: The time that is made good.
        attempt: 1 for the first try at it.
        last: Whether people are told where it fails.
    """

    workspace: Path
    schedule: Schedule
    due_at: datetime
    attempt: int
    last: bool

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "workspace": str(self.workspace),
            "schedule": self.schedule.to_json(),
            "due_at": self.due_at.isoformat(),
            "attempt": self.attempt,
            "last": self.last,
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> WorkRequest:
        """Take what `to_json` gave."""
        return cls(
            Path(document["workspace"]),
            Schedule.of(document["schedule"]),
            datetime.fromisoformat(document["due_at"]),
            document["attempt"],
            document["last"],
        )


@dataclass(frozen=True, slots=True)
class WorkResult:
    """How the process ended.

    Attributes:
        code: Its exit code; below 0 the signal that ended it.
        said: The last line that it said.
    """

    code: int
    said: str

    @property
    def needless(self) -> bool:
        """Whether there was nothing to do: another process runs the schedule, or has."""
        return self.code == ReportRunningError.exit_code

    @property
    def how(self) -> str:
        """How it ended, in words."""
        if self.code < 0:
            return f"its process was ended by signal {-self.code} ({signal.Signals(-self.code).name})"
        return f"its process ended with code {self.code}{f': {self.said}' if self.said else ''}"


def run_in_process(request: WorkRequest, stop: threading.Event) -> WorkResult:
    """Run a schedule in a process of its own, and wait for it.

    Args:
        request: What is to be run.
        stop: Ends it early; it may take a moment.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                # Ctrl-C on a terminal is for us alone: we say when it ends.
                start_new_session=True,
            )
        except OSError as error:
            return WorkResult(DeepLensError.exit_code, error.strerror or str(error))
        try:
            assert process.stdin is not None
            # One that is gone before it was asked says by its code why.
            with suppress(BrokenPipeError), process.stdin as stream:
                stream.write(json.dumps(request.to_json()).encode())
            while process.poll() is None and not stop.wait(_LOOKS_SECONDS):
                pass
        finally:
            code = _ended(process)
        said.seek(max(0, said.seek(0, 2) - _SAID_BYTES))
        lines = said.read().decode("utf-8", "replace").splitlines()
    return WorkResult(code, redact(next((line.strip() for line in reversed(lines) if line.strip()), "")))


def _ended(process: subprocess.Popen[bytes]) -> int:
    for wait in (_STOP_SECONDS, _KILL_SECONDS):
        if process.poll() is None:
            # The second one ends it where it stands, as a second Ctrl-C does.
            process.terminate()
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                continue
    if process.poll() is None:
        process.kill()
    return process.wait()


def _main() -> int:
    """Run what standard input says."""
    request = WorkRequest.of(json.load(sys.stdin))
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.service.schedules.performing import perform
    from deeplens_kit.telemetry import configure_logging

    configure_logging(json=False, level="warning")
    try:
        with _stopping(request.schedule) as stop, Workspace.open(request.workspace) as workspace:
            perform(
                workspace,
                request.schedule,
                due_at=request.due_at,
                attempt=request.attempt,
                last=request.last,
                stop=stop,
            )
    except DeepLensError as error:
        sys.stderr.write(f"{redact(str(error))}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    return 0


def _stopping(schedule: Schedule) -> AbstractContextManager[threading.Event]:
    """What SIGTERM does: a workflow ends the step that it is at, a report is ended where it stands."""
    if schedule.report == WORKFLOW:
        from deeplens_kit.pipeline.stopping import stop_on_signals

        return stop_on_signals((signal.SIGTERM,), lambda _: None, leave_with=Interrupted.exit_code)

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    return nullcontext(threading.Event())


if __name__ == "__main__":
    sys.exit(_main())
