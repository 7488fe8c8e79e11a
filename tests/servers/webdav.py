"""WsgiDAV: WebDAV over a folder, with a user and a password."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import Certificate
from tests.servers.issued import issue
from tests.servers.program import Program
from tests.servers.server import HOST, Server, started

USER = "deeplenstest"
PROGRAM = Program(
    "WsgiDAV", "DEEPLENS_WSGIDAV_BIN", ("wsgidav",), "pip install wsgidav cheroot", distribution="WsgiDAV"
)


@dataclass(frozen=True)
class WebdavServer(Server):
    """A server of WebDAV.

    Attributes:
        endpoint: URL of its root.
        served: The folder that it serves.
        user: Who may read and write, by basic authentication.
        password: Made for this start.
    """

    endpoint: str
    served: Path
    user: str
    password: str = field(repr=False)


@contextmanager
def running(folder: Path, *, certificate: Certificate | None = None, digest: bool = False) -> Iterator[WebdavServer]:
    """A folder of its own, for one user.

    Args:
        folder: Where it works.
        certificate: Makes it serve https.
        digest: Makes it take digest authentication instead of basic.
    """
    wsgidav, password = PROGRAM.find(), issue(f"test-password-{secrets.token_hex(12)}")
    served, settings = folder / "served", folder / "wsgidav.json"
    served.mkdir(parents=True)

    def command(ports: Sequence[int]) -> list[str | Path]:
        described = {
            "host": HOST,
            "port": ports[0],
            "server": "cheroot",
            "provider_mapping": {"/": str(served)},
            "http_authenticator": {"accept_basic": not digest, "accept_digest": digest, "default_to_digest": digest},
            "simple_dc": {"user_mapping": {"*": {USER: {"password": password}}}},
            "verbose": 3,
        }
        if certificate is not None:
            described |= {"ssl_certificate": str(certificate.file), "ssl_private_key": str(certificate.key)}
            described |= {"ssl_adapter": "builtin"}
        settings.write_text(json.dumps(described))
        return [wsgidav, "--config", settings]

    # A digest needs a conversation: there the port answers, and that is all that is asked.
    ready = _answers if digest else _stores(password, certificate)
    with started(PROGRAM.name, command, folder, ready) as process:
        scheme = "http" if certificate is None else "https"
        endpoint = f"{scheme}://{HOST}:{process.ports[0]}/"
        yield WebdavServer(process, PROGRAM.version(), endpoint, served, USER, password)


def _stores(password: str, trusted: Certificate | None) -> Callable[[int], None]:
    token = base64.b64encode(f"{USER}:{password}".encode()).decode()
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if trusted is not None:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=trusted.file)))
    opener = urllib.request.build_opener(*handlers)

    def ready(port: int) -> None:
        for method, body in (("PUT", b"yes"), ("DELETE", None)):
            url = f"http{'s' if trusted else ''}://{HOST}:{port}/is-it-ready"
            request = urllib.request.Request(url, body, {"Authorization": f"Basic {token}"}, method=method)
            with opener.open(request, timeout=10) as answer:
                answer.read()

    return ready


def _answers(port: int) -> None:
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{HOST}:{port}/", timeout=10).close()
