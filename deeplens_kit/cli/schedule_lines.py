"""What a scheduler says while it goes on: lines for people, or one JSON object a line for programs.

Takes what it tells, gives lines; must not write them or decide anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from deeplens_kit.cli.tables import shown
from deeplens_kit.reporting.schedule import spoken
from deeplens_kit.reporting.words import format_seconds, plural

if TYPE_CHECKING:
    from deeplens_kit.pipeline.notice_outbox import NoticeSent
    from deeplens_kit.service.schedules.events import FileRead, RunEnded, SchedulerEvent

__all__ = ["json_lines", "nothing_due_json", "stopped_json", "text_lines"]

_SHOWN = 3


def text_lines(event: SchedulerEvent, at: datetime, *, once: bool = False) -> Iterator[str]:
    """Lines for people: one for each run.

    Args:
        event: What happened.
        at: When.
        once: What is due is run and then it ends by itself.
    """
    from deeplens_kit.service.schedules.events import FileRead, RunEnded

    clock = f"{at.astimezone():%H:%M:%S}"
    if isinstance(event, FileRead):
        yield _file(event, once) if not event.again else f"{clock} {_file(event, once)}"
    elif isinstance(event, RunEnded):
        yield f"{clock} {_run(event)}"
    else:
        yield f"{clock} {_told(event)}"


def json_lines(event: SchedulerEvent, at: datetime) -> Iterator[str]:
    """One JSON object a line, each with `event` and `at`."""
    from deeplens_kit.service.schedules.events import FileRead, RunEnded

    if isinstance(event, FileRead):
        coming = [{"schedule": name, "at": when.isoformat()} for name, when in event.coming]
        values = {"file": str(event.file), "schedules": event.schedules, "coming": coming}
        yield _json("file", at, {**values, "problem": event.problem or None, "again": event.again})
    elif isinstance(event, RunEnded):
        run = event.run
        yield _json(
            "run",
            at,
            {
                "schedule": run.schedule,
                "report": run.report,
                "run_id": run.run_id,
                "state": str(run.state),
                "due_at": _iso(run.due_at),
                "started_at": _iso(run.started_at),
                "finished_at": _iso(run.finished_at),
                "attempt": run.attempt,
                "tries": event.tries,
                "retry_at": _iso(event.retry_at),
                "out": run.out or None,
                "message": run.message,
            },
        )
    else:
        values = {"schedule": event.document.get("schedule"), "target": event.target, "reason": event.reason or None}
        yield _json("notice", at, {**values, "warning": event.warning or None, "sent": not event.reason})


def nothing_due_json(at: datetime) -> str:
    """What is said where something was to be run once and nothing is due."""
    return _json("nothing_due", at, {})


def stopped_json(at: datetime) -> str:
    """The last line of a scheduler that was ended."""
    return _json("stopped", at, {})


def _file(event: FileRead, once: bool) -> str:
    if event.problem:
        stays = plural(event.schedules, "schedule")
        return f"The schedules were changed and are not taken: {shown(event.problem)} Until then the {stays} of before."
    coming = "; ".join(f"{shown(name)} {spoken(when)}" for name, when in event.coming[:_SHOWN])
    how_many = plural(event.schedules, "schedule")
    following = f" Next: {coming}." if coming else " None is to come for now."
    if event.again:
        return f"The schedules were changed: {how_many} now.{following}"
    if once:
        return f"Running what is due of {how_many} of {shown(str(event.file))}.{following}"
    return f"Running {how_many} of {shown(str(event.file))}.{following} Ctrl-C ends it."


def _run(event: RunEnded) -> str:
    run, name = event.run, shown(event.run.schedule)
    took = (run.delivered_at or run.finished_at or run.started_at) - run.started_at
    made_good = f"; due {run.due_at:%Y-%m-%d %H:%M} UTC" if run.due_at is not None else ""
    if run.state == "finished":
        where = f" {shown(run.out)}" if run.out else ""
        said = f"{shown(run.message).rstrip('.')}." if run.message else "Done."
        return f"{name}: {said}{where} (in {format_seconds(took.total_seconds())}{made_good})"
    how = "was interrupted" if run.state == "interrupted" else "failed"
    again = ""
    if event.retry_at is not None:
        again = f" It is tried again at {spoken(event.retry_at)}."
        if run.finished_at is not None and event.retry_at <= run.finished_at:
            again = " It is taken up at once."
    counted = f"try {run.attempt} of {max(event.tries, run.attempt)}{made_good}"
    return f"{name} {how} ({counted}): {shown(run.message).rstrip('.')}.{again}"


def _told(event: NoticeSent) -> str:
    schedule = shown(event.document.get("schedule", "a schedule"))
    if event.reason:
        return f"Could not tell {event.target} of {schedule}: {shown(event.reason)}; it is tried again."
    more = f" But {shown(event.warning)}." if event.warning else ""
    return f"Told {event.target} of {schedule}.{more}"


def _json(event: str, at: datetime, values: dict[str, object]) -> str:
    return json.dumps({"event": event, "at": at.isoformat(timespec="seconds"), **values}, ensure_ascii=False)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at is not None else None
