"""An OpenID provider: the certified `oidc-provider` of npm, with users that are whatever name is typed."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.azurite import NODE
from tests.servers.issued import issue
from tests.servers.program import REPOSITORY, without
from tests.servers.server import HOST, Server, started

INSTALL = "npm ci --prefix tests/servers (with Node 20 or newer)"
VARIABLE = "DEEPLENS_OIDC_PROVIDER"
CLIENT, PROGRAM_CLIENT, SIGN_IN_ALG = "deeplens", "program", "ES256"
REDIRECTS = ("https://deeplens.test/sign-in/with/company/return",)
GROUPS = {"ana": ["staff", "lens-admins"], "bo": ["staff"], "eve": ["visitors"]}
_HERE = REPOSITORY / "tests" / "servers"
_SECRET_BYTES = 24
_FIELD = re.compile(r'<(?:input|form)[^>]*?(?:name|action)="([^"]*)"(?:[^>]*?value="([^"]*)")?', re.DOTALL)


@dataclass(frozen=True)
class OidcServer(Server):
    """A provider.

    Attributes:
        issuer: Its address.
        secret: Of both clients.
        keys: Its private keys, as JWKs.
    """

    issuer: str
    secret: str = field(repr=False)
    keys: list[dict[str, Any]] = field(repr=False)


def version() -> str:
    """Its version in a line, or `missing`."""
    about = _package() / "package.json"
    if NODE.locate() is None or not about.exists():
        return "missing"
    return f"oidc-provider {json.loads(about.read_text(encoding='utf-8'))['version']} on {NODE.version()}"


@contextmanager
def running(folder: Path, redirects: Sequence[str] = REDIRECTS) -> Iterator[OidcServer]:
    """The provider; all that it knows is gone when it ends.

    Args:
        folder: Where it works.
        redirects: Where it may send browsers back to.
    """
    node = NODE.find()
    if not (_package() / "lib" / "index.js").exists():
        without(f"oidc-provider is not installed; {VARIABLE} may name the folder of its package", INSTALL)
    secret = issue(os.urandom(_SECRET_BYTES).hex())
    keys = signing_keys()
    client = {
        "client_id": CLIENT,
        "client_secret": secret,
        "redirect_uris": list(redirects),
        "grant_types": ["authorization_code"],
        "id_token_signed_response_alg": SIGN_IN_ALG,
    }
    program = {
        "client_id": PROGRAM_CLIENT,
        "client_secret": secret,
        "redirect_uris": [],
        "response_types": [],
        "grant_types": ["client_credentials"],
    }
    settings = {
        "package": str(_package().absolute()),
        "clients": [client, program],
        "keys": keys,
        "groups": GROUPS,
        "access_token_alg": "RS256",
    }

    def command(ports: Sequence[int]) -> list[str | Path]:
        return [node, _HERE / "oidc_provider.mjs", str(ports[0])]

    with started(
        "oidc-provider", command, folder, _ready, environment={"OIDC_SETTINGS": json.dumps(settings)}
    ) as process:
        yield OidcServer(process, version(), f"http://{HOST}:{process.ports[0]}", secret, keys)


def signing_keys() -> list[dict[str, Any]]:
    """An RSA and an elliptic key, private, as JWKs."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm

    rsa_key = RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048), as_dict=True)
    ec_key = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
    made = [(rsa_key, "RS256"), (ec_key, "ES256")]
    return [
        {name: value for name, value in key.items() if name != "key_ops"}
        | {"kid": f"key-{alg}", "alg": alg, "use": "sig"}
        for key, alg in made
    ]


def sign_in_at(address: str, name: str) -> str:
    """What a person does at the provider: types a name, agrees; gives the address that they are sent back to."""
    import httpx

    with httpx.Client(follow_redirects=False, timeout=20) as browser:
        answer = browser.get(address)
        for _ in range(12):
            if answer.is_redirect:
                target = str(answer.next_request.url) if answer.next_request is not None else ""
                if not target.startswith(address.partition("/auth")[0]):
                    return target
                answer = browser.get(target)
                continue
            found = dict(_FIELD.findall(answer.text))
            action = next(key for key in found if key.startswith(("http", "/")))
            form = {key: value for key, value in found.items() if key and key != action}
            answer = browser.post(httpx.URL(address).join(action), data={**form, "login": name, "password": "any"})
    raise AssertionError(f"{address} goes round in circles")


def _package() -> Path:
    named = os.environ.get(VARIABLE)
    # Beside Azurite, wherever that is.
    beside = Path(os.environ.get("DEEPLENS_AZURITE") or _HERE / "node_modules" / "azurite").parent / "oidc-provider"
    return Path(named) if named else beside


def _ready(port: int) -> None:
    with urllib.request.urlopen(f"http://{HOST}:{port}/.well-known/openid-configuration", timeout=5) as answer:
        json.load(answer)
