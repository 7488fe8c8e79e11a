"""Databases for ledger tests: SQLite files, and a database per test of a real PostgreSQL server."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

import deeplens_kit
from deeplens_kit.ledger import Ledger
from tests.servers.postgres import PostgresServer


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """URL of an empty database."""
    server = make_url(postgres_server.local_url)
    name = f"ledger_{secrets.token_hex(6)}"
    admin = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


_MEMORY = Path("/dev/shm")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    """URL of a file that is not there yet; in memory where the machine has such: commits wait for no disk there."""
    if not os.access(_MEMORY, os.W_OK):
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY, prefix="deeplens-test-") as folder:
        yield f"sqlite:///{folder}/ledger.sqlite"


@pytest.fixture
def made() -> Iterator[Callable[[str], Ledger]]:
    """Makes or opens ledgers that are closed at the end."""
    ledgers: list[Ledger] = []

    def make(url: str, *, new: bool = True) -> Ledger:
        ledgers.append(Ledger.create(url) if new else Ledger.open(url))
        return ledgers[-1]

    yield make
    for ledger in ledgers:
        ledger.close()


_CHILD = """
import sys
from deeplens_kit.errors import DeepLensError
from deeplens_kit.ledger import Ledger, current_holder

url, location, stale_seconds, holder = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
with Ledger.open(url) as ledger:
    run = ledger.start_run("index", location, {})
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with ledger.lease(location, holder or current_holder(), run.run_id, stale_seconds) as lease:
            print("held", flush=True)
            for line in sys.stdin:
                try:
                    lease.check()
                    print("ours", flush=True)
                except DeepLensError as error:
                    print(f"lost {type(error).__name__}: {error}", flush=True)
    except DeepLensError as error:
        print(f"refused {type(error).__name__}: {error}", flush=True)
"""


class Worker:
    """Another process that takes the lease on a location when told."""

    def __init__(self, url: str, location: str, stale_seconds: float, holder: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(deeplens_kit.__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _CHILD, url, location, str(stale_seconds), holder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture
def worker() -> Iterator[Callable[..., Worker]]:
    """Starts workers that are killed at the end."""
    workers: list[Worker] = []

    def start(url: str, location: str, stale_seconds: float = 60.0, holder: str = "") -> Worker:
        workers.append(Worker(url, location, stale_seconds, holder))
        return workers[-1]

    yield start
    for started in workers:
        started.process.kill()
        for stream in (started.process.stdin, started.process.stdout):
            _close(stream)
        started.process.wait()


def _close(stream: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        stream.close()
