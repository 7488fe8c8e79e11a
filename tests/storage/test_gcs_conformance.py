"""A bucket of Google Cloud Storage does what every kind of location must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deeplens_kit.storage import LocationKind, open_location
from tests.servers.fake_gcs import GcsServer
from tests.servers.server import free_ports
from tests.storage.conformance import ServedConformance


class GcsPlace:
    """A bucket of its own, filled by Google's library."""

    def __init__(self, server: GcsServer, bucket: str) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        self.server, self.name = server, bucket
        options = {"api_endpoint": server.endpoint}
        self.client: Any = Client(server.project, AnonymousCredentials(), client_options=options)
        self.bucket: Any = self.client.create_bucket(bucket)

    def opened(self, **options: object) -> LocationKind:
        given = {"endpoint": self.server.endpoint, "anonymous": True, "retries": 1, **options}
        return open_location("L", "bucket", f"gs://{self.name}", given)

    def put(self, path: str, data: bytes) -> None:
        self.bucket.blob(path).upload_from_string(data, retry=None)

    def drop(self, path: str) -> None:
        self.bucket.blob(path).delete()


@pytest.fixture
def place(fake_gcs: GcsServer, tmp_path: Path) -> Iterator[GcsPlace]:
    made = GcsPlace(fake_gcs, f"b{abs(hash(tmp_path)):x}")
    yield made
    made.client.close()


class TestGcs(ServedConformance):
    lists_checksum = True
    keeps_versions = True
    many = 60

    @pytest.fixture
    def unreachable(self) -> LocationKind:
        options = {"anonymous": True, "endpoint": f"http://127.0.0.1:{free_ports(1)[0]}", "retries": 0}
        return open_location("L", "bucket", "gs://pictures", options)

    @pytest.fixture
    def refused(self) -> None:
        """The server lets everybody in; `test_gcs.py` has a server that does not."""
