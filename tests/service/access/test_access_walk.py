"""Every route, websocket and page action, as everybody who may not: what is added is in it by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from access_server import Served
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute
from starlette.testclient import WebSocketDenialResponse

from deeplens_kit.errors import AccessError
from deeplens_kit.ledger import NOBODY, ROLE_SCOPES, Principal, PrincipalKind, Role, Scope
from deeplens_kit.service.access.accounts import make_key
from deeplens_kit.service.access.dependencies import Rule
from deeplens_kit.service.access.middleware import AccessMiddleware
from deeplens_kit.service.access.rule_book import FREE, every_route, rules_of
from deeplens_kit.service.pages import PAGES, PageSession, served_pages

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def path_of(route: Any) -> str:
    """A path of a route, with something in the place of each parameter."""
    return _PARAMETER.sub("abc123", route.path)


def declared(served: Served) -> Iterator[tuple[str, str, Rule]]:
    """Method, path and rule of all that can be asked for."""
    for route in every_route(served.app):
        if path_of(route).startswith(FREE) or f"{path_of(route)}/".startswith(FREE):
            continue
        (rule,) = rules_of(route)
        for method in sorted(getattr(route, "methods", None) or {"WEBSOCKET"}):
            yield method, path_of(route), rule


def status(client: TestClient, method: str, path: str) -> int:
    """What somebody is answered who asks so."""
    if method != "WEBSOCKET":
        return client.request(method, path).status_code
    try:
        with client.websocket_connect(path):
            return 101
    except WebSocketDenialResponse as denied:
        return denied.status_code


def test_every_route_declares_one_rule(served: Served) -> None:
    def name(route: BaseRoute) -> str:
        return f"{getattr(route, 'methods', 'websocket')} {path_of(route)}"

    routes = [route for route in every_route(served.app) if not f"{path_of(route)}/".startswith(FREE)]
    assert [name(route) for route in routes if len(rules_of(route)) != 1 and path_of(route) not in FREE] == []
    assert {f"/{page.name}" for page in served_pages()} <= {path_of(route) for route in routes}
    assert len(routes) > 20


@pytest.fixture(scope="session")
def passing(served: Served) -> TestClient:
    """Asks the middleware with nothing behind it: 204 is what it lets through."""

    async def passed(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    middleware = AccessMiddleware(passed, served.service)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await middleware({**scope, "app": served.app}, receive, send)

    return TestClient(application, base_url="https://deeplens.test")


@pytest.mark.parametrize("role", [None, *Role])
def test_each_role_is_let_through_and_refused_as_the_rules_say(
    served: Served, passing: TestClient, role: Role | None
) -> None:
    scopes: frozenset[Scope] = ROLE_SCOPES[role] if role else frozenset()
    headers, client = {}, served.client()
    if role is not None:
        key = make_key(served.gate.ledger, f"the {role}", "walk", sorted(scopes)).text
        headers, client = {"X-API-Key": key}, served.client(**{"X-API-Key": key})
    passing.headers.clear()
    passing.headers.update(headers)
    for method, path, rule in declared(served):
        let_in = not rule.sign_in or (role is not None and (rule.scope is None or rule.scope in scopes))
        expected = {204, 101} if let_in else {403 if role else 401}
        assert status(passing, method, path) in expected, (method, path)
        if not let_in:
            # The whole application too, whose routes look once more.
            assert status(client, method, path) in expected, (method, path)


def test_a_cookie_does_what_its_user_may(served: Served) -> None:
    viewer = served.browser(served.users[Role.VIEWER])
    for method, path, rule in declared(served):
        if rule.scope is not None and rule.scope not in ROLE_SCOPES[Role.VIEWER]:
            assert status(viewer, method, path) == 403, (method, path)


def test_nothing_of_what_somebody_made_up_opens_anything(served: Served) -> None:
    made_up = dict(_made_up(served))
    for method, path, rule in declared(served):
        for what, headers in made_up.items():
            if rule.sign_in:
                assert status(served.client(**headers), method, path) == 401, (what, method, path)


def _made_up(served: Served) -> Iterator[tuple[str, dict[str, str]]]:
    """What somebody may send who has no good credential."""
    gate = served.gate
    ledger, admin = gate.ledger, served.users[Role.ADMIN]
    revoked = make_key(ledger, admin.name, "revoked", list(Scope))
    ledger.revoke_api_key(revoked.key.key_id)
    yield "a revoked key", {"X-API-Key": revoked.text}
    yield "a key that is over", {"X-API-Key": make_key(ledger, admin.name, "over", list(Scope), 1e-12).text}
    yield "a key of nobody", {"X-API-Key": f"dlk_{'a' * 43}"}
    yield "an empty bearer", {"Authorization": "Bearer"}
    yield "another scheme", {"Authorization": "Basic YWRtaW46YWRtaW4="}
    session = served.session(admin)
    name, cookie = gate.cookie_name, session.cookie
    yield "a cookie with another end", {"Cookie": f"{name}={cookie[:-2]}AA"}
    yield "a cookie of another server", {"Cookie": f"deeplens-00000000={cookie}"}
    ended = served.session(admin)
    session_id = gate.sealer.unseal("session", ended.cookie)[0]
    ledger.end_user_session(session_id)
    yield "a session that is over", {"Cookie": f"{name}={ended.cookie}"}
    yield "a sealed page", {"x-deeplens-session": gate.sealer.seal("page", ["user", admin.name, admin.user_id, "x"])}
    yield (
        "an access token by a browser's session",
        {"Authorization": f"Bearer {gate.access_token(gate.sealer.unseal('session', cookie)[0], 60)}"},
    )
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims = {"sub": admin.name, "iss": "https://deeplens.test", "aud": "deeplens", "scope": "admin", "exp": 4e9}
    yield "a token of an issuer that is not named", {"Authorization": f"Bearer {jwt.encode(claims, key, 'RS256')}"}
    yield "a token without a signature", {"Authorization": f"Bearer {jwt.encode(claims, None, 'none')}"}
    yield "a token by a public key", {"Authorization": f"Bearer {jwt.encode(claims, public.hex(), 'HS256')}"}


def test_no_page_lets_anybody_act_who_may_not(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every act of every page, as every role and as nobody; the pages are made as the server makes them."""
    from panel.io.document import _cleanup_doc

    from deeplens_kit.service import desk, pages
    from deeplens_kit.service.page_server import PageServer

    sessions: list[PageSession] = []
    caller: list[Principal] = [_as(Role.ADMIN)]
    begin = PageSession.__init__

    def begun(self: PageSession, page: pages.Page, *_visitor: Any) -> None:
        begin(self, page, lambda: caller[0])
        sessions.append(self)

    monkeypatch.setattr(PageSession, "__init__", begun)
    desk.lay_out(served.service.desk)
    try:
        for application in PageServer(served.service)._applications.values():
            document = application.create_document()
            for who in (None, *Role):
                caller[0] = _as(who)
                for name, (scope, act) in sessions[-1].acts.items():
                    if not caller[0].may(scope):
                        with pytest.raises(AccessError):
                            act()
                            pytest.fail(f"{who} does {name}")
            caller[0] = _as(Role.ADMIN)
            _cleanup_doc(document)
    finally:
        desk.lay_out(None)
    assert {session.page.name for session in sessions} == {page.name for page in PAGES} & {
        page.name for page in served_pages()
    }
    assert sum(len(session.acts) for session in sessions) > 10


def _as(role: Role | None) -> Principal:
    return Principal("x", role, ROLE_SCOPES[role], PrincipalKind.USER, "1", "1") if role else NOBODY
