"""Bearer tokens of others: those of a real provider, and those that somebody made up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from access_server import Served
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import Role
from deeplens_kit.service.access import jwks
from deeplens_kit.settings import TokenSettings
from tests.servers.oidc import PROGRAM_CLIENT, OidcServer, signing_keys

Serving = Callable[..., Served]
AUDIENCE, OPAQUE = "urn:deeplens:api", "urn:deeplens:opaque"


def given(oidc: OidcServer, audience: str) -> str:
    """An access token that the provider gives to a program."""
    answer = httpx.post(
        f"{oidc.issuer}/token",
        data={"grant_type": "client_credentials", "scope": "search:read", "resource": audience},
        auth=(PROGRAM_CLIENT, oidc.secret),
    )
    return str(answer.raise_for_status().json()["access_token"])


def test_tokens_of_a_real_provider(serving: Serving, oidc: OidcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPLENS_TEST_SECRET", oidc.secret)
    signed = TokenSettings(name="api", issuer=oidc.issuer, audience=AUDIENCE)
    opaque = TokenSettings(
        name="opaque",
        issuer=oidc.issuer,
        audience=OPAQUE,
        introspection_url=f"{oidc.issuer}/token/introspection",
        client_id=PROGRAM_CLIENT,
        client_secret="${DEEPLENS_TEST_SECRET}",
        introspected_seconds=0.0,
    )
    served = serving(sign_in={"tokens": (opaque, signed)})
    token = given(oidc, AUDIENCE)
    who = served.bearing(token).get("/api/v1/session")
    assert who.json()["name"] == "program (api)"
    assert (who.json()["scopes"], who.json()["kind"]) == (["search:read"], "token")
    assert served.bearing(token).get("/api/v1/users").status_code == 403
    # For another audience, by the same provider and of good signature.
    assert served.bearing(given(oidc, "urn:other")).get("/api/v1/session").status_code == 401
    token = given(oidc, OPAQUE)
    assert served.bearing(token).get("/api/v1/session").json()["name"] == "program (opaque)"
    httpx.post(f"{oidc.issuer}/token/revocation", data={"token": token}, auth=(PROGRAM_CLIENT, oidc.secret))
    assert served.bearing(token).get("/api/v1/session").status_code == 401
    assert served.bearing("never-given").get("/api/v1/session").status_code == 401


class Issuer:
    """A key set behind HTTP, whose keys can be changed."""

    def __init__(self, address: str) -> None:
        self.url, self.fetched = address, 0
        self.keys = signing_keys()

    def token(self, alg: str = "RS256", *, key: Any = None, headers: Any = None, **changed: Any) -> str:
        """A token with good claims, but for those that are changed; None leaves one out."""
        jwk = next(one for one in self.keys if one["alg"] == alg) if key is None else None
        claims = {"iss": self.url, "aud": "deeplens", "sub": "ana", "scope": "search:read", "exp": time.time() + 60}
        claims = {name: value for name, value in (claims | changed).items() if value is not None}
        made = {"kid": jwk["kid"]} if jwk is not None else {}
        signing = key if jwk is None else (RSAAlgorithm if alg.startswith("RS") else ECAlgorithm).from_jwk(jwk)
        return jwt.encode(claims, signing, alg, headers=made | (headers or {}))


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.fetched += 1
            public = [
                {name: one[name] for name in one if name not in set("dpq") | {"dp", "dq", "qi"}} for one in made.keys
            ]
            content = json.dumps({"keys": public}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        made = Issuer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def trusting(serving: Serving, issuer: Issuer) -> Served:
    settings = TokenSettings(
        name="own", issuer=issuer.url, audience="deeplens", jwks_url=f"{issuer.url}/keys", roles_claim="groups",
        roles={"lens-admins": "admin"}, leeway_seconds=0.0,
    )  # fmt: skip
    return serving(sign_in={"tokens": (settings,), "tries_per_minute": 1000})


def test_good_tokens_by_either_kind_of_key(trusting: Served, issuer: Issuer) -> None:
    for alg in ("RS256", "ES256"):
        who = trusting.bearing(issuer.token(alg)).get("/api/v1/session").json()
        assert (who["name"], who["scopes"]) == ("ana (own)", ["search:read"])
    assert issuer.fetched == 1
    admin = trusting.bearing(issuer.token(groups=["staff", "lens-admins"]))
    assert admin.get("/api/v1/users").status_code == 200
    # An unknown scope is none of ours; a list is taken as well as a text.
    mixed = trusting.bearing(issuer.token(scope=["images:read", "root", "admin2"])).get("/api/v1/session").json()
    assert mixed["scopes"] == ["images:read"]
    # A name in a token is not a user here.
    token = trusting.bearing(issuer.token(sub="the admin"))
    assert token.get("/api/v1/session").json()["name"] == "the admin (own)"
    assert token.get("/api/v1/keys").json()["items"] == []


def made_up(issuer: Issuer) -> Iterator[tuple[str, str]]:
    other = signing_keys()
    wrong = RSAAlgorithm.from_jwk(other[0])
    public = json.dumps({name: issuer.keys[0][name] for name in ("kty", "n", "e", "kid")})
    yield "another key", issuer.token(key=wrong, headers={"kid": issuer.keys[0]["kid"]})
    yield "a key that the set has not", issuer.token(key=wrong, headers={"kid": "mine"})
    yield "no signature", issuer.token("none", key="")
    yield "the public key as a password", issuer.token("HS256", key=public * 2, headers={"kid": issuer.keys[0]["kid"]})
    yield (
        "a key that it brings along",
        issuer.token(key=wrong, headers={"kid": "mine", "jwk": other[0] | {"d": ""}, "jku": "http://127.0.0.1:9/keys"}),
    )
    yield "expired", issuer.token(exp=time.time() - 5)
    yield "without an end", issuer.token(exp=None)
    yield "not yet", issuer.token(nbf=time.time() + 600)
    yield "for somebody else", issuer.token(aud="elsewhere")
    yield "for nobody", issuer.token(aud=None)
    yield "of somebody else", issuer.token(iss="https://evil.test")
    yield (
        "an algorithm that is not listed",
        issuer.token("RS512", key=RSAAlgorithm.from_jwk(issuer.keys[0]), headers={"kid": issuer.keys[0]["kid"]}),
    )
    good = issuer.token()
    head, body, signature = good.split(".")
    yield "another body", ".".join((head, issuer.token(scope="admin").split(".")[1], signature))
    yield "cut off", f"{head}.{body}."
    yield "no token at all", "a.b.c"
    yield "odd types", issuer.token(aud={"deeplens": 1})


def test_tokens_that_somebody_made_up(trusting: Served, issuer: Issuer) -> None:
    for what, token in made_up(issuer):
        answer = trusting.bearing(token).get("/api/v1/session")
        assert (answer.status_code, answer.headers.get("www-authenticate", "")[:6]) == (401, "Bearer"), what


def test_keys_are_changed(trusting: Served, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    old = issuer.token()
    assert trusting.bearing(old).get("/api/v1/session").status_code == 200
    issuer.keys = [key | {"kid": f"new-{key['kid']}"} for key in signing_keys()]
    fresh = trusting.bearing(issuer.token())
    # Not at once for each that is unknown: somebody may make up as many ids as they like.
    assert fresh.get("/api/v1/session").status_code == 401
    assert issuer.fetched == 1
    monkeypatch.setattr(jwks, "_LEAST_SECONDS", 0.0)
    assert fresh.get("/api/v1/session").status_code == 200
    assert issuer.fetched == 2
    # What the set has not any more is not believed any more.
    assert trusting.bearing(old).get("/api/v1/session").status_code == 401


def test_an_issuer_that_does_not_answer_lets_nobody_in(serving: Serving) -> None:
    silent = TokenSettings(name="gone", issuer="http://127.0.0.1:9", audience="deeplens")
    served = serving(sign_in={"tokens": (silent,)})
    key = RSAAlgorithm.from_jwk(signing_keys()[0])
    token = jwt.encode({"iss": silent.issuer, "aud": "deeplens", "exp": 4e9}, key, "RS256")
    assert served.bearing(token).get("/api/v1/session").status_code == 401
    assert served.browser(served.users[Role.VIEWER]).get("/api/v1/session").status_code == 200


@pytest.mark.parametrize("alg", ["none", "HS256", "HS512", ""])
def test_settings_take_no_algorithm_that_proves_nothing(alg: str) -> None:
    with pytest.raises(SettingsError, match="allowed"):
        TokenSettings(name="x", issuer="https://id.test", audience="a", algorithms=(alg,))
