"""A mail server of the test's own: SMTP as RFC 5321 has it, with STARTTLS and a login, which keeps what it is sent."""

from __future__ import annotations

import base64
import contextlib
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import BinaryIO, cast


@dataclass
class Mailbox:
    """What a server does and has got.

    Attributes:
        tls: By which it encrypts; None offers no encryption.
        tls_first: From the first byte.
        password: That it takes; "" asks for none.
        answers: In place of "250" to the end of a mail, the first first.
        strangers: Addresses for which it takes no mail.
        mails: That it took.
        encrypted: Whether each was sent encrypted.
        logins: User and password of each login, and whether the line was encrypted.
    """

    tls: ssl.SSLContext | None = None
    tls_first: bool = False
    password: str = ""
    answers: list[str] = field(default_factory=list)
    strangers: tuple[str, ...] = ()
    mails: list[EmailMessage] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    port: int = 0


class _Conversation(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.box = cast(_Server, self.server).box
        self.line_is_encrypted = False
        self.streams: list[BinaryIO] = []
        with contextlib.suppress(OSError):  # a client that does not like our certificate goes away
            try:
                if self.box.tls_first:
                    self._encrypt()
                self._converse()
            finally:
                for stream in self.streams:
                    stream.close()
                self.request.close()  # the one that encrypts

    def _encrypt(self) -> None:
        assert self.box.tls is not None
        self.request = self.box.tls.wrap_socket(self.request, server_side=True)
        self.line_is_encrypted = True

    def _say(self, *lines: str) -> None:
        text = "".join(f"{line}\r\n" for line in lines)
        self.request.sendall(text.encode())

    def _stream(self) -> BinaryIO:
        self.streams.append(self.request.makefile("rb"))
        return self.streams[-1]

    def _line(self, stream: BinaryIO) -> str:
        return stream.readline().decode().rstrip("\r\n")

    def _converse(self) -> None:
        self._say("220 mail.example ESMTP")
        stream = self._stream()
        while line := self._line(stream):
            word, _, rest = line.partition(" ")
            match word.upper():
                case "EHLO":
                    more = ["STARTTLS"] if self.box.tls is not None and not self.line_is_encrypted else []
                    more += ["AUTH PLAIN"] if self.box.password else []
                    offered = ["mail.example", *more]
                    self._say(*(f"250{' ' if at == len(offered) - 1 else '-'}{x}" for at, x in enumerate(offered)))
                case "STARTTLS":
                    self._say("220 go ahead")
                    self._encrypt()
                    stream = self._stream()
                case "AUTH":
                    _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                    self.box.logins.append((user, password, self.line_is_encrypted))
                    self._say("235 welcome" if password == self.box.password else f"535 not you, {password}")
                case "DATA":
                    self._say("354 go on")
                    self._take(stream)
                case "QUIT":
                    self._say("221 bye")
                    return
                case "RCPT" if any(f"<{stranger}>" in rest for stranger in self.box.strangers):
                    self._say("550 no such user")
                case "RCPT" if any(f"<{stranger}>" in rest for stranger in self.box.strangers):
                    self._say("550 no such user")
                case _:
                    self._say("250 fine")

    def _take(self, stream: BinaryIO) -> None:
        lines = []
        while (line := self._line(stream)) != ".":
            lines.append(line.removeprefix("."))
        answer = self.box.answers.pop(0) if self.box.answers else "250 taken"
        if answer.startswith("250"):
            text = "\r\n".join(lines).encode()
            self.box.mails.append(cast(EmailMessage, message_from_bytes(text, policy=policy.default)))
            self.box.encrypted.append(self.line_is_encrypted)
        self._say(answer)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    box: Mailbox


@contextlib.contextmanager
def serving(box: Mailbox) -> Iterator[Mailbox]:
    """Serve a mailbox on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Conversation) as server:
        server.box, box.port = box, server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()


def make_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of localhost, and a server's context with it."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key),
         "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
