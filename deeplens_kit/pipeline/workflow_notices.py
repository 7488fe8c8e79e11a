"""Tell people what a workflow did, and where it waits for them.

Takes what a run came to, gives events for the outbox of the ledger and what became of each message; must not run a
workflow. What is not taken stands in the outbox until the next run that is given the same address.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import OutboxEvent, Workflow, WorkflowRun, WorkflowRunState
from deeplens_kit.pipeline.notify_sending import FIRST_WAIT_SECONDS, NoticeNotSentError, send_patiently
from deeplens_kit.pipeline.notify_targets import label_of
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["WORKFLOW_SCHEMA", "NoticeSent", "WorkflowNotice", "deliver_notices", "events_of", "notice_of_run"]

_log = get_logger(__name__)

WORKFLOW_SCHEMA = "deeplens.workflow.notice/1"
_KIND = "workflow.run"


@dataclass(frozen=True, slots=True)
class WorkflowNotice:
    """One message.

    Attributes:
        notice_id: The same for the same run.
        subject: In a few words.
        lines: What came of it, for people.
        document: The same for programs, as JSON can hold it.
    """

    notice_id: str
    subject: str
    lines: tuple[str, ...]
    document: Mapping[str, Any]

    def as_document(self) -> bytes:
        """JSON, UTF-8, as `docs/user-guide.md` describes it."""
        whole = {"schema": WORKFLOW_SCHEMA, "id": self.notice_id, **self.document, "said": list(self.lines)}
        return json.dumps(whole, ensure_ascii=False).encode()

    def as_mail(self, sender: str, recipients: Sequence[str]) -> EmailMessage:
        """A mail in plain text."""
        mail = EmailMessage()
        mail["Subject"] = self.subject
        mail["From"], mail["To"] = sender, ", ".join(recipients)
        mail["Date"] = datetime.fromisoformat(self.document["made_at"])
        mail["Message-ID"] = f"<{self.notice_id}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note answers it
        mail.set_content("\n".join([*self.lines, ""]))
        return mail


@dataclass(frozen=True, slots=True)
class NoticeSent:
    """What became of one message to one address.

    Attributes:
        target: Scheme and host.
        reason: Why it was not taken; "" where it was. It is tried again after the next run.
        warning: What is to be said of one that was taken.
    """

    target: str
    reason: str = ""
    warning: str = ""


def notice_of_run(workspace: Workspace, workflow: Workflow, run: WorkflowRun) -> WorkflowNotice:
    """What is told of a run.

    Args:
        workspace: An open workspace.
        workflow: Of the run.
        run: As it ended: applied, waiting, an anomaly, or crashed.
    """
    paused = run.state in (WorkflowRunState.ANOMALY, WorkflowRunState.CRASHED)
    words = {
        WorkflowRunState.APPLIED: "applied its plan",
        WorkflowRunState.WAITING: "waits for a person",
        WorkflowRunState.ANOMALY: "is paused",
        WorkflowRunState.CRASHED: "is paused",
    }
    lines = [f"Workflow {workflow.name} of the workspace {workspace.directory.name} {words[run.state]}.", run.message]
    if paused:
        lines.append(f"It does nothing until a person resumes it: `deeplens workflows resume {workflow.name}`.")
    if "certificate" in run.figures:
        totals = run.figures["certificate"]
        lines.append(
            f"In quarantine: {totals['in_quarantine']:,} files; emptying frees {totals['will_free_bytes']:,} bytes. "
            "Nothing is removed for good by a workflow."
        )
    document = {
        "made_at": (run.finished_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "workspace": workspace.directory.name,
        "workflow": workflow.name,
        "run_id": run.run_id,
        "state": str(run.state),
        "paused": paused,
        "message": run.message,
        "plan_id": run.plan_id or None,
        "application_id": run.application_id or None,
        "figures": dict(run.figures),
    }
    return WorkflowNotice(run.run_id, f"DeepLens: workflow {workflow.name} {words[run.state]}", tuple(lines), document)


def events_of(notice: WorkflowNotice, targets: Sequence[str]) -> list[OutboxEvent]:
    """The notice for the outbox, one event for each address."""
    payload = {
        "notice_id": notice.notice_id,
        "subject": notice.subject,
        "lines": list(notice.lines),
        "document": dict(notice.document),
    }
    return [OutboxEvent(secrets.token_hex(16), _KIND, _digest(target), payload) for target in dict.fromkeys(targets)]


def deliver_notices(
    workspace: Workspace,
    targets: Sequence[str],
    *,
    stop: threading.Event | None = None,
    first_wait_seconds: float = FIRST_WAIT_SECONDS,
) -> list[NoticeSent]:
    """Send what waits for some addresses, the oldest first; what one does not take stays.

    Args:
        workspace: An open workspace.
        targets: Addresses as people wrote them.
        stop: Ends the waiting between two tries.
        first_wait_seconds: Before the second try.
    """
    by_digest = {_digest(target): target for target in targets}
    stop = stop or threading.Event()
    came: list[NoticeSent] = []
    failed: set[str] = set()
    for event in workspace.ledger.undelivered(_KIND):
        target = by_digest.get(event.target)
        # One that did not take a message takes none after it: the order stays.
        if target is None or target in failed or not workspace.ledger.begin_delivery(event.event_id):
            continue
        sent = _sent(event, target, stop, first_wait_seconds)
        workspace.ledger.end_delivery(event.event_id, sent.reason)
        came.append(sent)
        failed |= {target} if sent.reason else set()
    return came


def _sent(event: OutboxEvent, target: str, stop: threading.Event, first_wait_seconds: float) -> NoticeSent:
    label = label_of(target)
    try:
        notice = WorkflowNotice(
            event.payload["notice_id"],
            event.payload["subject"],
            tuple(event.payload["lines"]),
            event.payload["document"],
        )
        warning = send_patiently(notice, target, stop, first_wait_seconds)
    except (NoticeNotSentError, DeepLensError, KeyError, TypeError) as error:
        reason = redact(str(error)) or type(error).__name__
        _log.warning("notice not sent", target=label, reason=reason)
        return NoticeSent(label, reason=reason)
    return NoticeSent(label, warning=redact(warning))


def _digest(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()
