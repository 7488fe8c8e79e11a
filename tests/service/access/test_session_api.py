"""The API of users, keys, sessions and tokens: what each gives, what ends it, and that it ends at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from access_server import ORIGIN, PASSWORD, Served, csrf

from deeplens_kit.ledger import Role, acting_as

Serving = Callable[..., Served]


def test_an_administrator_invites_changes_and_disables(serving: Serving) -> None:
    served = serving()
    admin = served.browser(served.users[Role.ADMIN])
    made = admin.post("/api/v1/users", json={"name": "ana", "role": "analyst"})
    assert made.status_code == 201
    assert made.json()["link"].startswith(f"{ORIGIN}/sign-in/link?token=")
    assert admin.post("/api/v1/users", json={"name": "ANA", "role": "viewer"}).status_code == 422
    assert admin.post("/api/v1/users", json={"name": "x", "role": "boss"}).status_code == 422
    assert admin.get("/api/v1/users/anna").status_code == 404
    assert admin.patch("/api/v1/users/ana", json={"role": "approver"}).json()["role"] == "approver"
    assert admin.post("/api/v1/users/ana/reset-link").status_code == 201
    assert admin.get("/api/v1/users").json()["items"][0]["name"] == "ana"
    refused = admin.patch("/api/v1/users/the admin", json={"active": False})
    assert (refused.status_code, "last administrator" in refused.json()["detail"]) == (422, True)
    trail = [(who, action) for who, action in served.actions() if who == "the admin" and action.startswith("user.")]
    assert [action.removeprefix("user.") for _, action in trail] == [
        "added", "link_made", "role_changed", "link_made", "signed_out",
    ]  # fmt: skip


def test_whoever_is_disabled_loses_session_key_and_token_at_once(serving: Serving) -> None:
    served = serving()
    ledger, analyst = served.gate.ledger, served.users[Role.ANALYST]
    browser = served.browser(analyst)
    key = served.bearing(browser.post("/api/v1/keys", json={"name": "k", "scopes": ["search:read"]}).json()["secret"])
    given = served.client().post("/api/v1/session", json={"name": analyst.name, "password": PASSWORD}).json()
    token = served.bearing(given["access_token"])
    every = (browser, key, token)
    assert [client.get("/api/v1/session").status_code for client in every] == [200] * 3
    # A role that is taken holds at once too.
    with acting_as("the admin"):
        ledger.set_user_role(analyst.name, Role.VIEWER)
    assert [client.get("/api/v1/session").json()["scopes"] for client in every] == [
        ["images:read", "search:read"],
        ["search:read"],
        ["images:read", "search:read"],
    ]
    with acting_as("the admin"):
        ledger.set_user_active(analyst.name, False)
    assert [client.get("/api/v1/session").status_code for client in every] == [401] * 3
    refreshed = served.client().post("/api/v1/session/refresh", json={"refresh_token": given["refresh_token"]})
    assert refreshed.status_code == 401
    assert served.client().post("/api/v1/session", json={"name": analyst.name, "password": PASSWORD}).status_code == 401


def test_a_key_that_leaks_makes_no_more_access_and_a_reset_ends_it(serving: Serving) -> None:
    served = serving()
    admin = served.users[Role.ADMIN]
    browser = served.browser(admin)
    made = browser.post("/api/v1/keys", json={"name": "k", "scopes": ["admin"]}).json()["secret"]
    signed_in = {"name": admin.name, "password": PASSWORD}
    token = served.client().post("/api/v1/session", json=signed_in).json()["access_token"]
    for program in (served.bearing(made), served.bearing(token)):
        refused = [
            program.post("/api/v1/users", json={"name": "eve", "role": "admin"}),
            program.patch("/api/v1/users/the viewer", json={"role": "admin"}),
            program.patch("/api/v1/users/the viewer", json={"active": True}),
            program.post("/api/v1/users/the viewer/reset-link"),
            program.post("/api/v1/keys", json={"name": "k2", "scopes": ["admin"], "user": admin.name}),
            program.delete("/api/v1/sessions"),
        ]
        assert [answer.status_code for answer in refused] == [403] * 6
        # What takes access away, a program may.
        assert program.patch("/api/v1/users/the viewer", json={"active": False}).status_code == 200
        assert browser.patch("/api/v1/users/the viewer", json={"active": True}).status_code == 200
    assert browser.delete("/api/v1/sessions?keep_keys=true").json() == {"sessions": 1, "keys": 0}
    analyst = served.browser(served.users[Role.ANALYST])
    key = served.bearing(analyst.post("/api/v1/keys", json={"name": "k", "scopes": ["search:read"]}).json()["secret"])
    assert browser.post("/api/v1/users/the analyst/reset-link?keep_keys=true").status_code == 201
    assert [client.get("/api/v1/session").status_code for client in (analyst, key)] == [200, 200]
    assert browser.post("/api/v1/users/the analyst/reset-link").status_code == 201
    assert [client.get("/api/v1/session").status_code for client in (analyst, key)] == [401, 401]
    assert browser.delete("/api/v1/users/the admin/sessions").json() == {"sessions": 1, "keys": 1}
    assert browser.get("/api/v1/session").status_code == 401


def test_a_refresh_token_that_is_used_twice_ends_what_came_of_it(served: Served) -> None:
    client = served.client()
    asked = {"name": "the approver", "password": PASSWORD, "scopes": ["search:read", "admin"]}
    first = client.post("/api/v1/session", json=asked)
    assert (first.status_code, first.headers["cache-control"]) == (201, "no-store")
    who = served.bearing(first.json()["access_token"]).get("/api/v1/session").json()
    # What the user may not, a token of theirs may not either.
    assert (who["kind"], who["scopes"]) == ("token", ["search:read"])

    def refresh(token: str) -> tuple[int, dict[str, str]]:
        answer = client.post("/api/v1/session/refresh", json={"refresh_token": token})
        return answer.status_code, answer.json()

    status, second = refresh(first.json()["refresh_token"])
    assert status == 200
    status, third = refresh(second["refresh_token"])
    assert status == 200
    assert refresh(first.json()["refresh_token"])[0] == 401
    assert refresh(third["refresh_token"])[0] == 401
    assert served.bearing(third["access_token"]).get("/api/v1/session").status_code == 401
    assert ("the approver", "access.token_reused") in served.actions()
    # A refresh token asks for nothing by itself.
    assert served.bearing(first.json()["refresh_token"]).get("/api/v1/session").status_code == 401


def test_revoking_either_token_ends_both(served: Served) -> None:
    for which in ("access_token", "refresh_token"):
        given = served.client().post("/api/v1/session", json={"name": "the viewer", "password": PASSWORD}).json()
        assert served.client().post("/api/v1/session/revoke", json={"token": given[which]}).status_code == 204
        assert served.bearing(given["access_token"]).get("/api/v1/session").status_code == 401
    # As of RFC 7009: nobody learns which tokens there are.
    assert served.client().post("/api/v1/session/revoke", json={"token": "never seen"}).status_code == 204


def test_a_key_never_outgrows_its_user_and_makes_no_others(served: Served) -> None:
    browser = served.browser(served.users[Role.ANALYST])
    refused = browser.post("/api/v1/keys", json={"name": "k", "scopes": ["plans:approve"]})
    assert (refused.status_code, "cannot have plans:approve" in refused.json()["detail"]) == (422, True)
    assert browser.post("/api/v1/keys", json={"name": "k", "scopes": [], "user": "the admin"}).status_code == 422
    other = browser.post("/api/v1/keys", json={"name": "k", "scopes": ["search:read"], "user": "the admin"})
    assert other.status_code == 403
    made = browser.post("/api/v1/keys", json={"name": "k", "scopes": ["search:read"], "lifetime_days": 1}).json()
    key = served.bearing(made["secret"])
    assert key.post("/api/v1/keys", json={"name": "k2", "scopes": ["search:read"]}).status_code == 403
    refused = key.put("/api/v1/session/password", json={"old": PASSWORD, "new": "x" * 20})
    assert (refused.status_code, "scope" in refused.json()["detail"]) == (403, False)
    listed = browser.get("/api/v1/keys").json()["items"]
    assert made["key"]["key_id"] in {item["key_id"] for item in listed}
    assert made["secret"] not in browser.get("/api/v1/keys").text
    assert browser.get("/api/v1/keys?all=true").status_code == 403
    viewer = served.browser(served.users[Role.VIEWER])
    assert viewer.delete(f"/api/v1/keys/{made['key']['key_id']}").status_code == 404
    assert browser.delete(f"/api/v1/keys/{made['key']['key_id']}").json()["revoked_at"] is not None
    assert key.get("/api/v1/session").status_code == 401


def test_a_person_changes_their_password_and_stays_where_they_are(serving: Serving) -> None:
    served = serving()
    user = served.users[Role.VIEWER]
    here, there = served.browser(user), served.browser(user)
    wrong = here.put("/api/v1/session/password", json={"old": "not it at all", "new": "quite another one"})
    assert wrong.status_code == 422
    done = here.put("/api/v1/session/password", json={"old": PASSWORD, "new": "quite another one"})
    assert done.status_code == 204
    assert (here.get("/api/v1/session").status_code, there.get("/api/v1/session").status_code) == (200, 401)
    assert here.get("/api/v1/sessions").json()["items"][0]["current"] is True


def test_sessions_are_listed_and_ended_one_by_one(serving: Serving) -> None:
    served = serving()
    user = served.users[Role.VIEWER]
    here, there = served.browser(user), served.browser(user)
    other = next(item for item in here.get("/api/v1/sessions").json()["items"] if not item["current"])
    assert (other["address"], other["agent"]) == ("192.0.2.7", "a test")
    stranger = served.browser(served.users[Role.ANALYST])
    assert stranger.delete(f"/api/v1/sessions/{other['session_id']}").status_code == 404
    assert here.delete(f"/api/v1/sessions/{other['session_id']}").status_code == 204
    assert there.get("/api/v1/session").status_code == 401
    assert here.delete("/api/v1/session").status_code == 204
    assert here.get("/api/v1/session").status_code == 401


def test_requests_of_one_user_are_counted_apart(serving: Serving) -> None:
    served = serving(sign_in={"requests_per_minute": 5, "address_requests_per_minute": 4, "tries_per_minute": 2})
    busy, calm = (served.browser(served.users[role]) for role in (Role.VIEWER, Role.ANALYST))
    answers = [busy.get("/api/v1/session") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert calm.get("/api/v1/session").status_code == 200
    # Of whoever has not said who they are, all that comes from an address counts together.
    assert [served.client().get("/health/live").status_code for _ in range(5)] == [200] * 4 + [429]
    wrong = [served.bearing(f"dlk_{number}").get("/api/v1/session").status_code for number in range(3)]
    assert wrong == [401, 401, 429]


def test_no_secret_is_in_the_audit_trail_or_the_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    session = served.session(served.users[Role.ADMIN])
    browser = served.client(origin=ORIGIN, **csrf(session))
    browser.cookies.set(served.gate.cookie_name, session.cookie)
    link = browser.post("/api/v1/users", json={"name": "quiet", "role": "viewer"}).json()["link"]
    key = browser.post("/api/v1/keys", json={"name": "q", "scopes": ["admin"]}).json()["secret"]
    given = served.client().post("/api/v1/session", json={"name": "the admin", "password": PASSWORD}).json()
    told = str(served.service.workspace.ledger.audit_trail()) + caplog.text
    for secret in (
        link.partition("=")[2],
        key,
        given["access_token"],
        given["refresh_token"],
        PASSWORD,
        session.cookie,
    ):
        assert secret not in told
