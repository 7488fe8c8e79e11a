"""A session with a file server of Windows' kind, and how requests go over it.

Takes a server, a share and who logs in, gives answers to requests; must not know files. It loads smbprotocol, so it is
imported only where a share is used. Everything is signed or encrypted, in both directions.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from datetime import datetime
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.exceptions import SMBException, SMBResponseException
from smbprotocol.header import Commands, NtStatus, Smb2Flags
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

__all__ = ["Asked", "SmbSession"]

_CREDIT_BYTES = 2**16  # a credit allows so many bytes
_CREDITS = 128  # that are kept at hand
_REQUEST_BYTES = 2**20
_REQUESTS_AHEAD = 4

Asked = tuple[Any, Callable[[Any], Any]]
"""A message, and what makes something of the answer to it."""


class _Connection(Connection):  # type: ignore[misc]
    """Waits for no answer for ever, follows no link, and takes no answer without a signature where one is due."""

    def __init__(self, server: str, port: int, timeout_seconds: float) -> None:
        super().__init__(uuid.uuid4(), server, port, require_signing=True)
        self._patience_seconds = timeout_seconds
        self.told: datetime | None = None

    def receive(
        self, request: Any, wait: bool = True, timeout: float | None = None, resolve_symlinks: bool = True
    ) -> Any:
        return super().receive(request, wait, timeout or self._patience_seconds, resolve_symlinks=False)

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:
        super().verify_signature(header, session_id, force=force)
        session = self.session_table.get(session_id)
        if (
            session is not None
            and session.signing_key is not None
            and not header["flags"].has_flag(Smb2Flags.SMB2_FLAGS_SIGNED)
            and header["status"].get_value() != NtStatus.STATUS_PENDING
            and header["command"].get_value() not in (Commands.SMB2_SESSION_SETUP, Commands.SMB2_OPLOCK_BREAK)
        ):
            raise SMBException("an answer of the server was not signed")

    def _send_smb2_negotiate(self, *arguments: Any) -> Any:
        answer = super()._send_smb2_negotiate(*arguments)
        told = answer["system_time"].get_value()
        self.told = told if told.tzinfo else None  # the library's stand-in for a time that it cannot hold
        return answer


class SmbSession:
    """A share, connected to.

    Args:
        server: Its name or address.
        port: Where it listens.
        share: Name of the share.
        user: With its domain, or nothing for a Kerberos ticket.
        password: Of it.
        encrypt: Whether everything is encrypted; it is signed in any case.
        timeout_seconds: How long any answer may take.

    Attributes:
        tree: The share, as the library has it.
        told: The clock of the server, at `connected_at` of ours that only counts; None where it does not tell.
    """

    def __init__(
        self, server: str, port: int, share: str, user: str, password: str, *, encrypt: bool, timeout_seconds: float
    ) -> None:
        connection = _Connection(server, port, timeout_seconds)
        try:
            connection.connect(timeout=timeout_seconds)
            self.connected_at = time.monotonic()
            made = connection.transport._sock
            _limit_sending(made, timeout_seconds)
            # A thread of the library holds the connection, so it would outlive everybody who wants it.
            weakref.finalize(self, _hang_up, made)
            session = Session(connection, user or None, password or None, require_encryption=encrypt)
            session.connect()
            self.tree = TreeConnect(session, rf"\\{server}\{share}")
            self.tree.connect()
        except BaseException:
            if connection.transport is not None:
                connection.disconnect(close=False)
            raise
        self._connection, self._session = connection, session
        self.told: datetime | None = connection.told

    @property
    def encrypted(self) -> bool:
        """Whether what goes over the line is encrypted."""
        return bool(self._session.encrypt_data or self.tree.encrypt_data)

    def close(self) -> None:
        """Leave; the server closes what is open."""
        self._connection.disconnect(close=False)

    def receive(self, request: Any) -> Any:
        """The answer to a request, with its header."""
        return self._connection.receive(request)

    def ask(self, *asked: Asked) -> list[Any]:
        """Send requests in one trip, each about what the one before opened; an error stands in its place."""
        messages = [message for message, _ in asked]
        session_id, tree_id = self._session.session_id, self.tree.tree_connect_id
        sent = self._connection.send_compound(messages, session_id, tree_id, related=True)
        answers: list[Any] = []
        for request, (_, unpack) in zip(sent, asked, strict=True):
            try:
                answers.append(unpack(request))
            except SMBResponseException as error:
                answers.append(error)
        return answers

    def one(self, asked: Asked) -> Any:
        """Send a request and give what was made of its answer."""
        message, unpack = asked
        return unpack(self._send(message))

    def pipelined(self, asked: Iterator[Asked]) -> Generator[Any, None, None]:
        """Answers in order, with some requests ahead of them."""
        pending: deque[tuple[Any, Callable[[Any], Any]]] = deque()
        try:
            while True:
                while len(pending) < _REQUESTS_AHEAD:
                    if pending and self._credits() * _CREDIT_BYTES < _REQUEST_BYTES:
                        break
                    following = next(asked, None)
                    if following is None:
                        break
                    pending.append((self._send(following[0]), following[1]))
                if not pending:
                    return
                request, unpack = pending.popleft()
                yield unpack(request)
        finally:
            # Fetched all the same: the library keeps every answer until somebody does.
            with contextlib.suppress(SMBException):
                for request, unpack in pending:
                    with contextlib.suppress(SMBResponseException):
                        unpack(request)

    def most(self, what: str) -> int:
        """How many bytes may be asked for at once; `what` is read, write or transact."""
        most: int = getattr(self._connection, f"max_{what}_size")
        credits_held = max(1, self._credits()) if self._connection.supports_multi_credit else 1
        return min(most, credits_held * _CREDIT_BYTES, _REQUEST_BYTES)

    def _send(self, message: Any) -> Any:
        charge = max(1, self._connection._calculate_credit_charge(message))
        return self._connection.send(
            message,
            self._session.session_id,
            self.tree.tree_connect_id,
            credit_request=charge + max(0, _CREDITS - self._credits()),
        )

    def _credits(self) -> int:
        window = self._connection.sequence_window
        left: int = window["high"] - window["low"]
        return left


def _hang_up(made: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was closed before
        made.shutdown(socket.SHUT_RDWR)


def _limit_sending(made: socket.socket, seconds: float) -> None:
    """The library waits for ever where the server takes nothing more."""
    if os.name == "posix":
        whole = max(1, int(seconds))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", whole, 0))
