"""A folder of this machine does what every kind of location must."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.storage.conformance import FolderPlace, LocationConformance


class _Local(FolderPlace):
    def opened(self, **options: object) -> LocationKind:
        return open_location("L", "pics", str(self.folder), options)


class TestLocal(LocationConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> _Local:
        return _Local(tmp_path)
