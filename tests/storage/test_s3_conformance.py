"""Buckets do what every kind of location must, over a server of S3, an emulator, and the code of MinIO."""

from __future__ import annotations

import pytest

from deeplens_kit.errors import LocationReadOnlyError
from deeplens_kit.storage import LocationKind
from tests.servers.s3 import S3Server
from tests.storage.conformance import ServedConformance
from tests.storage.s3_place import S3Place


class _S3(ServedConformance):
    lists_checksum = True
    keeps_versions = True
    many = 30  # in pages of 25

    @pytest.fixture
    def unreachable(self, place: S3Place) -> LocationKind:
        return place.away()

    @pytest.fixture
    def refused(self, place: S3Place) -> tuple[LocationKind, str] | None:
        return place.refused()


class TestSeaweedFS(_S3):
    @pytest.fixture
    def place(self, seaweedfs: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Place:
        return S3Place(seaweedfs, monkeypatch)


class TestMoto(_S3):
    @pytest.fixture
    def place(self, moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Place:
        return S3Place(moto, monkeypatch)

    @pytest.fixture
    def refused(self, place: S3Place) -> tuple[LocationKind, str] | None:
        return None  # it takes any


class TestJuiceFS(_S3):
    """The gateway writes over what is there although it is asked not to."""

    writes = False

    @pytest.fixture
    def place(self, juicefs: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Place:
        return S3Place(juicefs, monkeypatch)

    def test_it_is_not_written_to_where_it_would_overwrite(self, place: S3Place) -> None:
        place.put("a.bin", b"one")
        place.put("b.bin", b"two")
        location = place.opened(permissions="change")
        state = location.stat("a.bin")
        for act in (
            lambda: location.create("b.bin", b"mine"),
            lambda: location.create("new.bin", b"mine"),
            lambda: location.copy("a.bin", "b.bin", expected=state),
            lambda: location.move("a.bin", "new.bin", expected=state),
        ):
            with pytest.raises(LocationReadOnlyError, match="ignores If-None-Match"):
                act()
        found = location.check()
        assert found.may_write is False
        assert "ignores If-None-Match" in found.remarks[0]
        assert place.keys() == ["a.bin", "b.bin"]
        assert location.read("b.bin", max_bytes=9) == b"two"
        location.remove("a.bin", expected=state)
        assert place.keys() == ["b.bin"]
