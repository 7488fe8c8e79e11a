"""The loop of a decoder process: take the bytes of a file, do what is asked, answer; until the parent is gone.

Takes messages from a socket, gives answers; must not open files or let a decoder's error out other than as an answer.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode.isolation.framing import Block, Message, receive, send
from deeplens_kit.decode.isolation.jobs import Job, run_job
from deeplens_kit.decode.isolation.limits import confine, data_bytes, job_limits
from deeplens_kit.errors import LimitExceededError, ObjectError
from deeplens_kit.settings import DecodeSettings

__all__ = ["serve"]

_PIECE_BYTES = 2**16


def serve(descriptor: int, niceness: int) -> None:
    """Answer requests that come through a socket until it is closed.

    Args:
        descriptor: Of the connected socket.
        niceness: How far to step back for other processes, 0..19.
    """
    confine(niceness)
    # Decoders talk: warnings of libtiff, the last words of an abort. There is nobody to read them.
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a path would be no shorter
        os.dup2(nowhere.fileno(), 2)
    own_bytes = data_bytes()
    with socket.socket(fileno=descriptor) as connection:
        send(connection, Message({"ready": True}))
        while True:
            try:
                send(connection, _next_answer(connection, own_bytes))
            except (EOFError, OSError):
                return


def _next_answer(connection: socket.socket, own_bytes: int) -> Message:
    """The answer to the next request."""
    request = receive(connection, None, 0)
    header = request.header
    settings = DecodeSettings(**header["settings"])
    size, began = int(header["size"]), time.process_time()
    with job_limits(settings.max_memory_bytes, settings.max_seconds, own_bytes):
        try:
            data = _read(connection, size)
            answer = run_job(Job(header["job"]), data, settings, header["arguments"])
        except ObjectError as error:
            return _refusal(error)
        except MemoryError:
            return _refusal(_no_memory(size, settings))
    values = {"values": dict(answer.values), **_costs(began)}
    return Message(values, [_plain(block) for block in answer.blocks])


def _plain(block: NDArray[np.uint8] | bytes) -> Block:
    return block if isinstance(block, bytes) else np.ascontiguousarray(block).data.cast("B")


def _read(connection: socket.socket, size: int) -> bytes:
    # A buffered reader reads into the very bytes that it gives: a large file is held once.
    with connection.makefile("rb", buffering=_PIECE_BYTES) as stream:
        try:
            data: bytes = stream.read(size)
        except MemoryError:
            # Refused before anything was read: the file is still to come, and the next request after it.
            while size:
                size -= len(stream.read(min(size, _PIECE_BYTES))) or size
            raise
    if len(data) != size:
        raise EOFError("the parent ended")
    return data


def _refusal(error: ObjectError) -> Message:
    return Message({"code": error.code, "message": str(error), "data_bytes": data_bytes(), "cpu_seconds": 0.0})


def _costs(began: float) -> Mapping[str, float]:
    return {"data_bytes": data_bytes(), "cpu_seconds": time.process_time() - began}


def _no_memory(size: int, settings: DecodeSettings) -> LimitExceededError:
    return LimitExceededError(
        f"The file of {size:,} bytes needs more memory than a decoder may take; decode.max_memory_bytes allows "
        f"{settings.max_memory_bytes:,}: raise it if you trust the file, and run `deeplens failures retry`."
    )
