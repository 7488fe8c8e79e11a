"""Requests to a server of WebDAV, by httpx: connections, logins, redirects.

Takes methods and paths, gives answers that are successes; must not know what they mean. A redirect to another server is
not followed: it would be given the credentials.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from deeplens_kit.errors import ExtraMissingError, StoreFullError
from deeplens_kit.storage.addresses import escaped
from deeplens_kit.storage.credentials import resolve
from deeplens_kit.storage.resilience import FaultKind, KnownFault
from deeplens_kit.storage.tls import trusting
from deeplens_kit.storage.webdav_answers import parse_time

if TYPE_CHECKING:
    import httpx

__all__ = ["Login", "StatusError", "WebdavClient", "meaning_of", "taken"]

_Auth: TypeAlias = "httpx.Auth | Callable[[httpx.Request], httpx.Request]"

_MOST_REDIRECTS = 5
_MAY_BE_REDIRECTED = ("GET", "PROPFIND")


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks, with references to credentials.

    Attributes:
        user: Empty for nobody.
        password: Of the user.
        auth: How both are sent.
        token: A bearer token instead.
    """

    user: str
    password: str
    auth: Literal["basic", "digest"]
    token: str

    def resolved(self, *, fresh: bool) -> _Auth:
        """With the credentials in their place."""
        import httpx

        if self.token:
            token = resolve(self.token, fresh=fresh)

            def bear(request: httpx.Request) -> httpx.Request:
                request.headers["Authorization"] = f"Bearer {token}"
                return request

            return bear
        if not self.user:
            return httpx.Auth()
        kind = httpx.DigestAuth if self.auth == "digest" else httpx.BasicAuth
        return kind(self.user, resolve(self.password, fresh=fresh))


class StatusError(Exception):
    """An answer that is no success."""

    def __init__(self, method: str, status: int, phrase: str) -> None:
        self.method, self.status = method, status
        super().__init__(f"{method}: {status} {phrase}".rstrip())


class WebdavClient:
    """A server; safe to use from several threads.

    Args:
        origin: `https://HOST:PORT`.
        login: Who asks.
        connections: At most.
        timeout_seconds: For each wait.
        ca_file: File of certificates that are trusted; empty for those that the machine trusts.

    Attributes:
        told_at: The server's clock, as its last answer told it.
    """

    def __init__(self, origin: str, login: Login, *, connections: int, timeout_seconds: float, ca_file: str) -> None:
        self._origin, self._login = origin, login
        self._connections, self._timeout_seconds, self._ca_file = connections, timeout_seconds, ca_file
        self._lock = threading.Lock()
        self._made: httpx.Client | None = None
        self._auth: _Auth | None = None
        self._fresh = False
        self.told_at: datetime | None = None

    def url(self, path: str) -> str:
        """The URL of a native path from the server's root."""
        return self._origin + escaped(path)

    @contextlib.contextmanager
    def answer(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> Iterator[httpx.Response]:
        """Send a request; gives the answer before its body is read.

        Args:
            method: Of HTTP or WebDAV.
            path: Native, from the server's root.
            headers: Besides those of the login.
            content: Body of the request.

        Raises:
            StatusError: The answer is no success.
            StoreFullError: No space.
            KnownFault: A redirect that is not followed.
        """
        url = self.url(path)
        for _ in range(_MOST_REDIRECTS + 1):
            client, auth = self._client()
            with client.stream(method, url, headers=headers, content=content, auth=auth) as answer:
                self.told_at = parse_time(answer.headers.get("Date")) or self.told_at
                if answer.is_success:
                    yield answer
                    return
                if answer.status_code == 507 and method not in _MAY_BE_REDIRECTED:
                    raise StoreFullError("The storage has no space for new objects; free some and try again.")
                if not answer.has_redirect_location:
                    raise StatusError(method, answer.status_code, answer.reason_phrase)
                here, following = answer.url, answer.url.join(answer.headers["Location"])
            same = (here.scheme, here.host, here.port) == (following.scheme, following.host, following.port)
            if method not in _MAY_BE_REDIRECTED or not same:
                to = f"{following.scheme}://{following.netloc.decode()}{following.path}"
                reason = f"it is redirected to {to}, which is not followed; open the location by that address"
                raise KnownFault(FaultKind.LOCATION, reason)
            url = str(following)
        raise KnownFault(FaultKind.LOCATION, "the server redirects without end")

    def renew(self) -> None:
        """Log in with the credentials as they are now; connections may serve other threads and stay."""
        with self._lock:
            self._auth, self._fresh = None, True

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            made, self._made, self._auth = self._made, None, None
        if made is not None:
            made.close()

    def _client(self) -> tuple[httpx.Client, _Auth]:
        with self._lock:
            if self._made is None:
                self._made = self._new()
            if self._auth is None:
                self._auth = self._login.resolved(fresh=self._fresh)
                self._fresh = False
            return self._made, self._auth

    def _new(self) -> httpx.Client:
        try:
            import httpx
        except ImportError as error:
            raise ExtraMissingError("A location on WebDAV", "webdav") from error
        return httpx.Client(
            timeout=self._timeout_seconds,
            limits=httpx.Limits(max_connections=self._connections, max_keepalive_connections=self._connections),
            verify=trusting(self._ca_file),
        )


def taken(answer: httpx.Response, start: int, length: int | None) -> bytes:
    """The body from `start`, at most `length` bytes; what follows is not transferred."""
    parts, skip, left = [], start, length
    for block in answer.iter_bytes():
        if skip:
            skip, block = max(0, skip - len(block)), block[skip:]
        parts.append(block if left is None else block[:left])
        if left is not None:
            left -= len(parts[-1])
            if not left:
                break
    return b"".join(parts)


def meaning_of(error: StatusError) -> FaultKind:
    """What an answer means to us."""
    status = error.status
    if status == 401:
        return FaultKind.CREDENTIALS
    if status in (404, 410):
        return FaultKind.GONE
    if status == 412:
        return FaultKind.CHANGED
    if status == 403:
        return FaultKind.FORBIDDEN
    if status in (408, 423, 425, 429) or status >= 500:
        return FaultKind.PASSING
    return FaultKind.BROKEN
