"""What the pages of users, of one's own profile and of reports do, without a browser: who may, what is shown once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deeplens_kit.errors import AccessDeniedError, SettingsError, UnknownNameError
from deeplens_kit.ledger import NOBODY, ROLE_SCOPES, Principal, PrincipalKind, ReportRunState, Role, Scope
from deeplens_kit.ledger.access_values import EndedAccess, local_principal
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.access.passwords import hash_password, is_right
from deeplens_kit.service.jobs.kinds import JOB_KINDS, submit
from deeplens_kit.service.jobs.worker import Worker
from deeplens_kit.service.page_acts.profile_acts import ProfileActs
from deeplens_kit.service.page_acts.report_acts import ReportActs
from deeplens_kit.service.page_acts.user_acts import UserActs
from deeplens_kit.service.pages import PAGES, PageSession
from deeplens_kit.views.people_cards import handed_html, off_html, user_html, users_html
from deeplens_kit.views.profile_cards import profile_html
from deeplens_kit.views.report_cards import made_html, schedules_html

PASSWORD, NEXT = "four plain words here", "other plain words now"
SCHEDULES = """
schedules:
  weekly:
    report: coverage
    cron: "0 6 * * 1"
    timezone: Europe/Berlin
  tidy:
    workflow: clean-up
    cron: "0 3 * * *"
    timezone: UTC
    paused: true
"""


class Visits:
    """A page's session whose visitor changes."""

    def __init__(self, caller: Principal) -> None:
        self.caller = caller
        self.session = PageSession(PAGES[0], lambda: self.caller)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "workspace") as workspace:
        yield workspace


def joined(workspace: Workspace, name: str, role: Role) -> Principal:
    """Somebody who has signed in."""
    ledger = workspace.ledger
    user = ledger.set_password_hash(ledger.add_user(name, role).user_id, hash_password(PASSWORD), quiet=True)
    begun = ledger.begin_user_session(user.user_id, "0" * 64, 3600.0)
    return Principal(name, role, ROLE_SCOPES[role], PrincipalKind.USER, user.user_id, begun.session_id)


def test_an_administrator_looks_after_users_and_stays_the_last_one(workspace: Workspace) -> None:
    visits = Visits(joined(workspace, "root", Role.ADMIN))
    acts = UserActs(workspace, visits.session)
    handed = acts.invite("ana", "analyst")
    assert handed.is_link
    assert "token=" in handed.secret
    assert handed.secret not in repr(handed)
    assert handed.secret in handed_html(handed)
    again = acts.reset_link("ana")
    assert again.secret != handed.secret
    with pytest.raises(SettingsError, match="last administrator"):
        acts.set_role("root", "viewer")
    acts.set_role("ana", "admin")
    with pytest.raises(SettingsError, match="last administrator"):
        acts.set_active("root", False)  # ana has no password yet
    visits.caller = replace(visits.caller, kind=PrincipalKind.KEY)
    for more in (
        lambda: acts.invite("eve", "admin"),
        lambda: acts.reset_link("ana"),
        lambda: acts.set_role("ana", "admin"),
        lambda: acts.set_active("ana", True),
    ):
        with pytest.raises(AccessDeniedError, match="no key or token"):
            more()
    visits.caller = replace(visits.caller, kind=PrincipalKind.USER)
    with pytest.raises(UnknownNameError, match="analyst"):
        acts.invite("ben", "analist")
    assert "sign-out-ask" in user_html(acts.user("ana"))
    assert acts.sign_out("ana").keys == 0
    acts.set_active("ana", False)
    shown = acts.users()
    assert [(user.name, str(user.role), user.active) for user in shown.users] == [
        ("ana", "admin", False),
        ("root", "admin", True),
    ]
    assert acts.user("root").is_own
    html = users_html(shown)
    assert 'aria-label="Look after them: ana"' in html
    assert "shut out" in html
    assert "Nobody signs in" not in html
    changed = {entry.who for entry in workspace.ledger.audit_trail() if "user" in entry.action}
    assert "root" in changed, "each act is on record as theirs"


def test_one_has_what_is_ones_own_and_a_key_makes_no_keys(workspace: Workspace) -> None:
    ledger = workspace.ledger
    ana, ben = joined(workspace, "ana", Role.ANALYST), joined(workspace, "ben", Role.VIEWER)
    other = ledger.begin_user_session(ana.user_id, "1" * 64, 3600.0)
    visits = Visits(ana)
    acts = ProfileActs(workspace, visits.session)
    handed = acts.make_key("night <job>", ["search:read"], "30")
    (key,) = acts.profile().keys
    assert handed.secret.startswith(key.prefix)
    assert handed.secret not in profile_html(acts.profile()), "it is shown once"
    assert "night &lt;job&gt;" in profile_html(acts.profile())
    with pytest.raises(SettingsError, match="cannot have admin"):
        acts.make_key("too much", ["admin"], "")
    with pytest.raises(SettingsError, match="a number"):
        acts.make_key("for long", ["search:read"], "long")

    with pytest.raises(SettingsError, match="two ways"):
        acts.change_password(PASSWORD, NEXT, PASSWORD)
    with pytest.raises(SettingsError, match="another one"):
        acts.change_password(NEXT, NEXT, NEXT)
    acts.change_password(PASSWORD, NEXT, NEXT)
    found = ledger.password_hash("ana")
    assert found is not None
    assert is_right(NEXT, found[1])
    assert [one.session_id for one in acts.profile().sessions] == [ana.credential_id], "other sign-ins are over"
    ledger.begin_user_session(ana.user_id, "2" * 64, 3600.0)
    assert acts.end_others() == EndedAccess(1, 0)
    assert "end-all-ask" in profile_html(acts.profile())

    others = ProfileActs(workspace, Visits(ben).session)
    with pytest.raises(UnknownNameError):
        others.revoke_key(key.key_id)
    acts.revoke_key(key.key_id)
    assert acts.profile().keys == ()
    visits.caller = replace(ana, kind=PrincipalKind.KEY)
    with pytest.raises(AccessDeniedError):
        acts.make_key("one more", ["search:read"], "")
    with pytest.raises(AccessDeniedError):
        acts.change_password(NEXT, NEXT, NEXT)
    assert "data-act" not in profile_html(acts.profile())
    assert other.session_id not in [one.session_id for one in ledger.user_sessions(ana.user_id)]


def test_where_nobody_signs_in_the_pages_say_how_to_turn_it_on(workspace: Workspace) -> None:
    here = Visits(local_principal())
    shown = UserActs(workspace, here.session).users()
    assert off_html() in users_html(shown)
    assert "--access on" in off_html()
    own = ProfileActs(workspace, here.session)
    assert off_html() in profile_html(own.profile())
    with pytest.raises(SettingsError, match="Nobody signs in"):
        own.make_key("a key", ["search:read"], "")


def test_reports_are_listed_with_their_files_and_asked_for_by_jobs(workspace: Workspace) -> None:
    folder = workspace.directory / "reports"
    folder.mkdir(exist_ok=True)
    ledger = workspace.ledger
    # Of others are those whose names only begin like it, the page of a report "made" and something among them.
    others = ("made2.json", "made-again.html", "made-again.json", "made-groups.parquet", "made.executed.ipynb")
    for name in ("made.html", "made.xlsx", "made-failures.parquet", *others):
        (folder / name).write_text("<p>made</p>")
    begun = ledger.begin_report_run("coverage", {}, out=str(folder / "made.html"))
    figures = {"objects": 12_345, "gross_bytes": 2_000_000, "rule": "of old", "by_tier": {}}
    ledger.end_report_run(begun.run_id, ReportRunState.FINISHED, figures=figures, message="All <b> was analysed.")
    outside = ledger.begin_report_run("drift", {}, out=str(workspace.directory / "workspace.toml"))
    ledger.end_report_run(outside.run_id, ReportRunState.FINISHED, message="Elsewhere.")

    visits = Visits(Principal("ana", Role.ANALYST, ROLE_SCOPES[Role.ANALYST], PrincipalKind.USER, "1", "1"))
    acts = ReportActs(workspace, visits.session)
    shown = acts.made()
    by_name = {line.report: line for line in shown.lines}
    assert by_name["coverage"].figures == (("objects", "12,345"), ("gross", "2.00 MB"))
    address = f"/api/v1/reports/runs/{begun.run_id}/files"
    files = (("Parquet failures", f"{address}/made-failures.parquet"), ("Excel", f"{address}/made.xlsx"))
    assert by_name["coverage"].files == files
    assert (by_name["drift"].page, by_name["drift"].files) == ("", ()), "of other places nothing is given"
    html = made_html(shown, asking="coverage", typed={}, may=acts.may)
    assert "All &lt;b&gt; was analysed." in html
    assert 'name="parameter.max_files"' in html

    job = acts.run("coverage", {"max_files": "3", "workspace": "/"}, pdf=False)
    assert job.parameters["parameters"] == {"max_files": "3"}, "where it is made is not for those who ask"
    assert acts.jobs_at_work() == (job,)
    for given, wrong in (({"max_files": "many"}, SettingsError), ({"policy": "/etc/passwd"}, UnknownNameError)):
        with pytest.raises(wrong):
            acts.run("savings" if "policy" in given else "coverage", given, pdf=False)
    visits.caller = replace(visits.caller, scopes=ROLE_SCOPES[Role.VIEWER])
    with pytest.raises(AccessDeniedError):
        acts.run("coverage", {}, pdf=False)
    assert "data-act" not in made_html(shown, asking="", typed={}, may=acts.may)
    visits.caller = NOBODY
    assert not acts.may("made")


def test_a_schedule_is_run_now_and_a_workflow_takes_more(workspace: Workspace) -> None:
    visits = Visits(Principal("ana", Role.ANALYST, ROLE_SCOPES[Role.ANALYST], PrincipalKind.USER, "1", "1"))
    acts = ReportActs(workspace, visits.session)
    assert "There is no schedule yet" in schedules_html(acts.schedules(), may=acts.may)
    file = workspace.directory / "reports" / "schedules.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(SCHEDULES)
    weekly, tidy = acts.schedules().lines
    assert (weekly.paused, weekly.is_workflow, tidy.paused, tidy.next_at, tidy.is_workflow) == (
        False, False, True, None, True,
    )  # fmt: skip
    assert weekly.next_at is not None
    assert weekly.next_at.hour == 6, "told in its own time zone"
    job = acts.run_schedule("weekly")
    assert acts.run_schedule("weekly").job_id == job.job_id, "one at a time"
    workspace.ledger.cancel_job(job.job_id)
    with pytest.raises(SettingsError, match="workflow"):
        acts.run_schedule("tidy")
    with pytest.raises(AccessDeniedError):
        acts.run_workflow("tidy")
    assert JOB_KINDS["schedule"].scope is Scope.IMAGES_WRITE
    html = schedules_html(acts.schedules(), may=acts.may)
    assert "run-schedule" in html
    assert "workflow-ask" not in html
    # By whoever asks the API for it too.
    asked = submit(workspace, "schedule", {"schedule": "tidy"})
    Worker(workspace).run(until_idle=True)
    assert "kind 'workflow'" in workspace.ledger.job(asked.job_id).error
    # What comes of it stands in the history of the schedule.
    visits.caller = joined(workspace, "root", Role.ADMIN)
    by_hand = acts.run_workflow("tidy")
    Worker(workspace).run(until_idle=True)
    assert "clean-up" in workspace.ledger.job(by_hand.job_id).error
    (run,) = workspace.ledger.report_runs(schedule="tidy")
    assert (run.state, run.author) == (ReportRunState.FAILED, "root")

    file.write_text("schedules: [")
    problem = acts.schedules().problem
    assert "reports/schedules.yaml" in problem
    assert str(workspace.directory) not in problem
