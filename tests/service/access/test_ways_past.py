"""Ways around what stands before the routes: each was open once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from access_server import Served

from deeplens_kit.errors import AccessDeniedError, NotAuthenticatedError, RateLimitedError, SettingsError
from deeplens_kit.ledger import ROLE_SCOPES, JobState, Principal, PrincipalKind, Role, Scope
from deeplens_kit.service.access.accounts import make_key
from deeplens_kit.service.access.bearer import Bearers, _principal
from deeplens_kit.service.access.jwks import KeySet
from deeplens_kit.service.access.rates import Rates
from deeplens_kit.service.api.job_answers import plain
from deeplens_kit.service.forwarded import ForwardedMiddleware
from deeplens_kit.service.jobs import submit
from deeplens_kit.service.limits import STRANGERS_BYTES
from deeplens_kit.service.page_acts.guarded import guarded_acts
from deeplens_kit.service.page_acts.plan_acts import PlanActs
from deeplens_kit.service.page_acts.tune_acts import TuneActs
from deeplens_kit.service.pages import PAGES, PageSession
from deeplens_kit.settings import SignInSettings, TokenSettings

Serving = Callable[..., Served]


def test_no_path_has_a_module_imported(served: Served) -> None:
    client = served.client()
    for module in ("unittest.__main__", "this", "", ".", "deeplens_kit.no_such"):
        assert client.get(f"/components/{module}/TestProgram/css/a").status_code == 404
    assert "this" not in sys.modules
    # What is loaded is no component, or lists no such file.
    assert client.get("/components/os/path/css/a").status_code == 404
    assert client.get("/components/panel.widgets.button/Button/css/../../../setup.py").status_code == 404
    assert client.get("/components/panel.widgets.button/Button/_stylesheets/../server.py").status_code == 404


def test_components_are_given_their_own_files(served: Served) -> None:
    from panel.template import FastListTemplate

    listed = str(FastListTemplate._css[-1]).rpartition("/")[2]
    answer = served.client().get(f"/components/{FastListTemplate.__module__}/FastListTemplate/_css/{listed}")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/css")


def test_a_stranger_sends_no_more_than_a_password(served: Served) -> None:
    large = {"name": "a", "password": "b", "scopes": ["search:read"] * STRANGERS_BYTES}
    assert served.client().post("/api/v1/session", json=large).status_code == 413
    form = {"csrf": "a", "name": "b" * STRANGERS_BYTES, "password": "c"}
    assert served.client().post("/sign-in", data=form).status_code == 413
    # Of somebody who is known the larger limit counts: the same body is looked at.
    answer = served.browser(served.users[Role.ADMIN]).post("/api/v1/users", json=large)
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        (["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
        (["6.6.6.6, 203.0.113.7:51234"], "203.0.113.7"),
        (["[2001:db8::7]:443"], "2001:db8::7"),
        (["2001:db8::7, 10.0.0.9:8080"], "2001:db8::7"),
    ],
)
def test_the_address_is_the_one_that_the_proxy_wrote(sent: list[str], address: str) -> None:
    seen: list[Any] = []

    async def spying(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    service: Any = SimpleNamespace(settings=SimpleNamespace(behind_proxy=("10.0.0.0/8",)))
    headers = [(b"x-forwarded-for", value.encode()) for value in sent]
    # A stranger's line comes before that of the proxy, which the others have to themselves.
    headers += [(b"x-forwarded-proto", b"http"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": ("10.0.0.2", 1), "headers": headers}
    asyncio.run(ForwardedMiddleware(spying, service)(scope, None, None))  # type: ignore[arg-type]
    assert (seen[0]["client"][0], seen[0]["scheme"]) == (address, "https")


def test_a_house_has_one_count_of_all_its_addresses() -> None:
    rates = Rates(SignInSettings(tries_per_minute=1))
    rates.wrong_credential("2001:db8::1")
    with pytest.raises(RateLimitedError):
        rates.wrong_credential("2001:db8::ffff:2")
    rates.wrong_credential("2001:db8:0:1::1")
    rates.wrong_credential("::ffff:192.0.2.1")
    with pytest.raises(RateLimitedError):
        rates.require_not_wrong("192.0.2.1")


def test_whoever_makes_tokens_up_has_nobody_asked_over_and_over(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def nobody(_settings: TokenSettings, token: str) -> None:
        asked.append(token)

    monkeypatch.setattr("deeplens_kit.service.access.bearer._introspected", nobody)
    issuer = TokenSettings(
        name="other", issuer="https://other.test", audience="a", introspection_url="https://other.test/look"
    )
    served = serving(sign_in={"tokens": (issuer,), "tries_per_minute": 2})
    answers = [served.bearing(f"made-up-{number}").get("/api/v1/session").status_code for number in range(6)]
    assert answers[-1] == 429
    assert len(asked) <= 3


def test_tokens_that_are_made_up_push_out_none_that_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeplens_kit.service.access.bearer._REMEMBERED", 2)

    def only_one(_settings: TokenSettings, token: str) -> dict[str, Any] | None:
        return {"sub": "ana"} if token == "good" else None

    monkeypatch.setattr("deeplens_kit.service.access.bearer._introspected", only_one)
    issuer = TokenSettings(
        name="other", issuer="https://other.test", audience="a", introspection_url="https://other.test/look"
    )
    bearers = Bearers([issuer])
    good = bearers.believe("good")
    for number in range(5):
        with pytest.raises(NotAuthenticatedError):
            bearers.believe(f"made-up-{number}")
    assert bearers.still_good(good.credential_id)


def test_an_issuer_that_fails_is_not_asked_with_each_token(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fails(url: str, **_headers: str) -> None:
        asked.append(url)
        raise NotAuthenticatedError("It does not answer.")

    monkeypatch.setattr("deeplens_kit.service.access.jwks.fetched", fails)
    keys = KeySet("https://other.test", "https://other.test/keys")
    for number in range(3):
        with pytest.raises(NotAuthenticatedError):
            keys.key(f"unknown {number}")
    assert len(asked) == 1


def test_two_people_of_another_issuer_are_two() -> None:
    issuer = TokenSettings(name="other", issuer="https://other.test", audience="a", name_claim="nickname")
    names = {
        _principal(issuer, claims, digest).name
        for claims, digest in [
            ({"sub": "ana"}, "a" * 64),
            ({"sub": "ben"}, "b" * 64),
            ({"client_id": "program"}, "c" * 64),
            ({}, "d" * 64),
            ({}, "e" * 64),
        ]
    }
    assert len(names) == 5
    # However long, it is not to be taken for a user of ours.
    assert _principal(issuer, {"nickname": "a" * 500}, "").name.endswith(" (other)")


def test_who_may_not_ask_for_a_job_may_not_stop_one_on_any_page(serving: Serving) -> None:
    workspace = serving().service.workspace
    job = submit(workspace, "apply", {"plan_id": "3fa81c02"})
    page = next(page for page in PAGES if page.name == "plans")

    def acts(role: Role) -> PlanActs:
        who = Principal(str(role), role, ROLE_SCOPES[role], PrincipalKind.USER)
        return PlanActs(workspace, PageSession(page, lambda: who))

    with pytest.raises(AccessDeniedError):
        acts(Role.ANALYST).stop_job(job.job_id)
    assert workspace.ledger.job(job.job_id).state is JobState.QUEUED
    assert acts(Role.APPROVER).stop_job(job.job_id).state == "cancelled"


def test_a_key_in_a_link_is_told_to_nobody() -> None:
    link = "https://ana:pass@pictures.test/a.png?k=hidden&sig=hidden"
    shown = plain({"items": [{"url": link, "file": ""}], "password": "hidden"})
    assert "hidden" not in str(shown)
    assert "pass@" not in str(shown)
    assert shown["items"][0]["url"] == "https://pictures.test/a.png"


def test_who_may_only_approve_moves_no_file(serving: Serving) -> None:
    served = serving()
    approver = served.users[Role.APPROVER].name
    scopes = (Scope.IMAGES_READ, Scope.IMAGES_WRITE, Scope.PLANS_APPROVE)
    client = served.bearing(make_key(served.gate.ledger, approver, "approves", scopes).text)
    for path in ("plans/3fa81c02/apply", "applications/3fa81c02/undo", "applications/3fa81c02/resume"):
        answer = client.post(f"/api/v1/{path}")
        assert (answer.status_code, "images:delete" in answer.json()["detail"]) == (403, True)
    job = submit(served.service.workspace, "apply", {"plan_id": "3fa81c02"})
    assert client.post(f"/api/v1/jobs/{job.job_id}/cancel").status_code == 403


def test_who_may_not_use_a_rule_does_not_change_the_one_in_use(serving: Serving) -> None:
    served = serving()
    asked: dict[str, Any] = {"name": "careful", "thresholds": {}}
    analyst, approver = (served.browser(served.users[role]) for role in (Role.ANALYST, Role.APPROVER))
    assert analyst.post("/api/v1/rules", json=asked).status_code == 201
    assert approver.post("/api/v1/rules/careful/use").status_code == 200
    assert analyst.post("/api/v1/rules", json=asked).status_code == 403
    assert approver.post("/api/v1/rules", json=asked).status_code == 201
    assert guarded_acts(TuneActs)["use_rule"] is Scope.PLANS_APPROVE


def test_a_key_is_good_for_a_number_of_days_that_there_is(serving: Serving) -> None:
    served = serving()
    for days in (float("inf"), float("nan"), 1e300, 0.0):
        with pytest.raises(SettingsError, match="cannot be good for"):
            make_key(served.gate.ledger, served.users[Role.VIEWER].name, "k", (Scope.SEARCH_READ,), days)


def test_what_a_route_itself_refuses_is_in_the_audit_trail_as_well(serving: Serving) -> None:
    served = serving()
    job = submit(served.service.workspace, "apply", {"plan_id": "3fa81c02"})
    analyst = served.users[Role.ANALYST]
    assert served.browser(analyst).post(f"/api/v1/jobs/{job.job_id}/cancel").status_code == 403
    assert served.actions().count((analyst.name, "access.refused")) == 1
    assert served.browser(analyst, forged=True).post(f"/api/v1/jobs/{job.job_id}/cancel").status_code == 403
    assert served.actions().count((analyst.name, "access.refused")) == 2
