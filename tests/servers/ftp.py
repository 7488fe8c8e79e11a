"""What the servers of FTP have in common: a user, a folder, and the request that shows that files can be stored."""

from __future__ import annotations

import ftplib
import io
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certificates import Certificate
from tests.servers.server import HOST, Server


@dataclass(frozen=True)
class FtpServer(Server):
    """A server of FTP, unencrypted.

    Attributes:
        served: The folder that it serves.
        base: Path, as clients name it, under which they may write.
        user: Who may read and write.
        password: Of the user.
    """

    served: Path
    base: str
    user: str
    password: str = field(repr=False)


def stores(base: str, user: str, password: str, trusted: Certificate | None = None) -> Callable[[int], None]:
    """The request that a server of FTP answers when it is ready: a file is stored and removed; or, where it has a
    certificate, that somebody logs in."""

    def ready(port: int) -> None:
        if trusted is not None:
            with ftplib.FTP_TLS(context=ssl.create_default_context(cafile=trusted.file)) as client:
                client.connect(HOST, port, timeout=10)
                client.login(user, password)
            return
        with ftplib.FTP() as client:
            client.connect(HOST, port, timeout=10)
            client.login(user, password)
            client.cwd(base)
            client.storbinary("STOR is-it-ready", io.BytesIO(b"yes"))
            client.delete("is-it-ready")

    return ready
