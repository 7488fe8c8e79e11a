"""Redis: keeps values by key in memory, and forgets them when it ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.program import Program
from tests.servers.server import HOST, Server, started

PROGRAM = Program("redis", "DEEPLENS_REDIS_BIN", ("redis-server",), "apt-get install redis-server", ("--version",))


@dataclass(frozen=True)
class RedisServer(Server):
    """A Redis without a password, on this machine alone."""

    @property
    def url(self) -> str:
        """As clients name it."""
        return f"redis://{self.host}:{self.port}/0"


@contextmanager
def running(folder: Path) -> Iterator[RedisServer]:
    """A Redis that keeps nothing on the disk."""
    redis = PROGRAM.find()

    def command(ports: Sequence[int]) -> list[str | Path]:
        return [redis, "--bind", HOST, "--port", str(ports[0]), "--save", "", "--appendonly", "no"]

    with started(PROGRAM.name, command, folder, _answers) as process:
        yield RedisServer(process, PROGRAM.version())


def _answers(port: int) -> None:
    with socket.create_connection((HOST, port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(16) == b"+PONG\r\n"
