"""A place of one kind of location for benchmarks and tests: objects are put there behind DeepLens' back.

A place says how it becomes a location, through which port (a proxy may stand before it), and how its own library lists
it at its fastest.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.server import Server

__all__ = ["StoragePlace", "credential", "writer_into"]

_PUTTERS = 8
_HOUR = 3600


@dataclass
class StoragePlace:
    """A place of one kind.

    Attributes:
        kind: Its name in tables.
        located: URL and options of the location, reached through a port.
        put: Makes or overwrites one object.
        list_by_library: The library's own fastest listing of all objects; returns how many there were.
        server: What serves it; None where nothing does.
        put_all: Makes many; by default one after the other, in threads.
        weak_listing: Why the library's listing tells less than ours must; empty where it tells the same.
        root: Name of its bucket, folder or table on the server.
        folder: Where its files lie on this machine; None where it has none.
    """

    kind: str
    located: Callable[[int], tuple[str, dict[str, object]]]
    put: Callable[[str, bytes], None]
    list_by_library: Callable[[], int]
    server: Server | None = None
    put_all: Callable[[Mapping[str, bytes]], None] | None = None
    weak_listing: str = ""
    root: str = ""
    folder: Path | None = None

    @property
    def port(self) -> int:
        """Where the server listens; 0 where there is none."""
        return self.server.port if self.server else 0

    def put_many(self, files: Mapping[str, bytes]) -> None:
        """Make many objects."""
        if self.put_all is not None:
            self.put_all(files)
            return
        with ThreadPoolExecutor(_PUTTERS) as threads:
            list(threads.map(lambda item: self.put(*item), files.items()))

    def age(self) -> None:
        """Have its files written an hour ago: where the clock is coarse, young ones are read once more."""
        for file in self.folder.rglob("*") if self.folder else ():
            if file.is_file():
                written = file.stat().st_mtime - _HOUR
                os.utime(file, (written, written))

    def opened(self, port: int | None = None, **options: object) -> LocationKind:
        """The location, through a port of this machine."""
        url, given = self.located(port or self.port)
        return open_location(self.kind, self.kind, url, given | options)


def credential(value: str) -> str:
    """A reference to a credential, which then stands in the environment of this process."""
    name = f"PLACE_{secrets.token_hex(8).upper()}"
    os.environ[name] = value
    return f"${{{name}}}"


def writer_into(folder: Path) -> Callable[[str, bytes], None]:
    """What makes files in a folder, in the place of any that are there."""

    def put(path: str, data: bytes) -> None:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    return put
