"""What stands before every route: ids, hosts, origins, proxies, limits, problems, health, and what is sent twice."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Body, FastAPI
from pydantic import BaseModel
from starlette.testclient import TestClient, WebSocketDenialResponse

from deeplens_kit import errors
from deeplens_kit.errors import DeepLensError, LocationUnavailableError, ServerBusyError
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.access.dependencies import public
from deeplens_kit.service.api.idempotency import Idempotent
from deeplens_kit.service.application import described_application, make_application
from deeplens_kit.service.context import Service
from deeplens_kit.service.desk import Desk
from deeplens_kit.service.limits import Turnstile, costly
from deeplens_kit.service.problems import PROBLEM_TYPE, status_of
from deeplens_kit.service.processes import Children, ChildSpec
from deeplens_kit.settings import ServiceSettings
from deeplens_kit.telemetry import bound_context, current_context

HOST = "127.0.0.1:5006"
OWN = f"http://{HOST}"


class Made(BaseModel):
    """What the routes of this file answer."""

    said: str


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace.create(tmp_path_factory.mktemp("service") / "workspace") as workspace:
        yield workspace


def application(workspace: Workspace, **settings: Any) -> FastAPI:
    service = Service(workspace, Desk(workspace), ServiceSettings(**settings))
    service.hosts, service.origins = frozenset({HOST, "pictures.example.org"}), frozenset({OWN})
    app = make_application(service, pages=False)
    add_routes(app)
    return app


def add_routes(app: FastAPI) -> None:
    made: list[str] = []

    @app.get("/test/defect", dependencies=[public()])
    def defect() -> Made:
        raise RuntimeError("a secret of ours")

    @app.get("/test/away", dependencies=[public()])
    def away() -> Made:
        raise LocationUnavailableError("share", "it is unplugged")

    @app.get("/test/context", dependencies=[public()])
    def context() -> Made:
        return Made(said=current_context()["correlation_id"])

    @app.post("/test/echo", dependencies=[public()])
    def echo(count: int, words: list[str] = Body()) -> Made:  # noqa: B008 - how FastAPI is told
        return Made(said=f"{count} {len(words)}")

    @app.post("/test/make", dependencies=[public()], status_code=201)
    def make(once: Idempotent, name: str = Body(embed=True)) -> Made:
        def act() -> Made:
            if name == "no":
                raise LocationUnavailableError("share", "it is unplugged")
            made.append(name)
            return Made(said=f"{name} {len(made)}")

        answer: Made = once(act)
        return answer

    app.state.gate = threading.Event()
    app.state.entered = threading.Semaphore(0)

    @app.get("/test/costly", dependencies=[public(), costly()])
    def slow() -> Made:
        app.state.entered.release()
        app.state.gate.wait(20)
        return Made(said="done")


@pytest.fixture(scope="module")
def app(workspace: Workspace) -> FastAPI:
    return application(workspace, max_body_bytes=4096, costly_at_once=1, costly_waiting=1)


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=OWN, raise_server_exceptions=False) as client:
        yield client


def test_each_answer_bears_the_id_that_was_sent_or_one_of_its_own(client: TestClient) -> None:
    answer = client.get("/test/context", headers={"x-correlation-id": "mail-4711.b:c_D"})
    assert answer.headers["x-correlation-id"] == answer.json()["said"] == "mail-4711.b:c_D"
    for wrong in ("a b", "a" * 65, "", "ä", "a;b", 'x" onload="', "a\tb"):
        answer = client.get("/test/context", headers={"x-correlation-id": wrong.encode("latin-1")})
        own = answer.headers["x-correlation-id"]
        assert own == answer.json()["said"] != wrong
        assert len(own) == 32
    for path in ("/nothing", "/test/away", "/test/defect", "/health/live"):
        assert client.get(path, headers={"x-correlation-id": "one"}).headers["x-correlation-id"] == "one"
    assert client.get("/nothing", headers={"host": "evil.example", "x-correlation-id": "two"}).headers[
        "x-correlation-id"
    ] == "two"  # fmt: skip


def test_a_defect_is_told_as_one_and_the_log_has_it(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = client.get("/test/defect", headers={"x-correlation-id": "d-1"})
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM_TYPE)
    assert (problem["code"], problem["correlation_id"], problem["instance"]) == ("defect", "d-1", "/test/defect")
    assert "secret" not in answer.text
    assert any("a secret of ours" in record.getMessage() for record in caplog.records)


def test_an_error_of_ours_is_a_problem_document_with_its_code(client: TestClient) -> None:
    answer = client.get("/test/away")
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (424, PROBLEM_TYPE)
    assert problem["type"] == "urn:deeplens:problem:" + LocationUnavailableError.code
    assert "unplugged" in problem["detail"]
    assert client.get("/nothing").json()["status"] == 404
    assert client.post("/health/live", headers={"origin": OWN}).json()["code"] == "method_not_allowed"


def test_what_is_not_valid_is_named_and_what_was_sent_is_not_repeated(client: TestClient) -> None:
    answer = client.post("/test/echo?count=hunter2", json="hunter2")
    assert answer.status_code == 422
    assert {item["field"] for item in answer.json()["errors"]} == {"query.count", "body"}
    assert "hunter2" not in answer.text


def test_every_error_has_a_status_and_only_damage_is_500() -> None:
    def below(kind: type[DeepLensError]) -> Iterator[type[DeepLensError]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    unknown = {kind for kind in below(DeepLensError) if status_of(kind.__new__(kind)) == 500}
    assert unknown == {errors.AuditBrokenError, errors.ModelCorruptError}


def test_other_hosts_are_refused_but_for_what_a_cluster_asks(client: TestClient) -> None:
    for host in ("evil.example", "127.0.0.1", "127.0.0.1:1", f"{HOST}.evil.example", ""):
        answer = client.get("/test/context", headers={"host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_host"), host
        assert client.get("/health/live", headers={"host": host}).status_code == 200
    assert client.get("/test/context", headers={"host": "PICTURES.example.org"}).status_code == 200


def test_pages_of_other_origins_may_change_nothing(client: TestClient) -> None:
    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post("/test/make", json={"name": "origin"}, headers=named).status_code

    assert status() == status(origin=OWN) == status(sec_fetch_site="same-origin") == 201
    for origin in ("http://evil.example", "null", f"https://{HOST}", "http://127.0.0.1:1"):
        assert status(origin=origin) == 403, origin
    assert status(sec_fetch_site="cross-site") == status(sec_fetch_site="same-site") == 403
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect("/x/ws", headers={"origin": "null"}),
    ):
        raise AssertionError("it was opened")
    assert refused.value.status_code == 403


def test_every_answer_says_what_a_browser_may_not_do(client: TestClient) -> None:
    for path in ("/health/live", "/nothing", "/test/defect"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "strict-transport-security" not in headers
        assert "server" not in headers


@pytest.mark.parametrize("name", ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"])
def test_nobody_but_a_named_proxy_says_who_asks(workspace: Workspace, name: str) -> None:
    seen: list[dict[str, Any]] = []

    def told(app: FastAPI, client: str, **headers: str) -> dict[str, Any]:
        @app.get(f"/test/{len(seen)}", dependencies=[public()])
        def asked() -> None: ...

        async def send(_message: Any) -> None: ...

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def spying(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope)

        app.state.spy = spying
        from deeplens_kit.service.forwarded import ForwardedMiddleware

        pairs = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
        scope = {"type": "http", "path": "/", "scheme": "http", "client": (client, 1), "headers": pairs}
        asyncio.run(ForwardedMiddleware(spying, app.state.service)(scope, receive, send))
        return dict(seen[-1])

    app = application(workspace, behind_proxy=("10.0.0.0/8",), origins=("https://pictures.example.org",))
    sent = {
        "x-forwarded-for": "6.6.6.6, 203.0.113.7, 10.1.1.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "pictures.example.org",
    }[name]
    through = told(app, "10.0.0.2", host="inner:1", **{name: sent})
    past = told(app, "203.0.113.9", host="inner:1", **{name: sent})
    before = {"client": "10.0.0.2", "scheme": "http", "host": b"inner:1"}
    expected = {
        "x-forwarded-for": before | {"client": "203.0.113.7"},
        "x-forwarded-proto": before | {"scheme": "https"},
        "x-forwarded-host": before | {"host": b"pictures.example.org"},
    }[name]
    assert {
        "client": through["client"][0],
        "scheme": through["scheme"],
        "host": dict(through["headers"])[b"host"],
    } == expected
    assert (past["client"][0], past["scheme"], past["headers"]) == ("203.0.113.9", "http", [(b"host", b"inner:1")])


def test_a_body_is_ended_as_soon_as_it_is_too_large(client: TestClient, app: FastAPI) -> None:
    answer = client.post("/test/echo?count=1", json=["a" * 5000])
    assert (answer.status_code, answer.json()["status"]) == (413, 413)
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"a" * 1000

    streamed = client.post("/test/echo?count=1", content=pieces(), headers={"content-type": "application/json"})
    assert streamed.status_code == 413
    assert client.post("/test/echo?count=1", json=["a" * 4000]).json() == {"said": "1 1"}


def test_so_many_costly_requests_at_once_and_the_others_are_told_to_come_back(client: TestClient, app: FastAPI) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(client.get("/test/costly"))) for _ in range(2)]
    threads[0].start()
    assert app.state.entered.acquire(timeout=20)
    threads[1].start()
    until(lambda: app.state.turnstile.waiting == 1)
    refused = client.get("/test/costly")
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, "busy", "1")
    app.state.gate.set()
    for thread in threads:
        thread.join(20)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (app.state.turnstile.working, app.state.turnstile.waiting) == (0, 0)


def until(holds: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(2000):
        if holds():
            return
        waiting.wait(0.01)
    raise AssertionError("it did not come to hold")


def test_who_waits_too_long_for_a_turn_is_sent_away_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        turnstile = Turnstile(1, 5, 0.01)
        async with turnstile.turn():
            with pytest.raises(ServerBusyError):
                async with turnstile.turn():
                    raise AssertionError("there was no turn")
        async with turnstile.turn():
            assert (turnstile.working, turnstile.waiting) == (1, 0)

    asyncio.run(main())


def test_a_process_that_cannot_be_started_is_told_of_and_not_waited_for() -> None:
    spec = ChildSpec("API worker 1", ("/no/such/program",))
    with Children([spec], 1.0) as children, pytest.raises(DeepLensError, match="API worker 1 cannot be started"):
        children.wait_ready()


def test_ready_looks_at_everything_and_tells_no_more_than_it_must(workspace: Workspace) -> None:
    app = application(workspace)
    with TestClient(app, base_url=OWN) as client:
        whole = client.get("/health/ready")
        assert (whole.status_code, whole.json()["status"]) == (200, "ready")
        assert {"ledger", "catalog", "cache", "searcher"} <= set(whole.json()["checks"])

        def broken() -> str:
            raise RuntimeError("password=hunter2 at db.internal")

        app.state.service.checks["provider"] = broken
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
        assert answer.json()["checks"]["provider"]["ok"] is False
        assert "hunter2" not in answer.text and "internal" not in answer.text
        assert client.get("/health/live").json()["status"] == "live"


def test_a_provider_that_does_not_answer_is_told_of_and_keeps_nobody_away(tmp_path: Path) -> None:
    Workspace.create(tmp_path / "workspace").close()
    with socket.socket() as taken:
        # Bound, and nobody listens.
        taken.bind(("127.0.0.1", 0))
        issuer = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (tmp_path / "workspace" / "workspace.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[sign_in.providers.company]\nissuer = "{issuer}"\nclient_id = "deeplens"\n')
            file.write('default_role = "viewer"\n')
        with Workspace.open(tmp_path / "workspace") as workspace:
            service = Service(workspace, Desk(workspace), ServiceSettings())
            with TestClient(make_application(service, pages=False), base_url=OWN) as client:
                answer = client.get("/health/ready")
    told = answer.json()["checks"]["provider company"]
    assert (answer.status_code, told["ok"], told["needed"]) == (200, False, False)
    assert issuer not in answer.text


def test_a_request_sent_twice_is_done_once(client: TestClient) -> None:
    def post(name: str, key: str) -> Any:
        return client.post("/test/make", json={"name": name}, headers={"idempotency-key": key} if key else {})

    first, again, other = post("a", "k1"), post("a", "k1"), post("a", "k2")
    assert first.status_code == again.status_code == 201
    assert again.json() == first.json() != other.json()
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert (post("b", "k1").status_code, post("b", "k1").json()["code"]) == (422, "key_reused")
    assert post("a", "").json() != post("a", "").json()
    # What came to nothing may be tried again, with something else too.
    assert post("no", "k3").status_code == 424
    assert post("yes", "k3").status_code == 201
    assert client.post("/test/make", json={"name": "a"}, headers={"idempotency-key": "k" * 201}).status_code == 422


def test_a_request_whose_process_died_is_taken_up_at_once(workspace: Workspace) -> None:
    begin = "ledger.begin_request('ana', 'k9', 'f')"
    code = f"import sys; from deeplens_kit.ledger import Ledger; ledger = Ledger.open(sys.argv[1]); assert not {begin}"
    subprocess.run([sys.executable, "-c", code, workspace.settings.ledger_url], check=True)
    assert workspace.ledger.begin_request("ana", "k9", "f") is None
    # Now it is worked on by a process that lives: this one.
    with pytest.raises(errors.RequestConflictError):
        workspace.ledger.begin_request("ana", "k9", "f")


def test_the_audit_trail_bears_the_correlation_id(workspace: Workspace) -> None:
    with bound_context(correlation_id="c-7"):
        workspace.ledger.record_audit("test.done", {"of": "this"})
    workspace.ledger.record_audit("test.done", {"of": "that"})
    assert [line.details for line in workspace.ledger.audit_trail(action="test.done")] == [
        {"of": "this", "correlation_id": "c-7"},
        {"of": "that"},
    ]


def test_the_document_of_the_api_is_the_committed_one(repository: Path) -> None:
    """Made anew by `python -m deeplens_kit.service.api.document > docs/openapi.json`."""
    document = described_application().openapi()
    committed = json.loads((repository / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert document == committed
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert {"429", "500", "503"} <= set(operation["responses"]), (method, path)
    assert "Problem" in document["components"]["schemas"]
