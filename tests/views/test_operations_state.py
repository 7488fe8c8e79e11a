"""The states of the pages of plans and locations: jobs in words, what is asked before an act, and the address."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deeplens_kit.errors import NotAuthenticatedError, WorkspaceError
from deeplens_kit.ledger import Job, JobProgress, JobState, Ledger
from deeplens_kit.reporting.standing_lines import HeldLine
from deeplens_kit.views.acting_view import ActingView
from deeplens_kit.views.state.acting_state import ActingState
from deeplens_kit.views.state.job_lines import JobLine, came_to, describe_job
from deeplens_kit.views.state.locations_state import LocationsState
from deeplens_kit.views.state.plans_state import PlansState

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    with Ledger.create(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        yield replace(ledger.enqueue("index", {"locations": ["share", "cellar"]}), created_at=NOW)


def test_a_job_is_told_from_waiting_to_its_end(job: Job) -> None:
    line = describe_job(job, NOW)
    assert (line.title, line.says) == ("Indexing share, cellar", "Waiting for a worker.")
    assert "deeplens jobs work" in describe_job(job, NOW + timedelta(minutes=1)).says
    progress = JobProgress(2000, 500, 3, "share: reading", 52.4, 28.6)
    running = replace(job, state=JobState.RUNNING, progress=progress)
    line = describe_job(running, NOW)
    assert line.says == "share: reading, 500 of 2,000, 52/s, 29 s left, 3 failures"
    assert (line.permille, line.ended) == (250, False)
    assert describe_job(replace(running, cancel_asked=True), NOW).says.startswith("Stopping")
    again = describe_job(replace(job, attempts=1, error="the share is away"), NOW)
    assert "1 try so far" in again.says
    # That another run has the location is no try.
    held = describe_job(replace(job, error="'share' is being indexed by ana"), NOW + timedelta(minutes=1)).says
    assert "being indexed by ana" in held and "no worker" not in held
    for state, failed in ((JobState.DONE, False), (JobState.DEAD, True), (JobState.CANCELLED, True)):
        line = describe_job(replace(job, state=state, error="it broke"), NOW)
        assert (line.ended, line.failed) == (True, failed)


def test_what_a_job_came_to_is_told(job: Job) -> None:
    places = [{"read_files": 30, "failures": 2}, {"read_files": 4, "failures": 0}]
    line = describe_job(replace(job, state=JobState.DONE, result={"locations": places}), NOW)
    assert came_to(line) == "34 files read, 2 failures."
    troubles = [{"message": f"File {number} is gone."} for number in range(7)]
    result = {"figures": {"done": 3, "skipped": 1, "failed": 0}, "troubles": troubles, "left_to_index": 1}
    undone = came_to(replace(line, kind="undo", result=result))
    assert undone.startswith("3 done, 1 skipped. File 0 is gone.")
    assert undone.endswith(
        "And 2 more could not be made as they were. Index again: 1 picture left the catalog meanwhile."
    )


def test_jobs_that_ended_are_told_once_and_those_that_failed_stay(job: Job) -> None:
    state, told = PlansState(), []
    first, second = (describe_job(replace(job, job_id=name), NOW) for name in ("one", "two"))
    state.watch(first)
    state.watch(second)
    assert (state.waits, state.unfinished()) == (True, ("two", "one"))
    ended = [replace(first, state="done", ended=True), replace(second, state="dead", ended=True, failed=True)]
    state.saw(ended, told.append)
    state.saw(ended, told.append)
    assert {line.job_id for line in told} == {"one", "two"}
    assert len(told) == 2
    assert [line.job_id for line in state.jobs] == ["two"]
    state.dismiss("two")
    assert (state.jobs, state.waits) == ((), False)


def test_removing_for_good_asks_with_numbers_and_a_word() -> None:
    state = PlansState()
    line = HeldLine("a1b2c3d4", 214, 1_200_000_000, 3, 0, NOW, None, ())
    state.ask_about_held("empty-all", line)
    assert state.question.heading == "Remove 214 files, 1.20 GB, for good?"
    assert (state.question.word, state.question.danger) == ("a1b2c3d4", True)
    state.ask_about_held("empty-expired", line)
    assert state.question.heading == "Remove 3 files that expired for good?"
    state.ask_about_held("restore-all", line)
    assert state.question.word == ""


@pytest.mark.parametrize(
    ("address", "tab", "plan_id", "again"),
    [
        ("", "plans", "", ""),
        ("plan=a1b2", "plans", "a1b2", "plan=a1b2"),
        ("part=quarantine", "quarantine", "", "part=quarantine"),
        ("part=nothing&x=%00", "plans", "", ""),
    ],
)
def test_an_address_leads_to_what_it_says(address: str, tab: str, plan_id: str, again: str) -> None:
    state = PlansState()
    state.go_to(address)
    assert (state.tab, state.plan_id, state.where) == (tab, plan_id, again)


def test_an_address_leads_to_a_location_or_the_form() -> None:
    state = LocationsState()
    state.go_to("location=a+share")
    assert (state.part, state.location, state.where) == ("one", "a share", "location=a+share")
    state.go_to("part=add")
    assert (state.part, state.location, state.where) == ("add", "", "part=add")
    state.go_to("")
    assert (state.part, state.where) == ("list", "")


class _Jobs:
    """Asked about jobs, and away at first."""

    def __init__(self, *answers: Exception | tuple[JobLine, ...]) -> None:
        self.answers = list(answers)

    def may(self, _name: str) -> bool:
        return True

    def look_at_jobs(self, _job_ids: Sequence[str]) -> tuple[JobLine, ...]:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def stop_job(self, job_id: str) -> JobLine:
        raise LookupError(job_id)


def test_a_page_goes_on_asking_a_ledger_that_was_busy_and_tells_of_it_once(job: Job) -> None:
    busy, done = WorkspaceError("The ledger is busy."), replace(job, state=JobState.DONE)
    state, told = ActingState(), []
    view = ActingView(state, _Jobs(busy, busy, (describe_job(done, NOW),), NotAuthenticatedError("Sign in again.")))
    state.param.watch(lambda event: told.append(event.new.text), ["told"])

    async def asked() -> None:
        state.watch(describe_job(job, NOW))
        polling = view._polling
        assert polling is not None
        for _ in range(3):
            await view._poll()
        assert told == ["The ledger is busy."] and state.jobs == () and view._polling is None
        state.watch(describe_job(job, NOW))
        await view._poll()
        assert told[-1] == "Sign in again." and view._polling is None

    asyncio.run(asked())


def test_a_page_whose_reading_fails_waits_for_nothing() -> None:
    view = ActingView(ActingState(), _Jobs())

    def defect() -> None:
        raise ZeroDivisionError

    view.body.html = "Loading…"
    with pytest.raises(ZeroDivisionError):
        asyncio.run(view._worked(defect, lambda _: None, "It cannot be shown", True))
    assert (view.body.html, view._acting.busy) == ("", False)
