"""A folder behind a server of WebDAV does what every kind of location must."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.server import free_ports
from tests.servers.webdav import WebdavServer
from tests.storage.conformance import FolderPlace, ServedConformance


class _Webdav(FolderPlace):
    def __init__(self, server: WebdavServer, folder: str) -> None:
        super().__init__(server.served / folder)
        self.folder.mkdir()
        self.made: list[LocationKind] = []
        self.url = f"webdav://{server.user}@{server.host}:{server.port}/{folder}"

    def opened(self, **options: object) -> LocationKind:
        self.made.append(open_location("L", "pics", self.url, {"password": "${DAV_PASSWORD}", **options}))
        return self.made[-1]


class TestWsgiDav(ServedConformance):
    same_size_overwrite_is_seen = False

    @pytest.fixture
    def place(
        self, webdav: WebdavServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[_Webdav]:
        monkeypatch.setenv("DAV_PASSWORD", webdav.password)
        place = _Webdav(webdav, request.node.name)
        yield place
        for location in place.made:
            location.close()

    @pytest.fixture
    def unreachable(self) -> LocationKind:
        return open_location("L", "pics", f"webdav://127.0.0.1:{free_ports(1)[0]}/", {"retries": 1})

    @pytest.fixture
    def refused(self, webdav: WebdavServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[LocationKind, str]]:
        monkeypatch.setenv("DAV_PASSWORD", "wrong-password-of-dav")
        url = f"webdav://{webdav.user}@{webdav.host}:{webdav.port}/"
        location = open_location("L", "pics", url, {"password": "${DAV_PASSWORD}"})
        yield location, "wrong-password-of-dav"
        location.close()
