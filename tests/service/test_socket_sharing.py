"""Those who answer at one socket get about as many connections each, however these come."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

from deeplens_kit.service.sharing import SharedSocket

CONNECTIONS = 20


class _Spoken(asyncio.Protocol):
    """Says whose connection it is, and keeps it."""

    def __init__(self, kept: list[_Spoken], name: bytes) -> None:
        self._kept, self._name = kept, name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._kept.append(self)
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._name)

    def connection_lost(self, exc: Exception | None) -> None:
        self._kept.remove(self)


async def _shared(at_once: bool) -> list[bytes]:
    """Who took each of the connections."""
    with socket.socket() as listening, ExitStack() as opened_beside:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        held: list[list[_Spoken]] = [[], []]
        # Each sees every connection that waits, as processes do.
        sockets = [
            SharedSocket(
                opened_beside.enter_context(listening.dup()),
                lambda kept=kept, name=name: _Spoken(kept, name),  # type: ignore[misc]
                None,
                lambda kept=kept: len(kept),  # type: ignore[misc]
            )
            for kept, name in zip(held, (b"a", b"b"), strict=True)
        ]

        async def connected() -> tuple[bytes, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            return await asyncio.wait_for(reader.readexactly(1), 20), writer

        if at_once:
            opened = await asyncio.gather(*(connected() for _ in range(CONNECTIONS)))
        else:
            opened = [await connected() for _ in range(CONNECTIONS)]
        for one in sockets:
            await one.close()
        # What was taken goes on; what comes now waits for somebody else.
        assert sum(map(len, held)) == CONNECTIONS
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()
        return [name for name, _ in opened]


def test_connections_are_shared_whether_they_come_at_once_or_one_by_one() -> None:
    for at_once in (True, False):
        names = asyncio.run(_shared(at_once))
        assert abs(names.count(b"a") - names.count(b"b")) <= CONNECTIONS // 4, names
