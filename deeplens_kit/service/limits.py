"""How much is taken: the bytes of a request while they come, and how many costly requests at once.

Takes requests, lets them through or answers 413 and 429; must not read a body itself, nor know what is done with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeplens_kit.errors import BodyTooLargeError, ServerBusyError
from deeplens_kit.ledger.access_values import PrincipalKind
from deeplens_kit.service.access.dependencies import caller
from deeplens_kit.service.context import Service, service_of
from deeplens_kit.service.problems import problem_for

__all__ = [
    "ARRIVING",
    "BodyLimitMiddleware",
    "Turnstile",
    "arrivals_of",
    "arriving",
    "costly",
    "streaming",
    "turnstile_of",
]

UPLOADS = "/api/v1/ingest/"
"""Below it pictures come that are kept, which may be large."""

STRANGERS_BYTES = 64 * 2**10
"""Of a request of whoever has not signed in, inclusive: a name and a password take less, and it is held in memory."""


ARRIVING = 4
"""Uploads that may be on their way at once, for each that is worked on: one waits for its network most of the time, and
one that comes as JSON is in memory meanwhile."""


class BodyLimitMiddleware:
    """Ends a request with 413 as soon as it has brought too much: before it is read where it says so, else on the way.

    Args:
        app: What it stands before.
        service: Names the limits.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and count."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        settings = self.service.settings
        limit = settings.max_upload_bytes if scope["path"].startswith(UPLOADS) else settings.max_body_bytes
        if getattr(scope.get("state", {}).get("principal"), "kind", None) is PrincipalKind.NOBODY:
            limit = min(limit, STRANGERS_BYTES)
        error = BodyTooLargeError(limit)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            correlation_id = str(scope.get("state", {}).get("correlation_id", ""))
            answer = problem_for(error, instance=scope["path"], correlation_id=correlation_id)
            # What it goes on to send is nobody's request.
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                # Of the kind that FastAPI passes on when it comes while a body is read.
                raise HTTPException(413, str(error), {"Connection": "close"})
            return message

        await self.app(scope, counted, send)


class Turnstile:
    """Lets so many through at once, has so many wait, and sends the others away.

    Args:
        at_once: Worked on at the same time.
        waiting: That may wait, inclusive.
        wait_seconds: How long one waits at most.
    """

    def __init__(self, at_once: int, waiting: int, wait_seconds: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._at_once, self._most, self._wait_seconds = at_once, waiting, wait_seconds
        self.waiting = 0
        self.working = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the block ends.

        Raises:
            ServerBusyError: As many wait already, or the turn does not come in time.
        """
        if self._free.locked() and self.waiting >= self._most:
            raise self._busy()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._free.acquire()
        except TimeoutError as error:
            raise self._busy() from error
        finally:
            self.waiting -= 1
        self.working += 1
        try:
            yield
        finally:
            self.working -= 1
            self._free.release()

    def _busy(self) -> ServerBusyError:
        return ServerBusyError(
            f"{self._at_once} requests of this kind are worked on and {self.waiting} wait, which is as many as this "
            "server takes on; ask again in a moment.",
            1.0,
        )


def turnstile_of(connection: HTTPConnection) -> Turnstile:
    """The one of the process."""
    found: Turnstile = connection.app.state.turnstile
    return found


def arrivals_of(connection: HTTPConnection) -> Turnstile:
    """The one of the process for what is on its way, sent or fetched."""
    found: Turnstile = connection.app.state.arrivals
    return found


async def _turn(connection: HTTPConnection) -> AsyncIterator[None]:
    async with turnstile_of(connection).turn():
        yield


def costly() -> Any:
    """Of a route's `dependencies`: it costs much, so that only so many are worked on at once.

    The turn ends when the answer is made, not when a slow reader has it.
    """
    return Depends(_turn, scope="function")


async def _arrive(connection: HTTPConnection) -> AsyncIterator[None]:
    async with arrivals_of(connection).turn():
        yield


def arriving() -> Any:
    """Of a route's `dependencies`: it reads a body that may be large, and takes its `turn` once all of it is here.

    Whoever sends slowly then keeps others who send waiting at most, and no search.
    """
    return Depends(_arrive, scope="function")


async def _stream(connection: HTTPConnection) -> AsyncIterator[None]:
    service, who = service_of(connection), caller(connection)
    most, name = service.settings.streams_per_user, who.user_id or who.name
    # Whoever uses this machine has all of it.
    if most and who.kind is not PrincipalKind.LOCAL and service.streams[name] >= most:
        raise ServerBusyError(
            f"You read {most} streams at once, which is as many as one user may; close one and ask again.", 15.0
        )
    service.streams[name] += 1
    try:
        yield
    finally:
        service.streams[name] -= 1
        if not service.streams[name]:
            del service.streams[name]


def streaming() -> Any:
    """Of a route's `dependencies`: its answer goes on, so that one user has only so many; counted until it ends."""
    return Depends(_stream, scope="request")
