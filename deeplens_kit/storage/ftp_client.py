"""One connection to a server of FTP: ftplib with what it lacks.

Takes the words of one server and gives names, times and bytes; must not interpret them for our purposes. Names travel
as latin-1, a character for each byte, so that none of them makes ftplib fail.
"""

from __future__ import annotations

import contextlib
import ftplib
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import TypeVar

from deeplens_kit.storage.ftp_listing import Fact, LineUnknownError, Row, parse_facts, parse_line

__all__ = ["FtpClient", "connect"]

_Line = TypeVar("_Line")

_BLOCK_BYTES = 2**18
_WANTED_FACTS = ("type", "size", "modify", "unique")
_MOST_LISTING_BYTES = 2**28
"""Of one folder; some million files."""


class FtpClient(ftplib.FTP_TLS):
    """A connection; used by one thread at a time.

    Attributes:
        features: What the server can do (RFC 2389): upper-case names with the rest of their lines.
    """

    features: dict[str, str]

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """Open a connection for data; with TLS in the session of the control connection, as most servers demand."""
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if isinstance(self.sock, ssl.SSLSocket):
            data = self.context.wrap_socket(data, server_hostname=self.host, session=self.sock.session)
        return data, size

    def fetch(self, name: str, start: int, length: int | None) -> bytes:
        """Bytes of a file; fewer than `length` only at its end. What follows them is not transferred.

        Raises:
            ftplib.Error, OSError, EOFError: The server did not say that it had sent all of it.
        """
        data = self.transfercmd(f"RETR {name}", start or None)
        parts, left = [], length
        with data:
            # One byte more shows whether this is the end.
            while block := data.recv(_BLOCK_BYTES if left is None else min(left + 1, _BLOCK_BYTES)):
                parts.append(block if left is None else block[:left])
                if left is not None:
                    if len(block) > left:
                        # There is no sure way to stop a transfer: the connection is given up with it.
                        self.close()
                        return b"".join(parts)
                    left -= len(block)
            _unwrap(data)
        self.voidresp()
        return b"".join(parts)

    def facts(self, folder: str) -> Iterator[Fact]:
        """The entries of a folder by MLSD; nothing else can be asked until the last of them was taken."""
        return self._listed(f"MLSD {folder.rstrip('/') or '/'}", parse_facts)

    def fact(self, name: str) -> Fact:
        """The facts of one name by MLST."""
        answer = self.sendcmd(f"MLST {name}")
        for line in answer.splitlines()[1:]:
            if line.startswith(" "):
                return parse_facts(line[1:])
        raise LineUnknownError(answer)

    def rows(self, folder: str) -> list[Row]:
        """The entries of a folder by LIST, hidden ones too."""
        self.cwd(folder.rstrip("/") or "/")
        rows: list[Row | None] = []
        with contextlib.suppress(ftplib.error_perm, ftplib.error_temp):
            rows = list(self._listed("LIST -a", parse_line))
        # A server that knows no -a takes it for a name, and then lists nothing.
        if not any(row is not None and row.name == "." for row in rows):
            rows = list(self._listed("LIST", parse_line))
        return [row for row in rows if row is not None and row.name not in (".", "..")]

    def modified(self, name: str) -> str:
        """When a file was modified, by MDTM, in the server's words."""
        return self.sendcmd(f"MDTM {name}")[3:].strip()

    def _listed(self, command: str, read: Callable[[str], _Line]) -> Iterator[_Line]:
        """What a listing says, line by line; read while the server still writes it."""
        data = self.transfercmd(command)
        rest, size = "", 0
        with data:
            while block := data.recv(_BLOCK_BYTES):
                size += len(block)
                if size > _MOST_LISTING_BYTES:
                    raise OSError("the listing of a folder has no end")
                *lines, rest = (rest + block.decode("latin-1")).split("\n")
                yield from [read(line.removesuffix("\r")) for line in lines if line and not line.isspace()]
            _unwrap(data)
        self.voidresp()
        if rest.strip():
            yield read(rest.removesuffix("\r"))


def connect(
    host: str,
    port: int,
    user: str,
    password: str,
    *,
    timeout_seconds: float,
    passive: bool,
    utf8: bool,
    context: ssl.SSLContext | None,
) -> FtpClient:
    """Log in, for binary transfers.

    Args:
        host: Name or address.
        port: Of the control connection.
        user: As it goes over the wire.
        password: The same.
        timeout_seconds: For each wait.
        passive: Whether we open the connections for data.
        utf8: Whether names are in UTF-8.
        context: Of TLS; None sends everything in clear.

    Raises:
        ftplib.Error, OSError, EOFError: As the server answers.
    """
    client = FtpClient(timeout=timeout_seconds, encoding="latin-1", context=context)
    try:
        client.connect(host, port)
        client.login(user, password, secure=context is not None)
        if context is not None:
            client.prot_p()
        client.set_pasv(passive)
        client.voidcmd("TYPE I")
        client.features = _features(client)
        if utf8 and "UTF8" in client.features:
            _told(client, "OPTS UTF8 ON")
        known = client.features.get("MLST", "").lower().replace("*", "").split(";")
        if "unique" in known:
            _told(client, "OPTS MLST " + "".join(f"{fact};" for fact in _WANTED_FACTS if fact in known))
    except BaseException:
        client.close()
        raise
    return client


def _features(client: FtpClient) -> dict[str, str]:
    try:
        answer = client.sendcmd("FEAT")
    except ftplib.error_perm:
        return {}
    pairs = (line.strip().partition(" ") for line in answer.splitlines()[1:-1])
    return {name.upper(): rest for name, _, rest in pairs}


def _told(client: FtpClient, command: str) -> None:
    with contextlib.suppress(ftplib.error_perm, ftplib.error_temp):  # then it goes on as it was
        client.sendcmd(command)


def _unwrap(data: socket.socket) -> None:
    """End TLS on a connection; many servers do not wait for it, and whether all came the reply tells."""
    if isinstance(data, ssl.SSLSocket):
        with contextlib.suppress(OSError):
            data.unwrap()
