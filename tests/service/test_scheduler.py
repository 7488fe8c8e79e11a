"""The loop over schedules, by a clock that the test moves: real mail and webhooks, a stand-in for what makes reports.

The clock is that of the scheduler, of APScheduler and of the ledger at once; nothing waits for it to pass.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mail_server import Mailbox, serving
from report_maker import Maker
from web_hook import Hook

from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import ReportRun, ReportRunState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.schedules import Schedule, Scheduler, perform
from deeplens_kit.service.schedules.events import FileRead, RunEnded, SchedulerEvent
from deeplens_kit.service.schedules.worker import WorkRequest, WorkResult, run_in_process

SIX = datetime(2026, 11, 30, 6, tzinfo=UTC)
PATIENCE_SECONDS = 30.0


class Clock:
    """The time, wherever it is asked for."""

    def __init__(self) -> None:
        self.at = SIX - timedelta(seconds=30)

    def __call__(self) -> datetime:
        return self.at

    def go(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    class Moved(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return clock.at.astimezone(tz)

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Moved)
    monkeypatch.setattr("deeplens_kit.ledger.transactions.database_now", lambda _: clock.at)
    monkeypatch.setattr("deeplens_kit.service.schedules.performing.datetime", Moved)
    return clock


def in_this_process(request: WorkRequest, stop: threading.Event) -> WorkResult:
    with Workspace.open(request.workspace) as workspace:
        try:
            perform(
                workspace,
                request.schedule,
                due_at=request.due_at,
                attempt=request.attempt,
                last=request.last,
                stop=stop,
            )
        except DeepLensError as error:
            return WorkResult(error.exit_code, str(error))
    return WorkResult(0, "")


class Going:
    """A scheduler in a thread."""

    def __init__(self, directory: Path, clock: Clock, work: Callable[..., WorkResult] = in_this_process) -> None:
        self.workspace = Workspace.open(directory)
        self.told: list[SchedulerEvent] = []
        self.stop = threading.Event()
        self.scheduler = Scheduler(
            self.workspace, directory / "reports/schedules.yaml", tell=self.told.append, stop=self.stop, work=work,
            now=clock, look_seconds=0.02,
        )  # fmt: skip
        self.thread = threading.Thread(target=self.scheduler.run)
        self.thread.start()

    def until(self, found: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not found():
            assert time.monotonic() < end, self.told
            threading.Event().wait(0.005)

    def ended(self, count: int) -> list[RunEnded]:
        self.until(lambda: len(self._ended()) >= count)
        assert len(self._ended()) == count
        return self._ended()

    def _ended(self) -> list[RunEnded]:
        return [event for event in self.told if isinstance(event, RunEnded)]

    def files(self, count: int) -> list[FileRead]:
        self.until(lambda: len([event for event in self.told if isinstance(event, FileRead)]) >= count)
        return [event for event in self.told if isinstance(event, FileRead)]

    def looked(self) -> None:
        """Wait for a whole look that began after this call."""
        looks, seen = self.scheduler.look, threading.Semaphore(0)

        def look() -> None:
            looks()
            seen.release()

        self.scheduler.look = look  # type: ignore[method-assign]
        for _ in range(2):
            assert seen.acquire(timeout=PATIENCE_SECONDS)
        self.scheduler.look = looks  # type: ignore[method-assign]

    def end(self) -> None:
        self.stop.set()
        self.thread.join(PATIENCE_SECONDS)
        self.workspace.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with Workspace.create(tmp_path / "ws") as made:
        (made.directory / "reports").mkdir()
        return made.directory


@pytest.fixture
def start(directory: Path, clock: Clock) -> Iterator[Callable[..., Going]]:
    going: list[Going] = []

    def begin(**how: Any) -> Going:
        going.append(Going(directory, clock, **how))
        return going[-1]

    yield begin
    for item in going:
        item.end()


def write(directory: Path, body: str, at: datetime = SIX - timedelta(days=1)) -> None:
    file = directory / "reports/schedules.yaml"
    file.write_text(f"defaults: {{timezone: UTC, retries: 2}}\nschedules:\n{body}", encoding="utf-8")
    os.utime(file, (at.timestamp(), at.timestamp()))


def once(workspace: Workspace, clock: Clock, work: Callable[..., WorkResult] = in_this_process) -> Scheduler:
    """A scheduler for `run_due`; what waits to be sent stays."""
    stop = threading.Event()
    file = workspace.directory / "reports/schedules.yaml"
    scheduler = Scheduler(workspace, file, tell=lambda _: None, stop=stop, work=work, now=clock)
    scheduler._send = lambda: None  # type: ignore[method-assign]
    return scheduler


def runs(going: Going, name: str = "each") -> list[ReportRun]:
    return going.workspace.ledger.report_runs(schedule=name)


EACH = '  each: {report: savings, cron: "* * * * *", to: "p-{date}-{time}.html"}\n'
DAILY = '  daily: {report: savings, cron: "0 6 * * *", to: "p-{date}.html", retry_minutes: 5}\n'


def test_two_minutes_are_two_reports_each_told_by_mail_and_webhook(
    directory: Path, clock: Clock, maker: Maker, start: Callable[..., Going], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, box = Hook(), Mailbox()
    monkeypatch.setenv("OUR_SECRET", "kept-to-ourselves")
    try:
        with serving(box):
            mail = f"smtp://127.0.0.1:{box.port}/?to=ben@example.org&from=anna@example.org&plain=true"
            web = f"{hook.url}?secret=${{OUR_SECRET}}"
            write(
                directory,
                EACH.replace("}\n", f', link: "https://x.example/{{file}}", notify: ["{mail}", "{web}"]}}\n'),
                clock.at,
            )
            going = start()
            (read,) = going.files(1)
            assert (read.schedules, read.coming, read.problem) == (1, (("each", SIX),), "")
            for minute in (1, 2):
                clock.go(minutes=1)
                ended = going.ended(minute)
                going.until(lambda count=minute: len(box.mails) == len(hook.posted) == count)
            going.end()
    finally:
        hook.close()
    assert [page.name for page in maker.made] == ["p-2026-11-30-0600.html", "p-2026-11-30-0601.html"]
    assert [(item.run.due_at, item.run.state, item.retry_at) for item in ended] == [
        (SIX + timedelta(minutes=minute), ReportRunState.FINISHED, None) for minute in (0, 1)
    ]
    assert (box.mails[1]["Subject"], box.mails[1]["To"]) == ("DeepLens each: 2 GB could be freed.", "ben@example.org")
    plain, html = (part.get_content().replace("\r\n", "\n") for part in box.mails[1].iter_parts())
    link = "https://x.example/p-2026-11-30-0601.html"
    assert plain.startswith(f"{link}\n\n2 GB could be freed.") and "Number: 2" in plain
    assert f'<a href="{link}"' in html and "Of &lt;all&gt;." in html
    assert plain.rstrip().endswith("Savings of the workspace ws.")
    _, headers, body = hook.posted[0]
    told = json.loads(body)
    assert headers["DeepLens-Signature"].startswith("sha256=") and "kept-to-ourselves" not in body.decode()
    assert (told["headline"], told["link"], told["figures"], told["made"], told["schema"]) == (
        "1 GB could be freed.", "https://x.example/p-2026-11-30-0600.html", {"n": 1}, True, "deeplens.report.notice/1",
    )  # fmt: skip
    sent = [event.target for event in going.told if not isinstance(event, (FileRead, RunEnded))]
    assert sorted(sent) == ["http://127.0.0.1"] * 2 + ["smtp://127.0.0.1"] * 2


def test_what_was_missed_is_made_good_once_and_a_clock_that_goes_back_repeats_nothing(
    directory: Path, clock: Clock, maker: Maker, start: Callable[..., Going]
) -> None:
    write(directory, EACH)
    going = start()
    (first,) = going.ended(1)
    assert first.run.due_at == SIX - timedelta(minutes=1), "the file is older than that: it was missed"
    going.end()
    clock.go(hours=5)
    going = start()
    (after,) = going.ended(1)
    assert after.run.due_at == SIX + timedelta(hours=5) - timedelta(minutes=1)
    clock.go(hours=-1)
    going.looked()
    clock.go(hours=1, minutes=1)
    assert going.ended(2)[1].run.due_at == SIX + timedelta(hours=5)


def test_a_report_that_fails_is_tried_again_later_and_told_when_all_tries_are_over(
    directory: Path, clock: Clock, maker: Maker, start: Callable[..., Going]
) -> None:
    hook = Hook()
    maker.fails = ["no space 1", "no space 2", "no space 3"]
    write(directory, DAILY.replace("}\n", f', notify: "{hook.url}"}}\n'), clock.at)
    going = start()
    going.files(1)
    try:
        for attempt, wait in ((1, 0.5), (2, 5), (3, 10)):
            clock.go(minutes=wait)
            last = going.ended(attempt)[-1]
            assert (last.run.attempt, last.run.state, last.tries) == (attempt, "failed", 3)
            again = {1: clock.at + timedelta(minutes=5), 2: clock.at + timedelta(minutes=10), 3: None}[attempt]
            assert last.retry_at == again
        going.until(lambda: hook.posted)
        clock.go(days=1)
        assert going.ended(4)[-1].run.state is ReportRunState.FINISHED
        going.until(lambda: len(hook.posted) == 2)
    finally:
        hook.close()
    failed, good = (json.loads(body) for _, _, body in hook.posted)
    assert (failed["made"], failed["problem"], failed["attempt"]) == (False, "no space 3", 3)
    assert good["made"] and [run.state for run in runs(going, "daily")] == ["finished", *["failed"] * 3]


def test_a_failure_whose_next_try_a_later_time_overtakes_is_told(
    directory: Path, clock: Clock, maker: Maker, start: Callable[..., Going]
) -> None:
    maker.fails = ["no space"]
    write(directory, EACH.replace("}\n", ', notify: "https://127.0.0.1:1/x"}\n'), clock.at)
    going = start()
    going.files(1)
    clock.go(minutes=1)
    (ended,) = going.ended(1)
    assert (ended.run.state, ended.run.attempt, ended.retry_at) == ("failed", 1, None)
    going.until(lambda: going.workspace.ledger.undelivered("report.run"))
    (event,) = going.workspace.ledger.undelivered("report.run")
    assert event.payload["document"]["problem"] == "no space"


def test_once_tells_of_what_failed_since_nobody_tries_again(directory: Path, clock: Clock, maker: Maker) -> None:
    maker.fails = ["no space"]
    write(directory, DAILY.replace("}\n", ', notify: "https://127.0.0.1:1/x"}\n'), clock.at - timedelta(days=2))
    with Workspace.open(directory) as workspace:
        assert once(workspace, clock).run_due() == 1
        assert len(workspace.ledger.undelivered("report.run")) == 1


def test_work_that_cannot_be_begun_waits_for_the_next_look(directory: Path, clock: Clock) -> None:
    def none_left(request: WorkRequest, stop: threading.Event) -> WorkResult:
        raise OSError("no process left")

    write(directory, DAILY, clock.at - timedelta(days=2))
    with Workspace.open(directory) as workspace:
        scheduler = once(workspace, clock, none_left)
        assert scheduler.run_due() == 0 and not scheduler._woken.is_set(), "woken, it would go round without a rest"


def test_a_process_that_does_not_start_is_told_as_one_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/dev/null/python")
    schedule = Schedule("daily", "savings", {}, "0 6 * * *", "UTC")
    ended = run_in_process(WorkRequest(Path(), schedule, SIX, 1, True), threading.Event())
    assert ended.code != 0 and ended.said


def test_two_schedulers_share_one_workspace(
    directory: Path, clock: Clock, maker: Maker, start: Callable[..., Going]
) -> None:
    write(directory, EACH, clock.at)
    both = [start(), start()]
    for going in both:
        going.files(1)
    for count in (1, 2, 3):
        clock.go(minutes=1)
        both[0].until(lambda wanted=count: len(runs(both[0])) == wanted)
        for going in both:
            going.looked()
    found = runs(both[0])
    assert [run.state for run in found] == ["finished"] * 3
    assert len({run.due_at for run in found}) == 3 == len(maker.made)


def test_a_changed_file_is_taken_up_and_a_broken_one_is_not(
    directory: Path, clock: Clock, maker: Maker, start: Callable[..., Going]
) -> None:
    write(directory, DAILY, clock.at)
    going = start()
    going.files(1)
    write(directory, DAILY.replace("savings", "savngs"), clock.at + timedelta(seconds=1))
    broken = going.files(2)[1]
    assert broken.schedules == 1 and "did you mean 'savings'?" in broken.problem
    clock.go(minutes=1)
    assert going.ended(1)[0].run.schedule == "daily", "what it said before stays in force"
    write(directory, DAILY + EACH, clock.at + timedelta(hours=-2))
    mended = going.files(3)[2]
    assert (mended.schedules, mended.problem, mended.coming[0]) == (2, "", ("each", SIX + timedelta(minutes=1)))
    clock.go(minutes=1)
    assert going.ended(2)[1].run.schedule == "each", "a new one waits for its time"
    write(directory, DAILY, clock.at + timedelta(hours=-3))
    going.files(4)
    clock.go(minutes=5)
    going.looked()
    assert len(runs(going)) == 1


_HANGS = """
import sys
from datetime import datetime
from deeplens_kit.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    ledger.begin_report_run("savings", {}, schedule="daily", due_at=datetime.fromisoformat(sys.argv[2]))
    print("begun", flush=True)
    sys.stdin.read()
"""


def test_a_run_that_is_killed_is_told_and_taken_up(
    directory: Path, clock: Clock, maker: Maker, start: Callable[..., Going]
) -> None:
    def killed_at_first(request: WorkRequest, stop: threading.Event) -> WorkResult:
        if request.attempt > 1:
            return in_this_process(request, stop)
        with Workspace.open(request.workspace) as workspace:
            url = workspace.settings.ledger_url
        words = [sys.executable, "-c", _HANGS, url, request.due_at.isoformat()]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"begun\n"
            process.kill()
        return WorkResult(process.returncode, "")

    write(directory, DAILY, clock.at)
    going = start(work=killed_at_first)
    going.files(1)
    clock.go(minutes=1)
    killed, taken = going.ended(2)
    assert (killed.run.state, killed.run.attempt, killed.retry_at) == ("interrupted", 1, clock.at)
    assert "ended before the run was done" in killed.run.message
    assert (taken.run.state, taken.run.attempt, taken.run.due_at) == ("finished", 2, SIX)


def test_what_does_not_even_begin_is_on_record_and_does_not_go_round(
    directory: Path, clock: Clock, start: Callable[..., Going]
) -> None:
    write(directory, DAILY, clock.at)
    going = start(work=lambda *_: WorkResult(-signal.SIGSEGV, ""))
    going.files(1)
    clock.go(minutes=1)
    (ended,) = going.ended(1)
    going.looked()
    assert [run.message for run in runs(going, "daily")] == [ended.run.message]
    assert ended.run.message == f"It did not begin: its process was ended by signal {signal.SIGSEGV} (SIGSEGV)."
