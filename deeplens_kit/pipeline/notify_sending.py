"""Send a notice: a mail over SMTP, or JSON over HTTP.

Takes a notice, of whatever it tells, and a target, gives what is to be said of one that was taken; raises
NoticeNotSentError with the reason. Must not keep anything, follow a redirect, or send a password over a line that is
not encrypted.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import smtplib
import ssl
import threading
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Protocol
from urllib.parse import urlsplit

from deeplens_kit.pipeline.folder_events import pause
from deeplens_kit.pipeline.notify_targets import MailTarget, Target, WebhookTarget, is_loopback, target_of
from deeplens_kit.telemetry import redact
from deeplens_kit.telemetry.redaction import MASK

__all__ = ["FIRST_WAIT_SECONDS", "NoticeNotSentError", "Sendable", "send", "send_patiently"]

FIRST_WAIT_SECONDS = 0.5
"""Before the second try of a notice; doubled, with jitter."""

_TRIES, _LONGEST_WAIT_SECONDS = 3, 5.0  # in a row, of what may pass

_SECONDS = 15.0
"""For each step of a conversation."""
_MOST_ANSWER_BYTES = 4096
_SAID_LETTERS = 120
_SIGNATURE = "DeepLens-Signature"
_NOTICE_ID = "DeepLens-Notice-Id"
_PASSING_STATUS = frozenset({408, 425, 429})
_OK_FIRST, _OK_END, _SERVER_FAULT = 200, 300, 500
_SMTP_PERMANENT = 500


class NoticeNotSentError(Exception):
    """A notice was not taken.

    Attributes:
        passing: Another try in a moment may go well.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        self.passing = passing
        super().__init__(" ".join(redact(reason).split()))


class Sendable(Protocol):
    """What can be sent."""

    @property
    def notice_id(self) -> str:
        """The same for the same news."""
        ...

    def as_document(self) -> bytes:
        """JSON, UTF-8."""
        ...

    def as_mail(self, sender: str, recipients: Sequence[str]) -> EmailMessage:
        """A mail in plain text."""
        ...


def send_patiently(notice: Sendable, text: str, stop: threading.Event, first_wait_seconds: float) -> str:
    """Send a notice to an address as it was written, and again where another try may go well.

    Args:
        notice: What is told.
        text: The address; credentials are looked up for each try, since they may just have been changed.
        stop: Ends the waiting between two tries.
        first_wait_seconds: Before the second try.

    Returns:
        As `send`.

    Raises:
        NoticeNotSentError: It was not taken.
        SettingsError: The address cannot be used, CredentialMissingError where a credential is not there.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

    retrying = Retrying(
        stop=stop_after_attempt(_TRIES),
        wait=wait_exponential_jitter(
            multiplier=first_wait_seconds, max=_LONGEST_WAIT_SECONDS, jitter=first_wait_seconds
        ),
        retry=retry_if_exception(
            lambda error: isinstance(error, NoticeNotSentError) and error.passing and not stop.is_set()
        ),
        sleep=lambda seconds: pause(seconds, stop),
        reraise=True,
    )
    return retrying(lambda: send(notice, target_of(text)))


def send(notice: Sendable, target: Target) -> str:
    """Send a notice.

    Returns:
        What is to be said of a notice that was taken; "" for nothing. A mail that goes to some of the recipients was
        taken: sent again it would come to these once more, each time.

    Raises:
        NoticeNotSentError: It was not taken.
    """
    if isinstance(target, MailTarget):
        return _mail(notice, target)
    _post(notice, target)
    return ""


def _mail(notice: Sendable, target: MailTarget) -> str:
    context = ssl.create_default_context()
    try:
        mail = notice.as_mail(target.sender, target.recipients)
        with (
            smtplib.SMTP_SSL(target.host, target.port, timeout=_SECONDS, context=context)
            if target.tls_first
            else smtplib.SMTP(target.host, target.port, timeout=_SECONDS)
        ) as server:
            if not target.tls_first:
                _encrypt(server, target, context)
            if target.user:
                server.login(target.user, target.password)
            refused = server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        raise NoticeNotSentError("the mail server takes no mail for any of the recipients", passing=False) from error
    except smtplib.SMTPResponseException as error:
        reason = f"the mail server said {error.smtp_code} {_said(error.smtp_error)}"
        raise NoticeNotSentError(reason, passing=error.smtp_code < _SMTP_PERMANENT) from error
    except (smtplib.SMTPException, OSError) as error:
        raise _no_connection(error) from error
    except ValueError:
        # The cause is left out: it may quote the login.
        raise NoticeNotSentError(
            "its login or an address holds letters that SMTP does not take", passing=False
        ) from None
    if not refused:
        return ""
    # One of them is enough to look at.
    how_many = f"{len(refused)} of {len(target.recipients)} recipients"
    return f"the mail server takes no mail for {how_many}, {min(refused)} among them: correct the address to notify"


def _encrypt(server: smtplib.SMTP, target: MailTarget, context: ssl.SSLContext) -> None:
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=context)
        server.ehlo()
        return
    if not target.may_be_plain:
        raise NoticeNotSentError(
            "the mail server offers no encryption (STARTTLS); add plain=true to the address if that is meant",
            passing=False,
        )
    if target.user and not is_loopback(target.host):
        raise NoticeNotSentError(
            "the mail server offers no encryption (STARTTLS), and a password is not sent without", passing=False
        )


def _post(notice: Sendable, target: WebhookTarget) -> None:
    body = notice.as_document()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "deeplens",
        _NOTICE_ID: notice.notice_id,
    }
    if target.secret:
        headers[_SIGNATURE] = "sha256=" + hmac.new(target.secret.encode(), body, hashlib.sha256).hexdigest()
    parts = urlsplit(target.url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = (
        http.client.HTTPSConnection(target.host, parts.port, timeout=_SECONDS, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(target.host, parts.port, timeout=_SECONDS)
    )
    try:
        connection.request("POST", path, body=body, headers=headers)
        with connection.getresponse() as answer:
            said = answer.read(_MOST_ANSWER_BYTES)
    except (http.client.InvalidURL, ValueError):
        # The cause is left out: it quotes the path, which may be a secret.
        raise NoticeNotSentError("its address holds letters that HTTP does not take", passing=False) from None
    except (http.client.HTTPException, OSError) as error:
        raise _no_connection(error) from error
    finally:
        connection.close()
    if not _OK_FIRST <= answer.status < _OK_END:
        passing = answer.status >= _SERVER_FAULT or answer.status in _PASSING_STATUS
        # Many servers repeat what they were asked for, which may be a secret.
        text = _said(said.replace(path.encode(), MASK.encode()))
        raise NoticeNotSentError(f"the server said {answer.status} {text}".rstrip(), passing=passing)


def _no_connection(error: Exception) -> NoticeNotSentError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return NoticeNotSentError(f"its certificate is not accepted: {error.verify_message}", passing=False)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return NoticeNotSentError(f"the conversation failed: {reason}", passing=True)


def _said(answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(line.split())[:_SAID_LETTERS]
