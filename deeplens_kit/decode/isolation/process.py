"""One decoder process, as its parent sees it: started, asked, ended.

Takes requests one after the other, gives answers; must not try anything twice. It is a new interpreter (never a fork:
Lance and ONNX Runtime do not survive one) with an environment in which no credentials are.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deeplens_kit.decode.isolation.framing import Message, receive, send
from deeplens_kit.decode.isolation.jobs import Job, most_answer_bytes
from deeplens_kit.errors import DecoderUnavailableError
from deeplens_kit.settings import DecodeSettings

__all__ = ["DecoderEndedError", "DecoderProcess"]

_START_SECONDS = 60.0  # on a machine that is busy with other things; half a second is usual
_END_SECONDS = 10.0
_LAST_SECONDS = 5.0  # between closing its connection and its end
_BUFFER_BYTES = 2**20
_PASSED_ON = frozenset({"LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ"})
_ENVIRONMENT = {
    # One thread each: there are as many decoders as there is work for.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    # glibc, mallopt(3): what one picture took is kept for the next, up to 32 MiB; asking the system for every page of
    # every picture anew was a twentieth of the time.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(16 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(32 * 2**20),
}
_SCRIPT = (
    "import json, sys\n"
    "options = json.loads(sys.argv[1])\n"
    "sys.path[:] = options['path']\n"
    "from deeplens_kit.decode.isolation.child import serve\n"
    "serve(options['descriptor'], options['niceness'])\n"
)


class DecoderEndedError(Exception):
    """A decoder process ended instead of answering.

    Attributes:
        status: As `subprocess` has it: negative for a signal.
        garbled: It answered what is no answer, and was ended for that.
    """

    def __init__(self, status: int, *, garbled: bool = False) -> None:
        self.status, self.garbled = status, garbled
        super().__init__(self.words)

    @property
    def from_outside(self) -> bool:
        """Whether a signal ended it that decoders do not raise: somebody sent it, or the system, for its memory."""
        return not self.garbled and -self.status in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

    @property
    def words(self) -> str:
        """How it ended, in a few words."""
        if self.garbled:
            return "what it answered is no answer"
        if self.status >= 0:
            return f"it ended with exit code {self.status}"
        with contextlib.suppress(ValueError):
            return f"it was ended by {signal.Signals(-self.status).name}"
        return f"it was ended by signal {-self.status}"


class DecoderProcess:
    """A running decoder; belongs to one thread at a time.

    Args:
        niceness: How far it steps back for other processes, 0..19.

    Raises:
        DecoderUnavailableError: It cannot be started.
        DecoderEndedError: A signal ended it while it started.
    """

    def __init__(self, niceness: int) -> None:
        self.niceness, self.jobs, self.grown_bytes, self.idle_since = niceness, 0, 0, 0.0
        self._first_bytes: int | None = None
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            options = {"path": sys.path, "descriptor": theirs.fileno(), "niceness": niceness}
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _SCRIPT, json.dumps(options)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    env=_ENVIRONMENT | {name: value for name, value in os.environ.items() if name in _PASSED_ON},
                    # Ctrl-C in a terminal is for the parent, which then ends its decoders.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise DecoderUnavailableError(f"A decoder cannot be started: {error.strerror or error}.") from error
        self._connection = ours
        self._await_ready()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, job: Job, data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Message:
        """Have a job done.

        Returns:
            The answer: with "values", or with "code" and "message" of an error.

        Raises:
            TimeoutError: It was not done within `settings.max_seconds`; the process has to be ended.
            DecoderEndedError: The process ended.
        """
        deadline = time.monotonic() + settings.max_seconds
        self.jobs += 1
        header = {"job": job, "settings": asdict(settings), "arguments": arguments, "size": len(data)}
        try:
            send(self._connection, Message(header), deadline)
            self._connection.sendall(data)
            answer = receive(self._connection, deadline, most_answer_bytes(job, settings, arguments))
        except TimeoutError:
            raise
        except (EOFError, OSError) as error:
            self.end(_LAST_SECONDS)
            raise DecoderEndedError(self._process.returncode) from error
        except (ValueError, RecursionError) as error:
            # What is no message is as good as a crash: nothing that comes after it could be believed.
            self.end()
            raise DecoderEndedError(self._process.returncode, garbled=True) from error
        self._watch_growth(answer)
        return answer

    def end(self, patience_seconds: float = 0.0) -> None:
        """End the process, whatever it is doing.

        Args:
            patience_seconds: How long to wait for it to end by itself, so that its status says why.
        """
        self._connection.close()
        try:
            self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._process.wait(_END_SECONDS)

    def _await_ready(self) -> None:
        try:
            receive(self._connection, time.monotonic() + _START_SECONDS, 0)
        except (EOFError, OSError, ValueError) as error:
            self._connection.close()
            self._process.kill()
            words = self._process.communicate()[1].decode(errors="replace").strip()
            if not words and self._process.returncode < 0 and isinstance(error, EOFError):
                raise DecoderEndedError(self._process.returncode) from error
            raise DecoderUnavailableError(
                f"A decoder does not start: {words.splitlines()[-1] if words else error}."
            ) from error

    def _watch_growth(self, answer: Message) -> None:
        taken = answer.header.get("data_bytes")
        if isinstance(taken, int):
            self._first_bytes = taken if self._first_bytes is None else self._first_bytes
            self.grown_bytes = taken - self._first_bytes
