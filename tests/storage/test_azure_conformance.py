"""A container of Azure Blob Storage does what every kind of location must."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.azurite import AzureServer
from tests.servers.server import free_ports
from tests.storage.conformance import ServedConformance


class AzurePlace:
    """A container of its own, filled by the SDK."""

    def __init__(self, server: AzureServer, container: str, monkeypatch: pytest.MonkeyPatch) -> None:
        from azure.storage.blob import ContainerClient

        self.server, self.container = server, container
        monkeypatch.setenv("TEST_AZURE", server.connection_string)
        self.client: Any = ContainerClient.from_connection_string(server.connection_string, container, retry_total=0)
        self.client.create_container()

    def opened(self, **options: object) -> LocationKind:
        url = f"az://{self.server.account}/{self.container}"
        return open_location("L", "blobs", url, {"connection_string": "${TEST_AZURE}", "retries": 1, **options})

    def put(self, path: str, data: bytes) -> None:
        self.client.upload_blob(path, data, overwrite=True)

    def drop(self, path: str) -> None:
        self.client.delete_blob(path)


@pytest.fixture
def place(azurite: AzureServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AzurePlace]:
    made = AzurePlace(azurite, f"c{abs(hash(tmp_path)):x}"[:40], monkeypatch)
    yield made
    made.client.close()


class TestAzure(ServedConformance):
    lists_checksum = True
    keeps_versions = True
    many = 40

    @pytest.fixture
    def unreachable(self, monkeypatch: pytest.MonkeyPatch) -> LocationKind:
        monkeypatch.setenv("TEST_AZURE_KEY", base64.b64encode(b"no key").decode())
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": f"http://127.0.0.1:{free_ports(1)[0]}/nobody"}
        return open_location("L", "blobs", "az://nobody/pictures", {**options, "retries": 0})

    @pytest.fixture
    def refused(self, azurite: AzureServer, monkeypatch: pytest.MonkeyPatch) -> tuple[LocationKind, str]:
        secret = base64.b64encode(b"another key than the account's").decode()
        monkeypatch.setenv("TEST_AZURE_KEY", secret)
        options = {"account_key": "${TEST_AZURE_KEY}", "endpoint": azurite.endpoint}
        return open_location("L", "blobs", f"az://{azurite.account}/{azurite.container}", options), secret
