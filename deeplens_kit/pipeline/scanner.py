"""A look at a content by a scanner for malware, before it is stored.

Takes bytes, gives what the scanner says; must not store or decode. It speaks to clamd of ClamAV over a Unix or TCP
socket, by the command INSTREAM (clamd(8)): what it finds is its business, what becomes of it is the caller's.
"""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass

from deeplens_kit.errors import SettingsError

__all__ = ["ScanVerdict", "Scanner"]

_ADDRESS = re.compile(
    r"clamd:(?:(?P<path>/.+)|tcp://(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^\[\]:/@]+)):(?P<port>\d+)/?)"
)
_MOST_PORT = 65535
_CHUNK_BYTES = 256 * 2**10
_LENGTH_BYTES = 4
# A scan takes about a second for a hundred megabytes; a daemon that loads its signatures holds its callers up for more.
_SECONDS = 60.0
_LONGEST_ANSWER = 4096
_CLEAN, _FOUND = " OK", " FOUND"


@dataclass(frozen=True, slots=True)
class ScanVerdict:
    """What a scanner says of a content.

    Attributes:
        signature: Name of what it found; None for nothing.
        away: Why it did not look, without '.' at the end; empty where it did.
    """

    signature: str | None = None
    away: str = ""


class Scanner:
    """A clamd that is asked; safe to share between threads.

    Args:
        address: As the setting `ingest.scanner`.
        seconds: How long each step of a scan may take.

    Raises:
        SettingsError: The address cannot be used.
    """

    def __init__(self, address: str, *, seconds: float = _SECONDS) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or int(match["port"] or 1) not in range(1, _MOST_PORT + 1):
            raise SettingsError(
                f"Setting 'ingest.scanner' is {address!r}; it must be 'clamd:/path/to/socket' or "
                "'clamd:tcp://HOST:PORT'."
            )
        self._path: str | None = match["path"]
        self._host, self._port = match["six"] or match["host"] or "", int(match["port"] or 0)
        self._seconds = seconds

    def scan(self, data: bytes) -> ScanVerdict:
        """Have a content looked at; what keeps the scanner from it is part of the verdict, never an exception."""
        try:
            with self._connected() as connection:
                answer = _asked(connection, data)
        except TimeoutError:
            return ScanVerdict(away=f"clamd did not answer within {self._seconds:g} s")
        except OSError as error:
            return ScanVerdict(away=f"clamd cannot be reached: {(error.strerror or str(error)).lower()}")
        return _verdict(answer)

    def _connected(self) -> socket.socket:
        if self._path is None:
            return socket.create_connection((self._host, self._port), timeout=self._seconds)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(self._seconds)
            connection.connect(self._path)
        except BaseException:
            connection.close()
            raise
        return connection


def _asked(connection: socket.socket, data: bytes) -> str:
    # clamd answers and hangs up in the middle of what is too long for it: then the answer says so, not the pipe.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(b"zINSTREAM\0")
        for start in range(0, len(data), _CHUNK_BYTES):
            piece = data[start : start + _CHUNK_BYTES]
            connection.sendall(len(piece).to_bytes(_LENGTH_BYTES, "big"))
            connection.sendall(piece)
        connection.sendall(bytes(_LENGTH_BYTES))
    answer = bytearray()
    while not answer.endswith(b"\0") and len(answer) < _LONGEST_ANSWER:
        part = connection.recv(_LONGEST_ANSWER)
        if not part:
            break
        answer += part
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")


def _verdict(answer: str) -> ScanVerdict:
    # "stream: OK", "stream: NAME FOUND", or what went wrong and "ERROR".
    said = answer.partition(": ")[2]
    if said.endswith(_FOUND):
        return ScanVerdict(signature=said.removesuffix(_FOUND))
    if f" {said}" == _CLEAN:
        return ScanVerdict()
    if "size limit exceeded" in answer:
        return ScanVerdict(away="it is longer than clamd takes (StreamMaxLength in clamd.conf)")
    # Only this one answer means that it is clean.
    shown = "".join(letter if letter.isprintable() else "?" for letter in answer[:200]).strip()
    return ScanVerdict(away=f"clamd answered {shown!r}" if shown else "clamd ended without an answer")
