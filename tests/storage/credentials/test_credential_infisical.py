"""Credentials of Infisical, over HTTP to a server that answers as its API is documented: the real one is not here."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from leaks import assert_no_secret

from deeplens_kit.errors import CredentialMissingError, ExtraMissingError, SettingsError
from deeplens_kit.storage.credentials import Reference, registry, resolve
from deeplens_kit.storage.credentials.infisical import CACHE_SECONDS, Infisical

CLIENT_SECRET = "zq-client-hunter22"


@dataclass
class Vault:
    """What the server holds, and what it was asked."""

    url: str = ""
    secrets: dict[tuple[str, str, str], str] = field(default_factory=dict)
    token: str = "zq-token-hunter-1"
    client_secret: str = CLIENT_SECRET
    asked: list[str] = field(default_factory=list)
    status: int | None = None
    body: bytes | None = None
    seconds: float = 3600.0
    now: float = 1000.0


class _Answers(BaseHTTPRequestHandler):
    vault: Vault

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.vault.asked.append("login")
        if self.path != "/api/v1/auth/universal-auth/login" or body != {
            "clientId": "machine-1", "clientSecret": self.vault.client_secret
        }:  # fmt: skip
            self._answer(401, {"message": f"Invalid credentials {body}"})
        else:
            self._answer(200, {"accessToken": self.vault.token, "expiresIn": self.vault.seconds, "tokenType": "Bearer"})

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        name = unquote(path.removeprefix("/api/v3/secrets/raw/"))
        self.vault.asked.append(name)
        key = (query["workspaceId"][0], query["environment"][0], name)
        if self.headers["Authorization"] != f"Bearer {self.vault.token}":
            self._answer(401, {"message": "Token invalid"})
        elif self.vault.status is not None:
            self._answer(self.vault.status, {"message": "zq-body-hunter"})
        elif key not in self.vault.secrets or query["secretPath"] != ["/"]:
            self._answer(404, {"message": "Secret not found"})
        else:
            self._answer(200, {"secret": {"secretKey": name, "secretValue": self.vault.secrets[key]}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        if self.command == "GET" and self.vault.body is not None:
            content = self.vault.body
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    held = Vault(secrets={("p1", "prod", "S3_KEY"): "zq-s3-hunter22"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answers", (_Answers,), {"vault": held}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INFISICAL_URL", held.url + "/")
    monkeypatch.setenv("INFISICAL_CLIENT_ID", "machine-1")
    monkeypatch.setenv("INFISICAL_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("INFISICAL_PROJECT_ID", "p1")
    monkeypatch.setenv("INFISICAL_ENVIRONMENT", "prod")
    made = Infisical(clock=lambda: held.now)
    given = registry.provider
    monkeypatch.setattr("deeplens_kit.storage.credentials.resolving.provider", lambda name: (
        made if name == "infisical" else given(name)
    ))  # fmt: skip
    yield held
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_secret_is_read_by_its_name_alone_or_with_its_place(vault: Vault) -> None:
    vault.secrets["p 2", "dev", "odd ä"] = "zq-odd-hunter"
    assert resolve("${infisical:S3_KEY}") == "zq-s3-hunter22"
    assert resolve("${infisical:p 2/dev/odd ä}") == "zq-odd-hunter"
    assert vault.asked == ["login", "S3_KEY", "odd ä"], "one login serves for both"


def test_a_value_is_asked_for_once_a_minute_or_when_wanted_afresh(vault: Vault) -> None:
    assert resolve("${infisical:S3_KEY}") == "zq-s3-hunter22"
    vault.secrets["p1", "prod", "S3_KEY"] = "zq-rotated-1"
    assert resolve("${infisical:S3_KEY}") == "zq-s3-hunter22"
    assert resolve("${infisical:S3_KEY}", fresh=True) == "zq-rotated-1"
    vault.secrets["p1", "prod", "S3_KEY"] = "zq-rotated-2"
    vault.now += CACHE_SECONDS - 0.1
    assert resolve("${infisical:S3_KEY}") == "zq-rotated-1"
    vault.now += 0.1
    assert resolve("${infisical:S3_KEY}") == "zq-rotated-2"
    assert vault.asked.count("S3_KEY") == 3


def test_threads_that_need_the_same_secret_ask_once(vault: Vault) -> None:
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(resolve, ["${infisical:S3_KEY}"] * 8)) == {"zq-s3-hunter22"}
    assert vault.asked == ["login", "S3_KEY"]


def test_a_login_that_ends_or_is_withdrawn_is_made_anew(vault: Vault) -> None:
    vault.seconds = 90.0
    resolve("${infisical:S3_KEY}")
    vault.now += CACHE_SECONDS
    resolve("${infisical:S3_KEY}")
    assert vault.asked.count("login") == 2, "half a minute before its end"
    vault.token = "zq-token-hunter-2"
    vault.seconds = 3600.0
    vault.now += CACHE_SECONDS - 1
    assert resolve("${infisical:p1/prod/S3_KEY}") == "zq-s3-hunter22"
    vault.now += 1
    assert resolve("${infisical:S3_KEY}") == "zq-s3-hunter22"
    vault.token, vault.now = "zq-token-hunter-3", vault.now + CACHE_SECONDS
    assert resolve("${infisical:S3_KEY}") == "zq-s3-hunter22", "refused once, then with a new login"


def test_its_own_credentials_rotate_too(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve("${infisical:S3_KEY}")
    vault.client_secret = "zq-client-hunter33"
    monkeypatch.setenv("INFISICAL_CLIENT_SECRET", vault.client_secret)
    assert resolve("${infisical:S3_KEY}") == "zq-s3-hunter22"
    assert vault.asked.count("login") == 2


def test_what_is_missing_or_refused_says_where_it_was_looked_for(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CredentialMissingError, match="no 'NOPE' in environment 'prod' of project 'p1'") as caught:
        resolve("${infisical:NOPE}")
    assert not caught.value.passing
    vault.secrets["p1", "prod", "EMPTY"] = ""
    with pytest.raises(CredentialMissingError, match="or an empty one"):
        resolve("${infisical:EMPTY}")
    for status, passing in ((403, False), (301, False), (429, True), (503, True)):
        vault.status = status
        with pytest.raises(CredentialMissingError, match=rf"127\.0\.0\.1 answered with status {status}") as caught:
            resolve("${infisical:S3_KEY}")
        assert caught.value.passing is passing
        assert "hunter" not in str(caught.value)
    monkeypatch.setenv("INFISICAL_CLIENT_SECRET", "zq-wrong-hunter")
    with pytest.raises(CredentialMissingError, match="status 401; mend INFISICAL_CLIENT_ID") as caught:
        resolve("${infisical:S3_KEY}")
    assert "hunter" not in str(caught.value)
    for name in ("INFISICAL_CLIENT_SECRET", "INFISICAL_PROJECT_ID"):
        monkeypatch.delenv(name)
        with pytest.raises(CredentialMissingError, match=f"{name} is not set"):
            resolve("${infisical:S3_KEY}")


def test_a_server_that_does_not_answer_may_answer_later(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing listens on port 1.
    monkeypatch.setenv("INFISICAL_URL", "http://127.0.0.1:1")
    with pytest.raises(CredentialMissingError, match=r"does not answer \(ConnectError\)") as caught:
        resolve("${infisical:S3_KEY}")
    assert caught.value.passing


@pytest.mark.parametrize("url", ["http://vault.example", "ftp://h", "https://", "https://u:zqhunter@h", "https://[x"])
def test_no_secret_goes_over_an_open_line(vault: Vault, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("INFISICAL_URL", url)
    with pytest.raises(SettingsError, match=r"INFISICAL_URL is no address .* write https://HOST") as caught:
        resolve("${infisical:S3_KEY}")
    assert "zqhunter" not in str(caught.value)


def test_an_answer_that_is_no_secret_is_none(vault: Vault) -> None:
    for body in (b"<html>", b"[]", b'{"secret": null}', b'{"secret": {"secretValue": 7}}'):
        vault.body = body
        with pytest.raises(CredentialMissingError, match="or an empty one"):
            resolve("${infisical:S3_KEY}")


def test_nothing_of_it_stands_in_the_log(vault: Vault, log: io.StringIO) -> None:
    resolve("${infisical:S3_KEY}")
    assert '"reference": "${infisical:S3_KEY}"' in log.getvalue()
    assert_no_secret([], [log.getvalue(), repr(vars(Infisical()))], [vault.token, CLIENT_SECRET, "zq-s3-hunter22"])


def test_without_httpx_the_extra_is_named(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ExtraMissingError, match=r"deeplens-kit\[secrets\]"):
        Infisical().look_up(Reference("${infisical:A}", "infisical", "A"), fresh=False)
