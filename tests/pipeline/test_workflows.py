"""Standing workflows: what is within bounds is done, what is not waits, and whatever is amiss pauses them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy
from mail_server import Mailbox, serving
from PIL import Image
from web_hook import Hook

from deeplens_kit.errors import (
    PlanNotApprovedError,
    PlanStateError,
    SettingsError,
    UnknownNameError,
    WorkflowPausedError,
)
from deeplens_kit.ledger import ApplicationState, Ledger, PlanState, current_holder
from deeplens_kit.ledger import workflow_records as records
from deeplens_kit.pipeline import Workspace, add_location, approve_plan, change_location, index, plan_choice
from deeplens_kit.pipeline.applying import apply, resume
from deeplens_kit.pipeline.undoing import undo
from deeplens_kit.pipeline.workflow_bounds import PlanSize, WorkflowBounds
from deeplens_kit.pipeline.workflow_checks import amiss_of_figures, drift
from deeplens_kit.pipeline.workflow_running import WorkflowOutcome, run_workflow
from deeplens_kit.pipeline.workflows import (
    add_workflow,
    list_workflows,
    preview_workflow,
    set_workflow_bounds,
    workflow_history,
)

WIDE = WorkflowBounds(1_000, 10**9, 1.0)
COPIES = 3


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`vault` has three pictures and `disk`, which is open, two copies of each, and four of its own; indexed."""
    folder = tmp_path_factory.mktemp("workflows")
    draw = np.random.default_rng(5)
    for name in ("disk", "vault"):
        (folder / name).mkdir()
    for number in range(COPIES):
        Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / "vault" / f"{number}.png")
        for copy in "ab":
            shutil.copy(folder / "vault" / f"{number}.png", folder / "disk" / f"{number}{copy}.png")
        # The older of equal files stays.
        os.utime(folder / "vault" / f"{number}.png", (1_700_000_000, 1_700_000_000))
    for number in range(4):
        Image.fromarray(draw.integers(0, 255, (40, 60, 3), np.uint8)).save(folder / "disk" / f"own{number}.png")
    with Workspace.create(folder / "workspace") as workspace:
        for name, options in (("vault", {}), ("disk", {"permissions": "change"})):
            add_location(workspace, name, str(folder / name), options)
        index(workspace, and_match=False)
    return folder


@pytest.fixture
def folder(library: Path, tmp_path: Path) -> Path:
    """The pictures and the workspace over them, to be changed: the ledger of the copy names the copied folders."""
    made = shutil.copytree(library, tmp_path / "library")
    ledger = f"sqlite:///{made / 'workspace' / 'ledger.sqlite'}"
    engine = sqlalchemy.create_engine(ledger)
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("UPDATE locations SET url = replace(url, :old, :new)"),
            {"old": str(library), "new": str(made)},
        )
    engine.dispose()
    return made


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    with Workspace.open(folder / "workspace") as opened:
        index(opened, and_match=False)
        yield opened


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


def added(workspace: Workspace, bounds: WorkflowBounds | None = WIDE, **more: Any) -> None:
    choice = plan_choice(workspace, locations=["disk"], **{"tiers": ["bytes"], **more.pop("choice", {})})
    add_workflow(workspace, "nightly", choice, every="0 3 * * *", timezone="UTC", bounds=bounds, **more)


def ran(workspace: Workspace, **options: Any) -> WorkflowOutcome:
    return run_workflow(workspace, "nightly", **options)


def pictures(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "disk").glob("*.png"))


def copied_again(folder: Path, workspace: Workspace, copies: int, name: str = "more") -> None:
    for number in range(copies):
        shutil.copy(folder / "vault" / "0.png", folder / "disk" / f"{name}{number}.png")
    index(workspace, ["disk"], and_match=False)


def paused_for(workspace: Workspace, came: WorkflowOutcome, code: str) -> str:
    """The reason, once it is sure that the workflow does nothing more, and said so."""
    assert (came.run.state, came.workflow.state, came.workflow.code) == ("anomaly", "paused", code)
    before = len(workspace.ledger.plans()), len(workspace.ledger.workflow_runs())
    with pytest.raises(WorkflowPausedError, match="paused since"):
        ran(workspace)
    assert (len(workspace.ledger.plans()), len(workspace.ledger.workflow_runs())) == before
    return came.run.message


def test_within_bounds_it_quarantines_certifies_and_tells(workspace: Workspace, folder: Path, hook: Hook) -> None:
    with serving(Mailbox()) as box:
        mail = f"smtp://127.0.0.1:{box.port}/?to=ben@example.org&from=anna@example.org&plain=true"
        added(workspace, notify=[hook.url, mail])
        assert preview_workflow(workspace, "nightly").waits == ()
        came = ran(workspace)
    assert (came.run.state, came.run.figures["done"], came.workflow.state) == ("applied", 2 * COPIES, "active")
    assert pictures(folder) == [f"own{number}.png" for number in range(4)]
    held = workspace.ledger.quarantined()
    assert len(held) == came.run.figures["certificate"]["in_quarantine"] == 2 * COPIES
    plan = workspace.ledger.plan(came.run.plan_id)
    (approval,) = plan.approvals
    me = workspace.ledger.workflow("nightly").bounds_by
    assert (plan.state, approval.who) == (PlanState.APPLIED, me)
    assert approval.note.startswith(f"auto-approved within bounds set by {me} at 20")
    (line,) = workspace.ledger.audit_trail(action="plan.auto_approved")
    assert line.details["approved_by"] == me and line.details["bounds"] == WIDE.to_json()
    assert workspace.ledger.verify_audit().intact
    told = json.loads(hook.posted[0][2])
    assert (told["schema"], told["state"], told["paused"]) == ("deeplens.workflow.notice/1", "applied", False)
    assert told["figures"]["certificate"]["journal"] == workspace.ledger.journal_head(came.run.application_id)[1]
    (letter,) = box.mails
    assert letter["Subject"] == "DeepLens: workflow nightly applied its plan"
    assert f"deeplens undo {came.run.application_id}" in letter.get_content()
    # What is done is done: the next run has nothing to do, and that is no news.
    again = ran(workspace)
    assert (again.run.state, len(hook.posted)) == ("nothing", 1)
    undo(workspace, came.run.application_id)
    assert len(pictures(folder)) == 4 + 2 * COPIES
    assert workflow_history(workspace, "nightly")["state"].to_list() == ["nothing", "applied"]


def test_without_bounds_its_plan_waits_for_a_person_and_the_next_run_applies_it(
    workspace: Workspace, folder: Path, hook: Hook
) -> None:
    added(workspace, None, notify=[hook.url])
    first, second = ran(workspace), ran(workspace)
    assert (first.run.state, second.run.state, len(pictures(folder))) == ("waiting", "waiting", 4 + 2 * COPIES)
    # One waits at a time, and it is the latest.
    assert workspace.ledger.plan(first.run.plan_id).state == PlanState.SUPERSEDED
    assert json.loads(hook.posted[1][2])["plan_id"] == second.run.plan_id
    approve_plan(workspace, second.run.plan_id)
    third = ran(workspace)
    assert (third.run.state, third.run.plan_id, len(pictures(folder))) == ("applied", second.run.plan_id, 4)
    assert workspace.ledger.audit_trail(action="plan.auto_approved") == []


def test_an_approved_plan_that_became_stale_is_made_anew_and_waits_again(workspace: Workspace, folder: Path) -> None:
    added(workspace, None)
    first = ran(workspace)
    approve_plan(workspace, first.run.plan_id)
    (folder / "disk" / "0a.png").unlink()
    index(workspace, ["disk"], and_match=False)
    second = ran(workspace)
    assert (second.run.state, second.run.plan_id != first.run.plan_id) == ("waiting", True)
    assert len(pictures(folder)) == 3 + 2 * COPIES


def test_beyond_its_bounds_it_waits_and_the_second_time_it_is_paused(workspace: Workspace, folder: Path) -> None:
    added(workspace, WorkflowBounds(5, 1_000, 0.5))
    said = "6 files, 5 are allowed"
    found = preview_workflow(workspace, "nightly")
    assert found.waits[0] == said and found.waits[1].endswith("bytes, 1,000 are allowed")
    assert found.waits[2] == "60.0% of the files of disk, 50.0% are allowed"
    first = ran(workspace)
    assert first.run.state == "waiting" and said in first.run.message
    assert "for the second time in a row" in paused_for(workspace, ran(workspace), "bounds")
    assert len(pictures(folder)) == 4 + 2 * COPIES
    set_workflow_bounds(workspace, "nightly", WIDE)
    workspace.ledger.resume_workflow("nightly", "looked at it")
    assert ran(workspace).run.state == "applied"


def test_bounds_are_inclusive_and_copies_need_labels() -> None:
    bounds = WorkflowBounds(10, 100, 0.5, 0.99)
    at = PlanSize(frozenset({"bytes", "pixels"}), 10, 100, {"disk": 0.5}, None)
    assert bounds.exceeded(at) == []
    assert len(bounds.exceeded(PlanSize(frozenset({"bytes"}), 11, 101, {"disk": 0.51, "a": 0.1}, None))) == 3

    def with_copies(shown: float | None) -> PlanSize:
        return PlanSize(frozenset({"copy"}), 1, 1, {"disk": 0.1}, shown)

    assert bounds.exceeded(with_copies(0.99)) == []
    assert "a precision of 98.99% at least; 99.00%" in bounds.exceeded(with_copies(0.9899))[0]
    assert "no labels show" in bounds.exceeded(with_copies(None))[0]
    assert "only equal bytes" in WorkflowBounds(10, 100, 0.5).exceeded(with_copies(1.0))[0]
    assert "scene" in bounds.exceeded(PlanSize(frozenset({"scene"}), 1, 1, {}, 1.0))[0]
    for wrong in ((0, 1, 0.5, None), (1, 0, 0.5, None), (1, 1, 0.0, None), (1, 1, 1.1, None), (1, 1, 0.5, 0.4)):
        with pytest.raises(SettingsError, match=r"allowed|at least 1"):
            WorkflowBounds(*wrong)


def test_bounds_of_the_author_are_refused_where_another_approver_is_asked_for(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (folder / "workspace" / "workspace.toml").open("a") as settings:
        settings.write("\n[actions]\nother_approver = true\n")
    with Workspace.open(folder / "workspace") as strict:
        with pytest.raises(PlanNotApprovedError, match="bounds that somebody else sets"):
            added(strict)
        assert list_workflows(strict).is_empty()
        added(strict, None)
        with pytest.raises(PlanNotApprovedError):
            set_workflow_bounds(strict, "nightly", WIDE)
        monkeypatch.setattr(records, "current_person", lambda: "ben@studio")
        set_workflow_bounds(strict, "nightly", WIDE)
        monkeypatch.undo()
        came = ran(strict)
        (approval,) = strict.ledger.plan(came.run.plan_id).approvals
        assert (came.run.state, approval.who) == ("applied", "ben@studio")
        assert strict.ledger.verify_audit().intact


def test_bounds_that_nobody_set_are_found_by_the_audit(workspace: Workspace) -> None:
    added(workspace, WorkflowBounds(1, 1, 0.01))
    assert workspace.ledger.verify_audit().intact
    engine = sqlalchemy.create_engine(workspace.settings.ledger_url)
    with engine.begin() as connection:
        wide = json.dumps(WIDE.to_json())
        connection.execute(sqlalchemy.text("UPDATE workflows SET bounds = :wide"), {"wide": wide})
    engine.dispose()
    assert "bounds of" in workspace.ledger.verify_audit().reason


def test_a_location_that_is_away_or_empty_pauses_it(workspace: Workspace, folder: Path, hook: Hook) -> None:
    added(workspace, notify=[hook.url])
    (folder / "disk").rename(folder / "elsewhere")
    paused_for(workspace, ran(workspace), "unavailable")
    told = json.loads(hook.posted[0][2])
    assert told["paused"] and "deeplens workflows resume nightly" in told["said"][-1]
    (folder / "disk").mkdir()
    workspace.ledger.resume_workflow("nightly")
    assert "none of 10 files" in paused_for(workspace, ran(workspace), "emptied")
    (folder / "disk").rmdir()
    (folder / "elsewhere").rename(folder / "disk")
    change = workspace.ledger.set_location_active
    change("disk", False)
    workspace.ledger.resume_workflow("nightly")
    paused_for(workspace, ran(workspace), "unknown_name")
    change("disk", True)
    workspace.ledger.resume_workflow("nightly")
    assert ran(workspace).run.state == "applied"


def test_a_location_that_shrank_pauses_it_and_what_plans_took_does_not_count(
    workspace: Workspace, folder: Path
) -> None:
    added(workspace, None)
    waiting = ran(workspace)
    # Six of ten go by a plan of its own that a person applied: that is no loss.
    approve_plan(workspace, waiting.run.plan_id)
    apply(workspace, waiting.run.plan_id)
    assert ran(workspace).run.state == "nothing"
    (folder / "disk" / "own1.png").unlink()
    message = paused_for(workspace, ran(workspace, index_first=True), "shrunk")
    assert "3 files where it had 4" in message
    workspace.ledger.resume_workflow("nightly")
    assert ran(workspace).run.state == "nothing"


def test_a_plan_that_is_much_larger_than_usual_is_an_anomaly_until_a_person_says_otherwise(
    workspace: Workspace,
) -> None:
    added(workspace)
    run = workspace.ledger.begin_workflow_run("nightly")
    runs = [replace(run, figures={"steps": steps}) for steps in (4, 0, 6, 10, 4, 2, 500, 500)]
    workflow = workspace.ledger.workflow("nightly")
    # The median of 4, 6, 10, 4 and 2: runs that found nothing and older ones are no measure.
    assert drift(20, workflow, runs, 5.0) is None
    found = drift(21, workflow, runs, 5.0)
    assert found is not None and "more than 5 times the median of its last 5 plans, which is 4" in found.message
    assert drift(21, workflow, runs[:3], 5.0) is None  # too few to tell
    assert drift(19, workflow, [replace(run, figures={"steps": 1})] * 5, 5.0) is None  # too small to matter
    workspace.ledger.end_workflow_run(run.run_id, run.state.ANOMALY, {"steps": 21}, found.message, pause_code="drift")
    resumed = workspace.ledger.resume_workflow("nightly", "a new camera")
    assert drift(21, resumed, runs, 5.0) is None


def test_failures_and_skips_pause_it(workspace: Workspace, folder: Path) -> None:
    figures = {"done": 8, "skipped": 2, "failed": 0}
    assert amiss_of_figures(figures, 0.21) is None
    assert getattr(amiss_of_figures(figures, 0.2), "code", None) == "skips"
    assert getattr(amiss_of_figures({**figures, "failed": 1}, 0.5), "code", None) == "failures"
    copied_again(folder, workspace, 21)
    added(workspace)
    # Changed after it was indexed: the steps are skipped when they are done, and of so many the application stops.
    for number in range(21):
        (folder / "disk" / f"more{number}.png").write_bytes(b"edited since")
    came = ran(workspace)
    assert "stopped before its end" in paused_for(workspace, came, "halted")
    assert came.run.application_id and came.run.figures["certificate"]["skipped"] >= 4
    workspace.ledger.resume_workflow("nightly")
    assert "apply --resume" in paused_for(workspace, ran(workspace), "unfinished")


def test_an_application_of_its_own_that_is_not_finished_pauses_it(workspace: Workspace, folder: Path) -> None:
    added(workspace, None)
    waiting = ran(workspace)
    approve_plan(workspace, waiting.run.plan_id)
    record = workspace.ledger.plan(waiting.run.plan_id)
    application = workspace.ledger.start_application(record.plan_id, record.steps_digest, {})
    workspace.ledger.set_application(application.application_id, ApplicationState.PAUSED)
    assert f"apply --resume {application.application_id}" in paused_for(workspace, ran(workspace), "unfinished")
    resume(workspace, application.application_id)
    workspace.ledger.resume_workflow("nightly")
    assert ran(workspace).run.state == "nothing"


def test_a_closed_location_or_a_run_elsewhere_stops_nothing_halfway(workspace: Workspace, folder: Path) -> None:
    added(workspace)
    with workspace.ledger.leased_run("index", "disk", {}):
        postponed = ran(workspace)
    assert (postponed.run.state, postponed.workflow.state) == ("postponed", "active")
    # What bounds let through then is made and held against them anew.
    set_workflow_bounds(workspace, "nightly", WorkflowBounds(1, 10**9, 1.0))
    assert ran(workspace).run.state == "waiting"
    change_location(workspace, "disk", {}, without=["permissions"])
    paused_for(workspace, ran(workspace), "closed")
    assert len(pictures(folder)) == 4 + 2 * COPIES


def test_it_never_overlaps_itself_and_a_crash_is_seen_by_the_next_run(
    workspace: Workspace, folder: Path, hook: Hook
) -> None:
    added(workspace, notify=[hook.url])
    running = workspace.ledger.begin_workflow_run("nightly")
    with pytest.raises(PlanStateError, match="runs already"):
        ran(workspace)
    workspace.ledger.pause_workflow("nightly", "the share moves.")
    assert not workspace.ledger.beat_workflow_run(running.run_id)
    workspace.ledger.end_workflow_run(running.run_id, running.state.NOTHING, {}, "")
    workspace.ledger.resume_workflow("nightly")
    with pytest.MonkeyPatch.context() as patch:
        # This process id, of a process that began at another time: one that is gone.
        patch.setattr(records, "current_holder", lambda: re.sub(r"\d+\)$", "1)", current_holder()))
        workspace.ledger.begin_workflow_run("nightly")
    with pytest.raises(WorkflowPausedError, match="ended before it was done"):
        ran(workspace)
    assert json.loads(hook.posted[0][2])["state"] == "crashed"
    assert workflow_history(workspace)["state"].to_list() == ["crashed", "nothing"]
    workspace.ledger.resume_workflow("nightly")
    assert ran(workspace).run.state == "applied"


_KILLED = """
import functools, os, signal, sys
from deeplens_kit.pipeline import Workspace, workflow_running as running

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def at(name):
    if name == sys.argv[2]:
        die()

running.apply = die if sys.argv[2] == "approved" else functools.partial(running.apply, boundary=at)
with Workspace.open(sys.argv[1]) as workspace:
    running.run_workflow(workspace, "nightly")
"""


def test_killed_with_its_plan_approved_and_in_the_middle_of_applying_it_is_gone_on_with(
    workspace: Workspace, folder: Path
) -> None:
    added(workspace)
    digests = {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("[dv]*/*.png")}
    for strike in ("approved", "1.quarantine.move"):
        killed = subprocess.run([sys.executable, "-c", _KILLED, str(workspace.directory), strike], check=False)
        assert killed.returncode == -signal.SIGKILL
        with pytest.raises(WorkflowPausedError, match=r"while plan \w+ was at hand"):
            ran(workspace)
        workspace.ledger.resume_workflow("nightly")
    second, first = workspace.ledger.workflow_runs("nightly")
    assert (first.state, second.state) == ("crashed", "crashed")
    # What bounds let through before the first strike was not applied by the second run: it was made anew.
    assert workspace.ledger.plan(first.plan_id).state is PlanState.SUPERSEDED
    (application,) = workspace.ledger.applications()
    assert (application.plan_id, application.state) == (second.plan_id, ApplicationState.RUNNING)
    # Of two files that were moved one has no end in the journal; nothing is planned over that.
    assert ran(workspace).workflow.code == "unfinished"
    assert resume(workspace, application.application_id).figures["done"] == 2 * COPIES
    assert len(workspace.ledger.quarantined()) == 2 * COPIES and workspace.ledger.verify_audit().intact
    assert {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("[dv]*/*.png")} == digests


def test_a_notice_that_is_not_taken_is_told_after_the_next_run(workspace: Workspace, hook: Hook) -> None:
    added(workspace, None, notify=[hook.url])
    hook.answers = [410]
    first = ran(workspace)
    assert "410" in first.sent[0].reason
    second = ran(workspace)
    assert [sent.reason for sent in second.sent] == ["", ""]
    assert [json.loads(body)["id"] for _, _, body in hook.posted] == [
        first.run.run_id,
        first.run.run_id,
        second.run.run_id,
    ]


def test_what_cannot_be_added_is_refused(workspace: Workspace) -> None:
    with pytest.raises(SettingsError, match="in clear"):
        added(workspace, notify=["smtp://anna:hunter2@example.org/?to=ben@example.org&from=anna@example.org"])
    with pytest.raises(SettingsError, match="factor of drift"):
        added(workspace, drift_factor=1.0)
    with pytest.raises(SettingsError, match="takes no new files"):
        added(workspace, choice={"action": "move", "to": "vault"})
    added(workspace)
    with pytest.raises(SettingsError, match="already"):
        added(workspace)
    workspace.ledger.remove_workflow("nightly")
    with pytest.raises(UnknownNameError):
        ran(workspace)
    added(workspace)
    assert list_workflows(workspace, removed=True)["state"].to_list() == ["removed", "active"]


def test_a_run_of_another_machine_is_taken_for_dead_without_heartbeat(workspace: Workspace, folder: Path) -> None:
    added(workspace)
    with Ledger.open(workspace.settings.ledger_url) as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "current_holder", lambda: "ben@far pid 7 (elsewhere/1 99)")
        ledger.begin_workflow_run("nightly")
    assert workspace.ledger.settle_workflow("nightly", 60.0) is None
    crashed = workspace.ledger.settle_workflow("nightly", -1.0)
    assert crashed is not None and "ben@far pid 7" in crashed.message
    assert workspace.ledger.workflow("nightly").code == "crashed"
