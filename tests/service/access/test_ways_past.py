"""Ways around what stands before the routes: each was open once."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from access_server import PASSWORD, Served
from bokeh.document import Document
from panel.io.state import set_curdoc

from deeplens_kit.errors import AccessDeniedError, NotAuthenticatedError, RateLimitedError, SettingsError
from deeplens_kit.ledger import ROLE_SCOPES, JobState, Principal, PrincipalKind, Role, Scope
from deeplens_kit.service.access.accounts import make_key
from deeplens_kit.service.access.bearer import Bearers, _principal
from deeplens_kit.service.access.jwks import KeySet
from deeplens_kit.service.access.paths import SESSION_HEADER
from deeplens_kit.service.access.rates import Rates
from deeplens_kit.service.access.sealing import lay_gate, seal
from deeplens_kit.service.api.job_answers import plain
from deeplens_kit.service.forwarded import ForwardedMiddleware
from deeplens_kit.service.jobs import submit
from deeplens_kit.service.limits import STRANGERS_BYTES
from deeplens_kit.service.page_acts.guarded import guarded_acts
from deeplens_kit.service.page_acts.plan_acts import PlanActs
from deeplens_kit.service.page_acts.tune_acts import TuneActs
from deeplens_kit.service.pages import PAGES, PageSession, open_session
from deeplens_kit.settings import SignInSettings, TokenSettings
from tests.servers.redis import RedisServer

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


@pytest.mark.parametrize("proxy", ["10.0.0.2", "::ffff:10.0.0.2"])
@pytest.mark.parametrize(
    ("sent", "address"),
    [
        (["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
        (["6.6.6.6, 203.0.113.7:51234"], "203.0.113.7"),
        (["[2001:db8::7]:443"], "2001:db8::7"),
        (["2001:db8::7, 10.0.0.9:8080"], "2001:db8::7"),
    ],
)
def test_the_address_is_the_one_that_the_proxy_wrote(sent: list[str], address: str, proxy: str) -> None:
    seen: list[Any] = []

    async def spying(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    service: Any = SimpleNamespace(settings=SimpleNamespace(behind_proxy=("10.0.0.0/8",)))
    headers = [(b"x-forwarded-for", value.encode()) for value in sent]
    # A stranger's line comes before that of the proxy, which the others have to themselves.
    headers += [(b"x-forwarded-proto", b"http"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": (proxy, 1), "headers": headers}
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
    # As one letter and as two: the ledger takes both for one name.
    asked: dict[str, Any] = {"name": "soign\u00e9", "thresholds": {}}
    other: dict[str, Any] = {"name": "soigne\u0301", "thresholds": {"likelihood_min": 0.5}}
    analyst, approver = (served.browser(served.users[role]) for role in (Role.ANALYST, Role.APPROVER))
    assert analyst.post("/api/v1/rules", json=asked).status_code == 201
    assert approver.post("/api/v1/rules/soign\u00e9/use").status_code == 200
    assert analyst.post("/api/v1/rules", json=asked).status_code == 403
    assert analyst.post("/api/v1/rules", json=other).status_code == 403
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


def test_what_a_page_refuses_is_in_the_audit_trail_as_a_request_is(serving: Serving) -> None:
    served = serving()
    ledger, analyst = served.gate.ledger, served.users[Role.ANALYST]
    lay_gate(served.gate)
    served.session(analyst)
    who = ledger.principal_of_session(ledger.user_sessions(analyst.user_id)[0].session_id)
    assert who is not None
    document, panel = Document(), SimpleNamespace(extension=lambda **_options: None, config=SimpleNamespace())
    context = SimpleNamespace(request=SimpleNamespace(headers={SESSION_HEADER.title(): seal(served.gate, who)}))
    document._session_context = lambda: context
    with set_curdoc(document), open_session(panel, "locations") as session:
        pass
    for _ in range(30):
        with pytest.raises(AccessDeniedError), session.act(Scope.SEARCH_READ), session.act(Scope.ADMIN):
            raise AssertionError("it was let in")
    refused = [line for line in ledger.audit_trail() if line.action == "access.refused"]
    assert 1 <= len(refused) <= 10, "each once, and no more than somebody would read"
    assert refused[0].who == analyst.name
    assert {**refused[0].details, "correlation_id": ""} == {
        "correlation_id": "",
        "path": "/locations",
        "method": "act",
        "needed": "admin",
        "by": "user",
    }


def test_nobody_is_kept_from_signing_in_and_guessing_stays_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of an attacker with ever new addresses, who tries one user over and over."""
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    rates = Rates(SignInSettings())
    guesses = 0
    for number in range(960):
        now += 90
        with contextlib.suppress(RateLimitedError):
            rates.try_to_sign_in(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "ana")
            guesses += 1
    assert 400 <= guesses <= 700, guesses
    with pytest.raises(RateLimitedError, match="not theirs"):
        rates.try_to_sign_in("192.0.2.1", "ana")
    # She comes from where she came from before, and mistypes nine times: what others try is nothing to her.
    for _ in range(3):
        for _ in range(9):
            rates.try_to_sign_in("192.0.2.7", "ana", known=True)
        rates.signed_in("192.0.2.7", "ana")


def test_who_goes_on_guessing_from_one_address_waits_longer_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    rates, guesses, waits = Rates(SignInSettings()), 0, []
    end = now + 86400
    while now < end:
        try:
            rates.try_to_sign_in("192.0.2.7", "ana", known=True)
            guesses += 1
        except RateLimitedError as error:
            waits.append(error.retry_after_seconds)
            now += error.retry_after_seconds
    assert guesses <= 200, guesses
    assert max(waits[:2]) <= 60 < max(waits)


def test_where_a_user_signed_in_before_they_are_not_shut_out(serving: Serving) -> None:
    served = serving(sign_in={"tries_per_minute": 4})
    user = served.users[Role.VIEWER]
    asked = {"name": user.name, "password": PASSWORD}
    assert served.client().post("/api/v1/session", json=asked).status_code == 201
    for number in range(39):
        served.gate.rates.try_to_sign_in(f"10.0.0.{number}", user.name)
    with pytest.raises(RateLimitedError):
        served.gate.rates.try_to_sign_in("10.0.1.1", user.name)
    # The address of the client of these tests, where the user was a moment ago.
    assert served.client().post("/api/v1/session", json=asked).status_code == 201


def test_processes_share_a_limit_by_redis_and_none_stops_where_it_is_away(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    name = tmp_path.name
    program = (
        "import sys; from deeplens_kit.errors import RateLimitedError as Often\n"
        "from deeplens_kit.service.access.rates import Rates; from deeplens_kit.settings import SignInSettings\n"
        "rates = Rates(SignInSettings(rates_url=sys.argv[1], tries_per_minute=6)); let = 0\n"
        "for _ in range(4):\n"
        "    try: rates.wrong_credential(sys.argv[2]); let += 1\n"
        "    except Often: pass\n"
        "print(let)"
    )
    command = [sys.executable, "-c", program, redis_server.url, name]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sum(int(other.communicate(timeout=120)[0]) for other in others) == 6
    shared = Rates(SignInSettings(rates_url=redis_server.url, tries_per_minute=6))
    with pytest.raises(RateLimitedError):
        shared.wrong_credential(name)
    with pytest.raises(SettingsError, match="rates_url"):
        Rates(SignInSettings(rates_url="carrier-pigeon://loft"))
    # Nothing listens there: each process counts for itself.
    away = Rates(SignInSettings(rates_url="redis://127.0.0.1:9/0", tries_per_minute=2))
    for _ in range(2):
        away.wrong_credential(name)
    with pytest.raises(RateLimitedError):
        away.wrong_credential(name)


# Of bokeh_fastapi 0.1.8 with Tornado 6.6; looked at again by 2027-06-01.
@pytest.mark.filterwarnings("ignore:.*HTTPServerRequest:DeprecationWarning")
def test_one_user_has_so_many_pages_and_streams_open(served: Served) -> None:
    service, viewer = served.service, served.users[Role.VIEWER]
    before = service.settings
    try:
        service.settings = replace(before, pages_per_user=2, streams_per_user=1)
        browser = served.browser(viewer)
        answers = [browser.get("/search", headers={"accept": "text/html"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "Too many pages are open" in answers[-1].text
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert served.browser(served.users[Role.ANALYST]).get("/search").status_code == 200
        service.streams[viewer.user_id] += 1
        refused = served.browser(viewer).get("/api/v1/jobs/events")
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, "busy", "15")
        service.streams.clear()
        # What ends in an error is not counted any more; a stream that goes on is.
        assert served.browser(viewer).get("/api/v1/jobs/00000000/events").status_code == 404
        assert not service.streams
    finally:
        service.settings = before
