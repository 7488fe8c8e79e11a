"""Signing in by a provider: OpenID Connect with the certified one of npm, and a plain OAuth 2 server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from access_server import ORIGIN, Served
from fastapi.testclient import TestClient

from deeplens_kit.ledger import Role
from deeplens_kit.settings import ProviderSettings
from tests.servers.oidc import CLIENT, SIGN_IN_ALG, OidcServer, sign_in_at

Serving = Callable[..., Served]


@pytest.fixture
def company(oidc: OidcServer, monkeypatch: pytest.MonkeyPatch) -> ProviderSettings:
    monkeypatch.setenv("DEEPLENS_TEST_SECRET", oidc.secret)
    return ProviderSettings(
        name="company", label="Company", issuer=oidc.issuer, client_id=CLIENT, client_secret="${DEEPLENS_TEST_SECRET}",
        scopes=("openid", "profile", "groups"), roles={"staff": "analyst", "lens-admins": "admin"},
        algorithms=(SIGN_IN_ALG,),
    )  # fmt: skip


def come_back(browser: TestClient, name: str, wanted: str = "/") -> str:
    """Go to the provider, sign in there as somebody; the path by which the browser is sent back."""
    sent = browser.get("/sign-in/with/company", params={"next": wanted})
    assert sent.status_code == 303
    back = urlsplit(sign_in_at(sent.headers["location"], name))
    assert f"{back.scheme}://{back.netloc}" == ORIGIN
    return f"{back.path}?{back.query}"


def test_the_whole_way(serving: Serving, company: ProviderSettings) -> None:
    served = serving(sign_in={"providers": (company,), "passwords": False})
    browser = served.client(origin=ORIGIN)
    page = browser.get("/sign-in").text
    assert ("Continue with Company" in page, "password" in page) == (True, False)
    back = come_back(browser, "ana", "/plans?plan=7")
    done = browser.get(back)
    assert (done.status_code, done.headers["location"]) == (303, "/plans?plan=7"), done.text
    who = browser.get("/api/v1/session").json()
    # Of two groups the higher role.
    assert (who["name"], who["role"]) == ("ana", "admin")
    # The code and the state are used up.
    again = browser.get(back)
    assert again.status_code == 401
    (session,) = browser.get("/api/v1/sessions").json()["items"]
    assert session["provider"] == "company"
    # The same person is the same user, whose role a person may take from the provider's hands.
    ledger = served.gate.ledger
    ledger.set_user_role("ana", Role.VIEWER)
    other = served.client(origin=ORIGIN)
    other.get(come_back(other, "ana"))
    assert other.get("/api/v1/session").json()["role"] == "viewer"
    assert [user.name for user in ledger.users() if user.provider] == ["ana"]
    ledger.set_user_active("ana", False)
    refused = served.client(origin=ORIGIN)
    assert refused.get(come_back(refused, "ana")).status_code == 401
    assert served.actions()[-1] == ("ana", "access.sign_in_refused")


def test_who_has_no_role_is_nobody_here(serving: Serving, company: ProviderSettings) -> None:
    served = serving(sign_in={"providers": (company,)})
    browser = served.client(origin=ORIGIN)
    assert browser.get(come_back(browser, "eve")).status_code == 401
    assert browser.get("/api/v1/session").status_code == 401
    assert all(not user.provider for user in served.gate.ledger.users())


def test_a_name_that_somebody_has_stays_theirs(serving: Serving, company: ProviderSettings) -> None:
    served = serving(sign_in={"providers": (company,)})
    served.gate.ledger.add_user("bo", Role.ADMIN)
    browser = served.client(origin=ORIGIN)
    browser.get(come_back(browser, "bo"))
    who = browser.get("/api/v1/session").json()
    assert (who["name"], who["role"]) == ("bo (company)", "analyst")


def test_a_return_that_was_not_begun_here_is_refused(serving: Serving, company: ProviderSettings) -> None:
    served = serving(sign_in={"providers": (company,), "tries_per_minute": 100})
    ana, victim = served.client(origin=ORIGIN), served.client(origin=ORIGIN)
    back = come_back(ana, "ana")
    # Somebody else's browser is not signed in as ana by a link that she made.
    assert victim.get(back).status_code == 401
    victim.get("/sign-in/with/company")
    assert victim.get(back).status_code == 401
    path, _, query = back.partition("?")
    said = {name: value[0] for name, value in parse_qs(query).items()}
    for changed in ({"iss": "https://evil.test"}, {"code": "made-up"}, {"state": "x"}):
        assert ana.get(f"{path}?{urlencode(said | changed)}").status_code == 401
        ana = served.client(origin=ORIGIN)
        said = {n: v[0] for n, v in parse_qs(come_back(ana, "ana").partition("?")[2]).items()}
    denied = ana.get(f"{path}?{urlencode({'state': said['state'], 'error': '<b>access_denied</b>'})}")
    assert ("<b>" in denied.text, "baccess_deniedb" in denied.text) == (False, True)
    assert served.client().get("/sign-in/with/nobody").status_code == 404


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"algorithms": ("RS256",)}, "signed by"),
        ({"client_id": CLIENT, "client_secret": "${DEEPLENS_WRONG_SECRET}"}, "it took no code"),
    ],
)
def test_what_the_provider_says_must_hold(
    serving: Serving, company: ProviderSettings, changed: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPLENS_WRONG_SECRET", "not the secret")
    served = serving(sign_in={"providers": (replace(company, **changed),)})
    browser = served.client(origin=ORIGIN)
    answer = browser.get(come_back(browser, "ana"))
    assert (answer.status_code, why in answer.text) == (401, True), answer.text
    assert "not the secret" not in answer.text


def test_a_provider_that_is_away_is_told_and_passwords_work_on(serving: Serving, company: ProviderSettings) -> None:
    served = serving(sign_in={"providers": (replace(company, issuer="http://127.0.0.1:9"),)})
    browser = served.client(origin=ORIGIN)
    answer = browser.get("/sign-in/with/company")
    assert (answer.status_code, "try again later" in answer.text, 'name="password"' in answer.text) == (401, True, True)


@pytest.fixture
def hub() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """A plain OAuth 2 server, as GitHub's: no ID token, a number for a user, a list of what they belong to."""
    asked: list[dict[str, list[str]]] = []

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked.append(form)
            good = form["code"] == ["a code"] and "code_verifier" in form
            self._answer({"access_token": "hub-token"} if good else {"error": "bad_verification_code"})

        def do_GET(self) -> None:
            if self.headers["Authorization"] != "Bearer hub-token":
                self.send_error(401)
            elif self.path == "/user":
                self._answer({"id": 583231, "login": "octo"})
            else:
                self._answer([{"login": "others"}, {"login": "pictures"}])

        def _answer(self, said: object) -> None:
            content = json.dumps(said).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_a_plain_oauth_server(serving: Serving, hub: tuple[str, list[dict[str, list[str]]]]) -> None:
    url, asked = hub
    settings = ProviderSettings(
        name="hub", kind="oauth2", label="Hub", client_id="c", scopes=("read:org",),
        authorize_url=f"{url}/authorize", token_url=f"{url}/token", userinfo_url=f"{url}/user",
        groups_url=f"{url}/orgs",
        subject_claim="id", name_claim="login", roles_claim="orgs", roles={"pictures": "approver"},
    )  # fmt: skip
    served = serving(sign_in={"providers": (settings,)})
    browser = served.client(origin=ORIGIN)
    sent = urlsplit(browser.get("/sign-in/with/hub").headers["location"])
    said = {name: value[0] for name, value in parse_qs(sent.query).items()}
    assert (said["code_challenge_method"], said["redirect_uri"]) == ("S256", f"{ORIGIN}/sign-in/with/hub/return")
    assert browser.get("/sign-in/with/hub/return", params={"code": "wrong", "state": said["state"]}).status_code == 401
    said = dict(parse_qs(urlsplit(browser.get("/sign-in/with/hub").headers["location"]).query))
    done = browser.get("/sign-in/with/hub/return", params={"code": "a code", "state": said["state"][0]})
    assert done.status_code == 303, done.text
    who = browser.get("/api/v1/session").json()
    assert (who["name"], who["role"]) == ("octo", "approver")
    assert asked[-1]["redirect_uri"] == [f"{ORIGIN}/sign-in/with/hub/return"]
