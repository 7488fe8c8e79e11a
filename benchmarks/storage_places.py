"""Places of every kind by name, each with a server of its own where the kind needs one."""

from __future__ import annotations

import io
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import served_places
from benchmarks.rescan import scandir_and_stat
from benchmarks.served_places import TABLE
from benchmarks.storage_place import StoragePlace, writer_into
from tests.servers import azurite, fake_gcs, postgres, pyftpd, samba, seaweedfs, sshd, vsftpd, webdav

__all__ = ["PLACES"]

_WEAK = "no times but minutes: each file is asked for its own besides"


@contextmanager
def _local(folder: Path) -> Iterator[StoragePlace]:
    root = folder / "pictures"
    root.mkdir(parents=True)
    yield StoragePlace("local", lambda port: (str(root), {}), writer_into(root), lambda: scandir_and_stat(root))


_SQLITE_PUT = "INSERT INTO pictures (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data"


@contextmanager
def _sqlite(folder: Path) -> Iterator[StoragePlace]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pictures.db"
    with sqlite3.connect(file) as made:
        made.execute("CREATE TABLE pictures (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB)")
    made.close()

    def put_all(files: Mapping[str, bytes]) -> None:
        connection = sqlite3.connect(file)
        with connection:
            put = (
                "INSERT INTO pictures (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data"
            )
            connection.executemany(put, list(files.items()))
        connection.close()

    def listed() -> int:
        connection = sqlite3.connect(file)
        found = connection.execute("SELECT id, name, length(data) FROM pictures").fetchall()
        connection.close()
        return len(found)

    yield StoragePlace(
        "sqlite",
        lambda port: (f"sqlite://{file}", dict(TABLE)),
        lambda path, data: put_all({path: data}),
        listed,
        put_all=put_all,
        folder=folder,
    )


@contextmanager
def _zip(folder: Path) -> Iterator[StoragePlace]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pictures.zip"

    def put_all(files: Mapping[str, bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for path, data in files.items():
                archive.writestr(path, data)

    def listed() -> int:
        with zipfile.ZipFile(file) as archive:
            return len(archive.infolist())

    yield StoragePlace(
        "zip",
        lambda port: (f"zip://{file}", {}),
        lambda path, data: put_all({path: data}),
        listed,
        put_all=put_all,
        folder=folder,
    )


@contextmanager
def _tar(folder: Path) -> Iterator[StoragePlace]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pictures.tar"

    def put_all(files: Mapping[str, bytes]) -> None:
        with tarfile.open(file, "w") as archive:
            for path, data in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))

    def listed() -> int:
        with tarfile.open(file) as archive:
            return len(archive.getmembers())

    yield StoragePlace(
        "tar",
        lambda port: (f"tar://{file}", {}),
        lambda path, data: put_all({path: data}),
        listed,
        put_all=put_all,
        folder=folder,
    )


@contextmanager
def _on(
    running: Callable[[Path], AbstractContextManager[Any]], place_of: Callable[[Any], StoragePlace], folder: Path
) -> Iterator[StoragePlace]:
    with running(folder) as server:
        yield place_of(server)


def _served(
    running: Callable[[Path], AbstractContextManager[Any]], place_of: Callable[[Any], StoragePlace]
) -> Callable[[Path], AbstractContextManager[StoragePlace]]:
    return lambda folder: _on(running, place_of, folder)


PLACES: Mapping[str, Callable[[Path], AbstractContextManager[StoragePlace]]] = {
    "local": _local,
    "s3": _served(seaweedfs.running, served_places.of_s3),
    "azure": _served(azurite.running, served_places.of_azure),
    "gcs": _served(lambda folder: fake_gcs.running(folder, in_memory=True), served_places.of_gcs),
    "smb": _served(samba.running, served_places.of_smb),
    "sftp": _served(sshd.running, served_places.of_sftp),
    "ftp": _served(pyftpd.running, served_places.of_ftp),
    "ftp-list": _served(vsftpd.running, lambda server: served_places.of_ftp(server, "ftp-list", _WEAK)),
    "webdav": _served(webdav.running, served_places.of_webdav),
    "postgresql": _served(postgres.running, served_places.of_postgres),
    "sqlite": _sqlite,
    "zip": _zip,
    "tar": _tar,
}
"""Context managers by kind; each takes an empty folder and yields a StoragePlace."""
