"""The queue of jobs and the outbox of stages, on SQLite and on a real PostgreSQL; the clock is injected."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from deeplens_kit.errors import JobLostError, JobStateError, QueueFullError, SettingsError, UnknownNameError
from deeplens_kit.ledger import (
    ImageStage,
    Job,
    JobProgress,
    JobState,
    Ledger,
    Resource,
    acting_as,
    current_holder,
    job_events,
    working_for,
)
from deeplens_kit.telemetry import bound_context

Maker = Callable[..., Ledger]
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ELSEWHERE = "eve@elsewhere pid 7 (other/1 2)"
EVERY = tuple(Resource)


class Clock:
    """The time by the database."""

    def __init__(self) -> None:
        self.now = NOON

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("transactions", "job_records"):
        monkeypatch.setattr(f"deeplens_kit.ledger.{module}.database_now", lambda _: clock.now)
    return clock


def taken(ledger: Ledger, worker: str = ELSEWHERE, resources: tuple[Resource, ...] = EVERY) -> Job:
    job = ledger.claim_job(worker, resources, 60)
    assert job is not None
    return job


class JobConformance:
    """Inherited once per database."""

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    def test_a_job_from_asking_to_its_result(self, ledger: Ledger, clock: Clock) -> None:
        with acting_as("ana"), bound_context(correlation_id="c-1"):
            asked = ledger.enqueue("index", {"locations": ("a",)}, resource="io")
        assert (asked.state, asked.who, asked.correlation_id) == (JobState.QUEUED, "ana", "c-1")
        assert ledger.claim_job(ELSEWHERE, [Resource.CPU], 60) is None
        job = taken(ledger, resources=(Resource.IO,))
        assert (job.state, job.attempts, dict(job.parameters)) == (JobState.RUNNING, 1, {"locations": ["a"]})
        assert job.lease_until == NOON + timedelta(seconds=60)
        clock.go(50)
        progress = JobProgress(10, 4, 1, "a: index", 2.5, 2.4)
        assert ledger.beat_job(job, progress, stages=[ImageStage("a/1.jpg", "indexed", {"digest": "d"})])
        seen = ledger.job(job.job_id[:8])
        assert (seen.progress, seen.lease_until) == (progress, NOON + timedelta(seconds=110))
        done = ledger.finish_job(job, {"files": 9})
        assert (done.state, dict(done.result), done.is_finished) == (JobState.DONE, {"files": 9}, True)
        told = [(event.sequence, event.image_id, event.stage) for event in ledger.job_events(job_id=job.job_id)]
        assert told == [(1, "", "job.queued"), (2, "", "job.running"), (3, "a/1.jpg", "indexed"), (4, "", "job.done")]
        (line,) = ledger.audit_trail(action="job")
        assert (line.who, line.action) == ("ana", "job.enqueued")
        with pytest.raises(JobLostError):
            ledger.beat_job(job, progress)

    def test_the_urgent_come_first_and_then_the_oldest(self, ledger: Ledger, clock: Clock) -> None:
        names = []
        for name, priority in (("first", 0), ("second", 0), ("urgent", 5)):
            ledger.enqueue(name, {}, priority=priority)
            clock.go(1)
        while (job := ledger.claim_job(ELSEWHERE, EVERY, 60)) is not None:
            names.append(job.kind)
        assert names == ["urgent", "first", "second"]

    def test_of_one_key_there_is_one_unfinished_job(self, ledger: Ledger, clock: Clock) -> None:
        first = ledger.enqueue("index", {"n": 1}, key="k")
        assert ledger.enqueue("index", {"n": 2}, key="k").job_id == first.job_id
        ledger.fail_job(taken(ledger), "no")
        second = ledger.enqueue("index", {"n": 2}, key="k")
        assert second.job_id != first.job_id
        with pytest.raises(JobStateError, match=second.job_id):
            ledger.retry_job(first.job_id)

    def test_a_lease_that_ran_out_is_taken_up_and_the_old_worker_can_say_nothing(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        ledger.enqueue("index", {})
        old = taken(ledger)
        clock.go(59)
        assert ledger.claim_job(ELSEWHERE, EVERY, 60) is None
        clock.go(2)
        new = taken(ledger)
        assert (new.job_id, new.attempts, new.error_code) == (old.job_id, 2, "lost")
        for say in (
            lambda: ledger.beat_job(old, JobProgress(), stages=[ImageStage("a/1", "indexed")]),
            lambda: ledger.finish_job(old, {}),
            lambda: ledger.fail_job(old, "no"),
            lambda: ledger.release_job(old),
        ):
            with pytest.raises(JobLostError):
                say()
        assert not [event for event in ledger.job_events() if event.image_id]
        ledger.finish_job(new, {})

    def test_a_worker_that_is_seen_to_be_dead_is_not_waited_for(self, ledger: Ledger, clock: Clock) -> None:
        ledger.enqueue("index", {})
        dead = re.sub(r" (\d+)\)$", lambda found: f" {int(found[1]) + 1})", current_holder())
        lost = taken(ledger, worker=dead)
        assert taken(ledger, worker=current_holder()).job_id == lost.job_id
        # One that lives is.
        assert ledger.claim_job(ELSEWHERE, EVERY, 60) is None

    def test_what_kills_its_workers_is_dead_in_the_end_and_can_be_tried_again(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        job_id = ledger.enqueue("index", {}, max_attempts=2).job_id
        for _ in range(2):
            taken(ledger)
            clock.go(61)
        assert ledger.claim_job(ELSEWHERE, EVERY, 60) is None
        dead = ledger.job(job_id)
        assert (dead.state, dead.error) == (JobState.DEAD, "Its worker ended before it did, 2 times.")
        assert [job.job_id for job in ledger.jobs((JobState.DEAD,))] == [job_id]
        with acting_as("ben"):
            again = ledger.retry_job(job_id)
        assert (again.state, again.attempts, again.error) == (JobState.QUEUED, 0, "")
        assert taken(ledger).attempts == 1
        assert ledger.audit_trail(action="job.retried")[0].who == "ben"

    def test_what_failed_comes_back_when_it_is_due_and_waiting_is_no_attempt(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        ledger.enqueue("index", {}, max_attempts=2)
        ledger.fail_job(taken(ledger), "a password: hunter2", code="location_unavailable", again_in_seconds=30)
        assert ledger.claim_job(ELSEWHERE, EVERY, 60) is None
        clock.go(31)
        waits = ledger.fail_job(taken(ledger), "held", code="lease_held", again_in_seconds=5, counts=False)
        assert (waits.attempts, waits.due_at) == (1, clock.now + timedelta(seconds=5))
        clock.go(6)
        given = ledger.release_job(taken(ledger))
        assert (given.state, given.attempts) == (JobState.QUEUED, 1)
        assert ledger.fail_job(taken(ledger), "again", again_in_seconds=5).state is JobState.DEAD

    def test_what_ended_long_ago_is_forgotten_and_a_dead_job_only_once_it_is_given_up(
        self, ledger: Ledger, clock: Clock
    ) -> None:
        ended = [ledger.enqueue("index", {}) for _ in range(2)]
        ledger.finish_job(taken(ledger), {})
        ledger.fail_job(taken(ledger), "no")
        dead = ledger.enqueue("index", {}, max_attempts=1)
        ledger.fail_job(taken(ledger), "no", again_in_seconds=1)
        clock.go(10 * 86_400)
        late = ledger.enqueue("index", {})
        ledger.finish_job(taken(ledger), {})
        waiting = ledger.enqueue("index", {})
        clock.go(86_400)
        assert (ledger.prune_jobs(12), ledger.prune_jobs(10), ledger.prune_jobs(10)) == (0, len(ended), 0)
        assert {job.job_id for job in ledger.jobs()} == {dead.job_id, late.job_id, waiting.job_id}
        assert len(ledger.audit_trail(action="job.enqueued")) == 5
        given_up = ledger.cancel_job(dead.job_id)
        assert (given_up.state, given_up.error) == (JobState.CANCELLED, "no"), "what it died of stays with it"
        clock.go(10.5 * 86_400)
        assert ledger.prune_jobs(10) == 2
        assert [job.job_id for job in ledger.jobs()] == [waiting.job_id]

    def test_cancelled_before_while_and_after(self, ledger: Ledger, clock: Clock) -> None:
        waiting, running, gone = (ledger.enqueue("index", {}, priority=priority) for priority in (3, 2, 1))
        assert ledger.cancel_job(waiting.job_id).state is JobState.CANCELLED
        job = taken(ledger)
        assert job.job_id == running.job_id
        assert ledger.cancel_job(running.job_id).cancel_asked
        assert not ledger.beat_job(job, JobProgress())
        assert ledger.end_cancelled_job(job, {"so far": 1}).state is JobState.CANCELLED
        with pytest.raises(JobStateError, match="cancelled already"):
            ledger.cancel_job(running.job_id)
        # Its worker dies before it hears of it.
        taken(ledger)
        ledger.cancel_job(gone.job_id)
        clock.go(61)
        assert ledger.claim_job(ELSEWHERE, EVERY, 60) is None
        assert ledger.job(gone.job_id).state is JobState.CANCELLED
        assert ledger.job_counts()[JobState.CANCELLED] == 3
        assert ledger.retry_job(waiting.job_id).state is JobState.QUEUED

    @pytest.mark.parametrize("how", ["fails", "given back", "lost"])
    def test_what_was_to_be_cancelled_is_not_queued_again(self, ledger: Ledger, clock: Clock, how: str) -> None:
        ledger.enqueue("apply", {})
        job = taken(ledger)
        ledger.cancel_job(job.job_id)
        if how == "fails":
            ledger.fail_job(job, "it is away", again_in_seconds=0.0)
        elif how == "given back":
            ledger.release_job(job)
        else:
            clock.go(100)
        assert ledger.claim_job(ELSEWHERE, EVERY, 60) is None
        ended = ledger.job(job.job_id)
        assert (ended.state, ended.cancel_asked, ended.is_finished) == (JobState.CANCELLED, False, True)

    def test_what_is_refused(self, ledger: Ledger, clock: Clock) -> None:
        with pytest.raises(SettingsError, match="at least 1"):
            ledger.enqueue("index", {}, max_attempts=0)
        with pytest.raises(SettingsError, match="201 letters"):
            ledger.enqueue("index", {}, key="k" * 201)
        ledger.enqueue("index", {})
        with pytest.raises(QueueFullError) as full:
            ledger.enqueue("index", {}, max_waiting=1)
        assert full.value.retry_after_seconds > 0
        with pytest.raises(UnknownNameError, match="deeplens jobs list"):
            ledger.job("ffff")

    def test_pages_of_jobs_hold_each_once(self, ledger: Ledger, clock: Clock) -> None:
        for number in range(5):
            ledger.enqueue("index" if number % 2 else "report", {})
            clock.go(number % 3)
        seen: list[str] = []
        before = None
        while page := ledger.jobs(limit=2, before=before):
            seen += [job.job_id for job in page]
            before = page[-1].created_at, page[-1].job_id
        assert len(seen) == len(set(seen)) == 5
        assert [job.kind for job in ledger.jobs(kinds=["report"])] == ["report"] * 3

    def test_every_worker_gets_other_jobs(self, ledger: Ledger) -> None:
        asked = {ledger.enqueue("index", {}).job_id for _ in range(24)}

        def work(number: int) -> list[str]:
            got = []
            while (job := ledger.claim_job(f"{current_holder()} {number}", EVERY, 60)) is not None:
                got.append(job.job_id)
            return got

        with ThreadPoolExecutor(4) as pool:
            got = [job_id for part in pool.map(work, range(4)) for job_id in part]
        assert len(got) == len(asked)
        assert set(got) == asked

    def test_a_reader_misses_no_event_whoever_writes_meanwhile(self, ledger: Ledger) -> None:
        """Some transactions are rolled back, some are long; the reader goes on from what it saw last."""
        ended = threading.Event()

        def write(number: int) -> int:
            chance, written = random.Random(number), 0
            for step in range(15):
                stages = [ImageStage(f"{number}/{step}/{part}", "indexed") for part in range(chance.randint(1, 4))]
                with suppress(ZeroDivisionError), ledger._writing() as (session, now):
                    job_events.add(session, "", stages, now)
                    if chance.random() < 0.3:
                        raise ZeroDivisionError
                    # Whoever comes later may be done earlier.
                    ended.wait(chance.random() / 100)
                    written += len(stages)
            return written

        def read() -> list[int]:
            seen: list[int] = []
            while True:
                over = ended.is_set()
                found = ledger.job_events(seen[-1] if seen else 0, limit=7)
                seen += [event.sequence for event in found]
                if over and not found:
                    return seen

        with ThreadPoolExecutor(5) as pool:
            reader = pool.submit(read)
            written = sum(pool.map(write, range(4)))
            ended.set()
            seen = reader.result()
        assert seen == list(range(1, written + 1))
        assert ledger.job_event_bounds() == (1, written)

    def test_stages_are_told_for_the_job_at_work_and_forgotten_in_time(self, ledger: Ledger, clock: Clock) -> None:
        with working_for("j1"):
            ledger.tell_stages([ImageStage("a/1", "gone")])
        clock.go(86_400)
        ledger.tell_stages([ImageStage("a/2", "gone")])
        assert [(event.job_id, event.image_id) for event in ledger.job_events()] == [("j1", "a/1"), ("", "a/2")]
        ledger.prune_job_events(0.5)
        assert ledger.job_event_bounds() == (2, 2)
        ledger.prune_job_events(0)
        clock.go(1)
        ledger.prune_job_events(0)
        assert ledger.job_event_bounds() == (3, 2)

    def test_what_was_noted_is_told_once_and_only_what_became_true(self, ledger: Ledger, clock: Clock) -> None:
        stages = [ImageStage("a/1", "indexed", {"digest": "d"}), ImageStage("a/2", "failed")]
        with working_for("j1"):
            ledger.intend_stages("r1", "a", [ImageStage("a/0", "indexed")])
            ledger.intend_stages("r1", "a", stages)
        ledger.intend_stages("r2", "b", stages)
        (note,) = ledger.intended_stages("a")
        assert (note.run_id, note.job_id, note.stages) == ("r1", "j1", tuple(stages))
        assert ledger.job_events() == ()
        for _ in range(2):
            ledger.tell_intended("r1", {"a/1"})
        assert [(event.job_id, event.image_id) for event in ledger.job_events()] == [("j1", "a/1")]
        assert ledger.intended_stages("a") == []


class TestJobsInSqlite(JobConformance):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestJobsInPostgres(JobConformance):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
