"""Signing in by the page: passwords, single-use links, forms that are forged, and signing out."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from access_server import ORIGIN, PASSWORD, Served
from fastapi.testclient import TestClient
from httpx import Response

from deeplens_kit.ledger import Role
from deeplens_kit.service.access.accounts import invite, reset_link
from deeplens_kit.service.access.paths import local_path

Serving = Callable[..., Served]


def fields(answer: Response) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer.text)
    return {name: html.unescape(value) for name, value in found}


def sign_in(client: TestClient, name: str, password: str, wanted: str = "/") -> Response:
    form = fields(client.get("/sign-in", params={"next": wanted}))
    return client.post("/sign-in", data={**form, "name": name, "password": password})


def test_a_page_leads_to_the_sign_in_and_back(served: Served) -> None:
    browser = served.client(accept="text/html", origin=ORIGIN)
    sent = browser.get("/search?q=a%20b&x=1")
    assert sent.status_code == 303
    place = urlsplit(sent.headers["location"])
    assert (place.path, parse_qs(place.query)["next"]) == ("/sign-in", ["/search?q=a%20b&x=1"])
    done = sign_in(browser, "THE Analyst", PASSWORD, "/search?q=a%20b&x=1")
    assert (done.status_code, done.headers["location"]) == (303, "/search?q=a%20b&x=1")
    cookies = done.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith(served.gate.cookie_name))
    assert "HttpOnly" in session
    assert "samesite=lax" in session.lower()
    assert browser.get("/api/v1/session").json()["name"] == "the analyst"
    # Who has signed in does not see the form again.
    assert browser.get("/sign-in?next=/search").headers["location"] == "/search"


@pytest.mark.parametrize("name", ["the analyst", "nobody at all", ""])
def test_a_refusal_does_not_say_what_was_wrong(served: Served, name: str) -> None:
    answer = sign_in(served.client(origin=ORIGIN), name, "not the password")
    if not name:
        assert answer.status_code in (401, 422)
        return
    assert answer.status_code == 401
    assert "The name or the password is wrong" in answer.text
    assert "not the password" not in answer.text
    told = served.service.workspace.ledger.audit_trail()[-1]
    assert told.action == "access.sign_in_refused"
    assert told.details["user"] == (name if name == "the analyst" else "")


def test_a_form_that_is_none_of_ours_signs_nobody_in(served: Served) -> None:
    for token in ("", "0" * 64):
        browser = served.client(origin=ORIGIN)
        browser.get("/sign-in")
        data = {"csrf": token, "name": "the admin", "password": PASSWORD, "next": "/"}
        answer = browser.post("/sign-in", data=data)
        assert answer.status_code == (403 if token else 422)
        # Whoever left the form open over night reads what to do, and nothing of scopes.
        assert not token or ("send it once more" in answer.text and "scope" not in answer.text)
        assert browser.get("/api/v1/session").status_code == 401
    elsewhere = served.client(origin="https://evil.test")
    form = fields(elsewhere.get("/sign-in"))
    assert elsewhere.post("/sign-in", data={**form, "name": "the admin", "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/search?q=1", "/search?q=1"),
        ("//evil.test", "/"),
        ("https://evil.test/", "/"),
        ("/\\evil.test", "/"),
        ("/\tevil.test", "/"),
        ("/sign-out", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_sent_elsewhere(wanted: str, found: str) -> None:
    assert local_path(wanted) == found


def test_signing_out_ends_the_session_everywhere(served: Served) -> None:
    browser = served.client(origin=ORIGIN)
    sign_in(browser, "the viewer", PASSWORD)
    kept = dict(browser.cookies)
    token = kept[served.gate.csrf_cookie_name]
    # A forged one leaves the person signed in.
    assert browser.post("/sign-out", data={"csrf": "x"}).status_code == 403
    assert browser.get("/api/v1/session").status_code == 200
    assert browser.post("/sign-out", data={"csrf": token}).headers["location"] == "/sign-in"
    copied = served.client()
    copied.cookies.update(kept)
    assert copied.get("/api/v1/session").status_code == 401
    assert ("the viewer", "access.session_ended") in served.actions()


def test_a_cookie_alone_changes_nothing(served: Served) -> None:
    forged = served.browser(served.users[Role.ANALYST], forged=True)
    asked = {"name": "mine", "scopes": ["search:read"]}
    refused = forged.post("/api/v1/keys", json=asked)
    assert (refused.status_code, refused.json()["code"]) == (403, "forged_request")
    other = served.session(served.users[Role.VIEWER]).csrf_token
    assert forged.post("/api/v1/keys", json=asked, headers={"x-csrf-token": other}).status_code == 403
    assert forged.get("/api/v1/session").status_code == 200
    assert served.browser(served.users[Role.ANALYST]).post("/api/v1/keys", json=asked).status_code == 201


def test_an_invitation_sets_a_password_once(serving: Serving) -> None:
    served = serving()
    made = invite(served.gate.ledger, served.gate.settings, "ana", "viewer")
    browser = served.client(origin=ORIGIN)
    shown = browser.get(made.path)
    assert (shown.status_code, "Welcome" in shown.text, "ana" in shown.text) == (200, True, True)
    # Looking at it, as scanners of mails do, does not use it up.
    form = fields(browser.get(made.path))
    for password, why in (
        ("short", "12 letters"),
        ("anaanaanaana is mine", "user&#39;s name"),
        ("aaaaaaaaaaaaaa", "different"),
    ):
        refused = browser.post("/sign-in/link", data={**form, "password": password, "again": password})
        assert (refused.status_code, why in refused.text) == (422, True), refused.text
    refused = browser.post("/sign-in/link", data={**form, "password": PASSWORD, "again": PASSWORD + "x"})
    assert "not the same" in refused.text
    done = browser.post("/sign-in/link", data={**form, "password": PASSWORD, "again": PASSWORD})
    assert done.headers["location"] == "/"
    assert browser.get("/api/v1/session").json()["name"] == "ana"
    form["csrf"] = browser.cookies[served.gate.csrf_cookie_name]
    again = browser.post("/sign-in/link", data={**form, "password": PASSWORD, "again": PASSWORD})
    assert again.status_code == 410
    assert browser.get(made.path).status_code == 410
    # A reset ends what was open.
    reset = reset_link(served.gate.ledger, served.gate.settings, "ana")
    other = served.client(origin=ORIGIN)
    form = fields(other.get(reset.path))
    other.post("/sign-in/link", data={**form, "password": "another one entirely", "again": "another one entirely"})
    assert browser.get("/api/v1/session").status_code == 401
    assert sign_in(served.client(origin=ORIGIN), "ana", PASSWORD).status_code == 401
    assert sign_in(served.client(origin=ORIGIN), "ana", "another one entirely").status_code == 303


def test_too_many_tries_are_told_to_come_back(serving: Serving) -> None:
    served = serving(sign_in={"tries_per_minute": 3})
    browser = served.client(origin=ORIGIN)
    assert [sign_in(browser, "the admin", "wrong").status_code for _ in range(3)] == [401] * 3
    # Also the right one, and nothing is computed for it.
    assert sign_in(browser, "the admin", PASSWORD).status_code == 429
    # Others at the same address are not kept out by that.
    assert sign_in(browser, "the viewer", PASSWORD).status_code == 303


def test_pages_before_the_sign_in_load_and_run_nothing_else(served: Served) -> None:
    policy = served.client().get("/sign-in").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    denied = served.browser(served.users[Role.VIEWER]).get("/api/v1/users", headers={"accept": "text/html"})
    assert denied.headers["content-type"] == "application/problem+json"


def test_without_a_sign_in_everybody_is_who_uses_this_machine(serving: Serving) -> None:
    served = serving(access="off")
    who = served.client().get("/api/v1/session").json()
    assert (who["kind"], who["role"]) == ("local", "admin")
    assert served.client().get("/sign-in").headers["location"] == "/"
    # A page of another origin that is open in the same browser does not act here.
    assert served.client(origin="https://evil.test").post("/api/v1/users", json={}).status_code == 403
