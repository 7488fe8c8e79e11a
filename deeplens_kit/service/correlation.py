"""The id that ties an answer to the log lines, jobs and audit rows of what was done for it.

Takes an HTTP request or a websocket, takes its `x-correlation-id` or makes one, gives it back in every answer and has
it on every log line meanwhile. Must not trust what it takes: another's log is written with it.
"""

from __future__ import annotations

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deeplens_kit.service.problems import problem_for
from deeplens_kit.telemetry import bound_context, get_logger

__all__ = ["CORRELATION_HEADER", "CorrelationMiddleware"]

CORRELATION_HEADER = "x-correlation-id"

# Neither spaces nor anything that means something in a log line, a header or a query.
_ALLOWED = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_ANSWERS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_LOG = get_logger(__name__)
_SWITCHED = 101


class CorrelationMiddleware:
    """Gives each request and websocket its id; a defect within ends as a problem document that bears it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(CORRELATION_HEADER, "")
        correlation_id = given if _ALLOWED.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        status = 0
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in _ANSWERS:
                status = message.get("status", _SWITCHED)
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation_id
            await send(message)

        with bound_context(correlation_id=correlation_id):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:  # noqa: BLE001 - the edge: nobody above would know the id
                _LOG.error("a request failed", path=scope["path"], error=str(error), exc_info=error)
                if scope["type"] == "http" and not status:
                    answer = problem_for(error, instance=scope["path"], correlation_id=correlation_id)
                    await answer(scope, receive, send_with_id)
                elif not status:
                    await send({"type": "websocket.close", "code": 1011, "reason": "something went wrong on our side"})
            finally:
                _tell(scope, status, time.perf_counter() - began)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    """Log a request; not what was searched for, which stands in its query."""
    who = getattr(scope["state"].get("principal"), "name", "")
    tell = _LOG.info if scope["path"].startswith("/api/") else _LOG.debug
    tell(
        "answered",
        method=scope.get("method", "websocket"),
        path=scope["path"],
        status=status,
        milliseconds=round(seconds * 1000, 1),
        who=who,
    )
