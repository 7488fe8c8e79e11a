"""Jobs whose process is killed: nothing is lost, nothing is done or told twice.

At chosen moments by an exception that nothing catches, which leaves what a kill leaves: no line is written after it. At
random moments by the real signal to a real worker.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.catalog import Catalog
from deeplens_kit.ledger import Job, JobState, Ledger, current_holder
from deeplens_kit.pipeline import Workspace, approve_plan, index, make_plan
from deeplens_kit.pipeline.ingest_one import Ingestor
from deeplens_kit.service.jobs import JobRun, Spool, Worker, asking, submit
from deeplens_kit.service.jobs.kinds import kind_of
from deeplens_kit.service.jobs.running import carry_out
from tests.actions.stage import Killed
from tests.examples import IN_FULL

KILLS = 6 if IN_FULL else 1


@contextlib.contextmanager
def killed_at(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, *, after: bool = False, time: int = 1
) -> Iterator[None]:
    """Ends the work before a method of a class is called, or after it, the so many-th time."""
    found, calls = getattr(owner, name), iter(range(1, 1_000))

    def method(self: Any, *args: Any, **named: Any) -> Any:
        ends = next(calls) == time
        if ends and not after:
            raise Killed
        result = found(self, *args, **named)
        if ends:
            raise Killed
        return result

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, method)
        yield


def dead_worker() -> str:
    """A process of this machine that is gone."""
    return re.sub(r" (\d+)\)$", lambda found: f" {int(found[1]) + 1})", current_holder())


def begin_and_die(workspace: Workspace) -> None:
    """Take the next job as a worker does that dies of it."""
    job = workspace.ledger.claim_job(dead_worker(), tuple({kind_of("index").resource, kind_of("ingest").resource}), 60)
    assert job is not None
    kind = kind_of(job.kind)
    with pytest.raises(Killed):
        carry_out(workspace.ledger, JobRun(job), lambda run: kind.run(workspace, kind.parse(job.parameters), run))
    assert workspace.ledger.job(job.job_id).state is JobState.RUNNING


def finished(workspace: Workspace, job: Job) -> Job:
    Worker(workspace).run(until_idle=True)
    done = workspace.ledger.job(job.job_id)
    assert (done.state, done.error) == (JobState.DONE, done.error)
    return done


def stages(workspace: Workspace) -> Counter[tuple[str, str]]:
    return Counter(
        (event.image_id, event.stage) for event in workspace.ledger.job_events(limit=10_000) if event.image_id
    )


def expected(workspace: Workspace) -> set[tuple[str, str]]:
    """What the catalog says of each object."""
    rows = workspace.catalog.objects(columns=["object_id", "outcome"]).iter_rows()
    return {(object_id, "indexed" if outcome == "indexed" else "failed") for object_id, outcome in rows}


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (Ledger, "intend_stages", True),
        (Catalog, "write_batch", True),
        (Ledger, "tell_intended", True),
        (Ledger, "finish_job", False),
    ],
)
def test_an_index_job_that_is_killed_goes_on_and_each_stage_is_told_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, owner: type, name: str, after: bool
) -> None:
    job = submit(workspace, "index", {"locations": ["pics"], "and_match": False})
    with killed_at(monkeypatch, owner, name, after=after, time=1 if name == "finish_job" else 2):
        begin_and_die(workspace)
    done = finished(workspace, job)
    assert (done.attempts, len(expected(workspace))) == (2, 13)
    assert stages(workspace) == Counter(expected(workspace))
    # What is gone later is told too, once.
    (workspace.directory.parent / "pictures" / "3.jpg").unlink()
    again = submit(workspace, "index", {"locations": ["pics"], "and_match": False})
    with killed_at(monkeypatch, Catalog, "remove_objects", after=True):
        begin_and_die(workspace)
    finished(workspace, again)
    gone = workspace.ledger.location("pics").location_id + "/3.jpg"
    assert stages(workspace)[gone, "gone"] == 1


@pytest.mark.parametrize(
    ("owner", "name", "after"),
    [
        (Ingestor, "_indexed", False),
        (Catalog, "write_batch", False),
        (Catalog, "write_batch", True),
        (Ledger, "finish_job", False),
    ],
)
def test_a_picture_is_taken_in_once_and_told_of_as_stored(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    picture_bytes: Callable[[int], bytes],
    owner: type,
    name: str,
    after: bool,
) -> None:
    spool = Spool(workspace.directory)
    items = [{"file": spool.put(f"{number}.jpg", picture_bytes(number))} for number in (1, 2, 1)]
    job = submit(workspace, "ingest", {"location": "taking", "items": items})
    with killed_at(monkeypatch, owner, name, after=after):
        begin_and_die(workspace)
    result = finished(workspace, job).result
    assert [row["state"] for row in result["rows"]] == ["stored", "stored", "known"]
    files = [path for path in (workspace.directory.parent / "taking").rglob("*") if path.is_file()]
    assert sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files) == sorted(
        {row["digest"] for row in result["rows"]}
    )
    assert {row["image_id"] for row in result["rows"][:2]} == set(workspace.catalog.objects()["object_id"])
    assert stages(workspace) == Counter(expected(workspace))
    assert not list((workspace.directory / "spool").iterdir())


@pytest.mark.parametrize(("owner", "name"), [(Ingestor, "_indexed"), (Ledger, "finish_job")])
def test_what_is_stored_although_it_is_there_is_stored_once(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    picture_bytes: Callable[[int], bytes],
    owner: type,
    name: str,
) -> None:
    spool = Spool(workspace.directory)
    items = [{"file": spool.put(f"{number}.jpg", picture_bytes(1))} for number in range(2)]
    job = submit(workspace, "ingest", {"location": "taking", "items": items, "even_if_known": True})
    with killed_at(monkeypatch, owner, name, time=2 if owner is Ingestor else 1):
        begin_and_die(workspace)
    assert [row["state"] for row in finished(workspace, job).result["rows"]] == ["stored", "stored"]
    assert len([path for path in (workspace.directory.parent / "taking").rglob("*") if path.is_file()]) == 2
    assert stages(workspace) == Counter(expected(workspace))


@pytest.mark.parametrize("phase", ["apply", "undo", "empty"])
def test_a_plan_is_applied_undone_and_its_quarantine_emptied_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    pictures, taking = workspace.directory.parent / "pictures", workspace.directory.parent / "taking"
    workspace.ledger.set_location_options("taking", {"permissions": "change"})
    for number in range(3):
        shutil.copy2(pictures / f"{number}.jpg", taking / f"{number}.jpg")
    index(workspace, and_match=False)
    before = sorted(path.name for path in taking.rglob("*.jpg"))
    plan = submit(workspace, "plan", {"choice": {"tiers": ["bytes"], "locations": ["taking"]}})
    with killed_at(monkeypatch, Ledger, "finish_job"):
        begin_and_die(workspace)
    plan_id = finished(workspace, plan).result["plan_id"]
    assert [record.plan_id for record in workspace.ledger.plans()] == [plan_id]
    assert make_plan(workspace, tiers=["bytes"]).steps == 3
    approve_plan(workspace, plan_id)
    job = submit(workspace, "apply", {"plan_id": plan_id})
    if phase == "apply":
        with killed_at(monkeypatch, Ledger, "append_journal", after=True, time=3):
            begin_and_die(workspace)
    result = finished(workspace, job).result
    assert (result["state"], result["figures"]["done"]) == ("finished", 3)
    assert [item.application_id for item in workspace.ledger.applications()] == [result["application_id"]]
    counted = Counter(stage for _, stage in stages(workspace).elements())
    assert counted["quarantined"] == 3
    if phase == "empty":
        emptied_once(workspace, monkeypatch, result["application_id"])
        return
    if phase == "apply":
        restored_once(workspace, monkeypatch, result["application_id"], before)
        return
    undo = submit(workspace, "undo", {"application_id": result["application_id"]})
    if phase == "undo":
        with killed_at(monkeypatch, Ledger, "append_journal", after=True, time=3):
            begin_and_die(workspace)
    assert finished(workspace, undo).result["state"] == "undone"
    assert sorted(path.name for path in taking.rglob("*.jpg")) == before
    assert Counter(stage for _, stage in stages(workspace).elements())["restored"] == 3


def emptied_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, application_id: str) -> None:
    job = asking.empty(workspace, application_id)
    assert asking.empty(workspace, application_id).job_id == job.job_id
    with killed_at(monkeypatch, Ledger, "append_journal", after=True, time=4):
        begin_and_die(workspace)
    assert finished(workspace, job).result["removed"] == 3
    assert Counter(stage for _, stage in stages(workspace).elements())["emptied"] == 3
    assert not workspace.ledger.quarantined(application_id=application_id)


def restored_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, application_id: str, before: list[str]
) -> None:
    job = asking.restore(workspace, application_id)
    with killed_at(monkeypatch, Ledger, "append_journal", after=True, time=4):
        begin_and_die(workspace)
    assert finished(workspace, job).result["restored"] == 3
    taking = workspace.directory.parent / "taking"
    assert sorted(path.name for path in taking.rglob("*.jpg")) == before
    assert Counter(stage for _, stage in stages(workspace).elements())["restored"] == 3


class WorkerProcess:
    """A real worker."""

    def __init__(self, folder: Path) -> None:
        words = [sys.executable, "-m", "deeplens_kit.service.jobs.worker_process", "--workspace", str(folder)]
        self.process = subprocess.Popen(
            [*words, "--with-parent"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def end(self, *, kill: bool = False) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if kill:
            self.process.send_signal(signal.SIGKILL)
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


def test_a_worker_that_is_killed_at_any_moment_loses_nothing_and_ends_with_its_parent(
    workspace: Workspace, picture_bytes: Callable[[int], bytes]
) -> None:
    chance, spool = random.Random(11), Spool(workspace.directory)
    items = [{"file": spool.put(f"{number}.jpg", picture_bytes(number))} for number in range(4)]
    jobs = [
        submit(workspace, "index", {"locations": ["pics"], "and_match": False}),
        submit(workspace, "ingest", {"location": "taking", "items": items}),
    ]
    for _ in range(KILLS):
        worker = WorkerProcess(workspace.directory)
        moment = workspace.ledger.job_event_bounds()[1] + chance.randint(1, 8)
        while workspace.ledger.job_event_bounds()[1] < moment and not all_done(workspace, jobs):
            worker.process.poll()
        assert worker.end(kill=True) == -signal.SIGKILL
    worker = WorkerProcess(workspace.directory)
    while not all_done(workspace, jobs):
        assert worker.process.poll() is None
    assert worker.end() == 0
    assert [workspace.ledger.job(job.job_id).state for job in jobs] == [JobState.DONE] * 2
    rows = workspace.ledger.job(jobs[1].job_id).result["rows"]
    assert [row["state"] for row in rows] == ["stored"] * 4
    assert stages(workspace) == Counter(expected(workspace))
    assert len(expected(workspace)) == 17


def all_done(workspace: Workspace, jobs: list[Job]) -> bool:
    return all(workspace.ledger.job(job.job_id).is_finished for job in jobs)
