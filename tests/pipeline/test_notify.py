"""Notices against real servers on this machine: what is sent, what is tried again, and what is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mail_server import Mailbox, make_certificate, serving
from web_hook import Hook

from deeplens_kit.errors import SettingsError, WorkspaceError
from deeplens_kit.ledger import Ledger
from deeplens_kit.pipeline.new_duplicates import NewDuplicate, NewDuplicates
from deeplens_kit.pipeline.notify import Notifier
from deeplens_kit.pipeline.notify_message import MOST_IN_DOCUMENT, SCHEMA, mail_of, notice_of
from deeplens_kit.pipeline.notify_targets import check_target, label_of, target_of
from deeplens_kit.telemetry import redact

SECRET = "kept-to-ourselves-42"
DUPLICATE = NewDuplicate(
    "e" * 32, "shop", "new\n.jpg", "d" * 64, "archive", "old.jpg", "c" * 64, "copy", "part", 0.93, 1200, 2
)


def copies(count: int, first: int = 0) -> NewDuplicates:
    listed = tuple(replace(DUPLICATE, event_id=f"{number:032x}") for number in range(first, first + count))
    return NewDuplicates(count, count, {"copy": count}, 1200 * count, 0, listed)


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger without anything; not to be changed."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    Ledger.create(f"sqlite:///{path}").close()
    return path


Telling = Callable[..., Notifier]


@pytest.fixture
def ledger(tmp_path: Path, empty_ledger: Path) -> Iterator[Ledger]:
    shutil.copy(empty_ledger, tmp_path / "ledger.sqlite")
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}") as opened:
        yield opened


@pytest.fixture
def notifier(ledger: Ledger) -> Telling:
    """Makes a notifier as each process does: all of one ledger."""

    def make(*targets: str, batch_seconds: float = 60.0, stop: threading.Event | None = None) -> Notifier:
        return Notifier(
            targets,
            ledger=ledger,
            workspace="library",
            batch_seconds=batch_seconds,
            stop=stop or threading.Event(),
            first_wait_seconds=0.0,
            now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC),
        )

    return make


def test_new_copies_of_a_while_come_in_one_signed_document(
    notifier: Telling, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    telling = notifier(f"{hook.url}?channel=a%2Fb&secret=${{HOOK_SECRET}}")
    telling.add(NewDuplicates(new_files=7), 0.0)  # nothing that was known: no news
    assert telling.seconds_left(0.0) is None
    telling.add(copies(2), 10.0)
    telling.add(copies(1, first=2), 50.0)
    assert telling.seconds_left(50.0) == 20.0
    assert telling.deliver(69.9) == []
    (delivery,) = telling.deliver(70.0)
    assert (delivery.duplicates, delivery.reason) == (3, "")
    assert telling.deliver(1000.0) == []
    ((path, headers, body),) = hook.posted
    assert path == "/in?channel=a%2Fb"
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["DeepLens-Signature"] == f"sha256={expected}"
    told = json.loads(body)
    assert headers["DeepLens-Notice-Id"] == told["id"] == delivery.notice_id
    assert (told["schema"], told["workspace"], told["made_at"]) == (SCHEMA, "library", "2026-03-01T12:00:00+00:00")
    assert (told["duplicates"], told["by_tier"], told["saved_bytes"]) == (3, {"copy": 3}, 3600)
    assert [item["event_id"] for item in told["listed"]] == [f"{number:032x}" for number in range(3)]
    assert told["listed"][0]["path"] == "new\\n.jpg"


def test_what_is_beyond_the_first_is_counted(notifier: Telling, hook: Hook) -> None:
    telling = notifier(hook.url, batch_seconds=0)
    telling.add(copies(MOST_IN_DOCUMENT - 1), 0.0)
    telling.add(copies(300, first=500), 0.0)
    telling.deliver(0.0)
    told = json.loads(hook.posted[0][2])
    assert len(told["listed"]) == MOST_IN_DOCUMENT
    assert told["not_listed"] == told["duplicates"] - MOST_IN_DOCUMENT == 299


def test_a_server_that_stumbles_is_asked_again_and_what_is_not_taken_keeps_its_id(
    notifier: Telling, hook: Hook
) -> None:
    telling = notifier(hook.url, batch_seconds=0)
    hook.answers = [503, 429, 204]
    telling.add(copies(1), 0.0)
    assert telling.deliver(0.0)[0].reason == ""
    assert len(hook.posted) == 3
    hook.answers = [500] * 3
    telling.add(copies(1, first=1), 1.0)
    (failed,) = telling.deliver(1.0)
    assert failed.reason.startswith("the server said 500 *** because xxx")
    assert len(failed.reason) < 200
    telling.add(copies(1, first=2), 2.0)  # waits until the one before is taken
    assert failed.retry_seconds is not None
    assert telling.deliver(1.0 + failed.retry_seconds - 0.1) == []
    taken = telling.deliver(1.0 + failed.retry_seconds)
    assert [item.reason for item in taken] == ["", ""]
    assert taken[0].notice_id == failed.notice_id != taken[1].notice_id
    assert len({body for _, _, body in hook.posted[3:7]}) == 1


def test_a_refusal_and_a_redirect_are_not_asked_again_at_once(notifier: Telling, hook: Hook) -> None:
    for status in (400, 302):
        hook.posted, hook.answers = [], [status]
        telling = notifier(hook.url, batch_seconds=0)
        telling.add(copies(1), 0.0)
        assert f"said {status}" in telling.deliver(0.0)[0].reason
        assert len(hook.posted) == 1


def test_no_answer_of_a_server_repeats_a_secret_address(
    notifier: Telling, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, reason in (("/T0/very-secret", "the server said 404 ***"), ("/very secret", "letters that HTTP")):
        monkeypatch.setenv("HOOK", hook.url.replace("/in", path))
        hook.answers = [404]
        telling = notifier("${HOOK}", batch_seconds=0)
        telling.add(copies(1), 0.0)
        (refused,) = telling.deliver(0.0)
        assert reason in refused.reason
        assert "secret" not in refused.reason


def test_what_is_not_taken_at_the_end_is_sent_by_the_next_process(notifier: Telling, hook: Hook) -> None:
    telling = notifier(hook.url)
    telling.add(copies(1), 0.0)
    hook.answers = [503] * 3
    (kept,) = telling.deliver(1.0, last=True)
    assert (kept.retry_seconds, kept.waiting, telling.waiting) == (None, 1, 1)
    assert "said 503" in kept.reason
    assert len(hook.posted) == 3, "as often as at any other time"
    # What came to the next one stands by itself, so that the first goes again as it was.
    following = notifier(hook.url)
    following.add(copies(1, first=1), 5.0)
    assert following.seconds_left(5.0) == 0.0
    (sent,) = following.deliver(5.0)
    assert (sent.reason, sent.notice_id) == ("", kept.notice_id)
    assert hook.posted[-1][2] == hook.posted[0][2]
    # A third, after a kill: what was never tried is told together with what comes.
    third = notifier(hook.url, "http://127.0.0.1:1/in")
    third.add(copies(1, first=2), 6.0)
    (sent, away) = third.deliver(6.0, last=True)
    assert (sent.duplicates, sent.reason, away.duplicates) == (2, "", 1)
    assert notifier(hook.url).deliver(9.0, last=True) == []
    assert following.deliver(1e6) == [], "another process has sent it"


def test_when_stopped_it_is_tried_once_and_what_waits_is_bounded(notifier: Telling, hook: Hook, ledger: Ledger) -> None:
    stop = threading.Event()
    stop.set()
    for number in range(5):
        telling = notifier(hook.url, stop=stop)
        telling.add(copies(1, first=number), 0.0)
        hook.answers = [503]
        assert telling.deliver(0.0, last=True)[0].reason
        assert telling.waiting == min(number + 1, 2)
    assert len(hook.posted) == 5
    sent = notifier(hook.url).deliver(0.0)
    assert sum(delivery.duplicates for delivery in sent) == 5
    assert SECRET not in str(ledger.undelivered("watch.copies"))


def test_what_cannot_be_recorded_is_not_taken_up_and_no_address_is_stored(
    notifier: Telling, hook: Hook, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise WorkspaceError("Cannot write to the ledger: connection lost.")

    telling = notifier(hook.url)
    with monkeypatch.context() as changed, pytest.raises(WorkspaceError):
        changed.setattr(ledger, "record_watched", refuse)
        telling.add(copies(1), 0.0)
    assert telling.seconds_left(0.0) is None
    telling.add(copies(1), 0.0, content=b"seen")
    (event,) = ledger.undelivered("watch.copies")
    assert (ledger.watched(), "127.0.0.1" in str(event)) == (b"seen", False)


def test_a_server_that_is_not_there_keeps_no_other_from_being_told(
    notifier: Telling, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    telling = notifier("http://127.0.0.1:1/in", "https://127.0.0.1/${NOT_SET}", hook.url, batch_seconds=0)
    telling.add(copies(1), 0.0)
    away, unset, told = telling.deliver(0.0)
    assert "refused" in away.reason.lower()
    assert "NOT_SET" in unset.reason
    assert told.reason == ""


def test_a_mail_goes_encrypted_with_a_login_and_reads_well(
    notifier: Telling, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setenv("MAIL_PASSWORD", SECRET)
    for scheme in ("smtp", "smtps"):
        box = Mailbox(tls=certificate[1], tls_first=scheme == "smtps", password=SECRET)
        with serving(box):
            telling = notifier(
                f"{scheme}://anna%40firm.example:${{MAIL_PASSWORD}}@localhost:{box.port}/"
                "?to=ben@firm.example,cleo@firm.example",
                batch_seconds=0,
            )
            telling.add(copies(1), 0.0)
            (delivery,) = telling.deliver(0.0)
        assert delivery.reason == ""
        assert box.logins == [("anna@firm.example", SECRET, True)]
        assert box.encrypted == [True]
        (mail,) = box.mails
        assert mail["Subject"] == "DeepLens: 1 new picture is a copy of known ones"
        assert (mail["From"], mail["To"]) == ("anna@firm.example", "ben@firm.example, cleo@firm.example")
        assert delivery.notice_id in mail["Message-ID"]
        text = mail.get_content()
        assert "shop:new\\n.jpg" in text
        assert "archive:old.jpg (and 1 more)" in text


def test_a_mail_server_without_encryption_or_with_a_strange_certificate_gets_nothing(
    notifier: Telling, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with serving(Mailbox()) as plain, serving(Mailbox(tls=certificate[1])) as strange:
        address = "smtp://localhost:{}/?to=a@firm.example&from=b@firm.example"
        telling = notifier(address.format(plain.port), address.format(strange.port), batch_seconds=0)
        telling.add(copies(1), 0.0)
        unencrypted, untrusted = telling.deliver(0.0)
        assert "offers no encryption (STARTTLS); add plain=true" in unencrypted.reason
        assert "certificate" in untrusted.reason
        assert plain.mails == strange.mails == []
        allowed = notifier(address.format(plain.port) + "&plain=true", batch_seconds=0)
        allowed.add(copies(1), 0.0)
        assert allowed.deliver(0.0)[0].reason == ""
        assert len(plain.mails) == 1


def test_a_mail_that_is_put_off_is_tried_again_and_no_password_is_told(
    notifier: Telling,
    certificate: tuple[Path, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setenv("MAIL_PASSWORD", SECRET)
    box = Mailbox(tls=certificate[1], password=SECRET, answers=["451 later"])
    with serving(box):
        address = f"smtp://anna:${{MAIL_PASSWORD}}@localhost:{box.port}/?to=a@firm.example&from=b@firm.example"
        telling = notifier(address, batch_seconds=0)
        telling.add(copies(1), 0.0)
        assert telling.deliver(0.0)[0].reason == ""
        assert len(box.mails) == 1
        box.password = "another"  # it answers with the password that it was sent
        telling.add(copies(1, first=1), 1.0)
        (refused,) = telling.deliver(1.0)
    assert "535 not you, ***" in refused.reason
    assert SECRET not in "".join(capfd.readouterr())
    assert SECRET not in repr(target_of(address))


def test_a_mail_that_some_recipients_do_not_get_was_sent_and_the_rest_is_told(
    notifier: Telling, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    box = Mailbox(tls=certificate[1], strangers=("left@firm.example",))
    with serving(box):
        telling = notifier(
            f"smtp://localhost:{box.port}/?to=ben@firm.example,left@firm.example&from=a@firm.example", batch_seconds=0
        )
        telling.add(copies(1), 0.0)
        (delivery,) = telling.deliver(0.0)
        assert (delivery.reason, telling.seconds_left(0.0)) == ("", None)
        assert "no mail for 1 of 2 recipients, left@firm.example among them" in delivery.warning
        assert telling.deliver(1e6, last=True) == []
        box.strangers = ("ben@firm.example", "left@firm.example")
        telling.add(copies(1, first=1), 0.0)
        assert "for any of the recipients" in telling.deliver(0.0)[0].reason
    assert len(box.mails) == 1


def test_a_subject_is_one_line_and_long_lists_end() -> None:
    found = copies(25)
    mail = mail_of(notice_of("li\nbrary", [found], datetime(2026, 3, 1, tzinfo=UTC)), "a@b.example", ["c@d.example"])
    assert "... and 5 more" in mail.get_content()
    assert "workspace li\\nbrary" in mail.get_content()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://host/", "begins with 'ftp'"),
        ("smtp:///?to=a@b.example", "names no host"),
        ("smtp://host/?from=a@b.example", "to whom"),
        ("smtp://host/?to=a@b.example", "needs mail addresses"),
        ("smtp://host/?to=a@b.example&from=x%0Ay@b.example", "needs mail addresses"),
        ("smtp://host/?to=a@b.example&from=a@[bad", "that a mail can be written to and from"),
        ("smtp://host/?to=b@b.example,a@[bad&from=a@b.example", "that a mail can be written to and from"),
        ("smtp://host/?to=a@b.example&from=c@b.example&cc=d@b.example", "option 'cc'"),
        ("smtp://anna@host/?to=a@b.example&from=c@b.example", "without a password"),
        ("smtp://anna:hunter2@host/?to=a@b.example&from=c@b.example", "a password in clear"),
        ("smtp://host/?to=a@b.example&from=c@b.example&plain=perhaps", "true and false"),
        ("http://hooks.example/in", "not encrypted"),
        ("https://hooks.example/in?secret=hunter2", "in clear"),
        ("https://me:${PW}@hooks.example/in", "a login"),
        ("https://hooks.example:port/in", "is no URL"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused_at_once(notifier: Telling, address: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        notifier(address)
    assert "hunter2" not in str(caught.value)


def test_an_address_may_be_a_secret_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    check_target("${HOOK}")
    monkeypatch.setenv("HOOK", "https://hooks.example/T0/verysecret?sig=a%2Bb")
    target = target_of("${HOOK}")
    assert label_of("${HOOK}") == "${HOOK}"
    assert label_of("https://hooks.example/${file:/a/b.toml#c}?x=1") == "https://hooks.example"
    assert "verysecret" not in repr(target)
    check_target("https://hooks.example/services/T0AB12CD34EF56GH78")
    assert redact("POST /services/T0AB12CD34EF56GH78 failed") == "POST /services/*** failed"
    check_target("http://hooks.example/in?plain=true")
    check_target("http://localhost:80/in")
