"""Plans, applications, journals, quarantine, holds and workflows in the ledger, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deeplens_kit.errors import (
    PlanNotApprovedError,
    PlanStaleError,
    PlanStateError,
    SettingsError,
    UnknownNameError,
    WorkflowPausedError,
    WorkspaceError,
)
from deeplens_kit.ledger import (
    Application,
    ApplicationState,
    JournalEntry,
    JournalPhase,
    Ledger,
    PlanRecord,
    PlanState,
    QuarantinedFile,
    QuarantineState,
    WorkflowRunState,
    plan_records,
)
from deeplens_kit.ledger.act_values import LIVE_PLANS
from deeplens_kit.ledger.saved_sums import SavedSums

Maker = Callable[..., Ledger]
STEPS, OTHER = "5" * 64, "6" * 64
BEGUN, DONE, SKIPPED, FAILED = JournalPhase


def saved(ledger: Ledger, **options: str) -> PlanRecord:
    return ledger.save_plan("duplicates", {"tiers": ["bytes"]}, [b"PAR1\0", b"PAR1\xff"], STEPS, 3, **options)


def started(ledger: Ledger) -> Application:
    plan = ledger.approve_plan(saved(ledger).plan_id, STEPS)
    return ledger.start_application(plan.plan_id, STEPS, {"proof": "token"})


def held(application: Application, location_id: str, item_id: str) -> QuarantinedFile:
    return QuarantinedFile(
        item_id=item_id,
        application_id=application.application_id,
        step=1,
        location_id=location_id,
        path="a b.jpg",
        quarantine_path=f".deeplens-quarantine/{item_id}",
        digest="d" * 64,
        size_bytes=2**40,
        token="t1",
        keeper_location_id=location_id,
        keeper_path="b.jpg",
        keeper_digest="d" * 64,
        keeper_token="t2",
        kept={"mode": 0o644, "tags": {"é": "x"}},
        state=QuarantineState.HELD,
        moved_at=datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC),
        expires_at=datetime(2026, 3, 3, tzinfo=UTC),
    )


class ActConformance:
    """Inherited once per database."""

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    # --- Plans ---

    def test_a_plan_comes_back_as_it_was_saved(self, url: str, ledger: Ledger, made: Maker) -> None:
        plan = saved(ledger)
        assert (plan.kind, plan.state, plan.document, plan.steps) == (
            "duplicates", PlanState.DRAFT, {"tiers": ["bytes"]}, 3,
        )  # fmt: skip
        assert "@" in plan.author and plan.approvals == () and plan.replaces == ""
        other = made(url, new=False)
        assert other.plan(plan.plan_id) == other.plan(plan.plan_id[:7]) == plan
        assert list(other.plan_parts(plan.plan_id)) == [b"PAR1\0", b"PAR1\xff"]
        with pytest.raises(UnknownNameError, match="no plan named 'zz'"):
            ledger.plan("zz")
        with pytest.raises(UnknownNameError):
            ledger.plan("")
        with pytest.raises(SettingsError, match="kind"):
            ledger.save_plan("x" * 51, {}, [], STEPS, 0)

    def test_a_beginning_that_several_plans_have_is_refused(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = iter(["aa11aa11", "aa22aa22", "aa11"])
        monkeypatch.setattr("deeplens_kit.ledger.plans.secrets.token_hex", lambda _: next(given))
        first, second, short = saved(ledger), saved(ledger), saved(ledger)
        with pytest.raises(SettingsError, match="several plans: aa11, aa11aa11, aa22aa22; write more"):
            ledger.plan("aa")
        assert ledger.plan("aa2") == second and ledger.plan("aa11a") == first
        assert ledger.plan("aa11") == short, "a whole id is no beginning"

    def test_a_plan_takes_the_place_of_another(self, ledger: Ledger) -> None:
        first = saved(ledger)
        second = saved(ledger, replaces=first.plan_id)
        assert second.replaces == first.plan_id
        assert ledger.plan(first.plan_id).state == PlanState.SUPERSEDED
        assert [plan.plan_id for plan in ledger.plans()] == [second.plan_id, first.plan_id]
        third = saved(ledger, replaces=second.plan_id)
        assert [ledger.plan(name.plan_id).replaced_by for name in (first, second, third)] == [third.plan_id] * 2 + [""]
        assert {plan.plan_id: plan.replaced_by for plan in ledger.plans()}[first.plan_id] == third.plan_id
        with pytest.raises(PlanStateError, match=f"superseded.*plan {third.plan_id} took its place"):
            ledger.approve_plan(first.plan_id, STEPS)
        second = third
        ledger.approve_plan(second.plan_id, STEPS)
        application = ledger.start_application(second.plan_id, STEPS, {})
        with pytest.raises(PlanStateError, match="is being applied"):
            saved(ledger, replaces=second.plan_id)
        ledger.set_application(application.application_id, "finished")
        saved(ledger, replaces=second.plan_id)
        assert ledger.plan(second.plan_id).state == PlanState.APPLIED, "what was done stays what it is"
        with pytest.raises(UnknownNameError):
            saved(ledger, replaces="none")
        assert len(ledger.plans()) == ledger.count_plans() == 4
        latest = [plan.plan_id for plan in ledger.plans()]
        assert [plan.plan_id for plan in ledger.plans(limit=2, offset=1)] == latest[1:3]
        live = [plan for plan in ledger.plans() if plan.state in LIVE_PLANS]
        assert ledger.plans(LIVE_PLANS) == live and len(live) == ledger.count_plans(LIVE_PLANS) == 2
        assert ledger.plans(LIVE_PLANS, limit=1) == live[:1], "approvals come with a part of them too"
        assert [plan.plan_id for plan in ledger.plans(until=first.created_at)] == [first.plan_id]
        assert ledger.plans(kind="other") == []

    def test_a_plan_is_approved_as_it_was_looked_at(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = saved(ledger)
        with pytest.raises(PlanStaleError, match="other steps"):
            ledger.approve_plan(plan.plan_id, OTHER)
        with pytest.raises(PlanNotApprovedError, match="made by"):
            ledger.approve_plan(plan.plan_id, STEPS, other_approver=True)
        approved = ledger.approve_plan(plan.plan_id, STEPS, "go")
        assert approved.state == PlanState.APPROVED
        with pytest.raises(PlanNotApprovedError, match="by its author"):
            ledger.start_application(plan.plan_id, STEPS, {}, other_approver=True)
        monkeypatch.setattr(plan_records, "current_person", lambda: "eve@elsewhere")
        approved = ledger.approve_plan(plan.plan_id, STEPS, other_approver=True)
        assert [(said.who, said.note, said.approved) for said in approved.approvals] == [
            (plan.author, "go", True), ("eve@elsewhere", "", True),
        ]  # fmt: skip
        ledger.start_application(plan.plan_id, STEPS, {}, other_approver=True)
        told = [(line.action, line.who) for line in ledger.audit_trail()]
        assert told == [
            ("plan.saved", plan.author),
            ("plan.approved", plan.author),
            ("plan.approved", "eve@elsewhere"),
            ("application.started", plan.author),
        ]

    def test_a_plan_that_nobody_approved_or_somebody_refused_is_not_applied(self, ledger: Ledger) -> None:
        plan = saved(ledger)
        with pytest.raises(PlanNotApprovedError, match="is not approved"):
            ledger.start_application(plan.plan_id, STEPS, {})
        ledger.approve_plan(plan.plan_id, STEPS)
        with pytest.raises(PlanNotApprovedError, match="other steps than those at hand"):
            ledger.start_application(plan.plan_id, OTHER, {})
        refused = ledger.refuse_plan(plan.plan_id, "not the archive")
        assert refused.state == PlanState.REFUSED
        assert [(said.approved, said.note) for said in refused.approvals] == [(True, ""), (False, "not the archive")]
        with pytest.raises(PlanNotApprovedError, match="was refused"):
            ledger.start_application(plan.plan_id, STEPS, {})
        for act in (lambda: ledger.approve_plan(plan.plan_id, STEPS), lambda: ledger.refuse_plan(plan.plan_id, "x")):
            with pytest.raises(PlanStateError, match=r"is refused.*plan refresh"):
                act()
        assert ledger.applications() == []

    # --- Applications ---

    def test_an_application_goes_from_start_to_undone(self, url: str, ledger: Ledger, made: Maker) -> None:
        first = started(ledger)
        plan = ledger.plan(first.plan_id)
        assert (plan.state, first.state, first.finished_at) == (PlanState.APPLYING, ApplicationState.RUNNING, None)
        assert first.settings == {"proof": "token"}
        with pytest.raises(PlanStateError, match=r"is applying.*--resume"):
            ledger.start_application(plan.plan_id, STEPS, {})
        halted = ledger.set_application(first.application_id, "halted", {"done": 2}, "disk, password=hunter2")
        assert halted.finished_at is not None and halted.message == "disk, password=***"
        again = ledger.set_application(first.application_id, ApplicationState.RUNNING)
        assert (again.finished_at, again.figures, again.message) == (None, {"done": 2}, "")
        ended = ledger.set_application(first.application_id[:7], "finished", {"done": 3})
        assert ledger.plan(plan.plan_id).state == PlanState.APPLIED
        with pytest.raises(PlanStateError, match="finished, so it cannot become running"):
            ledger.set_application(first.application_id, "running")
        with pytest.raises(PlanStateError, match=r"is applied.*plan refresh"):
            ledger.start_application(plan.plan_id, STEPS, {})
        other = made(url, new=False)
        assert other.application(first.application_id) == ended
        ledger.set_application(first.application_id, "undoing")
        ledger.set_application(first.application_id, "undone")
        assert ledger.plan(plan.plan_id).state == PlanState.UNDONE
        with pytest.raises(PlanStateError, match="undone, so it cannot become undoing"):
            ledger.set_application(first.application_id, "undoing")
        second = started(ledger)
        assert [item.application_id for item in ledger.applications()] == [
            second.application_id, first.application_id,
        ]  # fmt: skip
        assert [item.application_id for item in ledger.applications(plan.plan_id)] == [first.application_id]
        with pytest.raises(UnknownNameError):
            ledger.application("none")
        with pytest.raises(UnknownNameError):
            ledger.set_application("none", "finished")

    def test_of_processes_that_apply_a_plan_one_does(self, url: str, ledger: Ledger, made: Maker) -> None:
        plan = ledger.approve_plan(saved(ledger).plan_id, STEPS)
        ledgers = [made(url, new=False) for _ in range(4)]
        outcomes: list[str] = []
        together = threading.Barrier(4)

        def act(own: Ledger) -> None:
            together.wait()
            try:
                outcomes.append(own.start_application(plan.plan_id, STEPS, {}).plan_id)
            except PlanStateError:
                outcomes.append("refused")

        threads = [threading.Thread(target=act, args=(own,)) for own in ledgers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == sorted([plan.plan_id, "refused", "refused", "refused"])
        assert len(ledger.applications()) == 1

    # --- The journal and the quarantine ---

    def test_a_journal_is_read_as_it_was_written(self, url: str, ledger: Ledger, made: Maker) -> None:
        application = started(ledger)
        key = application.application_id
        assert ledger.append_journal(key, []) == list(ledger.journal(key)) == []
        first = JournalEntry(1, "quarantine", BEGUN, facts={"path": "a b.jpg", "size": 2**40, "times": (1.5, None)})
        (given,) = ledger.append_journal(key, [first])
        assert (given.sequence, given.facts["times"]) == (0, [1.5, None])
        assert given.at is not None and abs(datetime.now(UTC) - given.at) < timedelta(minutes=5)
        more = [
            JournalEntry(1, "quarantine", DONE),
            JournalEntry(2, "quarantine", BEGUN),
            JournalEntry(3, "place", SKIPPED, "keeper_gone", "url https://h/?sig=hunter22"),
        ]
        assert [line.sequence for line in ledger.append_journal(key, more)] == [1, 2, 3]
        lines = list(made(url, new=False).journal(key))
        assert lines[0] == given
        assert [replace(line, sequence=-1, at=None) for line in lines[1:3]] == more[:2]
        assert (lines[3].code, lines[3].message) == ("keeper_gone", "url https://h/?sig=***")
        assert [line.sequence for line in ledger.journal(key, after=1)] == [2, 3]
        with pytest.raises(UnknownNameError):
            ledger.append_journal("none", more)

    def test_an_operation_is_open_until_its_end_is_written(self, ledger: Ledger) -> None:
        application = started(ledger)
        key = application.application_id
        ledger.append_journal(key, [JournalEntry(step, "quarantine", BEGUN) for step in (3, 1, 2)])
        ledger.append_journal(key, [JournalEntry(1, "quarantine", DONE), JournalEntry(1, "place", BEGUN)])
        ledger.append_journal(key, [JournalEntry(2, "quarantine", FAILED), JournalEntry(2, "quarantine", BEGUN)])
        opened = ledger.open_operations(key)
        assert [(line.step, line.operation) for line in opened] == [
            (3, "quarantine"), (1, "place"), (2, "quarantine"),
        ]  # fmt: skip
        ledger.append_journal(key, [JournalEntry(line.step, line.operation, DONE) for line in opened])
        assert ledger.open_operations(key) == []

    def test_no_step_begins_once_an_application_is_over(self, ledger: Ledger) -> None:
        """A process that slept between its look at the leases and its line."""
        key = started(ledger).application_id
        ledger.append_journal(key, [JournalEntry(0, "quarantine", BEGUN)])
        for state in (ApplicationState.UNDOING, ApplicationState.UNDONE):
            ledger.set_application(key, state)
            for operation in ("quarantine", "undo.quarantine"):
                with pytest.raises(PlanStateError, match=f"is {state}, so no step of it begins"):
                    ledger.append_journal(key, [JournalEntry(1, operation, BEGUN)])
            # What was begun is ended, taken back by a person, and emptied.
            by_hand = JournalEntry(0, "undo.quarantine", BEGUN, facts={"by_hand": True})
            ledger.append_journal(key, [JournalEntry(0, "quarantine", DONE), by_hand])
            ledger.append_journal(key, [JournalEntry(0, "undo.quarantine", DONE), JournalEntry(0, "empty", BEGUN)])
        assert [line.step for line in ledger.journal(key)] == [0] * 9

    def test_a_journal_longer_than_a_page_is_whole(self, ledger: Ledger) -> None:
        key = started(ledger).application_id
        ledger.append_journal(key, [JournalEntry(step, "quarantine", DONE) for step in range(2_300)])
        assert [line.step for line in ledger.journal(key)] == list(range(2_300))

    def test_a_line_and_what_it_means_are_written_together(self, ledger: Ledger) -> None:
        place = ledger.add_location("pics", "/a")
        application = started(ledger)
        key = application.application_id
        first, second = (held(application, place.location_id, name * 16) for name in "12")
        second = replace(second, keeper_location_id=None, keeper_path=None, keeper_digest=None, keeper_token=None)
        second = replace(second, expires_at=None, moved_at=second.moved_at + timedelta(days=1))
        done = JournalEntry(1, "quarantine", DONE)
        ledger.append_journal(key, [done, done], held=[first, second], audit="quarantine.filled")
        assert ledger.quarantined() == ledger.quarantined(location="pics", application_id=key) == [first, second]
        assert ledger.quarantined(expired_before=datetime(2026, 3, 4, tzinfo=UTC)) == [first]
        assert ledger.quarantined_file(first.item_id) == first
        emptied = {first.item_id: QuarantineState.EMPTIED}
        with pytest.raises(UnknownNameError, match="quarantine list"):
            ledger.append_journal(key, [done], changed=emptied | {"none": QuarantineState.EMPTIED})
        with pytest.raises(WorkspaceError):
            ledger.append_journal(key, [done], held=[first])
        assert len(list(ledger.journal(key))) == 2, "all or nothing"
        ledger.append_journal(key, [done], changed=emptied)
        assert ledger.quarantined() == [second]
        assert ledger.quarantined(states=[QuarantineState.EMPTIED]) == [replace(first, state=QuarantineState.EMPTIED)]
        assert len(ledger.quarantined(states=None)) == 2
        with pytest.raises(UnknownNameError):
            ledger.quarantined(location="pisc")
        (told,) = ledger.audit_trail(action="quarantine")
        assert told.details == {"application_id": key, "lines": 2, "held": 2}
        assert ledger.verify_audit().intact

    def test_what_was_saved_is_added_up_by_time(self, ledger: Ledger) -> None:
        place, application = ledger.add_location("pics", "/a"), started(ledger)
        key, start = application.application_id, datetime(2026, 2, 3, tzinfo=UTC)
        files = [
            replace(held(application, place.location_id, name * 16), moved_at=start + timedelta(days=day), path=name)
            for day, name in enumerate("123")
        ]
        ledger.append_journal(key, [JournalEntry(1, "quarantine", DONE)], held=files)
        sizes = [file.size_bytes for file in files]
        freed = [JournalEntry(step, "empty", DONE, facts={"freed_bytes": 2**40 + step}) for step in (1, 2)]
        changed = {files[0].item_id: QuarantineState.RESTORED, files[1].item_id: QuarantineState.EMPTIED}
        ledger.append_journal(key, [*freed, JournalEntry(3, "empty", JournalPhase.BEGUN)], changed=changed)
        assert ledger.saved_between() == SavedSums(2, sum(sizes[1:]), 2, 2**41 + 3, 1, sizes[0])
        assert ledger.saved_between(until=start + timedelta(days=1)) == SavedSums(1, sizes[1], 0, 0, 1, sizes[0])
        assert ledger.saved_between(start + timedelta(days=1)).quarantined_objects == 1, "the first end is exclusive"
        assert ledger.saved_between(datetime(2100, 1, 1, tzinfo=UTC)) == SavedSums()
        assert ledger.moved_away_since(start + timedelta(days=1)) == [(place.location_id, "3")]

    def test_threads_write_one_journal(self, ledger: Ledger) -> None:
        key = started(ledger).application_id

        def write(step: int) -> None:
            for phase in (BEGUN, DONE):
                ledger.append_journal(key, [JournalEntry(step, "quarantine", phase)], audit="step.done")

        threads = [threading.Thread(target=write, args=(step,)) for step in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [line.sequence for line in ledger.journal(key)] == list(range(12))
        verdict = ledger.verify_audit()
        assert (verdict.intact, verdict.journal_lines, verdict.lines) == (True, 12, 15), verdict

    # --- Holds ---

    def test_a_hold_holds_until_it_is_released(self, url: str, ledger: Ledger, made: Maker) -> None:
        place = ledger.add_location("pics", "/a")
        ledger.add_collection("case 7")
        first = ledger.add_hold(location="pics", glob="2019/**", why="case 7")
        second = ledger.add_hold(digest="d" * 64, collection="case 7", why="case 7")
        assert (first.location_id, first.glob, first.released_at) == (place.location_id, "2019/**", None)
        assert ledger.holds() == made(url, new=False).holds() == [first, second]
        released = ledger.release_hold(first.hold_id)
        assert released.released_at is not None and released.released_by == first.who
        assert ledger.release_hold(first.hold_id) == released
        assert ledger.holds() == [second]
        assert ledger.holds(released=True) == [released, second]
        assert [line.action for line in ledger.audit_trail(action="hold")] == [
            "hold.added", "hold.added", "hold.released",
        ]  # fmt: skip

    def test_a_hold_that_says_nothing_is_refused(self, ledger: Ledger) -> None:
        for wrong, message in (
            ({"why": "x"}, "must say what it covers"),
            ({"glob": "*", "why": " "}, "must say why"),
            ({"digest": "D" * 64, "why": "x"}, "64 hexadecimal digits"),
            ({"collection": "none", "why": "x"}, "no collection named"),
            ({"location": "none", "why": "x"}, "no location named"),
        ):
            with pytest.raises(SettingsError, match=message):
                ledger.add_hold(**wrong)
        with pytest.raises(UnknownNameError):
            ledger.release_hold("none")
        assert ledger.holds(True) == [] and ledger.audit_trail() == []

    def test_of_a_workflow_one_run_goes_at_a_time_and_bounds_approve_only_while_they_stand(
        self, url: str, ledger: Ledger, made: Maker
    ) -> None:
        added = ledger.add_workflow("nightly", {"every": "0 3 * * *"})
        with pytest.raises(SettingsError, match="already"):
            ledger.add_workflow("nightly", {})
        assert ledger.workflows() == made(url, new=False).workflows() == [added]
        together = threading.Barrier(3)
        began: list[str] = []

        def begin() -> None:
            together.wait(timeout=10)
            with contextlib.suppress(PlanStateError):
                began.append(ledger.begin_workflow_run("nightly").run_id)

        threads = [threading.Thread(target=begin) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (run_id,) = began
        plan = saved(ledger)
        ledger.note_workflow_plan(run_id, plan.plan_id)
        bounds = {"max_objects": 5}
        with pytest.raises(PlanNotApprovedError, match="other bounds than those"):
            ledger.approve_within_bounds(run_id, plan.plan_id, STEPS, bounds)
        bounded = ledger.set_workflow_bounds("nightly", bounds)
        with pytest.raises(PlanNotApprovedError, match="other bounds than those"):
            ledger.approve_within_bounds(run_id, plan.plan_id, STEPS, {"max_objects": 6})
        with pytest.raises(PlanNotApprovedError, match="somebody else"):
            ledger.approve_within_bounds(run_id, plan.plan_id, STEPS, bounds, other_approver=True)
        with pytest.raises(PlanStaleError):
            ledger.approve_within_bounds(run_id, plan.plan_id, OTHER, bounds)
        approved = ledger.approve_within_bounds(run_id, plan.plan_id, STEPS, bounds)
        assert (approved.state, approved.approvals[0].who) == (PlanState.APPROVED, bounded.bounds_by)
        with pytest.raises(PlanStateError):
            ledger.approve_within_bounds(run_id, plan.plan_id, STEPS, bounds)
        ended = ledger.end_workflow_run(
            run_id, WorkflowRunState.ANOMALY, {"steps": 3}, "3 of 3 steps failed.", pause_code="failures"
        )
        assert (ended.plan_id, ended.figures) == (plan.plan_id, {"steps": 3})
        with pytest.raises(PlanStateError, match="is anomaly already"):
            ledger.end_workflow_run(run_id, WorkflowRunState.APPLIED, {}, "")
        with pytest.raises(WorkflowPausedError, match="3 of 3 steps failed"):
            ledger.begin_workflow_run("nightly")
        assert ledger.resume_workflow("nightly", "mended").state == "active"
        ledger.remove_workflow("nightly")
        assert ledger.add_workflow("nightly", {}).workflow_id != added.workflow_id
        assert [item.state for item in ledger.workflows(removed=True)] == ["removed", "active"]
        assert ledger.workflow_runs() == [ended] and ledger.workflow_runs("nightly") == []
        told = [line.action for line in ledger.audit_trail(action="workflow")]
        actions = ["added", "run_began", "bounds_set", "run_ended", "paused", "resumed", "removed", "added"]
        assert told == [f"workflow.{action}" for action in actions]
        assert ledger.verify_audit().intact


class TestSqlite(ActConformance):
    """SQLite in a file."""

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestPostgres(ActConformance):
    """A real PostgreSQL server."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
