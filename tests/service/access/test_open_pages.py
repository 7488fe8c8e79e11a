"""What goes on while somebody loses what they may: websockets and long answers end, and pages know who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from access_server import ORIGIN, Served
from bokeh.util.token import generate_jwt_token
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from deeplens_kit.ledger import NOBODY, PrincipalKind, Role, local_principal
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.service.access import sealing, watching
from deeplens_kit.service.access.accounts import make_key
from deeplens_kit.service.access.dependencies import public
from deeplens_kit.service.access.middleware import AccessMiddleware
from deeplens_kit.service.access.paths import SESSION_HEADER
from deeplens_kit.service.access.sealing import seal, unseal

Serving = Callable[..., Served]


@pytest.fixture
def behind(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Served, Any]]:
    """A server, and its middleware before an application that echoes; what is asked at intervals is asked at once."""
    monkeypatch.setattr(watching, "_LEAST_SECONDS", 0.0)
    served = serving()
    for path in ("/stream", "/who"):
        served.app.add_api_route(path, lambda: None, dependencies=[public()])
    served.app.add_api_websocket_route("/socket", lambda socket: None, dependencies=[public()])
    lose: list[Callable[[], object]] = []

    async def echo(scope: Any, receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message["text"]})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/who":
            said = f"{current_person()}|{headers[SESSION_HEADER]}"
            await send({"type": "http.response.body", "body": said.encode()})
            return
        for number in range(100):
            if number == 3:
                lose[0]()
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        raise AssertionError("nobody was stopped")

    middleware = AccessMiddleware(echo, served.service)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await middleware({**scope, "app": served.app}, receive, send)

    application.lose = lose  # type: ignore[attr-defined]
    yield served, application


def signed_in(served: Served, application: Any, role: Role) -> TestClient:
    session = served.session(served.users[role])
    client = TestClient(application, base_url=ORIGIN)
    client.cookies.set(served.gate.cookie_name, session.cookie)
    return client


def test_a_websocket_ends_at_its_next_message(behind: tuple[Served, Any]) -> None:
    served, application = behind
    client = signed_in(served, application, Role.VIEWER)
    with client.websocket_connect("/socket") as socket:
        socket.send_text("a")
        assert socket.receive_text() == "a"
        served.gate.ledger.set_user_active("the viewer", False)
        socket.send_text("b")
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_text()
    assert ended.value.code == 1008


def test_a_websocket_ends_though_nobody_says_anything(
    behind: tuple[Served, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_IDLE_SECONDS", 0.01)
    served, application = behind
    client = signed_in(served, application, Role.VIEWER)
    with client.websocket_connect("/socket") as socket:
        (session,) = served.gate.ledger.user_sessions(served.users[Role.VIEWER].user_id)
        served.gate.ledger.end_user_session(session.session_id)
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


def test_a_long_answer_is_cut_off(behind: tuple[Served, Any]) -> None:
    served, application = behind
    key = make_key(served.gate.ledger, "the analyst", "k", [*served.users[Role.ANALYST].scopes])
    application.lose.append(lambda: served.gate.ledger.revoke_api_key(key.key.key_id))
    client = TestClient(application, base_url=ORIGIN, headers={"X-API-Key": key.text})
    assert client.get("/stream").content == b"xxx"


def test_a_page_is_told_who_asks_by_nobody_else(behind: tuple[Served, Any]) -> None:
    served, application = behind
    client = signed_in(served, application, Role.VIEWER)
    made_up = seal(served.gate, local_principal())
    person, _, sealed = client.get("/who", headers={SESSION_HEADER: made_up}).text.partition("|")
    assert person == "the viewer"
    who = unseal(sealed)
    assert (who.name, who.role, who.kind) == ("the viewer", Role.VIEWER, PrincipalKind.USER)
    # It tells of now.
    served.gate.ledger.set_user_role("the viewer", Role.ANALYST)
    assert unseal(sealed).role is Role.ANALYST
    served.gate.ledger.set_user_active("the viewer", False)
    assert unseal(sealed) is NOBODY
    for text in ("", "x", made_up, f"{sealed}x", sealed.replace("~", "~x"), sealed.partition("~")[2]):
        assert unseal(text) is NOBODY


def test_a_page_belongs_to_who_asked_for_it(behind: tuple[Served, Any]) -> None:
    served, application = behind
    one, other = (signed_in(served, application, role) for role in (Role.VIEWER, Role.ADMIN))
    sealed = other.get("/who").text.partition("|")[2]
    token = generate_jwt_token("a session", extra_payload={"headers": {"X-Deeplens-Session": sealed}})
    with other.websocket_connect("/socket", subprotocols=["bokeh", token]):
        pass
    for stolen in (token, generate_jwt_token("a session"), "made up"):
        with pytest.raises(WebSocketDenialResponse), one.websocket_connect("/socket", subprotocols=["bokeh", stolen]):
            pass


def test_a_page_without_a_server_is_whoever_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_served", False)
    assert unseal("") == local_principal()
    assert unseal("x") is NOBODY
