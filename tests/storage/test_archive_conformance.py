"""Archives of each kind do what every kind of location must."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.storage.conformance import LocationConformance


class _Archive:
    """Written anew where what it holds changed, before it is opened."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._held: dict[str, bytes] = {}
        self._locations: list[LocationKind] = []
        self._waiting = True

    def opened(self, **options: object) -> LocationKind:
        if self._waiting:
            self._write()
        scheme = "zip" if self.file.suffix == ".zip" else "tar"
        self._locations.append(open_location("L", "pics", self.file.as_uri().replace("file", scheme, 1), options))
        return self._locations[-1]

    def put(self, path: str, data: bytes) -> None:
        self._held[path] = data
        self._changed()

    def drop(self, path: str) -> None:
        del self._held[path]
        self._changed()

    def close(self) -> None:
        for location in self._locations:
            location.close()

    def _changed(self) -> None:
        self._waiting = True
        if self._locations:
            self._write()

    def _write(self) -> None:
        new = self.file.with_suffix(".new")
        if self.file.suffix == ".zip":
            with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
                for path, data in self._held.items():
                    archive.writestr(path, data)
        else:
            with tarfile.open(new, "w:gz" if self.file.suffix == ".tgz" else "w") as tar:
                for path, data in self._held.items():
                    info = tarfile.TarInfo(path)
                    info.size, info.mtime = len(data), time.time()
                    tar.addfile(info, io.BytesIO(data))
        new.replace(self.file)
        self._waiting = False


class _Archives(LocationConformance):
    writes = False
    name: ClassVar[str]

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[_Archive]:
        archive = _Archive(tmp_path / self.name)
        yield archive
        archive.close()


class TestZip(_Archives):
    name = "a b#%41.zip"


class TestTar(_Archives):
    name = "a b.tar"


class TestGzippedTar(_Archives):
    name = "a.tgz"
