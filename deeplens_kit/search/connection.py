"""One request over a connection to an address that was chosen before, ended by a deadline whatever the server does.

Takes addresses and a request, gives the answer while it is read; must not look a name up. The host's name is used for
the certificate and in the request, never to find the address.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from deeplens_kit.errors import QueryError
from deeplens_kit.search.addresses import Address

__all__ = ["Deadline", "asked", "said"]

_LONGEST_SAID = 120  # characters


class Deadline:
    """A moment after which nothing is waited for.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._end = seconds, time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            QueryError: None are.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise QueryError(
                f"The link did not answer in {self._seconds:g} seconds; try again, or download the picture and give "
                "the file."
            )
        return left


@contextmanager
def asked(
    scheme: str, host: str, port: int, target: str, headers: Mapping[str, str], addresses: Sequence[Address],
    deadline: Deadline,
) -> Iterator[http.client.HTTPResponse]:  # fmt: skip
    """GET `target` from the first of `addresses` that can be connected to; the answer may be read in the block.

    Raises:
        QueryError: No address can be reached, the certificate is not the host's, the answer is no HTTP, it breaks
            off, or the deadline is over.
    """
    shown = f"{scheme}://{host}"
    try:
        stream = _connected(addresses, port, deadline)
    except OSError as error:
        deadline.left()
        raise QueryError(f"{shown} cannot be reached: {error.strerror or error}; look for a slip.") from error
    # Ends every wait at the deadline, also of a server that sends a byte a minute. The copy is of the connection
    # itself, so that closing it under TLS is safe from another thread.
    ender = stream.dup()
    timer = threading.Timer(deadline.left(), _end, [ender])
    timer.daemon = True
    timer.start()
    try:
        if scheme == "https":
            stream = ssl.create_default_context().wrap_socket(stream, server_hostname=host)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = stream
        connection.request("GET", target, headers=dict(headers))
        with connection.getresponse() as answer:
            # Headers that the deadline cut off look whole.
            deadline.left()
            yield answer
    except QueryError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise QueryError(
            f"The certificate of {shown} is not valid ({error.verify_message}); the link is not used."
        ) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        deadline.left()
        words = said(str(error)) or type(error).__name__
        raise QueryError(f"{shown} did not answer as a web server does: {words}.") from error
    finally:
        timer.cancel()
        stream.close()
        ender.close()


def said(text: str) -> str:
    """Words of a stranger for a message: one line, not long, nothing that moves a cursor or reorders letters."""
    line = " ".join(text.split())[:_LONGEST_SAID]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def _connected(addresses: Sequence[Address], port: int, deadline: Deadline) -> socket.socket:
    failed: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((str(address), port), timeout=deadline.left())
        except OSError as error:
            failed = error
    raise failed or OSError("it has no address")


def _end(stream: socket.socket) -> None:
    try:
        stream.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself
