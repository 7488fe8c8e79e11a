"""A share does what every kind of location must."""

from __future__ import annotations

import secrets
from typing import ClassVar

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.samba import SmbServer
from tests.servers.server import free_ports
from tests.storage.conformance import ODD_NAMES, FolderPlace, ServedConformance


class _Share(FolderPlace):
    def __init__(self, samba: SmbServer) -> None:
        self._samba, self._name = samba, secrets.token_hex(6)
        super().__init__(samba.served / self._name)
        self.folder.mkdir()

    def opened(self, **options: object) -> LocationKind:
        samba = self._samba
        url = f"smb://{samba.user}@{samba.host}:{samba.port}/{samba.share}/{self._name}"
        return open_location("L", "pics", url, {"password": "${SMB_PASSWORD}", **options})


class TestSmb(ServedConformance):
    # Windows cannot have names with any of \\ : * ? " < > |, so neither can its protocol.
    odd_names: ClassVar[tuple[str, ...]] = tuple(name for name in ODD_NAMES if not set(name) & set('\\:*?"<>|'))

    @pytest.fixture
    def place(self, samba: SmbServer, monkeypatch: pytest.MonkeyPatch) -> _Share:
        monkeypatch.setenv("SMB_PASSWORD", samba.password)
        return _Share(samba)

    @pytest.fixture
    def unreachable(self) -> LocationKind:
        (port,) = free_ports(1)
        return open_location("L", "pics", f"smb://me@127.0.0.1:{port}/share", {"retries": 0})

    @pytest.fixture
    def refused(self, samba: SmbServer, monkeypatch: pytest.MonkeyPatch) -> tuple[LocationKind, str]:
        monkeypatch.setenv("SMB_PASSWORD", "no-such-password")
        url = f"smb://{samba.user}@{samba.host}:{samba.port}/{samba.share}"
        return open_location("L", "pics", url, {"password": "${SMB_PASSWORD}"}), "no-such-password"
