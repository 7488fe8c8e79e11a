"""A server as a process: started on a free port, waited for, killed, started again, and stopped with all it started.

It runs in a session of its own whose keeper, a sleeping shell, ends it when the process that started it is gone,
however that ended: a server left behind would answer the next run of the tests with the data of the last.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.servers.issued import server_folder

HOST = "127.0.0.1"
READY_SECONDS = 60.0
_STOP_SECONDS = 3.0
_POLL_SECONDS = 0.02
_TAIL_BYTES = 4_000
# Below those that systems give to connections: none of these takes the port of a server that is about to come back.
_PORTS = range(20_000, 32_000)
_PORT_TAKEN = ("address already in use", "eaddrinuse", "nt_status_address_already_associated")
# The reading end of a pipe whose other end only the starting process holds is given as standard input. It closes when
# that process dies. PR_SET_PDEATHSIG would not do: the kernel drops it when a server changes its user, as smbd does.
_KEEPER = """
exec 3<&0 </dev/null
(trap '' TERM; read -r line <&3; kill -s TERM -- "-$$"; sleep 2; kill -s KILL -- "-$$") >/dev/null 2>&1 &
exec "$@" 3<&-
"""

Command = Callable[[Sequence[int]], Sequence[str | Path]]


class ServerError(Exception):
    """A server did not start; the message ends with the tail of its log."""


class ServerProcess:
    """A server that runs, may be killed, and may be started again at the same port over the same data.

    Args:
        name: What people call it.
        arguments: The command.
        folder: Where it works; its log lies there.
        ports: Where it listens; clients reach it at the first.
        ready: A real request to the first port; it raises, whatever it likes, as long as the server is not ready.
        environment: Variables that it is given besides those of this process.
        stop_seconds: How long it may take to end when it is asked to.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str | Path],
        folder: Path,
        ports: tuple[int, ...],
        ready: Callable[[int], object],
        environment: Mapping[str, str],
        stop_seconds: float,
    ) -> None:
        self.name = name
        self.folder = folder
        self.ports = ports
        self.log = folder / "server.log"
        self._arguments = [str(argument) for argument in arguments]
        self._ready = ready
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._held = -1
        self._stop_seconds = stop_seconds

    @property
    def pid(self) -> int:
        """The process that was started last; its own group."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            ServerError: It ended, or did not answer in time.
        """
        self._launch()
        self._wait()

    def runs(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def processes(self) -> list[psutil.Process]:
        """It and all that it started."""
        if not self.runs():
            return []
        try:
            server = psutil.Process(self.pid)
            return [server, *server.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _listens(self) -> bool:
        """Whether it is this one that answers: a server of the same kind may have taken the port meanwhile."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(each.laddr.port == self.ports[0] for each in process.net_connections("tcp") if each.laddr):
                    return True
        return False

    def _launch(self) -> None:
        kept, self._held = os.pipe()
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _KEEPER, "sh", *self._arguments],
                    stdin=kept,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    cwd=self.folder,
                    start_new_session=True,
                )
        finally:
            os.close(kept)

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self._ready(self.ports[0])
            except Exception as error:  # noqa: BLE001 - each client library has errors of its own for "not yet"
                last = f"{type(error).__name__}: {error}"
            else:
                if self._listens():
                    return
                last = "another process answers at its port"
            if not self.runs():
                raise ServerError(f"{self.name} ended while it started ({last}). Its log ends:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} does not answer ({last}). Its log ends:\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace") if self.log.exists() else "(no log)"

    def kill(self) -> None:
        """End it at once, with all that it started, as a loss of power would."""
        self._end(signal.SIGKILL, 0.0)

    def stop(self) -> None:
        """Ask it to end, and end it by force where it does not in time."""
        self._end(signal.SIGTERM, self._stop_seconds)

    def _end(self, first: signal.Signals, seconds: float) -> None:
        if self._process is None:
            return
        # sshd gives each connection a session of its own, which a signal to the group does not reach.
        descendants = self.processes()[1:]
        _signal_group(self.pid, first)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=seconds)
        _signal_group(self.pid, signal.SIGKILL)
        for descendant in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                descendant.kill()
        self._process.wait()
        _wait_until_gone(descendants)
        self._process = None
        os.close(self._held)


def _wait_until_gone(processes: Sequence[psutil.Process]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while any(is_alive(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def is_alive(process: psutil.Process) -> bool:
    try:
        # Whose parent is gone is buried by the first process of the machine, which in a container may never do so.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


@dataclass(frozen=True)
class Server:
    """A server that answers. What a client needs to know of each kind is added by its own class.

    Attributes:
        process: Its process.
        version: As the header of the tests prints it.
    """

    process: ServerProcess = field(repr=False)
    version: str

    @property
    def host(self) -> str:
        """Address of this machine."""
        return HOST

    @property
    def port(self) -> int:
        """Where clients reach it."""
        return self.process.ports[0]

    @property
    def folder(self) -> Path:
        """Where it keeps its configuration, its data and its log."""
        return self.process.folder

    @property
    def log(self) -> Path:
        """What it printed, over all its starts."""
        return self.process.log

    @property
    def pid(self) -> int:
        """Its process, anew after each `restart`."""
        return self.process.pid

    def kill(self) -> None:
        """End it at once (SIGKILL), with every process that it started."""
        self.process.kill()

    def stop(self) -> None:
        """End it as its own service would: it may still write what it holds."""
        self.process.stop()

    def restart(self) -> None:
        """Start it again, at the same port and over the same data, and return when it answers."""
        self.process.stop()
        self.process.start()


def free_ports(number: int) -> tuple[int, ...]:
    """Ports of this machine at which nobody listens at this moment."""
    found: list[int] = []
    while len(found) < number:
        port = secrets.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind((HOST, port))
            if port not in found:
                found.append(port)
    return tuple(found)


@contextlib.contextmanager
def started(
    name: str,
    command: Command,
    folder: Path,
    ready: Callable[[int], object],
    *,
    ports: int = 1,
    environment: Mapping[str, str] | None = None,
    stop_seconds: float = 3.0,
) -> Iterator[ServerProcess]:
    """A server that answers, stopped at the end.

    Args:
        name: What people call it.
        command: Its command line, made of the ports that it is to listen at; clients ask at the first.
        folder: Where it works; made where it is missing.
        ready: A real request to the port that it is given; raises as long as the server is not ready.
        ports: How many it needs.
        environment: Variables that it is given besides those of this process.
        stop_seconds: How long it may take to end when it is asked to.

    Raises:
        ServerError: It does not start, also not at other ports where the first were taken meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    server_folder(folder)
    for last_try in (False, True):
        chosen = free_ports(ports)
        process = ServerProcess(name, command(chosen), folder, chosen, ready, environment or {}, stop_seconds)
        try:
            try:
                process.start()
            except ServerError:
                if last_try or not any(sign in process.tail().lower() for sign in _PORT_TAKEN):
                    raise
                continue
            yield process
            return
        finally:
            process.stop()
