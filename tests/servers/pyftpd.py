"""pyftpdlib: FTP with machine-readable listings (MLSD)."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ftp import FtpServer, stores
from tests.servers.issued import issue
from tests.servers.program import Program, without
from tests.servers.server import HOST, started

_INSTALL = "pip install pyftpdlib"
PROGRAM = Program("pyftpdlib", "DEEPLENS_PYFTPDLIB", ("pyftpdlib:__main__.py",), _INSTALL, distribution="pyftpdlib")
USER = "deeplenstest"


@contextmanager
def running(folder: Path) -> Iterator[FtpServer]:
    """A folder of its own, for one user."""
    if PROGRAM.locate() is None:
        without("pyftpdlib is not installed", _INSTALL)
    password, served = issue(f"test-password-{secrets.token_hex(12)}"), folder / "served"
    served.mkdir(parents=True)

    def command(ports: Sequence[int]) -> list[str | Path]:
        address = ["-i", HOST, "-p", str(ports[0])]
        return [sys.executable, "-m", "pyftpdlib", *address, "-w", "-d", served, "-u", USER, "-P", password]

    with started(PROGRAM.name, command, folder, stores("/", USER, password)) as process:
        yield FtpServer(process, PROGRAM.version(), served, "/", USER, password)
