"""Answers as bytes: Arrow IPC for their frames, JSON for the rest.

Takes a frozen dataclass whose fields are polars frames and plain values, gives bytes and the dataclass back; no pickle,
so that bytes from elsewhere cannot run anything. What is cut off, changed or of another make is no answer.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import struct
from typing import Any, TypeVar, get_type_hints

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.search.plain_values import from_plain, to_plain

__all__ = ["pack", "unpack"]

_MAGIC = b"DeepLens answer 1\n"
_SUM_BYTES = 16
_LENGTH = struct.Struct("<I")

_Answer = TypeVar("_Answer")


def pack(answer: Any) -> bytes:
    """An answer as bytes.

    Args:
        answer: A dataclass; its fields are frames (or None in the place of one) and what `to_plain` takes.

    Raises:
        TypeError: A field holds something else.
    """
    values: dict[str, Any] = {}
    frames: dict[str, int] = {}
    streams = []
    for item in dataclasses.fields(answer):
        value = getattr(answer, item.name)
        if isinstance(value, pl.DataFrame):
            stream = io.BytesIO()
            value.write_ipc(stream, compression="lz4")
            frames[item.name] = stream.tell()
            streams.append(stream.getvalue())
        else:
            values[item.name] = to_plain(value)
    head = json.dumps({"make": _make(type(answer)), "values": values, "frames": frames}, ensure_ascii=False)
    # Paths that are no UTF-8 are encoded in the catalog; a name from a command line may hold a lone surrogate.
    text = head.encode("utf-8", "surrogatepass")
    body = b"".join([_LENGTH.pack(len(text)), text, *streams])
    return _MAGIC + hashlib.sha256(body).digest()[:_SUM_BYTES] + body


def unpack(kind: type[_Answer], content: bytes) -> _Answer | None:
    """The answer that was packed; None where the bytes are none, or of another make of it."""
    begin = len(_MAGIC) + _SUM_BYTES
    body = content[begin:]
    if not content.startswith(_MAGIC) or hashlib.sha256(body).digest()[:_SUM_BYTES] != content[len(_MAGIC) : begin]:
        return None
    try:
        (length,) = _LENGTH.unpack_from(body)
        at = _LENGTH.size + length
        head = json.loads(body[_LENGTH.size : at].decode("utf-8", "surrogatepass"))
        if head["make"] != _make(kind):
            return None
        hints = get_type_hints(kind)
        values = {name: from_plain(hints[name], value, name) for name, value in head["values"].items()}
        for name, size in head["frames"].items():
            values[name] = pl.read_ipc(io.BytesIO(body[at : at + size]), use_pyarrow=False)
            at += size
        return kind(**values)
    except (SettingsError, ValueError, KeyError, TypeError, struct.error, pl.exceptions.PolarsError):
        return None


def _make(kind: type[Any]) -> str:
    """Changes with the fields of a dataclass and their types."""
    fields = [(item.name, str(item.type)) for item in dataclasses.fields(kind)]
    return hashlib.sha256(repr((kind.__name__, fields)).encode()).hexdigest()[:_SUM_BYTES]
