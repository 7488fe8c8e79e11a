"""Notices of what jobs did: kept in the outbox of the ledger until each address has taken its own.

Takes what is told and addresses, gives events for the outbox and what became of each message; must not know what a job
does. What is not taken stays for whoever sends next to the same address, for as long as the outbox keeps it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import Ledger, OutboxEvent
from deeplens_kit.pipeline.notify_sending import FIRST_WAIT_SECONDS, NoticeNotSentError, send_patiently
from deeplens_kit.pipeline.notify_targets import label_of
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["Notice", "NoticeSent", "notice_events", "send_notices"]

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message.

    Attributes:
        notice_id: The same for the same news.
        schema: Of the document, for programs.
        subject: In a few words.
        lines: What is told, for people.
        document: The same for programs, as JSON can hold it; `made_at` is in it, as ISO 8601.
        text: What a mail says in the place of the lines; empty for these.
        html: The same for mail programs that show it; empty for none.
    """

    notice_id: str
    schema: str
    subject: str
    lines: tuple[str, ...]
    document: Mapping[str, Any]
    text: str = ""
    html: str = ""

    def as_document(self) -> bytes:
        """JSON, UTF-8, as `docs/user-guide.md` describes it."""
        whole = {"schema": self.schema, "id": self.notice_id, **self.document, "said": list(self.lines)}
        return json.dumps(whole, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def as_mail(self, sender: str, recipients: Sequence[str]) -> EmailMessage:
        """A mail in plain text, and in HTML where there is such."""
        mail = EmailMessage()
        mail["Subject"] = _told(self.subject)
        mail["From"], mail["To"] = sender, ", ".join(recipients)
        mail["Date"] = datetime.fromisoformat(self.document["made_at"])
        mail["Message-ID"] = f"<{self.notice_id}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note answers it
        mail.set_content(_told(self.text or "\n".join([*self.lines, ""])))
        if self.html:
            mail.add_alternative(_told(self.html), subtype="html")
        return mail


@dataclass(frozen=True, slots=True)
class NoticeSent:
    """What became of one message to one address.

    Attributes:
        target: Scheme and host.
        reason: Why it was not taken; "" where it was. It is tried again by whoever sends next.
        warning: What is to be said of one that was taken.
        document: What it told, for programs.
    """

    target: str
    reason: str = ""
    warning: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)


def notice_events(kind: str, notice: Notice, targets: Collection[str]) -> list[OutboxEvent]:
    """The notice for the outbox, one event for each address."""
    payload = {
        "notice_id": notice.notice_id,
        "schema": notice.schema,
        "subject": notice.subject,
        "lines": list(notice.lines),
        "document": dict(notice.document),
        "text": notice.text,
        "html": notice.html,
    }
    return [OutboxEvent(secrets.token_hex(16), kind, _digest(target), payload) for target in dict.fromkeys(targets)]


def send_notices(
    ledger: Ledger,
    kind: str,
    targets: Collection[str],
    *,
    stop: threading.Event | None = None,
    first_wait_seconds: float = FIRST_WAIT_SECONDS,
) -> list[NoticeSent]:
    """Send what waits for some addresses, the oldest first; what one does not take stays.

    Args:
        ledger: Whose outbox it is.
        kind: Of the events.
        targets: Addresses as people wrote them.
        stop: Ends the waiting between two tries.
        first_wait_seconds: Before the second try.
    """
    by_digest = {_digest(target): target for target in targets}
    stop = stop or threading.Event()
    came: list[NoticeSent] = []
    failed: set[str] = set()
    for event in ledger.undelivered(kind):
        target = by_digest.get(event.target)
        # One that did not take a message takes none after it: the order stays.
        if target is None or target in failed or not ledger.begin_delivery(event.event_id):
            continue
        sent = _sent(event, target, stop, first_wait_seconds)
        ledger.end_delivery(event.event_id, sent.reason)
        came.append(sent)
        failed |= {target} if sent.reason else set()
    return came


def _sent(event: OutboxEvent, target: str, stop: threading.Event, first_wait_seconds: float) -> NoticeSent:
    label, document = label_of(target), event.payload.get("document", {})
    try:
        notice = Notice(
            event.payload["notice_id"],
            event.payload["schema"],
            event.payload["subject"],
            tuple(event.payload["lines"]),
            document,
            # Events of an earlier version have neither.
            event.payload.get("text", ""),
            event.payload.get("html", ""),
        )
        warning = send_patiently(notice, target, stop, first_wait_seconds)
    except (NoticeNotSentError, DeepLensError, KeyError, TypeError) as error:
        reason = redact(str(error)) or type(error).__name__
        _log.warning("notice not sent", target=label, reason=reason)
        return NoticeSent(label, reason, document=document)
    return NoticeSent(label, warning=redact(warning), document=document)


def _told(text: str) -> str:
    """Names that are no text are written out: a mail cannot hold them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _digest(target: str) -> str:
    return hashlib.sha256(target.encode()).hexdigest()
