"""A server of FTP that answers as a test says: for what real servers do only in bad moments, or when they are old."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.servers.server import HOST

LOGIN = {"USER": "331 Password?", "PASS": "230 Hello.", "TYPE": "200 Yes.", "FEAT": "500 What?", "CWD": "250 Yes."}


@dataclass
class OddFtp:
    """What it says, and what it was asked.

    Attributes:
        answers: To a command, alone or with its argument; several lines may be parted by newlines.
        data: What goes over the connection for data after a command, before its last line.
        asked: Every line that came.
        port: Where it listens.
    """

    answers: dict[str, str]
    data: Mapping[str, bytes]
    asked: list[str] = field(default_factory=list)
    port: int = 0


@contextmanager
def odd_ftp(answers: Mapping[str, str], data: Mapping[str, bytes] | None = None) -> Iterator[OddFtp]:
    """Serve; an answer of "" closes the connection."""
    script = OddFtp({**LOGIN, **answers}, data or {})

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 Odd.")
            with contextlib.ExitStack() as opened:
                while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
                    script.asked.append(line)
                    if not self._answer(line, opened):
                        return

        def _answer(self, line: str, opened: contextlib.ExitStack) -> bool:
            command = line.partition(" ")[0]
            if command == "EPSV":
                self.waiting = opened.enter_context(socket.create_server((HOST, 0)))
                self._say(f"229 Here (|||{self.waiting.getsockname()[1]}|)")
                return True
            if command == "PASV":
                self.waiting = opened.enter_context(socket.create_server((HOST, 0)))
                high, low = divmod(self.waiting.getsockname()[1], 256)
                self._say(f"227 Here ({HOST.replace('.', ',')},{high},{low})")
                return True
            answer = script.answers.get(line, script.answers.get(command, "502 No."))
            if line in script.data:
                connection, _ = self.waiting.accept()
                with connection:
                    self._say("150 Now.")
                    connection.sendall(script.data[line])
            if answer:
                self._say(answer)
            return bool(answer)

        def _say(self, text: str) -> None:
            self.wfile.write(text.replace("\n", "\r\n").encode() + b"\r\n")

    class Listening(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Listening((HOST, 0), Conversation) as server:
        script.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
