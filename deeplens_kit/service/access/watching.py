"""Whether somebody still may, asked again while an answer goes on or a page is open.

Takes a gate and who asked, gives ASGI functions that end what they carry once it is over; must not ask so often that it
would be felt.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, to_thread
from starlette.types import Message, Receive, Send

from deeplens_kit.errors import AccessError
from deeplens_kit.ledger.access_values import Principal
from deeplens_kit.service.access.gate import Gate

__all__ = ["Watch"]

_LEAST_SECONDS = 1.0
# Of a page that nobody uses: it shows what it showed, until it is closed.
_IDLE_SECONDS = 5.0
_POLICY = 1008
_OVER = "you are not signed in any more"


class Watch:
    """Looks after one request or websocket.

    Args:
        gate: Knows who may now.
        principal: Who asked.
        allowed: Raises an `AccessError` for who may not.
        limiter: How many threads may look at once.

    Attributes:
        over: They may not any more, and it was ended.
    """

    def __init__(
        self, gate: Gate, principal: Principal, allowed: Callable[[Principal], None], limiter: CapacityLimiter
    ) -> None:
        self._gate, self._principal, self._allowed, self._limiter = gate, principal, allowed, limiter
        self._looked = time.monotonic()
        self.over = False

    async def still(self) -> bool:
        """Whether they still may, as of a second ago."""
        if not self.over and time.monotonic() - self._looked >= _LEAST_SECONDS:
            self._looked = time.monotonic()
            try:
                self._allowed(await to_thread.run_sync(self._gate.as_of_now, self._principal, limiter=self._limiter))
            except AccessError:
                self.over = True
        return not self.over

    def answering(self, send: Send) -> Send:
        """Send an answer, and end one that goes on for long."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.body" and message.get("more_body") and not await self.still():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                raise OSError(_OVER)
            await send(message)

        return watched

    @asynccontextmanager
    async def open(self, receive: Receive, send: Send) -> AsyncIterator[tuple[Receive, Send]]:
        """Keep a websocket open while they may."""
        closed = False

        async def close() -> None:
            nonlocal closed
            if not closed:
                closed = True
                with contextlib.suppress(RuntimeError, OSError):
                    await send({"type": "websocket.close", "code": _POLICY, "reason": _OVER})

        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and not await self.still():
                await close()
                return {"type": "websocket.disconnect", "code": _POLICY, "reason": _OVER}
            return message

        async def watched_send(message: Message) -> None:
            nonlocal closed
            if closed:
                return
            if message["type"] == "websocket.send" and not await self.still():
                await close()
                return
            closed = message["type"] == "websocket.close"
            await send(message)

        async def look() -> None:
            while await self.still():
                await asyncio.sleep(_IDLE_SECONDS)
            await close()

        looking = asyncio.create_task(look())
        try:
            yield watched_receive, watched_send
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking
