"""Folders of buckets of the S3 servers, for the tests of locations on S3."""

from __future__ import annotations

import functools
import secrets
from typing import Any

import pytest

from deeplens_kit.storage import LocationKind, open_location, s3_store
from tests.servers.s3 import Keys, S3Server, client
from tests.servers.server import HOST, free_ports

KEY, SECRET = "DEEPLENS_TEST_S3_KEY", "DEEPLENS_TEST_S3_SECRET"
"""Variables of the environment in which a place keeps the credentials."""


class S3Place:
    """A folder of a bucket that no other test uses."""

    def __init__(self, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server, self.monkeypatch = server, monkeypatch
        self.bucket, self.prefix = server.bucket, f"t-{secrets.token_hex(6)}/"
        self.client = _client(server.port, server.keys)
        self.use(server.keys)
        # So that few objects come in several pages.
        monkeypatch.setattr(s3_store, "_KEYS_A_PAGE", 25)

    def use(self, keys: Keys) -> None:
        """Put credentials where the location looks for them."""
        self.monkeypatch.setenv(KEY, keys.access_key)
        self.monkeypatch.setenv(SECRET, keys.secret_key)

    def opened(self, **options: object) -> LocationKind:
        """The location, with the credentials of the environment."""
        keys: dict[str, object] = {"access_key": f"${{{KEY}}}", "secret_key": f"${{{SECRET}}}"}
        if {"anonymous", "profile", "role_arn"} & set(options):
            keys = {}
        served = {"endpoint": self.server.endpoint, "region": self.server.region, "addressing": "path"}
        return open_location(
            "L", "pics", f"s3://{self.bucket}/{self.prefix}", {**served, **keys, "retries": 1, **options}
        )

    def away(self) -> LocationKind:
        """The location with nobody at its address."""
        return self.opened(endpoint=f"http://{HOST}:{free_ports(1)[0]}", timeout_seconds=2.0, retries=0)

    def refused(self) -> tuple[LocationKind, str]:
        """The location with a secret that is wrong, and that secret."""
        wrong = f"test-wrong-{secrets.token_hex(16)}"
        self.use(Keys(self.server.access_key, wrong))
        return self.opened(), wrong

    def put(self, path: str, data: bytes) -> None:
        """Store an object by the server's own client."""
        self.client.put_object(Bucket=self.bucket, Key=self.prefix + path, Body=data)

    def drop(self, path: str) -> None:
        """Remove one."""
        self.client.delete_object(Bucket=self.bucket, Key=self.prefix + path)

    def head(self, path: str) -> Any:
        """What the server knows of one."""
        return self.client.head_object(Bucket=self.bucket, Key=self.prefix + path)

    def keys(self) -> list[str]:
        """All names, also hidden ones."""
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix)
        return sorted(item["Key"].removeprefix(self.prefix) for item in answer.get("Contents", ()))


# One for all tests of a server: to make one takes a while.
_client = functools.cache(client)
