"""Messages between this process and a decoder: a header of JSON, then blocks of raw bytes.

Takes a connected stream socket, gives and takes whole messages; must not interpret them. No pickle: whatever a decoder
that was taken over may send, it is only read.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Block", "Message", "receive", "send"]

_LENGTH = struct.Struct("!I")
MAX_HEADER_BYTES = 32 * 2**20
"""Own bound, inclusive; headers hold metadata and texts."""

Block = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Message:
    """A header of plain values, and blocks of bytes."""

    header: Mapping[str, Any]
    blocks: Sequence[Block] = ()


def send(connection: socket.socket, message: Message, deadline: float | None = None) -> None:
    """Send a whole message.

    Args:
        connection: A stream.
        message: What to send.
        deadline: By `time.monotonic`; None to wait for as long as it takes.

    Raises:
        TimeoutError: The other side did not take it in time.
        OSError: The other side is gone.
    """
    sizes = [memoryview(block).nbytes for block in message.blocks]
    header = json.dumps({**message.header, "blocks": sizes}).encode()
    for part in (_LENGTH.pack(len(header)) + header, *message.blocks):
        connection.settimeout(_left(deadline))
        connection.sendall(part)


def receive(connection: socket.socket, deadline: float | None, max_bytes: int) -> Message:
    """Receive a whole message.

    Args:
        connection: A stream.
        deadline: As for `send`.
        max_bytes: Of all blocks together, inclusive.

    Raises:
        TimeoutError: It did not come in time.
        EOFError: The other side ended.
        ValueError: It is no message, or too large.
        OSError: The connection broke.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size, deadline))
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(bytes(_exactly(connection, length, deadline)))
    sizes = header.pop("blocks", ()) if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError("a header without sizes")
    if sum(sizes) > max_bytes:
        raise ValueError(f"{sum(sizes)} bytes; {max_bytes} are allowed")
    return Message(header, [_exactly(connection, size, deadline) for size in sizes])


def _exactly(connection: socket.socket, size: int, deadline: float | None) -> bytearray:
    buffer = bytearray(size)
    view, at = memoryview(buffer), 0
    while at < size:
        connection.settimeout(_left(deadline))
        count = connection.recv_into(view[at:])
        if not count:
            raise EOFError("the other side ended")
        at += count
    return buffer


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
