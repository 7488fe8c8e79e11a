"""What the pages of plans and locations do, without a browser: who may, what is told, and what happens to files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from deeplens_kit.errors import AccessDeniedError, AccessError, PlanNotApprovedError, SettingsError, UnknownNameError
from deeplens_kit.ledger import ROLE_SCOPES, Principal, PrincipalKind, Role, Scope, acting_as
from deeplens_kit.matching import BUILT_IN_POLICIES
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.reporting.words import format_bytes
from deeplens_kit.search.query import Query
from deeplens_kit.search.query_json import query_to_json
from deeplens_kit.service.jobs.worker import Worker
from deeplens_kit.service.page_acts.guarded import Guarded, guarded_acts
from deeplens_kit.service.page_acts.location_acts import LocationActs
from deeplens_kit.service.page_acts.map_acts import MapActs
from deeplens_kit.service.page_acts.plan_acts import PlanActs
from deeplens_kit.service.page_acts.profile_acts import ProfileActs
from deeplens_kit.service.page_acts.report_acts import ReportActs
from deeplens_kit.service.page_acts.review_acts import ReviewActs
from deeplens_kit.service.page_acts.tune_acts import TuneActs
from deeplens_kit.service.page_acts.user_acts import UserActs
from deeplens_kit.service.pages import PAGES, PageSession
from deeplens_kit.service.search_acts import _history
from deeplens_kit.views.state.locations_state import LocationFilled
from deeplens_kit.views.state.plans_state import PlanWanted, WorkflowWanted

ACTS: tuple[type[Guarded], ...] = (
    PlanActs, LocationActs, ReviewActs, MapActs, TuneActs, ReportActs, UserActs, ProfileActs,
)  # fmt: skip


def person(role: Role, name: str = "") -> Principal:
    return Principal(name or f"{role}@here", role, ROLE_SCOPES[role], PrincipalKind.USER, "1", "1")


def session(caller: Callable[[], Principal]) -> PageSession:
    return PageSession(next(page for page in PAGES if page.name == "plans"), caller)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(skimage.data.chelsea()).resize((120, 80)).save(folder / "cat.png")
    (folder / "cat again.png").write_bytes((folder / "cat.png").read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


@pytest.fixture
def workspace(tmp_path: Path, pictures: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "workspace") as workspace:
        add_location(workspace, "pictures", str(pictures), {"permissions": "change"})
        index(workspace)
        yield workspace


@pytest.mark.parametrize("acts", ACTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_each_act_is_refused_to_whoever_has_not_its_scope(acts: type[Guarded], role: Role | None) -> None:
    scopes = frozenset() if role is None else ROLE_SCOPES[role]
    kind = PrincipalKind.NOBODY if role is None else PrincipalKind.USER
    made = session(lambda: Principal("somebody", role, scopes, kind))
    done = object.__new__(acts)
    Guarded.__init__(done, made)
    listed = guarded_acts(acts)
    assert set(made.acts) == {f"{acts.__name__}.{name}" for name in listed}
    public = {name for name in vars(acts) if not name.startswith("_") and callable(getattr(acts, name))}
    assert public <= set(listed), "an act without a scope"
    for name, scope in listed.items():
        assert done.may(name) == (scope in scopes)
        if scope not in scopes:
            with pytest.raises(AccessError):
                getattr(done, name)()


def test_a_viewer_only_reads_and_who_is_disabled_loses_at_once(workspace: Workspace) -> None:
    now = [person(Role.APPROVER)]
    acts = PlanActs(workspace, session(lambda: now[0]))
    assert [name for name, scope in guarded_acts(PlanActs).items() if scope is Scope.ADMIN] == ["have_others_told"]
    assert acts.plans().lines == ()
    now[0] = person(Role.VIEWER)
    assert acts.plans().lines == ()
    with pytest.raises(AccessDeniedError, match="images:write"):
        acts.make(PlanWanted())
    now[0] = replace(person(Role.VIEWER), scopes=frozenset())
    with pytest.raises(AccessDeniedError):
        acts.plans()


def test_a_plan_is_made_approved_by_another_applied_and_undone(workspace: Workspace, pictures: Path) -> None:
    workspace.settings = replace(workspace.settings, actions=replace(workspace.settings.actions, other_approver=True))
    ana = PlanActs(workspace, session(lambda: person(Role.APPROVER, "ana@here")))
    ben = PlanActs(workspace, session(lambda: person(Role.APPROVER, "ben@here")))
    before = {path.name: path.read_bytes() for path in pictures.iterdir()}

    def work(job_id: str) -> dict[str, object]:
        Worker(workspace).run(until_idle=True)
        (line,) = ana.look_at_jobs([job_id])
        assert line.state == "done", line.says
        return dict(line.result)

    assert ana.offer().opened == ("pictures",)
    made = ana.make(PlanWanted(tiers=("bytes",), limit="1"))
    assert ana.jobs_at_work() == (made,)
    plan_id = str(work(made.job_id)["plan_id"])
    detail = ana.plan(plan_id)
    assert detail.effect == f"moves 1 file, {format_bytes(len(before['cat.png']))}, to quarantine"
    assert (detail.record.author, detail.stale) == ("ana@here", "")
    with pytest.raises(PlanNotApprovedError):
        ana.approve(plan_id, "")
    ben.approve(plan_id, "looked at it")
    assert "1 step" in ana.look(plan_id)[0]

    came = work(ana.apply(plan_id).job_id)
    (gone,) = set(before) - {path.name for path in pictures.iterdir()}
    assert gone in ("cat.png", "cat again.png")
    (line,) = ana.plan(plan_id).applications
    assert (line.application_id, line.who, line.can_undo) == (came["application_id"], "ana@here", True)
    (held,) = ana.quarantine()
    assert (held.files, held.expired, held.shown[0].path) == (1, 0, gone)
    assert any("ben@here" in sentence for sentence in ana.certificate(line.application_id))
    assert ana.file("certificate", line.application_id)[1].startswith(b"<!doctype html>")

    came_back = work(ana.restore([held.shown[0].item_id]).job_id)
    assert (came_back["restored"], came_back["troubles"]) == (1, [])
    assert {path.name: path.read_bytes() for path in pictures.iterdir() if path.is_file()} == before
    work(ana.undo(line.application_id).job_id)
    assert str(ana.plan(plan_id).record.state) == "undone"
    assert ana.quarantine() == ()


def test_a_workflow_is_added_once_all_that_was_filled_in_is_right(workspace: Workspace) -> None:
    acts = PlanActs(workspace, session(lambda: person(Role.APPROVER)))
    offer = acts.offer()
    assert ("strict", "strict") in offer.rules and offer.rule == "strict" and offer.policy in dict(offer.policies)
    wrong = WorkflowWanted(
        name="weekly",
        every="0 3 * *",
        timezone="Europe/Nowhere",
        objects="many",
        share="250",
        drift="1",
        plan=PlanWanted(rule="strikt", policy="/etc/passwd", limit="-1", tiers=(), locations=("picture",)),
    )
    faults = acts.add_workflow(wrong)
    assert list(faults) == [
        "every", "tiers", "rule", "policy", "locations", "limit", "gigabytes", "objects", "share", "timezone", "drift",
    ]  # fmt: skip
    assert "did you mean 'strict'" in faults["rule"] and "no keep policy" in faults["policy"]
    assert acts.add_workflow(WorkflowWanted(name=" x", every="@weekly")).keys() == {"name"}
    moving = WorkflowWanted(name="weekly", every="@weekly", plan=PlanWanted(action="move"))
    assert acts.add_workflow(moving).keys() == {"to"}
    assert acts.workflows() == ()
    right = WorkflowWanted(
        name="weekly", every="0 3 * * 1", timezone="UTC", objects="500", gigabytes="1.5", share="5%",
        plan=PlanWanted(rule="strict", tiers=("bytes",), limit="1,000"),
    )  # fmt: skip
    assert acts.add_workflow(right) == {}
    (line,) = acts.workflows()
    assert (line.name, line.every, line.tiers) == ("weekly", "0 3 * * 1 (UTC)", ("bytes",))
    assert "500 files" in line.bounds and "1.50 GB" in line.bounds
    assert acts.add_workflow(right).keys() == {"name"}, "the name is taken"
    # Whom the server tells may name its secrets: that is for administrators, like the credentials of a location.
    told = replace(right, name="told", notify="https://example.org/?key=${HOME}")
    assert acts.add_workflow(told).keys() == {"notify"}
    admin = PlanActs(workspace, session(lambda: person(Role.ADMIN)))
    assert admin.add_workflow(replace(told, notify="ftp://example.org")).keys() == {"notify"}
    assert admin.add_workflow(told) == {}
    analyst = PlanActs(workspace, session(lambda: person(Role.ANALYST)))
    with pytest.raises(AccessDeniedError, match="plans:approve"):
        analyst.add_workflow(right)
    with pytest.raises(UnknownNameError, match="no keep policy"):
        analyst.make(PlanWanted(policy="/etc/passwd"))


def test_what_was_asked_again_is_told_once_and_first(workspace: Workspace) -> None:
    def ask(words: str) -> None:
        with acting_as("ana@here"):
            document = query_to_json(Query((), words=words))
            workspace.ledger.record_search(document, by="words", results=0, seconds=0.1, most=100)

    for words in ("cat", "cup", "dog", "cat"):
        ask(words)
    with acting_as("ana@here"):
        assert [item.asked.rpartition(" ")[2] for item in _history(workspace)] == ["cat", "dog", "cup"]
    with acting_as("bo@here"):
        assert _history(workspace) == ()


def test_no_page_has_a_file_of_the_server_read_as_a_policy(workspace: Workspace, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps(BUILT_IN_POLICIES["default"].to_json()), encoding="utf-8")
    ana = session(lambda: person(Role.ANALYST))
    for named in (str(own), "/etc/passwd", "../policies/own.json"):
        with pytest.raises(UnknownNameError):
            PlanActs(workspace, ana).make(PlanWanted(policy=named))
        with pytest.raises(UnknownNameError):
            ReportActs(workspace, ana).run("savings", {"policy": named}, pdf=False)


def test_a_location_is_tried_saved_priced_indexed_and_left_out(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPLENS_TEST_KEY", "test-key-in-the-environment")
    acts = LocationActs(workspace, session(lambda: person(Role.ADMIN)))
    more = tmp_path / "more"
    more.mkdir()
    Image.fromarray(skimage.data.coffee()).resize((90, 60)).save(more / "cup.png")

    keys = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "hunter2hunter2"}
    wrong = LocationFilled("s3", "bucket", "s3://pics/x", keys)
    for act in (acts.test, acts.add):
        with pytest.raises(SettingsError, match="in clear"):
            act(wrong)
    # The id of a key is no secret.
    assert acts.without_secrets(wrong) == replace(wrong, options={"access_key": keys["access_key"]})
    refers = replace(wrong, options={"access_key": "${DEEPLENS_TEST_KEY}", "secret_key": "${keyring:s3/ana}"})
    assert acts.without_secrets(refers) == refers

    away = acts.test(LocationFilled("file", "more", str(tmp_path / "nowhere")))
    assert not away.reached
    assert "nowhere" in away.message
    filled = LocationFilled("file", "more", str(more), {"exclude": "*.tmp"})
    assert acts.test(filled).reached
    assert [line.name for line in acts.locations()] == ["pictures"], "a test saves nothing"
    acts.add(filled)
    assert acts.location("more").options == {"exclude": "*.tmp"}

    acts.set_prices("more", {"storage_per_gb_month": "0.02"}, "EUR")
    assert acts.location("more").prices.own == {"storage_per_gb_month": "0.02"}
    heading, _text = acts.estimate("more")
    assert heading.startswith("Index more: read 1 file, ")
    job = acts.index("more")
    assert acts.index("more").job_id == job.job_id, "one run at a time"
    Worker(workspace).run(until_idle=True)
    (line,) = acts.look_at_jobs([job.job_id])
    assert line.state == "done", line.says
    assert acts.location("more").line.totals.analysed_objects == 1

    (reason,) = acts.location("pictures").reasons
    assert (reason.files, reason.examples[0].name) == (1, "broken.jpg")
    assert acts.retry("pictures", reason.code).parameters["retry_failed"] == [reason.code]
    acts.set_active("more", False)
    assert [line.active for line in acts.locations()] == [False, True]
    acts.change(LocationFilled("file", "pictures", "", {}))
    assert acts.location("pictures").options == {}
