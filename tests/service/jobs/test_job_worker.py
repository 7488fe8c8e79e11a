"""The worker, with real jobs of a small workspace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.errors import (
    Interrupted,
    LeaseHeldError,
    LocationUnavailableError,
    SettingsError,
    UnknownNameError,
    WorkspaceError,
)
from deeplens_kit.ledger import Job, JobProgress, JobState, Resource, Scope, acting_as
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.pipeline import Workspace
from deeplens_kit.pipeline.ingest_sources import GivenBytes
from deeplens_kit.service.jobs import JOB_KINDS, JobRun, Spool, Worker, kinds, submit
from deeplens_kit.service.jobs.asking import index_from_now
from deeplens_kit.service.jobs.running import again_in_seconds
from deeplens_kit.telemetry import current_context

Work = Callable[[JobRun], Mapping[str, Any]]
PATIENCE_SECONDS = 30.0


class Made:
    """A kind of jobs whose work the test gives."""

    name, label, resource, scope, max_attempts = "made", "Made", Resource.CPU, Scope.IMAGES_WRITE, 2

    def __init__(self) -> None:
        self.work: Work = lambda _run: {}

    def parse(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return parameters

    def run(self, _workspace: Workspace, _value: object, run: JobRun) -> Mapping[str, Any]:
        return self.work(run)

    def forget(self, *_: object) -> None:
        """Nothing is kept for it."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    kind = Made()
    monkeypatch.setattr(kinds, "JOB_KINDS", {**JOB_KINDS, "made": kind})
    return kind


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be tried again is due at once."""
    monkeypatch.setattr("deeplens_kit.service.jobs.running.again_in_seconds", lambda _attempts: 0.0)


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        threading.Event().wait(0.01)


def done(workspace: Workspace, kind: str = "made", **parameters: object) -> Job:
    """Ask for a job and do it."""
    job = submit(workspace, kind, parameters)
    Worker(workspace).run(until_idle=True)
    return workspace.ledger.job(job.job_id)


def test_pictures_are_indexed_taken_in_and_get_thumbnails(
    workspace: Workspace, picture_bytes: Callable[[int], bytes]
) -> None:
    spool = Spool(workspace.directory)
    with acting_as("ana"):
        index = submit(workspace, "index", {"locations": ["pics"], "and_match": False})
        again = submit(workspace, "index", {"locations": ["pics"]}, key="index:pics")
        assert submit(workspace, "index", {"locations": ["pics"]}, key="index:pics").job_id == again.job_id
    Worker(workspace, {Resource.CPU: 1}).run(until_idle=True)
    report = workspace.ledger.job(index.job_id)
    (found,) = report.result["locations"]
    assert (report.state, found["indexed"], found["failures"]) == (JobState.DONE, 12, 1)
    assert report.progress.processed == report.progress.total
    stages = [event.stage for event in workspace.ledger.job_events(job_id=index.job_id) if event.image_id]
    assert sorted(stages) == ["failed", *["indexed"] * 12]
    entries = [
        spool.put("../new one.jpg", picture_bytes(1)),
        spool.put("0.jpg", (workspace.directory.parent / "pictures" / "0.jpg").read_bytes()),
        spool.put("none.jpg", b"no picture"),
    ]
    items = [{"file": entry, "note": {"tags": ["t"], "description": f"number {n}"}} for n, entry in enumerate(entries)]
    with acting_as("ben"):
        taken = submit(workspace, "ingest", {"location": "taking", "items": items, "template": "{name}.{ext}"})
    Worker(workspace).run(until_idle=True)
    result = workspace.ledger.job(taken.job_id).result
    new, old, none = result["rows"]
    assert result["counts"] == {"stored": 1, "known": 1, "refused": 1, "failed": 0}
    assert (new["state"], new["path"], new["indexed"]) == ("stored", "new one.jpg", True)
    assert (old["state"], old["matches"][0]["location"]) == ("known", "pics")
    assert (none["state"], none["code"]) == ("refused", "not_a_picture")
    (note,) = workspace.ledger.notes([new["digest"]])
    assert (note.tags, note.description) == (("t",), "number 0")
    assert not list((workspace.directory / "spool").iterdir())
    assert note.who == "ben"
    made = done(workspace, "thumbnails", side_px=150)
    assert (made.result["made"] + made.result["there"], made.result["failed"]) == (13, 0)


def test_features_are_computed_where_there_is_a_gpu(folder: Path) -> None:
    settings = folder / "workspace.toml"
    settings.write_text(settings.read_text() + '\n[jobs]\nextract_on = "gpu"\n')
    with Workspace.open(folder) as workspace:
        assert submit(workspace, "index", {}).resource is Resource.CPU
        waiting = submit(workspace, "extract", {})
        Worker(workspace, {Resource.GPU: 0}).run(until_idle=True)
        assert workspace.ledger.job(waiting.job_id).state is JobState.QUEUED
        Worker(workspace, {Resource.CPU: 0}).run(until_idle=True)
        assert workspace.ledger.job(waiting.job_id).state is JobState.DONE


def test_a_job_is_done_as_who_asked_for_it_with_the_id_of_the_request(workspace: Workspace, made: Made) -> None:
    made.work = lambda run: {"who": current_person(), **current_context()}
    with acting_as("ana"):
        job = submit(workspace, "made", {})
    Worker(workspace).run(until_idle=True)
    assert workspace.ledger.job(job.job_id).result == {"who": "ana", "correlation_id": job.job_id}


@pytest.mark.parametrize(
    ("error", "state", "attempts"),
    [
        (SettingsError("no such option"), JobState.FAILED, 1),
        (LocationUnavailableError("pics", "it is away"), JobState.DEAD, 2),
        (ZeroDivisionError("a defect"), JobState.DEAD, 2),
    ],
)
def test_what_may_pass_is_tried_again_and_the_rest_is_not(
    workspace: Workspace, made: Made, at_once: None, error: Exception, state: JobState, attempts: int
) -> None:
    def work(_run: JobRun) -> Mapping[str, Any]:
        raise error

    made.work = work
    job = done(workspace)
    assert (job.state, job.attempts, job.error_code) == (state, attempts, getattr(error, "code", "unexpected"))
    if isinstance(error, ZeroDivisionError):
        assert "a defect" not in job.error
    assert workspace.ledger.retry_job(job.job_id).state is JobState.QUEUED


def test_a_location_that_is_held_is_waited_for(
    workspace: Workspace, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deeplens_kit.service.jobs.running._HELD_WAIT_SECONDS", 0.0)
    held = iter([True] * 5)

    def work(_run: JobRun) -> Mapping[str, Any]:
        if next(held, False):
            raise LeaseHeldError("pics", "ana@studio pid 1", 5.0)
        return {"done": True}

    made.work = work
    job = done(workspace)
    assert (job.state, job.attempts) == (JobState.DONE, 1)


def test_a_job_that_is_cancelled_hears_of_it(workspace: Workspace, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(run: JobRun) -> Mapping[str, Any]:
        run.tell(JobProgress(message="waiting"))
        assert run.stop.wait(PATIENCE_SECONDS)
        raise Interrupted("stopped")

    made.work = work
    job, stop = submit(workspace, "made", {}), threading.Event()
    monkeypatch.setattr("deeplens_kit.service.jobs.worker._TELL_SECONDS", 0.01)
    worker = Worker(workspace, stop=stop, poll_seconds=0.01)
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_until(lambda: workspace.ledger.job(job.job_id).progress.message == "waiting")
    workspace.ledger.cancel_job(job.job_id)
    wait_until(lambda: workspace.ledger.job(job.job_id).state is JobState.CANCELLED)
    # What it is at when it ends goes back.
    back = submit(workspace, "made", {})
    wait_until(lambda: workspace.ledger.job(back.job_id).progress.message == "waiting")
    stop.set()
    worker.wake()
    thread.join()
    given = workspace.ledger.job(back.job_id)
    assert (given.state, given.attempts) == (JobState.QUEUED, 0)


def test_what_is_stored_while_a_run_is_at_work_is_indexed_by_one_that_comes_after(workspace: Workspace) -> None:
    at_work = index_from_now(workspace, "taking")
    assert index_from_now(workspace, "taking").job_id == at_work.job_id
    claimed = workspace.ledger.claim_job("eve@elsewhere pid 7", [Resource.CPU], 60)
    assert claimed is not None and claimed.job_id == at_work.job_id
    # It may have listed the location already.
    after = index_from_now(workspace, "taking")
    assert (after.job_id != at_work.job_id, after.state) == (True, JobState.QUEUED)
    assert index_from_now(workspace, "pics").job_id != after.job_id
    every = submit(workspace, "index", {})
    assert index_from_now(workspace, "another").job_id == every.job_id


@pytest.mark.parametrize("name", ["..", "a.part", "x" * 300 + ".jpg", "a\0b.jpg", "a/b.jpg"])
def test_a_link_may_end_in_any_name(
    workspace: Workspace, picture_bytes: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    came = GivenBytes(picture_bytes(1), name)
    monkeypatch.setattr("deeplens_kit.service.jobs.ingest_jobs.read_given", lambda *_args, **_named: came)
    job = done(workspace, "ingest", location="taking", items=[{"url": "https://pictures.test/a"}])
    assert (job.state, job.result["counts"]["stored"]) == (JobState.DONE, 1), job.error


def test_a_job_that_was_lost_is_told_of_by_its_new_worker_alone(workspace: Workspace, made: Made) -> None:
    ledger = workspace.ledger

    def work(run: JobRun) -> Mapping[str, Any]:
        if run.job.turn == 1:
            # As after a night's sleep: another worker has it meanwhile.
            with ledger._writing() as (session, _):
                from sqlalchemy import text

                session.execute(text("UPDATE jobs SET turn = 2, worker = 'eve@elsewhere pid 7'"))
        return {"turn": run.job.turn}

    made.work = work
    job = done(workspace)
    assert (job.state, dict(job.result), job.worker) == (JobState.RUNNING, {}, "eve@elsewhere pid 7")


def test_an_end_that_cannot_be_written_is_left_to_the_lease(
    workspace: Workspace, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise WorkspaceError("The ledger cannot be reached.")

    with monkeypatch.context() as patched:
        patched.setattr(workspace.ledger, "finish_job", away)
        job = done(workspace)
    assert job.state is JobState.RUNNING


def test_each_resource_has_its_places(workspace: Workspace, made: Made) -> None:
    together = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def work(_run: JobRun) -> Mapping[str, Any]:
        together.wait()
        return {}

    made.work, made.resource = work, Resource.IO
    jobs = [submit(workspace, "made", {}) for _ in range(2)]
    Worker(workspace, {Resource.IO: 0}).run(until_idle=True)
    assert [workspace.ledger.job(job.job_id).attempts for job in jobs] == [0, 0]
    Worker(workspace, {Resource.IO: 2}, poll_seconds=0.01).run(until_idle=True)
    assert [workspace.ledger.job(job.job_id).state for job in jobs] == [JobState.DONE] * 2


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("indx", {}, "did you mean 'index'"),
        ("index", {"location": ["pics"]}, "did you mean 'locations'"),
        ("index", {"locations": "pics"}, "must be a list"),
        ("index", {"locations": [1]}, "list of texts"),
        ("index", {"workers": -1}, "at least 0"),
        ("thumbnails", {"side_px": 301}, "150, 300, 600"),
        ("report", {"report": "saving"}, "savings"),
        ("report", {"report": "savings", "parameters": {"workspace": "x"}}, "workspace"),
        ("plan", {"choice": {"tier": ["bytes"]}}, "did you mean 'tiers'"),
        ("apply", {}, "either 'plan_id' or 'application_id'"),
        ("undo", {}, "needs the parameter 'application_id'"),
        ("workflow", {"name": ""}, "needs the parameter 'name'"),
        ("ingest", {"location": "taking", "items": []}, "1 to 10,000"),
        ("ingest", {"location": "taking", "items": [{"file": "a/b", "url": "http://x"}]}, "either 'file' or 'url'"),
        ("ingest", {"location": "taking", "items": [{"file": "a/b", "note": {"tag": []}}]}, "did you mean 'tags'"),
    ],
)
def test_what_cannot_be_done_is_not_enqueued(
    workspace: Workspace, kind: str, parameters: Mapping[str, Any], said: str
) -> None:
    with pytest.raises((SettingsError, UnknownNameError), match=said):
        submit(workspace, kind, parameters)
    assert workspace.ledger.jobs() == ()


def test_waits_double_within_bounds_and_differ() -> None:
    waits = [[again_in_seconds(attempts) for _ in range(50)] for attempts in (1, 2, 30)]
    assert all(2.5 <= wait <= 5 for wait in waits[0])
    assert all(5 <= wait <= 10 for wait in waits[1])
    assert all(300 <= wait <= 600 for wait in waits[2])
    assert len(set(waits[0])) > 10
