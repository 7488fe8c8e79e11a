"""Reports that were made, in the ledger, on SQLite and on a real PostgreSQL; the clock is injected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from deeplens_kit.errors import ReportError, ReportRunningError, SettingsError, UnknownNameError
from deeplens_kit.ledger import Ledger, OutboxEvent, ReportRun, ReportRunState, report_records

Maker = Callable[..., Ledger]
MONDAY = datetime(2026, 11, 30, 6, tzinfo=UTC)
DEAD = "ana@studio pid 4194999 (elsewhere/1 2)"


class Clock:
    """The time by the ledger."""

    def __init__(self) -> None:
        self.now = MONDAY

    def go(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("deeplens_kit.ledger.transactions.database_now", lambda _: clock.now)
    yield clock


class ReportRunConformance:
    """Inherited once per database."""

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    def test_runs_come_back_and_the_last_good_one_is_found(
        self, url: str, ledger: Ledger, made: Maker, clock: Clock
    ) -> None:
        rule = {"rule": "archive"}
        first = ledger.begin_report_run("savings", rule, out="/srv/a.html")
        assert (first.state, first.started_at, first.finished_at, first.attempt, first.due_at) == (
            ReportRunState.RUNNING, MONDAY, None, 1, None,
        )  # fmt: skip
        assert "@" in first.author and first.out == "/srv/a.html" and len(first.run_id) == 32
        assert ledger.last_report_run("savings") is None, "one that runs is no measure"
        clock.go(minutes=1)
        ended = ledger.end_report_run(first.run_id, "finished", {"realisable_bytes": 2**60}, "4 GB")
        assert ended.finished_at == ended.delivered_at == clock.now and ended.figures == {"realisable_bytes": 2**60}
        clock.go(days=7)
        other = ledger.end_report_run(ledger.begin_report_run("savings", {}).run_id, ReportRunState.FINISHED)
        clock.go(days=7)
        failed = ledger.end_report_run(ledger.begin_report_run("savings", rule).run_id, "failed", message="no space")
        ledger.begin_report_run("drift", {})
        assert made(url, new=False).report_runs("savings") == [failed, other, ended]
        assert ledger.report_runs("savings", states=[ReportRunState.FINISHED], limit=1) == [other]
        assert ledger.last_report_run("savings") == other
        assert ledger.last_report_run("savings", parameters=rule) == ended
        assert ledger.last_report_run("savings", before=other.started_at) == ended
        assert ledger.last_report_run("savings", before=ended.started_at) is None
        assert ledger.last_report_run("savings", parameters={"rule": "other"}) is None

    def test_only_runs_with_the_same_parameters_are_asked_for(self, ledger: Ledger, clock: Clock) -> None:
        for number, parameters in enumerate(({"a": "1", "b": "é"}, {"b": "é", "a": "1"}, {"a": "1"}, {})):
            clock.go(minutes=1)
            run = ledger.begin_report_run("savings", parameters)
            ledger.end_report_run(run.run_id, "finished", {"number": number})
        same = ledger.report_runs("savings", parameters={"b": "é", "a": "1"})
        assert [run.figures["number"] for run in same] == [1, 0]
        assert [run.figures["number"] for run in ledger.report_runs(parameters={}, limit=1)] == [3]
        assert [run.figures["number"] for run in ledger.report_runs(limit=2, offset=1)] == [2, 1]
        assert ledger.count_report_runs("savings") == ledger.count_report_runs(schedule="") == 4
        assert ledger.count_report_runs(but="savings") == ledger.count_report_runs(scheduled=True) == 0
        assert ledger.report_runs(but="savings") == ledger.report_runs(scheduled=True) == []
        found = ledger.report_run(run.run_id)
        assert found is not None and found.figures == {"number": 3}
        assert ledger.report_run("0" * 32) is None

    def test_a_run_ends_once(self, ledger: Ledger) -> None:
        run = ledger.begin_report_run("savings", {})
        assert ledger.beat_report_run(run.run_id)
        with pytest.raises(SettingsError, match=r"'running'.*finished, failed, interrupted"):
            ledger.end_report_run(run.run_id, "running")
        with pytest.raises(ReportError, match="is running; only one that finished"):
            ledger.deliver_report_run(run.run_id)
        ledger.end_report_run(run.run_id, "failed", message="s3://key:hunter22@bucket is gone")
        assert "hunter22" not in ledger.report_runs()[0].message
        assert not ledger.beat_report_run(run.run_id)
        with pytest.raises(ReportError, match="failed already"):
            ledger.end_report_run(run.run_id, "finished")
        with pytest.raises(UnknownNameError, match="run of a report"):
            ledger.end_report_run("none", "finished")

    def test_of_a_schedule_one_run_goes_at_a_time(self, url: str, made: Maker, ledger: Ledger, clock: Clock) -> None:
        began: list[ReportRun] = []
        gate = threading.Barrier(3)

        def begin(mine: Ledger) -> None:
            gate.wait(30)
            with suppress(ReportRunningError):
                began.append(mine.begin_report_run("savings", {}, schedule="weekly", due_at=MONDAY))

        threads = [threading.Thread(target=begin, args=(made(url, new=False),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (run,) = began
        assert run.due_at == MONDAY and run.schedule == "weekly"
        with pytest.raises(ReportRunningError, match=r"'weekly' runs already, by .* since 2026-11-30 06:00") as held:
            ledger.begin_report_run("savings", {}, schedule="weekly")
        assert held.value.schedule == "weekly"
        ledger.begin_report_run("savings", {}, schedule="other")
        finished = ledger.end_report_run(run.run_id, "finished", {"n": 1})
        assert finished.delivered_at is None
        with pytest.raises(ReportRunningError, match="runs already"):
            ledger.begin_report_run("savings", {}, schedule="weekly")
        event = OutboxEvent("1", "report.told", "address", {"n": 1})
        delivered = ledger.deliver_report_run(run.run_id, "s3://bucket/a.html", "told", events=[event])
        assert (delivered.delivered_at, delivered.out, delivered.message) == (clock.now, "s3://bucket/a.html", "told")
        assert ledger.undelivered("report.told") == [event]

    def test_a_time_is_made_good_once(self, ledger: Ledger, clock: Clock) -> None:
        def run(due_at: datetime, state: str, attempt: int = 1) -> ReportRun:
            begun = ledger.begin_report_run("savings", {}, schedule="weekly", due_at=due_at, attempt=attempt)
            return ledger.end_report_run(begun.run_id, state)

        run(MONDAY, "failed")
        with pytest.raises(ReportRunningError, match="was run for 2026-11-30 06:00 UTC or later already"):
            run(MONDAY, "finished")
        second = run(MONDAY, "finished", attempt=2)
        ledger.end_report_run(second.run_id, "failed", message="its page could not be put there")
        ledger.deliver_report_run(run(MONDAY, "finished", attempt=3).run_id)
        for due_at, attempt in ((MONDAY, 4), (MONDAY - timedelta(minutes=1), 1)):
            with pytest.raises(ReportRunningError, match="already"):
                run(due_at, "finished", attempt)
        assert [item.attempt for item in ledger.report_runs(schedule="weekly")].count(1) == 1, (
            "what was refused is none"
        )
        by_hand = ledger.begin_report_run("savings", {}, schedule="weekly")
        assert by_hand.due_at is None and by_hand not in ledger.report_runs(schedule="weekly", due=True)

    @pytest.mark.parametrize("how_far", ["running", "finished"])
    def test_a_run_whose_process_is_gone_is_told_and_taken_up(
        self, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch, how_far: str
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(report_records, "current_holder", lambda: DEAD)
            lost = ledger.begin_report_run("savings", {}, schedule="weekly", due_at=MONDAY)
        if how_far == "finished":
            ledger.end_report_run(lost.run_id, "finished")
        clock.go(seconds=59)
        assert ledger.settle_report_runs() == []
        assert ledger.beat_report_run(lost.run_id)
        clock.go(seconds=59)
        with pytest.raises(ReportRunningError, match="ana@studio pid 4194999 since"):
            ledger.begin_report_run("savings", {}, schedule="weekly", due_at=MONDAY, attempt=2)
        clock.go(seconds=2)
        taken = ledger.begin_report_run("savings", {}, schedule="weekly", due_at=MONDAY, attempt=2)
        again, told = ledger.report_runs(schedule="weekly")
        assert again == taken and told.run_id == lost.run_id and told.state == ReportRunState.INTERRUPTED
        what = "delivered" if how_far == "finished" else "done"
        assert told.message == f"The process of ana@studio pid 4194999 ended before the run was {what}."
        assert not ledger.beat_report_run(lost.run_id)
        with pytest.raises(ReportError, match="taken for dead"):
            ledger.end_report_run(lost.run_id, "finished")

    def test_what_is_no_text_is_written_out(self, ledger: Ledger) -> None:
        begun = ledger.begin_report_run("savings", {}, out="/srv/\udcff.html")
        ended = ledger.end_report_run(begun.run_id, "failed", message="no \udcff, no \x00")
        assert (ended.out, ended.message) == ("/srv/\\udcff.html", "no \\udcff, no \\x00")


class TestSqlite(ReportRunConformance):
    """SQLite in a file."""

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestPostgres(ReportRunConformance):
    """A real PostgreSQL server."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
