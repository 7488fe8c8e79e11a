"""A listening socket that several processes share, so that each gets about as many connections as the others.

Takes the socket and what begins a connection; must not know what is spoken. Whoever wakes first would else take all
that wait: ten clients that keep their connections had one of two workers, and the other had nothing to do.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

__all__ = ["SharedSocket"]

_LOG = logging.getLogger(__name__)

# Whoever has more connections leaves the next one to others for so long, for each that it has, and no longer than that.
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.0005, 0.005
_FAULT_SECONDS = 0.2


class SharedSocket:
    """Takes one connection after another, those with few connections first.

    Args:
        listening: The socket; it is not closed.
        protocol: Makes what speaks with one connection.
        tls: How it is spoken in secret; None for plain.
        load: How many connections this process has.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        load: Callable[[], int],
    ) -> None:
        self._listening, self._protocol, self._tls, self._load = listening, protocol, tls, load
        self._beginning: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._taking = asyncio.get_running_loop().create_task(self._take())

    async def close(self) -> None:
        """Take no more; what was taken goes on."""
        self._taking.cancel()
        await asyncio.gather(self._taking, return_exceptions=True)

    async def _take(self) -> None:
        while True:
            await self._until_one_waits()
            await asyncio.sleep(min(self._load() * _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS))
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                # Another process has it, or it is gone.
                continue
            except OSError as error:
                _LOG.warning("a connection could not be taken: %s", error)
                await asyncio.sleep(_FAULT_SECONDS)
                continue
            task = asyncio.get_running_loop().create_task(self._begin(connection))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _until_one_waits(self) -> None:
        loop, waits = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._listening, waits.set)
        try:
            await waits.wait()
        finally:
            loop.remove_reader(self._listening)

    async def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection, ssl=self._tls)
        except (OSError, ssl.SSLError) as error:
            _LOG.info("a connection was not begun: %s", error)
            connection.close()
