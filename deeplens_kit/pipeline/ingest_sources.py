"""What is to be ingested: files of this machine, links, and what comes through a pipe.

Takes what a person named, gives bytes and the name that they came with; must not store, decode or look into them.
Files are read through the same door as those of locations, links as those that are searched for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from deeplens_kit.errors import LimitExceededError, ObjectError, ObjectUnreadableError
from deeplens_kit.search.link import LinkLimits, fetch, is_link, shown_link
from deeplens_kit.settings import WorkspaceSettings
from deeplens_kit.storage import encode_path, open_location

__all__ = ["Given", "GivenBytes", "read_given", "said_of"]

Given: TypeAlias = str | Path | BinaryIO
"""A file or link, or an open stream."""

_STREAM = "-"


@dataclass(frozen=True, slots=True)
class GivenBytes:
    """What came.

    Attributes:
        data: Its bytes.
        name: The name that it came with, encoded as paths are.
        source: Where it came from, where that tells something; without secrets.
    """

    data: bytes
    name: str
    source: str = ""


def said_of(given: Given) -> str:
    """How a thing is called in an answer: as it was named, a link without what may be a key."""
    if isinstance(given, str) and is_link(given):
        return _encoded(shown_link(given))
    return _encoded(str(given)) if isinstance(given, str | Path) else _STREAM


def read_given(given: Given, settings: WorkspaceSettings, *, name: str | None, allow_private: bool) -> GivenBytes:
    """The bytes of a thing.

    Args:
        given: A file, a link or a stream.
        settings: Limits.
        name: What to call the content of a stream.
        allow_private: Whether a link may lead to an address that is not public.

    Raises:
        ObjectError: They cannot be had, or are too many.
        QueryError: A link leads nowhere; LinkRefusedError where it is not followed.
        LocationError: The folder of a file cannot be used.
    """
    most = min(settings.ingest.max_bytes, settings.decode.max_bytes)
    if isinstance(given, str) and is_link(given):
        limits = LinkLimits(max_bytes=most, seconds=settings.ingest.url_seconds, allow_private=allow_private)
        found = fetch(given, limits)
        return GivenBytes(found.data, _encoded(found.name), shown_link(given))
    if isinstance(given, str | Path):
        return _of_file(str(given), most)
    return GivenBytes(_of_stream(given, most), _encoded(name or "stdin"))


def _of_file(text: str, most: int) -> GivenBytes:
    said = _encoded(text)
    try:
        path = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - Path knows no undecodable names
        real = os.path.realpath(path)
        what = "is not there" if not os.path.lexists(path) else "is a folder" if os.path.isdir(path) else ""  # noqa: PTH112
    except (OSError, ValueError) as error:
        raise ObjectUnreadableError(f"{said!r} cannot be looked at: {error}; name another file.") from error
    if what:
        raise ObjectUnreadableError(f"{said!r} {what}; name picture files, links (http, https) or - for a pipe.")
    folder, name = os.path.split(real)
    kind = open_location("", "ingested", folder, {})
    found = encode_path(name)
    stat = kind.stat(found)
    if stat.size_bytes > most:
        raise _too_large(stat.size_bytes, most)
    # The name that the user knows it by, whatever a link leads to.
    return GivenBytes(kind.read(found, expected=stat, max_bytes=most), _encoded(os.path.basename(path)))  # noqa: PTH119


def _of_stream(stream: BinaryIO, most: int) -> bytes:
    try:
        # One more than allowed tells what is too long, and nothing beyond is held.
        data = stream.read(most + 1)
    except OSError as error:
        raise ObjectUnreadableError(f"Standard input cannot be read: {error.strerror or error}.") from error
    if len(data) > most:
        raise _too_large(None, most)
    return data


def _too_large(size_bytes: int | None, most: int) -> LimitExceededError:
    has = f"has {size_bytes:,}" if size_bytes is not None else "has more"
    return LimitExceededError(
        f"It {has} bytes; at most {most:,} are taken (ingest.max_bytes and decode.max_bytes): raise them if you "
        "trust the file."
    )


def _encoded(text: str) -> str:
    try:
        return encode_path(text)
    except ObjectError:
        return text.encode("utf-8", "replace").decode("utf-8")
