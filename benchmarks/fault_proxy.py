"""A proxy before a server that breaks connections as networks do: once, at a chosen byte, in a chosen way.

Takes the port of a server of this machine and one fault at a time; must not change what it lets through, the addresses
of FTP's data connections excepted, which lead through the proxy too.
"""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FaultProxy", "NetworkFault", "Way"]

_BLOCK = 64 * 2**10
_HOST = "127.0.0.1"
# 227 Entering Passive Mode (h1,h2,h3,h4,p1,p2): RFC 959, 4.1.2; 229 (|||port|): RFC 2428.
_PASSIVE = re.compile(rb"^227 [^(]*\((\d+,\d+,\d+,\d+),(\d+),(\d+)\)", re.MULTILINE)
_EXTENDED = re.compile(rb"^229 [^(]*\(\|\|\|(\d+)\|\)", re.MULTILINE)


class Way(StrEnum):
    """How a connection breaks."""

    RESET = "reset"
    TRUNCATED = "truncated"  # closed in good order, in the middle of an answer
    TIMEOUT = "timeout"  # nothing comes any more
    BUSY = "5xx"  # an answer of HTTP: 503
    CHANGED = "changed"  # the object is overwritten while it is read; the connection stays


@dataclass(frozen=True, slots=True)
class NetworkFault:
    """One fault.

    Attributes:
        way: How.
        after_bytes: Of answers that the server has sent since the fault was armed, over all connections.
        act: Called for `Way.CHANGED`.
    """

    way: Way
    after_bytes: int
    act: Callable[[], object] | None = None


class FaultProxy:
    """Forwards connections; use it as a context manager.

    Args:
        target: Port of the server.
        speaks_ftp: Whether data connections are announced in the answers.
    """

    def __init__(self, target: int, *, speaks_ftp: bool = False) -> None:
        self._target, self._ftp = target, speaks_ftp
        self._listener = socket.create_server((_HOST, 0))
        self._lock = threading.Lock()
        self._fault: NetworkFault | None = None
        self._passed = 0
        self._open: set[socket.socket] = set()
        self._released = threading.Event()
        self.fired = 0
        self.sent_bytes = 0

    @property
    def port(self) -> int:
        """Where clients connect."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self._accept, args=(self._listener, self._target), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._listener.close()
        with self._lock:
            still = list(self._open)
        for connection in still:
            _close(connection)

    def arm(self, fault: NetworkFault) -> None:
        """Have the next answers break."""
        with self._lock:
            self._fault, self._passed = fault, 0
        self._released.clear()

    def disarm(self) -> bool:
        """Let everything through again; says whether the fault had struck."""
        with self._lock:
            struck, self._fault = self._fault is None, None
        self._released.set()
        return struck

    def _accept(self, listener: socket.socket, target: int) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((_HOST, target))
            except OSError:
                _close(client)
                continue
            for connection in (client, server):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client, self._ftp), daemon=True).start()

    def _forward(self, source: socket.socket, goal: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BLOCK):
                goal.sendall(data)
        with contextlib.suppress(OSError):
            goal.shutdown(socket.SHUT_WR)

    def _answer(self, server: socket.socket, client: socket.socket, announces: bool) -> None:
        try:
            while data := server.recv(_BLOCK):
                if announces:
                    data = self._through_here(data)
                fault, allowed = self._due(len(data))
                if fault is None:
                    client.sendall(data)
                elif self._strike(fault, data, allowed, client):
                    return
        except OSError:
            pass
        finally:
            _close(client)
            _close(server)
            with self._lock:
                self._open -= {client, server}

    def _due(self, size: int) -> tuple[NetworkFault | None, int]:
        """The fault that strikes within the next bytes, and how many of them still pass."""
        with self._lock:
            self.sent_bytes += size
            fault, before = self._fault, self._passed
            self._passed += size
            if fault is None or self._passed <= fault.after_bytes:
                return None, size
            self._fault = None
            self.fired += 1
            return fault, max(0, fault.after_bytes - before)

    def _strike(self, fault: NetworkFault, data: bytes, allowed: int, client: socket.socket) -> bool:
        """Let the fault happen; True where the connection is over."""
        if fault.way == Way.CHANGED:
            assert fault.act is not None, "a change needs somebody who makes it"
            fault.act()
            client.sendall(data)
            return False
        if fault.way == Way.BUSY and data.startswith(b"HTTP/1."):
            client.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return True
        client.sendall(data[:allowed])
        if fault.way == Way.TIMEOUT:
            self._released.wait()
        elif fault.way in (Way.RESET, Way.BUSY):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Wakes the thread that waits for more of the client without saying goodbye to it.
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)
            client.close()
        return True

    def _through_here(self, data: bytes) -> bytes:
        """An answer of FTP whose data connection leads through this proxy."""
        if found := _PASSIVE.search(data):
            port = self._beside(int(found[2]) * 256 + int(found[3]))
            return data.replace(found[0], b"227 Entering Passive Mode (127,0,0,1,%d,%d)" % divmod(port, 256))
        if found := _EXTENDED.search(data):
            return data.replace(found[0], b"229 Entering Extended Passive Mode (|||%d|)" % self._beside(int(found[1])))
        return data

    def _beside(self, target: int) -> int:
        listener = socket.create_server((_HOST, 0))

        def once() -> None:
            client, _ = listener.accept()
            listener.close()
            server = socket.create_connection((_HOST, target))
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
            # What goes over it is content, which announces nothing.
            self._answer(server, client, False)

        threading.Thread(target=once, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port


def _close(connection: socket.socket) -> None:
    # A thread that waits in `recv` would keep the connection open beyond `close`.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
