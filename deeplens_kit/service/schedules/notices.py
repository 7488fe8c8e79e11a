"""What people are told of a schedule's report: its headline and where it is, or that it could not be made.

Takes a run, gives events for the outbox of the ledger; must not make a report or send anything by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import UTC, datetime

from deeplens_kit.ledger import Ledger, OutboxEvent, ReportRun
from deeplens_kit.pipeline.notice_outbox import Notice, NoticeSent, notice_events, send_notices
from deeplens_kit.pipeline.notify_sending import FIRST_WAIT_SECONDS
from deeplens_kit.reporting.report_mail import ReportMail, linked_mail
from deeplens_kit.service.schedules.values import Schedule
from deeplens_kit.telemetry import redact

__all__ = ["REPORT_SCHEMA", "events_of_run", "send_waiting"]

REPORT_SCHEMA = "deeplens.report.notice/1"
_KIND = "report.run"
_SUBJECT_LETTERS = 150
"""Mail programs show no more of it."""


def events_of_run(
    schedule: Schedule,
    run: ReportRun,
    workspace: str,
    *,
    headline: str = "",
    link: str = "",
    problem: str = "",
    mail: ReportMail | None = None,
) -> list[OutboxEvent]:
    """What is told of a run, for the outbox: one event for each address.

    Args:
        schedule: The schedule.
        run: Its run.
        workspace: Name of the workspace.
        headline: What the report says, in a sentence.
        link: Where people open it, or the last good one; empty for a workflow.
        problem: Why it could not be made; empty where it was.
        mail: The report as a mail; None for the headline alone.
    """
    said, what = " ".join(redact(problem or headline).split()), f"{schedule.what[:1].upper()}{schedule.what[1:]}"
    if problem:
        tries = f"after {run.attempt} tries" if run.attempt > 1 else "at the first try"
        lines = [f"{what} of the workspace {workspace} failed {tries}, by the schedule {schedule.name}.", said]
        lines += [f"The last good one stands: {link}"] if link else []
        subject = f"DeepLens {schedule.name}: failed"
    else:
        lines = [said, *([link] if link else []), f"{what} of the workspace {workspace}."]
        subject = f"DeepLens {schedule.name}: {said}"[:_SUBJECT_LETTERS]
    document = {
        "made_at": (run.finished_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "workspace": workspace,
        "schedule": schedule.name,
        "report": schedule.report,
        "run_id": run.run_id,
        "made": not problem,
        "headline": redact(headline) or None,
        "problem": redact(problem) or None,
        "link": link or None,
        "due_at": run.due_at.isoformat() if run.due_at is not None else None,
        "attempt": run.attempt,
        "figures": dict(run.figures),
    }
    told = linked_mail(mail, link) if mail is not None and not problem else ReportMail("", "", "")
    text = "\n".join([redact(told.text).rstrip(), "", lines[-1], ""]) if told.text else ""
    notice = Notice(run.run_id, REPORT_SCHEMA, subject, tuple(lines), document, text, redact(told.html))
    return notice_events(_KIND, notice, schedule.notify)


def send_waiting(
    ledger: Ledger,
    targets: Collection[str],
    *,
    stop: threading.Event | None = None,
    first_wait_seconds: float = FIRST_WAIT_SECONDS,
) -> list[NoticeSent]:
    """Send what waits for some addresses; see `notice_outbox.send_notices`."""
    return send_notices(ledger, _KIND, targets, stop=stop, first_wait_seconds=first_wait_seconds)
