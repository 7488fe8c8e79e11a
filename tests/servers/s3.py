"""What the servers of S3 have in common: a bucket, keys, and the request that shows that objects can be stored."""

from __future__ import annotations

import re
import secrets
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.servers.issued import issue
from tests.servers.server import HOST, Server

REGION = "us-east-1"
BUCKET = "pictures"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Keys:
    """Credentials that were made for this start.

    Attributes:
        access_key: Names them.
        secret_key: Proves them.
    """

    access_key: str
    secret_key: str = field(repr=False)


def new_keys() -> Keys:
    """Keys at random, plainly of a test."""
    return Keys(f"TESTKEY{secrets.token_hex(6).upper()}", issue(f"test-secret-{secrets.token_hex(16)}"))


@dataclass(frozen=True)
class S3Server(Server):
    """A server of S3.

    Attributes:
        endpoint: URL of the API; buckets are named in the path.
        region: Name of the region.
        bucket: A bucket that is there and empty.
        keys: Credentials that may do everything.
        reader: Credentials that may only list and read; nothing where the server knows one user only.
        metrics: URL of what it counts, for Prometheus; empty where it counts nothing.
    """

    endpoint: str
    region: str
    bucket: str
    keys: Keys
    reader: Keys | None = None
    metrics: str = ""

    @property
    def access_key(self) -> str:
        """Of the credentials that may do everything."""
        return self.keys.access_key

    @property
    def secret_key(self) -> str:
        """Of the credentials that may do everything."""
        return self.keys.secret_key

    def sent_bytes(self, bucket: str = BUCKET) -> int:
        """How much content of a bucket the server sent since it was started, as it counts itself."""
        with _DIRECT.open(self.metrics, timeout=10) as answer:
            counted = re.search(
                rf'^\w+_sent_bytes_total{{bucket="{bucket}"}} (\S+)', answer.read().decode(), re.MULTILINE
            )
        return int(float(counted[1])) if counted else 0

    def client(self) -> Any:
        """A client of boto3 that may do everything."""
        return client(self.port, self.keys)


def client(port: int, keys: Keys, *, retries: int = 0) -> Any:
    """A client of boto3 for a server on this machine, which neither waits nor tries for long."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2,
        read_timeout=30,
        retries={"total_max_attempts": retries + 1},
        s3={"addressing_style": "path"},
        proxies={},
    )
    return boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}:{port}",
        region_name=REGION,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=config,
    )


def stores(keys: Keys) -> Callable[[int], None]:
    """The request that a server of S3 answers when it is ready: an object is stored and removed.

    A bucket that can be made says little: SeaweedFS makes the first volumes, which takes seconds, when the first object
    comes.
    """
    clients: dict[int, Any] = {}

    def ready(port: int) -> None:
        asked = clients.setdefault(port, client(port, keys))
        try:
            asked.head_bucket(Bucket=BUCKET)
        except asked.exceptions.ClientError:
            asked.create_bucket(Bucket=BUCKET)
        asked.put_object(Bucket=BUCKET, Key="is-it-ready", Body=b"yes")
        asked.delete_object(Bucket=BUCKET, Key="is-it-ready")

    return ready
