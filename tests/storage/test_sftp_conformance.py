"""A folder that is reached by SSH does what every kind of location must."""

from __future__ import annotations

import secrets
from typing import ClassVar

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.server import free_ports
from tests.servers.sshd import SftpServer
from tests.storage.conformance import FolderPlace, ServedConformance


class _Folder(FolderPlace):
    def __init__(self, sshd: SftpServer) -> None:
        self._sshd = sshd
        super().__init__(sshd.served / secrets.token_hex(6))
        self.folder.mkdir()

    def opened(self, **options: object) -> LocationKind:
        sshd = self._sshd
        return open_location(
            "L",
            "pics",
            f"sftp://{sshd.user}@{sshd.host}:{sshd.port}{self.folder}",
            {"private_key_file": str(sshd.private_key), "host_key": sshd.host_key, **options},
        )


class TestSftp(ServedConformance):
    # Times are of whole seconds: a token says so, and the file is read again.
    same_size_overwrite_is_seen: ClassVar[bool] = False

    @pytest.fixture
    def place(self, sshd: SftpServer) -> _Folder:
        return _Folder(sshd)

    @pytest.fixture
    def unreachable(self) -> LocationKind:
        (port,) = free_ports(1)
        return open_location("L", "pics", f"sftp://me@127.0.0.1:{port}/", {"retries": 0})

    @pytest.fixture
    def refused(self, sshd: SftpServer, monkeypatch: pytest.MonkeyPatch) -> tuple[LocationKind, str]:
        monkeypatch.setenv("SFTP_PASSWORD", "no-such-password")
        url = f"sftp://{sshd.user}@{sshd.host}:{sshd.port}/"
        options = {"password": "${SFTP_PASSWORD}", "host_key": sshd.host_fingerprint}
        return open_location("L", "pics", url, options), "no-such-password"
