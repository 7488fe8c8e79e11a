"""What the page of activity reads and does, for whom; and its pages, turned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from deeplens_kit.errors import AccessDeniedError
from deeplens_kit.ledger import ROLE_SCOPES, JobState, Principal, PrincipalKind, Resource, Role, Scope, acting_as
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs import submit
from deeplens_kit.service.page_acts.activity_acts import ActivityActs
from deeplens_kit.views.activity_cards import audit_html, job_detail_html, jobs_html
from deeplens_kit.views.state.activity_state import ActivityState, AuditWanted, JobsWanted

ME = "eve@elsewhere pid 7 (other/1 2)"


class Visit:
    """A session of a page by somebody of a role."""

    def __init__(self, role: Role) -> None:
        self.acts: dict[str, tuple[Scope, Callable[..., Any]]] = {}
        self.caller = Principal(str(role), role, ROLE_SCOPES[role], PrincipalKind.USER)

    def may(self, scope: Scope) -> bool:
        return self.caller.may(scope)

    @contextmanager
    def act(self, scope: Scope) -> Iterator[object]:
        self.caller.require(scope)
        with acting_as(self.caller.name):
            yield self.caller


def acts(workspace: Workspace, role: Role) -> ActivityActs:
    return ActivityActs(workspace, Visit(role))


def failed(workspace: Workspace, kind: str, **parameters: object) -> str:
    job = submit(workspace, kind, parameters)
    taken = workspace.ledger.claim_job(ME, tuple(Resource), 60)
    assert taken is not None
    workspace.ledger.fail_job(taken, "the <share> is away: password=hunter2")
    return job.job_id


def test_who_may_read_stop_and_try_again(workspace: Workspace) -> None:
    index, apply = failed(workspace, "index"), failed(workspace, "apply", plan_id="3fa81c02")
    viewer, analyst, approver = (acts(workspace, role) for role in (Role.VIEWER, Role.ANALYST, Role.APPROVER))
    assert not any(row.may_retry for row in viewer.jobs_page(JobsWanted()).rows)
    assert {row.line.job_id for row in analyst.jobs_page(JobsWanted()).rows if row.may_retry} == {index}
    with pytest.raises(AccessDeniedError):
        viewer.retry_job(index)
    # Who may not ask for such a job may not begin it anew either.
    with pytest.raises(AccessDeniedError):
        analyst.retry_job(apply)
    assert analyst.retry_job(index).state == approver.retry_job(apply).state == "queued"
    with pytest.raises(AccessDeniedError):
        analyst.stop_job(apply)
    assert approver.stop_job(apply).state == "cancelled"
    with pytest.raises(AccessDeniedError):
        approver.audit_page(AuditWanted())
    trail = acts(workspace, Role.ADMIN).audit_page(AuditWanted(action="job"))
    assert [(line.who, line.action) for line in trail.lines][:3] == [
        ("approver", "job.cancelled"), ("approver", "job.retried"), ("analyst", "job.retried"),
    ]  # fmt: skip


def test_pages_are_turned_and_what_is_shown_is_text(workspace: Workspace) -> None:
    for _ in range(30):
        submit(workspace, "index", {"locations": ["<b>"]})
    failed(workspace, "index")
    page_acts, state = acts(workspace, Role.ADMIN), ActivityState()
    seen: list[str] = []
    for turns in range(2):
        page = page_acts.jobs_page(state.jobs_wanted)
        seen += [row.line.job_id for row in page.rows]
        html = jobs_html(page, state.jobs_wanted, page_acts.kinds())
        assert "<b></b>" not in html and "hunter2" not in html
        assert ("These are the latest." in html) == (turns == 0)
        state.shown = ("jobs", page)
        state.turn(older=turns == 0)
    assert len(seen) == len(set(seen)) == 31
    state.turn(older=False)
    assert state.jobs_wanted.pages == ()
    failures = page_acts.jobs_page(JobsWanted("failed"))
    assert [row.line.state for row in failures.rows] == [str(JobState.FAILED)]
    detail = page_acts.job(failures.rows[0].line.job_id)
    assert [stage for _, stage, _ in detail.stages][:1] == ["job.failed"]
    html = job_detail_html(detail)
    assert "&lt;share&gt;" in html and "hunter2" not in html
    state.look_at("audit")
    trail = page_acts.audit_page(state.audit_wanted)
    state.shown = ("audit", trail)
    state.turn(older=True)
    older = page_acts.audit_page(state.audit_wanted)
    assert trail.older is not None and older.lines[0].sequence == trail.older - 1
    assert "job.enqueued" in audit_html(older, state.audit_wanted)
    assert "No line is like this" in audit_html(page_acts.audit_page(AuditWanted(who="nobody")), AuditWanted("nobody"))
