"""Folders behind servers of FTP do what every kind of location must: one with MLSD, one with LIST and MDTM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.ftp import FtpServer
from tests.servers.server import free_ports
from tests.storage.conformance import FolderPlace, ServedConformance


class _Ftp(FolderPlace):
    def __init__(self, server: FtpServer, folder: str) -> None:
        super().__init__(server.served / folder)
        self.folder.mkdir()
        self.made: list[LocationKind] = []
        self.url = f"ftp://{server.user}@{server.host}:{server.port}{server.base.rstrip('/')}/{folder}"

    def opened(self, **options: object) -> LocationKind:
        self.made.append(open_location("L", "pics", self.url, {"password": "${FTP_PASSWORD}", **options}))
        return self.made[-1]


class _FtpConformance(ServedConformance):
    """A subclass gives the fixture `server`."""

    writes = False
    same_size_overwrite_is_seen = False

    @pytest.fixture
    def place(
        self, server: FtpServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[_Ftp]:
        monkeypatch.setenv("FTP_PASSWORD", server.password)
        place = _Ftp(server, request.node.name)
        yield place
        for location in place.made:
            location.close()

    @pytest.fixture
    def unreachable(self) -> LocationKind:
        return open_location("L", "pics", f"ftp://127.0.0.1:{free_ports(1)[0]}/", {"retries": 1})


class TestPyftpdlib(_FtpConformance):
    @pytest.fixture
    def server(self, pyftpd: FtpServer) -> FtpServer:
        return pyftpd

    @pytest.fixture
    def refused(self) -> None:
        """It waits three seconds before it refuses; vsftpd does so at once."""


class TestVsftpd(_FtpConformance):
    @pytest.fixture
    def server(self, vsftpd: FtpServer) -> FtpServer:
        return vsftpd

    @pytest.fixture
    def refused(self, server: FtpServer, monkeypatch: pytest.MonkeyPatch) -> tuple[LocationKind, str]:
        monkeypatch.setenv("FTP_PASSWORD", "wrong-password-of-ftp")
        url = f"ftp://nobody@{server.host}:{server.port}/"
        return open_location("L", "pics", url, {"password": "${FTP_PASSWORD}"}), "wrong-password-of-ftp"
