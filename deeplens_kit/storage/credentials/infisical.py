"""Credentials of an Infisical server: `${infisical:NAME}` or `${infisical:PROJECT/ENVIRONMENT/NAME}`.

Takes the name of a secret and gives its value over Infisical's HTTP API, logged in as a machine identity (universal
auth) whose own credentials are in the environment; must not write there, and keeps what it read for a minute in memory.
The tests run against a server of their own that answers as the API is documented, not against Infisical itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from deeplens_kit.errors import CredentialMissingError, ExtraMissingError, SettingsError
from deeplens_kit.storage.credentials.base import Reference
from deeplens_kit.storage.credentials.environment import variable
from deeplens_kit.telemetry import register_secret

if TYPE_CHECKING:
    import httpx

__all__ = ["Infisical"]

CACHE_SECONDS = 60.0
"""So long a value is taken from memory; a rotated one is seen after that, or at once where it is asked for afresh."""

_DEFAULT_URL = "https://app.infisical.com"
_TIMEOUT_SECONDS = 10.0
_LOGIN = "/api/v1/auth/universal-auth/login"
_SECRET = "/api/v3/secrets/raw/"
# A login is left before it ends, so that it does not end on the way.
_LOGIN_MARGIN_SECONDS = 30.0
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class _Account:
    url: str
    client_id: str
    client_secret: str = field(repr=False)


class Infisical:
    """Secrets of an Infisical server.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # One request at a time: threads that need the same secret then ask once.
        self._lock = threading.Lock()
        # Value, and the time until which it counts.
        self._values: dict[tuple[_Account, str, str, str], tuple[str, float]] = {}
        self._logins: dict[_Account, tuple[str, float]] = {}

    def check(self, reference: Reference) -> None:
        """See `CredentialProvider`."""
        parts = reference.name.split("/")
        if len(parts) not in (1, 3) or not all(parts):
            raise SettingsError(
                f"{reference.text} names no secret of Infisical; write ${{infisical:NAME}} or "
                "${infisical:PROJECT/ENVIRONMENT/NAME}."
            )

    def look_up(self, reference: Reference, *, fresh: bool) -> str:
        """See `CredentialProvider`."""
        project, environment, name = _place(reference)
        account = _account(reference)
        key = (account, project, environment, name)
        with self._lock:
            value, until = self._values.get(key, ("", 0.0))
            if fresh or self._clock() >= until:
                value = self._fetched(reference, account, project, environment, name, fresh=fresh)
                self._values[key] = (value, self._clock() + CACHE_SECONDS)
        return value

    def _fetched(
        self, reference: Reference, account: _Account, project: str, environment: str, name: str, *, fresh: bool
    ) -> str:
        query = {"workspaceId": project, "environment": environment, "secretPath": "/"}
        path = _SECRET + quote(name, safe="")
        with _client(reference, account) as client:
            for again in (True, False):
                token = self._login(client, reference, account, fresh=fresh or not again)
                answer = _ask(client, reference, "GET", path, params=query, token=token)
                # A login may be withdrawn before it ends.
                if answer.status_code != 401 or not again:
                    break
        where = f"Infisical holds no {name!r} in environment {environment!r} of project {project!r}"
        if answer.status_code == 404:
            raise CredentialMissingError(reference.text, where, "add it there, or mend the reference")
        _refuse_failure(reference, answer, "let the machine identity read that project")
        value = _text_at(answer, "secret", "secretValue")
        if not value:
            raise CredentialMissingError(reference.text, f"{where}, or an empty one", "set it there")
        return value

    def _login(self, client: httpx.Client, reference: Reference, account: _Account, *, fresh: bool) -> str:
        token, until = self._logins.get(account, ("", 0.0))
        if not fresh and self._clock() < until:
            return token
        body = {"clientId": account.client_id, "clientSecret": account.client_secret}
        answer = _ask(client, reference, "POST", _LOGIN, json=body)
        _refuse_failure(reference, answer, "mend INFISICAL_CLIENT_ID and INFISICAL_CLIENT_SECRET")
        token = _text_at(answer, "accessToken")
        register_secret(token)
        seconds = _number_at(answer, "expiresIn")
        self._logins[account] = (token, self._clock() + max(0.0, seconds - _LOGIN_MARGIN_SECONDS))
        return token


def _place(reference: Reference) -> tuple[str, str, str]:
    parts = reference.name.split("/")
    if len(parts) == 3:
        return parts[0], parts[1], parts[2]
    advice = "set it, or write ${infisical:PROJECT/ENVIRONMENT/NAME}"
    project = variable(reference, "INFISICAL_PROJECT_ID", advice)
    return project, variable(reference, "INFISICAL_ENVIRONMENT", advice), parts[0]


def _account(reference: Reference) -> _Account:
    url = (os.environ.get("INFISICAL_URL") or _DEFAULT_URL).rstrip("/")
    try:
        parts = urlsplit(url)
        sound = bool(parts.hostname) and parts.username is None
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        sound = safe = False
    if not sound or not safe:
        raise SettingsError(
            "INFISICAL_URL is no address that secrets may be fetched from; write https://HOST, without a login "
            f"(http only on this machine), for example {_DEFAULT_URL}."
        )
    client_id = variable(reference, "INFISICAL_CLIENT_ID")
    client_secret = variable(reference, "INFISICAL_CLIENT_SECRET")
    register_secret(client_secret)
    return _Account(url, client_id, client_secret)


def _client(reference: Reference, account: _Account) -> httpx.Client:
    try:
        import httpx
    except ImportError as error:
        raise ExtraMissingError(f"The credential {reference.text}", "secrets") from error
    # Redirects are not followed: a secret would be sent on to another host.
    return httpx.Client(base_url=account.url, timeout=_TIMEOUT_SECONDS, follow_redirects=False)


def _ask(
    client: httpx.Client,
    reference: Reference,
    method: str,
    path: str,
    *,
    token: str = "",
    params: dict[str, str] | None = None,
    json: dict[str, str] | None = None,
) -> httpx.Response:
    import httpx

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        return client.request(method, path, params=params, json=json, headers=headers)
    except httpx.HTTPError as error:
        where = f"Infisical at {client.base_url.host} does not answer ({type(error).__name__})"
        advice = "look at INFISICAL_URL and the network, and run again"
        raise CredentialMissingError(reference.text, where, advice, passing=True) from error


def _refuse_failure(reference: Reference, answer: httpx.Response, advice: str) -> None:
    if answer.status_code == 200:
        return
    # Infisical tells of limits and its own failures by these; the body is left out, it may hold what was sent.
    passing = answer.status_code == 429 or answer.status_code >= 500
    where = f"Infisical at {answer.url.host} answered with status {answer.status_code}"
    raise CredentialMissingError(reference.text, where, "run again later" if passing else advice, passing=passing)


def _text_at(answer: httpx.Response, *names: str) -> str:
    value = _at(answer, *names)
    return value if isinstance(value, str) else ""


def _number_at(answer: httpx.Response, name: str) -> float:
    value = _at(answer, name)
    return float(value) if isinstance(value, int | float) else 0.0


def _at(answer: httpx.Response, *names: str) -> Any:
    try:
        value = answer.json()
    except ValueError:
        # An answer that is no JSON, for example a page of a proxy, holds nothing.
        return None
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
