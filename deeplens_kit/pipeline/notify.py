"""Tell people of new copies: gathered over a while, sent to each address, tried again until it is taken.

Takes new copies of each round and addresses; gives what became of each message. Must not decide what is a copy. What is
to be told stands in the outbox of the ledger from the round on that found it: a process that is killed, or ends while a
server is away, leaves it to the next one that is given the same address. It is bounded: one message that was tried and
stays as it is, and one more with the counts and first copies of all that came since.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import Ledger, OutboxEvent
from deeplens_kit.pipeline.new_duplicates import NewDuplicate, NewDuplicates
from deeplens_kit.pipeline.notify_message import MOST_IN_DOCUMENT, notice_of
from deeplens_kit.pipeline.notify_sending import FIRST_WAIT_SECONDS, NoticeNotSentError, send_patiently
from deeplens_kit.pipeline.notify_targets import check_target, label_of
from deeplens_kit.telemetry import get_logger, redact

__all__ = ["Delivery", "Notifier"]

_log = get_logger(__name__)

_KIND = "watch.copies"
# After these a message is tried again; doubled each time.
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message to one address.

    Attributes:
        target: Scheme and host.
        notice_id: Of the message.
        duplicates: New copies that it tells of.
        reason: Why it was not taken; "" where it was.
        retry_seconds: Until it is tried again; None where it was taken, or the watch ends: it is kept for the next one.
        warning: What is to be said of a message that was taken, for example by some of the recipients.
        waiting: Messages that wait for this address now.
    """

    target: str
    notice_id: str
    duplicates: int
    reason: str = ""
    retry_seconds: float | None = None
    warning: str = ""
    waiting: int = 0


@dataclass(slots=True)
class _Message:
    """One row of the outbox; once it was tried it stays as it is, and the copies that come next have another."""

    event_id: str
    found: NewDuplicates
    made_at: datetime
    since: float
    tries: int = 0
    not_before: float = -inf

    def event(self, target: str) -> OutboxEvent:
        payload = {"made_at": self.made_at.isoformat(), "found": asdict(self.found)}
        return OutboxEvent(self.event_id, _KIND, target, payload)


@dataclass(slots=True)
class _Address:
    """An address and what waits for it, the oldest first."""

    text: str
    label: str
    target: str
    waiting: list[_Message] = field(default_factory=list)
    failures: int = 0


class Notifier:
    """Gathers new copies and sends them.

    Args:
        targets: Addresses, see `notify_targets`.
        ledger: Keeps what is to be told. What waits there for one of the addresses is sent first.
        workspace: Name of the workspace, for the messages.
        batch_seconds: Copies of so long come in one message; 0 for one after each round.
        stop: Ends the waiting between two tries.
        first_wait_seconds: Before the second try of a message; doubled, with jitter.

    Raises:
        SettingsError: An address cannot be used, or holds a credential in clear.
        WorkspaceError: The ledger cannot be read.
    """

    def __init__(
        self,
        targets: Sequence[str],
        *,
        ledger: Ledger,
        workspace: str,
        batch_seconds: float,
        stop: threading.Event,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        for text in targets:
            check_target(text)
        self._addresses = [
            _Address(text, label_of(text), hashlib.sha256(text.encode()).hexdigest()) for text in dict.fromkeys(targets)
        ]
        self._ledger, self._workspace, self._batch_seconds, self._stop = ledger, workspace, batch_seconds, stop
        self._first_wait_seconds, self._now = first_wait_seconds, now
        self._take_up()

    def _take_up(self) -> None:
        """What other processes left; it is due at once."""
        by_target = {address.target: address for address in self._addresses}
        others = 0
        for event in self._ledger.undelivered(_KIND):
            message = _message_of(event)
            if event.target in by_target and message is not None:
                by_target[event.target].waiting.append(message)
            else:
                others += 1
        if others and self._addresses:
            _log.warning("messages wait for an address that is not told now", messages=others)

    @property
    def waiting(self) -> int:
        """Messages that are to be sent still."""
        return sum(len(address.waiting) for address in self._addresses)

    def add(self, found: NewDuplicates, now: float, *, content: bytes | None = None) -> None:
        """Take up the copies of a round; a round without any is no news.

        Args:
            found: The copies.
            now: Seconds on a clock of the caller's.
            content: What is recorded in the same transaction, see `Ledger.record_watched`.

        Raises:
            WorkspaceError: It cannot be recorded: then nothing is taken up.
        """
        staged = [(address, *self._staged(address, found, now)) for address in self._addresses if found.duplicates]
        if staged or content is not None:
            self._ledger.record_watched(content, [message.event(address.target) for address, message, _ in staged])
        for address, message, is_more in staged:
            address.waiting[len(address.waiting) - is_more :] = [message]

    def _staged(self, address: _Address, found: NewDuplicates, now: float) -> tuple[_Message, bool]:
        """A message with these copies, and whether it stands for the last one."""
        last = address.waiting[-1] if address.waiting else None
        if last is not None and not last.tries:
            return replace(last, found=_together(last.found, found)), True
        return _Message(secrets.token_hex(16), _together(None, found), self._now(), now), False

    def seconds_left(self, now: float) -> float | None:
        """Until there is something to send; None while there is nothing."""
        times = [self._time_of(address) for address in self._addresses]
        waiting = [time for time in times if time is not None]
        return max(0.0, min(waiting) - now) if waiting else None

    def deliver(self, now: float, *, last: bool = False) -> list[Delivery]:
        """Send what is due.

        Args:
            now: On the clock of `add`.
            last: Send all there is: what is not taken is kept for the next process, and told of so.
        """
        deliveries: list[Delivery] = []
        for address in self._addresses:
            time = self._time_of(address)
            while time is not None and (last or time <= now):
                delivery = self._try(address, now, last=last)
                deliveries += [delivery] if delivery is not None else []
                if delivery is not None and delivery.reason:
                    break
                time = self._time_of(address)
        return deliveries

    def _time_of(self, address: _Address) -> float | None:
        if not address.waiting:
            return None
        first = address.waiting[0]
        return first.not_before if first.tries else first.since + self._batch_seconds

    def _try(self, address: _Address, now: float, *, last: bool) -> Delivery | None:
        """Send the first message; None where another process has sent it."""
        message = address.waiting[0]
        notice = notice_of(self._workspace, [message.found], message.made_at)
        told = Delivery(address.label, notice.notice_id, notice.duplicates)
        message.tries += 1
        try:
            # Before it is sent: whoever takes it up after a kill must not add to it, so that it has the same id.
            if not self._ledger.begin_delivery(message.event_id):
                address.waiting.pop(0)
                return None
            warning = send_patiently(notice, address.text, self._stop, self._first_wait_seconds)
        except (NoticeNotSentError, DeepLensError) as error:
            reason = redact(str(error))
            address.failures += 1
            wait = min(_LONGEST_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2.0 ** min(address.failures - 1, 20))
            message.not_before = now + wait
            _log.warning("notice not sent", target=address.label, notice=notice.notice_id, reason=reason)
            self._note(message, reason)
            return replace(told, reason=reason, retry_seconds=None if last else wait, waiting=len(address.waiting))
        address.waiting.pop(0)
        address.failures = 0
        self._note(message, "")
        _log.info("notice sent", target=address.label, notice=notice.notice_id, duplicates=notice.duplicates)
        if warning:
            _log.warning("notice sent in part", target=address.label, notice=notice.notice_id, reason=warning)
        return replace(told, warning=redact(warning), waiting=len(address.waiting))

    def _note(self, message: _Message, error: str) -> None:
        """What a ledger that is away does not learn of is sent again, with the same id."""
        try:
            self._ledger.end_delivery(message.event_id, error)
        except DeepLensError as failed:
            _log.warning("outbox not written", reason=redact(str(failed)))


def _message_of(event: OutboxEvent) -> _Message | None:
    """The message of a row; None where another release wrote it in a way that this one does not know."""
    try:
        found: Mapping[str, Any] = event.payload["found"]
        listed = tuple(NewDuplicate(**item) for item in found["listed"])
        made_at = datetime.fromisoformat(event.payload["made_at"])
        return _Message(event.event_id, NewDuplicates(**{**found, "listed": listed}), made_at, -inf, event.tries)
    except (KeyError, TypeError, ValueError):
        _log.warning("outbox holds a message that cannot be read", event_id=event.event_id)
        return None


def _together(first: NewDuplicates | None, more: NewDuplicates) -> NewDuplicates:
    if first is None:
        return replace(more, listed=more.listed[:MOST_IN_DOCUMENT])
    tiers = {tier: first.by_tier.get(tier, 0) + more.by_tier.get(tier, 0) for tier in {*first.by_tier, *more.by_tier}}
    return NewDuplicates(
        new_files=first.new_files + more.new_files,
        duplicates=first.duplicates + more.duplicates,
        by_tier=tiers,
        saved_bytes=first.saved_bytes + more.saved_bytes,
        among_new=first.among_new + more.among_new,
        listed=(first.listed + more.listed)[:MOST_IN_DOCUMENT],
    )
